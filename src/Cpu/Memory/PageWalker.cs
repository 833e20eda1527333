using Hv.Core.Registers;
using Hv.Cpu.State;
using Hv.Cpu.Virtualization;

namespace Hv.Cpu.Memory;

/// <summary>
/// The guest's page tables (SDM 3A chapter 4): no paging, 32-bit with PSE and PSE-36, PAE, four levels. Rights are gathered on the way down and
/// checked
/// at the leaf; accessed bits are set on the way, the dirty bit at the leaf, only when the access is allowed (SDM 3A 4.8).
/// </summary>
internal ref struct PageWalker
{
    private const ulong Present = 1, Writable = 2, User = 4, Accessed = 1 << 5, Dirty = 1 << 6, Large = 1 << 7, GlobalPage = 1 << 8, NoExecute =
        1UL << 63;
    private const ulong AddressMask = 0x000F_FFFF_FFFF_F000;

    private const ulong Cr0Wp = 1 << 16, Cr0Pg = 1UL << 31;
    private const ulong Cr4Pse = 1 << 4, Cr4Pae = 1 << 5, Cr4Pge = 1 << 7, Cr4Smep = 1 << 20, Cr4Smap = 1 << 21;
    private const ulong EferLma = 1 << 10, EferNxe = 1 << 11;
    private const ulong RflagsAc = 1 << 18;

    private readonly Processor _processor;
    private readonly ref SystemRegisters _sys;
    private readonly AccessKind _access;
    private readonly bool _user, _implicit, _alignmentFlag, _sideEffects;

    /// <summary>Prepares a walk.</summary>
    /// <param name="processor">The processor, for memory.</param>
    /// <param name="s">Its state.</param>
    /// <param name="access">What the address is used for.</param>
    /// <param name="user">Whether it is an access at CPL 3.</param>
    /// <param name="isImplicit">Whether it is an implicit supervisor access, which SMAP forbids whatever RFLAGS.AC says (SDM 3A 4.6.1).</param>
    /// <param name="sideEffects">Whether accessed and dirty bits are set.</param>
    internal PageWalker(Processor processor, ref CpuState s, AccessKind access, bool user, bool isImplicit, bool sideEffects)
    {
        _processor = processor;
        _sys = ref s.Sys;
        _access = access;
        _user = user;
        _implicit = isImplicit;
        _alignmentFlag = (s.Gpr.Rflags & RflagsAc) != 0;
        _sideEffects = sideEffects;
    }

    /// <summary>Whether the walk answers where a page is, whatever the rights.</summary>
    internal bool IgnoreRights { get; init; }

    private readonly bool NxEnabled => (_sys.Efer & EferNxe) != 0 && (_sys.Cr4 & Cr4Pae) != 0;

    /// <summary>Walks for <paramref name="linear"/>. False: a page fault with <see cref="Walk.ErrorCode"/>, or, when the processor's attention is
    /// set, an
    /// event on a table's own address.</summary>
    internal readonly bool TryWalk(ulong linear, ref Walk walk)
    {
        walk = default;
        walk.PageSize = 4096;
        if ((_sys.Cr0 & Cr0Pg) == 0)
        {
            walk.Physical = linear;
            walk.Readable = walk.WritableNow = true;
            walk.Global = false;
            return true;
        }

        walk.ErrorCode = (_access == AccessKind.Write ? PageFault.Write : 0) | (_user ? PageFault.User : 0)
            | (_access == AccessKind.Execute && (NxEnabled || (_sys.Cr4 & Cr4Smep) != 0) ? PageFault.Fetch : 0);
        if ((_sys.Efer & EferLma) != 0)
            return Walk64(linear, 4, _sys.Cr3 & AddressMask, User | Writable, ref walk);
        return (_sys.Cr4 & Cr4Pae) != 0 ? WalkPae(linear, ref walk) : Walk32(linear, ref walk);
    }

    /// <summary>Levels of 9 bits with 8-byte entries, from <paramref name="level"/> down to 1.</summary>
    private readonly bool Walk64(ulong linear, int level, ulong table, ulong rights, ref Walk walk)
    {
        bool fourLevels = level == 4;
        bool executable = true;
        for (; ; level--)
        {
            int shift = 12 + 9 * (level - 1);
            ulong address = table + ((linear >> shift) & 0x1FF) * 8;
            ulong entry = _processor.ReadTable(address, 8);
            if (_processor.State.Attention != 0)
                return false;
            if ((entry & Present) == 0)
                return false;
            bool leaf = level == 1 || ((entry & Large) != 0 && level <= (fourLevels ? 3 : 2));
            if (HasReserved64(entry, level, leaf, fourLevels))
                return Reserved(ref walk);
            rights &= entry;
            executable &= !NxEnabled || (entry & NoExecute) == 0;
            if (!leaf)
            {
                Mark(address, 8, entry, Accessed);
                table = entry & AddressMask;
                continue;
            }

            walk.PageSize = 1UL << shift;
            walk.Physical = (entry & AddressMask & ~(walk.PageSize - 1)) | (linear & (walk.PageSize - 1));
            return Leaf(address, 8, entry, rights, executable, ref walk);
        }
    }

    /// <summary>SDM 3A tables 4-15 to 4-20: physical-address bits above the width that CPUID tells, PS in the wrong level, the low address bits of
    /// large pages, and XD when EFER.NXE is clear.</summary>
    private readonly bool HasReserved64(ulong entry, int level, bool leaf, bool fourLevels)
    {
        if ((entry & AddressMask & _processor.PhysicalReserved) != 0 || ((entry & NoExecute) != 0 && !NxEnabled))
            return true;
        if (!fourLevels && (entry & 0x7FF0_0000_0000_0000) != 0)
            return true;
        if (level == 4)
            return (entry & Large) != 0;
        if (!leaf || level == 1)
            return false;
        ulong size = 1UL << (12 + 9 * (level - 1));
        // Bit 12 is PAT in a large leaf.
        return (entry & AddressMask & (size - 1) & ~0x1000UL) != 0;
    }

    private readonly bool WalkPae(ulong linear, ref Walk walk)
    {
        ulong pointer = _processor.DirectoryPointer((int)(linear >> 30) & 3, _sideEffects);
        if (_processor.State.Attention != 0 || (pointer & Present) == 0)
            return false;
        if ((pointer & (_processor.PhysicalReserved | 0x1E6)) != 0)
            return Reserved(ref walk);
        return Walk64(linear, 2, pointer & AddressMask, User | Writable, ref walk);
    }

    private readonly bool Walk32(ulong linear, ref Walk walk)
    {
        ulong address = (_sys.Cr3 & 0xFFFF_F000) + ((linear >> 22) & 0x3FF) * 4;
        ulong entry = _processor.ReadTable(address, 4);
        if (_processor.State.Attention != 0 || (entry & Present) == 0)
            return false;
        ulong rights = entry & (User | Writable);
        if ((entry & Large) != 0 && (_sys.Cr4 & Cr4Pse) != 0)
        {
            // PSE-36 (SDM 3A table 4-4): bits 20:13 are address bits 39:32, bit 21 is reserved.
            if ((entry & (1 << 21)) != 0)
                return Reserved(ref walk);
            walk.PageSize = 4 << 20;
            walk.Physical = (entry & 0xFFC0_0000) | ((entry >> 13) & 0xFF) << 32 | (linear & 0x3F_FFFF);
            return Leaf(address, 4, entry, rights, true, ref walk);
        }

        Mark(address, 4, entry, Accessed);
        address = (entry & 0xFFFF_F000) + ((linear >> 12) & 0x3FF) * 4;
        entry = _processor.ReadTable(address, 4);
        if (_processor.State.Attention != 0 || (entry & Present) == 0)
            return false;
        walk.Physical = (entry & 0xFFFF_F000) | (linear & 0xFFF);
        return Leaf(address, 4, entry, rights & entry, true, ref walk);
    }

    private static bool Reserved(ref Walk walk)
    {
        walk.ErrorCode |= PageFault.Reserved | PageFault.Present;
        return false;
    }

    /// <summary>SDM 3A 4.6.1, 4.6.2.</summary>
    private readonly bool Leaf(ulong address, int size, ulong entry, ulong rights, bool executable, ref Walk walk)
    {
        bool userPage = (rights & User) != 0;
        bool writable = (rights & Writable) != 0;
        bool smap = (_sys.Cr4 & Cr4Smap) != 0 && userPage && !_user && (_implicit || !_alignmentFlag);
        bool readable = _user ? userPage : !smap;
        bool write = readable && (writable || (!_user && (_sys.Cr0 & Cr0Wp) == 0));
        bool allowed = _access switch
        {
            AccessKind.Read => readable,
            AccessKind.Write => write,
            _ => executable && (_user ? userPage : !userPage || (_sys.Cr4 & Cr4Smep) == 0),
        };
        if (!allowed && !IgnoreRights)
        {
            walk.ErrorCode |= PageFault.Present;
            return false;
        }

        bool dirty = _access == AccessKind.Write;
        Mark(address, size, entry, Accessed | (dirty ? Dirty : 0));
        walk.Readable = readable;
        walk.WritableNow = write && (dirty || (entry & Dirty) != 0);
        walk.Global = (entry & GlobalPage) != 0 && (_sys.Cr4 & Cr4Pge) != 0;
        return true;
    }

    private readonly void Mark(ulong address, int size, ulong entry, ulong bits)
    {
        if (_sideEffects && (entry & bits) != bits)
            _processor.MarkTable(address, size, bits);
    }
}
