using Hv.Core;
using Hv.Core.Memory;
using Hv.Cpu.Decode;
using Hv.Cpu.Execute;
using Hv.Cpu.Memory;
using Hv.Cpu.State;

namespace Hv.Cpu;

/// <summary>Memory for handlers off the hot path, where false means that the fault is recorded and the handler returns at once; and the upkeep of
/// translations.</summary>
public abstract partial class Processor
{
    /// <summary>The offset of a memory operand in its segment, truncated to the address size.</summary>
    public ulong EffectiveAddress(ref CpuState s, ref Op op)
    {
        ulong offset = Registers.At(ref s, op.Base) + (Registers.At(ref s, op.Index) << op.Scale) + (ulong)op.Displacement;
        return (op.Form & OpForm.AddressMask) switch { OpForm.Address64 => offset, OpForm.Address32 => (uint)offset, _ => (ushort)offset };
    }

    /// <summary>Reads 1..8 bytes at an offset in a segment, with the segment's checks and at the current privilege.</summary>
    public bool TryRead(ref CpuState s, ref Op op, SegmentNumber segment, ulong offset, int size, out ulong value)
    {
        value = 0;
        if (!TryLinear(ref s, ref op, segment, offset, size, false, out ulong linear))
            return false;
        value = LoadSlow(ref s, ref op, linear, size);
        return s.Attention == 0;
    }

    /// <summary>Writes 1..8 bytes at an offset in a segment, with the segment's checks and at the current privilege.</summary>
    public bool TryWrite(ref CpuState s, ref Op op, SegmentNumber segment, ulong offset, int size, ulong value) =>
        TryLinear(ref s, ref op, segment, offset, size, true, out ulong linear) && StoreSlow(ref s, ref op, linear, size, value);

    /// <summary>Reads 1..8 bytes at a linear address as an implicit supervisor access (descriptor tables, TSS, new stacks).</summary>
    public bool TryReadSystem(ref CpuState s, ulong linear, int size, out ulong value)
    {
        value = 0;
        return LoadLinear(ref s, linear, size, AccessKind.Read, false, true, ref value);
    }

    /// <summary>Writes 1..8 bytes at a linear address as an implicit supervisor access.</summary>
    public bool TryWriteSystem(ref CpuState s, ulong linear, int size, ulong value) => StoreLinear(ref s, linear, size, false, true, value);

    /// <summary>Checks that a linear range could be written at privilege <paramref name="cpl"/>, faulting as the write would, so that several writes
    /// can be all or nothing.</summary>
    /// <param name="s">The state.</param>
    /// <param name="linear">The first byte; the range is canonical.</param>
    /// <param name="size">Bytes, 1 to 4096.</param>
    /// <param name="cpl">The privilege of the writes: 3 is a user's.</param>
    public bool TryProbeWrite(ref CpuState s, ulong linear, int size, int cpl) => TryProbe(ref s, linear, size, AccessKind.Write, cpl == 3);

    /// <summary>Whether one byte can be accessed at the present privilege. False: the fault is recorded.</summary>
    internal bool TryProbe(ref CpuState s, ulong linear, bool write) =>
        TryResolve(ref s, linear, write ? AccessKind.Write : AccessKind.Read, IsUser, false, out _);

    private bool TryProbe(ref CpuState s, ulong linear, int size, AccessKind access, bool user)
    {
        if (!TryResolve(ref s, linear, access, user, false, out _))
            return false;
        ulong last = Wrap(ref s, linear + (ulong)(size - 1));
        return (linear ^ last) < 4096 || TryResolve(ref s, last & ~0xFFFUL, access, user, false, out _);
    }

    /// <summary>Translates a linear address with the present paging, without side effects on the guest.</summary>
    public bool TryTranslate(Gva address, out Gpa physical)
    {
        ref CpuState s = ref State;
        physical = default;
        if ((s.Sys.Efer & EferLma) != 0 && !IsCanonical(address.Value))
            return false;
        var walk = default(Walk);
        var walker = new PageWalker(this, ref s, AccessKind.Read, false, false, sideEffects: false) { IgnoreRights = true };
        Attention before = s.Attention;
        bool mapped = walker.TryWalk(address.Value, ref walk) && s.Attention == before;
        s.Attention = before;
        physical = new Gpa(walk.Physical);
        return mapped;
    }

    /// <summary>Drops translations: all, or all but global ones; and PAE's directory pointers, which the next walk then loads again.</summary>
    public void FlushTlb(bool keepGlobal)
    {
        if (keepGlobal)
            _tlb.FlushNonGlobal();
        else
            _tlb.Flush();
        _hasDirectory = false;
        SelectBank(ref State);
        RenewTickets();
    }

    /// <summary>Drops the translation of one linear page. Links between blocks stay valid unless code was fetched from it.</summary>
    public void FlushTlbPage(ulong linear)
    {
        if (_tlb.FlushPage(linear) || HasFetchedFrom(linear))
            RenewTickets();
    }

    internal void FlushWriteTranslations() => _tlb.FlushWrites();

    internal void FlushWriteTranslationsTo(nint hostPage) => _tlb.FlushWritesTo(hostPage);
}
