using Hv.Core;
using Hv.Cpu;
using Hv.Cpu.System;
using Hv.Cpu.Virtualization;

namespace Hv.Backends.Emulated;

/// <summary>What leaves the guest: what the host must answer, and nothing that the processor can do itself.</summary>
internal struct EmulatedVirtualization : IVirtualization
{
    /// <summary>The exceptions that leave: bit n is vector n.</summary>
    public uint Exceptions;

    /// <inheritdoc/>
    public readonly bool Intercepts(Processor processor, ref CpuEvent e) => e.Kind switch
    {
        CpuEventKind.VendorInstruction => e.Instruction == VendorInstruction.HvExit,
        CpuEventKind.PortIo or CpuEventKind.StringIo or CpuEventKind.GuestPhysicalAccess => true,
        CpuEventKind.Cpuid or CpuEventKind.InterruptWindow => true,
        CpuEventKind.Rdmsr or CpuEventKind.Wrmsr => !ModelSpecificRegisters.Owns(e.Index),
        CpuEventKind.Exception => (Exceptions >> (int)e.Index & 1) != 0,
        _ => false,
    };

    /// <inheritdoc/>
    public readonly bool TranslateGuestPhysical(ulong address, GuestAccess access, out Gpa host, out bool writable)
    {
        host = new Gpa(address);
        writable = true;
        return true;
    }
}
