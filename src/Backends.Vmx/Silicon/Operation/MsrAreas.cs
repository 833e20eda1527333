using Hv.Backends.Vmx.Silicon.Fields;
using Hv.Cpu;
using Hv.Cpu.System;

namespace Hv.Backends.Vmx.Silicon.Operation;

/// <summary>The MSR areas that VM entry loads from and VM exit stores to (SDM 3C 25.7.2, 25.8.2): 16 bytes an entry: index, reserved,
/// value.</summary>
internal static class MsrAreas
{
    private const uint FsBase = 0xC000_0100, GsBase = 0xC000_0101, FirstX2Apic = 0x800, LastX2Apic = 0x8FF, SmmMonitorControl = 0x9B;
    private const ulong EntrySize = 16;

    // IA32_VMX_MISC[27:25] recommends at most 512; more is undefined, and would let one entry take for ever.
    private const ulong MostEntries = 512;

    /// <summary>The 1-based number of the first entry that must not be loaded (SDM 3C 27.4), or 0.</summary>
    public static int FirstRefused(Vmcs vmcs, HostPhysicalMemory memory, VmcsField address, VmcsField count)
    {
        ulong entries = vmcs[count];
        for (ulong i = 0; i < Math.Min(entries, MostEntries); i++)
        {
            ulong header = memory.Read(vmcs[address] + (i * EntrySize));
            var index = (uint)header;
            if (header >> 32 != 0 || index is FsBase or GsBase or SmmMonitorControl or (>= FirstX2Apic and <= LastX2Apic)
                || !ModelSpecificRegisters.Owns(index))
                return (int)i + 1;
        }

        return entries > MostEntries ? (int)MostEntries + 1 : 0;
    }

    /// <summary>Loads the VM-entry area. A value that its register refuses is left out.</summary>
    public static void Load(Vmcs vmcs, HostPhysicalMemory memory, Processor processor)
    {
        ulong address = vmcs[VmcsField.EntryMsrLoadAddress];
        for (ulong i = 0; i < vmcs[VmcsField.EntryMsrLoadCount]; i++)
        {
            var index = (uint)memory.Read(address + (i * EntrySize));
            ModelSpecificRegisters.TryWrite(ref processor.State, processor, index, memory.Read(address + (i * EntrySize) + sizeof(ulong)));
        }
    }

    /// <summary>Stores into the VM-exit area.</summary>
    public static void Store(Vmcs vmcs, HostPhysicalMemory memory, Processor processor)
    {
        ulong address = vmcs[VmcsField.ExitMsrStoreAddress];
        for (ulong i = 0; i < Math.Min(vmcs[VmcsField.ExitMsrStoreCount], MostEntries); i++)
        {
            var index = (uint)memory.Read(address + (i * EntrySize));
            if (ModelSpecificRegisters.TryRead(ref processor.State, processor, index, out ulong value) == MsrOutcome.Done)
                memory.Write(address + (i * EntrySize) + sizeof(ulong), value);
        }
    }
}
