using System.Runtime.CompilerServices;
using Hv.Core;
using Hv.Cpu;
using Hv.Cpu.System;
using Hv.Cpu.Virtualization;

namespace Hv.Backends.Emulated;

/// <summary>What leaves the guest: what the host must answer, and nothing that the processor can do itself.</summary>
/// <param name="vcpu">Who answers events on the spot.</param>
internal struct EmulatedVirtualization(EmulatedVcpu vcpu) : IVirtualization
{
    /// <summary>The exceptions that leave: bit n is vector n.</summary>
    public uint Exceptions;

    // The kinds that always leave, a bit each.
    private const ulong Always = 1UL << (int)CpuEventKind.PortIo | 1UL << (int)CpuEventKind.StringIo | 1UL << (int)CpuEventKind.GuestPhysicalAccess
        | 1UL << (int)CpuEventKind.Cpuid | 1UL << (int)CpuEventKind.InterruptWindow;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly bool Intercepts(Processor processor, ref CpuEvent e)
    {
        CpuEventKind kind = e.Kind;
        if ((Always >> (int)kind & 1) != 0)
            return true;
        if (kind is CpuEventKind.Rdmsr or CpuEventKind.Wrmsr)
            return !ModelSpecificRegisters.Owns(e.Index);
        return kind == CpuEventKind.VendorInstruction ? e.Instruction == VendorInstruction.HvExit
            : kind == CpuEventKind.Exception && (Exceptions >> (int)e.Index & 1) != 0;
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly bool Answers(Processor processor) => vcpu.Answers();

    /// <inheritdoc/>
    public readonly bool TranslateGuestPhysical(ulong address, GuestAccess access, out Gpa host, out bool writable)
    {
        host = new Gpa(address);
        writable = true;
        return true;
    }
}
