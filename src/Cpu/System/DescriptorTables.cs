using Hv.Cpu.State;

namespace Hv.Cpu.System;

/// <summary>Access to the GDT and LDT by selector. All reads are implicit supervisor accesses (SDM 3A 4.6.1) of linear addresses that wrap at 32 bits
/// outside IA-32e mode.</summary>
internal static class DescriptorTables
{
    public static bool IsNull(ushort selector) => (selector & 0xFFFC) == 0;

    /// <summary>Reads the 8-byte descriptor of a selector that is not null. Outside its table's limit: <paramref name="vector"/> with the
    /// selector.</summary>
    public static bool TryFetch(ref CpuState s, Processor p, ushort selector, byte vector, out Descriptor descriptor)
    {
        descriptor = default;
        if (!TryLocate(ref s, selector, 8, out ulong linear))
            return Faults.Raise(ref s, vector, selector);
        if (!p.TryReadSystem(ref s, linear, 8, out ulong low))
            return false;
        descriptor = new Descriptor(low);
        return true;
    }

    /// <summary>Reads a system descriptor: 16 bytes in IA-32e mode (SDM 3A 8.2.3), else 8.</summary>
    public static bool TryFetchSystem(ref CpuState s, Processor p, ushort selector, byte vector, out Descriptor descriptor)
    {
        descriptor = default;
        bool wide = Modes.IsLong(ref s);
        if (!TryLocate(ref s, selector, wide ? 16u : 8u, out ulong linear))
            return Faults.Raise(ref s, vector, selector);
        ulong high = 0;
        if (!p.TryReadSystem(ref s, linear, 8, out ulong low) || (wide && !p.TryReadSystem(ref s, linear + 8, 8, out high)))
            return false;
        descriptor = new Descriptor(low, high);
        return true;
    }

    /// <summary>As <see cref="TryFetch"/>, but a selector outside its table is an answer, not a fault (LAR, LSL, VERR, VERW).</summary>
    /// <returns>False when a fault was recorded.</returns>
    public static bool TryPeek(ref CpuState s, Processor p, ushort selector, out bool found, out Descriptor descriptor)
    {
        descriptor = default;
        found = !IsNull(selector) && TryLocate(ref s, selector, 8, out _);
        return !found || TryFetch(ref s, p, selector, ExceptionVector.GeneralProtection, out descriptor);
    }

    /// <summary>Sets the accessed bit in memory and in <paramref name="descriptor"/> if it is clear (SDM 3A 3.4.5.1).</summary>
    public static bool TrySetAccessed(ref CpuState s, Processor p, ushort selector, ref Descriptor descriptor)
    {
        if ((descriptor.Type & 1) != 0)
            return true;
        return TrySetType(ref s, p, selector, ref descriptor, descriptor.Type | 1);
    }

    /// <summary>Writes a descriptor's type field, in memory and in <paramref name="descriptor"/>: accessed and busy bits.</summary>
    public static bool TrySetType(ref CpuState s, Processor p, ushort selector, ref Descriptor descriptor, uint type)
    {
        ulong low = descriptor.Low & ~(0xFUL << 40) | (ulong)type << 40;
        if (!TryLocate(ref s, selector, 8, out ulong linear))
            return Faults.GeneralProtection(ref s, selector);
        if (!p.TryWriteSystem(ref s, linear + 5, 1, low >> 40 & 0xFF))
            return false;
        descriptor = new Descriptor(low, descriptor.High);
        return true;
    }

    /// <summary>The linear address of a descriptor of <paramref name="size"/> bytes; false when any of them lies outside the table or the LDT is
    /// absent.</summary>
    private static bool TryLocate(ref CpuState s, ushort selector, uint size, out ulong linear)
    {
        uint offset = selector & 0xFFF8u;
        bool local = (selector & 4) != 0;
        linear = (local ? s.Sys.Ldtr.Base : s.Sys.Gdtr.Base) + offset;
        if (!Modes.IsLong(ref s))
            linear = (uint)linear;
        return local ? s.Sys.Ldtr.Usable && offset + size - 1 <= s.Sys.Ldtr.Limit : offset + size - 1 <= s.Sys.Gdtr.Limit;
    }
}
