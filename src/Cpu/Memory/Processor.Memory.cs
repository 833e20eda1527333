using System.Runtime.CompilerServices;
using Hv.Core;
using Hv.Core.Memory;
using Hv.Core.Registers;
using Hv.Cpu.Decode;
using Hv.Cpu.Execute;
using Hv.Cpu.Memory;
using Hv.Cpu.State;
using Hv.Cpu.System;
using Hv.Cpu.Virtualization;

namespace Hv.Cpu;

/// <summary>Linear memory off the fast path: translation, faults, page crossings, holes, pages with decoded code.</summary>
// SAFETY: host addresses come from GuestMemory.HostPage, and an access does not cross the page that it gave.
public abstract unsafe partial class Processor
{
    private const ulong Cr0Pg = 1UL << 31, Cr4Smap = 1 << 21, EferLma = 1 << 10, RflagsAc = 1 << 18;

    private readonly TranslationCache _tlb = new();
    // A store killed decoded code: a string instruction that is under way leaves, so that it is decoded again.
    private bool _codeHit;

    // PAE's directory pointers, while they are loaded.
    private readonly ulong[] _directory = new ulong[4];
    private bool _hasDirectory;
    private int _bank = TranslationCache.SupervisorSmapBank;

    /// <summary>A linear page resolved for one access.</summary>
    private struct Resolved
    {
        /// <summary>The host's address of the byte, or 0 in a hole.</summary>
        public nint Host;

        /// <summary>The guest-physical address, and the address among the memory slots.</summary>
        public ulong Physical, Slot;

        /// <summary>The page holds decoded code.</summary>
        public bool HasCode;
    }

    private bool IsUser => State.Sys.Cpl == 3;

    /// <summary>Whether bits 63:47 of a linear address are equal (SDM 1 3.3.7.1). Always so outside IA-32e mode, where addresses have 32
    /// bits.</summary>
    internal static bool IsCanonical(ulong linear) => (ulong)((long)(linear << 16) >> 16) == linear;

    /// <summary>Reads 1..8 bytes at a linear address for an operand of <paramref name="op"/>. On failure the fault or event is recorded and 0
    /// returned.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal ulong LoadSlow(ref CpuState s, ref Op op, ulong linear, int size) => LoadChecked(ref s, ref op, linear, size, AccessKind.Read);

    /// <summary>As <see cref="LoadSlow"/>, for an operand that is written afterwards: faults as a write would.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal ulong LoadForWriteSlow(ref CpuState s, ref Op op, ulong linear, int size) => LoadChecked(ref s, ref op, linear, size, AccessKind.Write);

    private ulong LoadChecked(ref CpuState s, ref Op op, ulong linear, int size, AccessKind access)
    {
        if (s.Attention != 0)
            return 0;
        if (!CheckCanonical(ref s, ref op, linear, size))
            return 0;
        ulong value = 0;
        if (!LoadLinear(ref s, linear, size, access, IsUser, false, ref value))
            Abort(ref s, ref op);
        return value;
    }

    /// <summary>Writes 1..8 bytes at a linear address for an operand of <paramref name="op"/>, all or nothing. False: the fault or event is
    /// recorded.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal bool StoreSlow(ref CpuState s, ref Op op, ulong linear, int size, ulong value)
    {
        if (s.Attention != 0)
            return false;
        if (!CheckCanonical(ref s, ref op, linear, size))
            return false;
        if (StoreLinear(ref s, linear, size, IsUser, false, value))
            return true;
        Abort(ref s, ref op);
        return false;
    }

    /// <summary>Whether an access may begin and end where it does: canonical in 64-bit code; elsewhere not over the end of a segment that spans 4
    /// GiB, whose limit the
    /// flat forms do not check. (With a base, the linear address wraps.)</summary>
    private bool IsReachable(ref CpuState s, SegmentNumber segment, ulong linear, int size)
    {
        ulong last = linear + (ulong)(size - 1);
        if (_key.Is64 || last <= uint.MaxValue)
            return IsCanonical(linear) && IsCanonical(last);
        return linear <= uint.MaxValue && segment <= SegmentNumber.Gs && SegmentOf(ref s, segment).Base != 0;
    }

    private bool CheckCanonical(ref CpuState s, ref Op op, ulong linear, int size)
    {
        if (IsReachable(ref s, (SegmentNumber)op.Segment, linear, size))
        {
            // Intel's processors raise #AC for operands of up to 8 bytes: wider ones are #GP where they must be aligned, and free where not.
            if (!ChecksAlignment || size > 8 || (linear & (ulong)(size - 1)) == 0)
                return true;
            Raise(ref s, ref op, ExceptionVector.AlignmentCheck, 0);
            return false;
        }

        Raise(ref s, ref op, op.Segment == (byte)SegmentNumber.Ss ? ExceptionVector.StackFault : ExceptionVector.GeneralProtection, 0);
        return false;
    }

    private bool LoadLinear(ref CpuState s, ulong linear, int size, AccessKind access, bool user, bool isImplicit, ref ulong value)
    {
        if (!isImplicit)
            DebugTraps.Access(ref s, linear, size, access == AccessKind.Write);
        int first = (int)Math.Min((ulong)size, 4096 - (linear & 0xFFF));
        if (!TryResolve(ref s, linear, access, user, isImplicit, out Resolved low))
            return false;
        if (first == size)
            return LoadResolved(ref s, low, linear, size, access, ref value);
        ulong next = Wrap(ref s, linear + (ulong)first);
        if (!TryResolve(ref s, next, access, user, isImplicit, out Resolved high))
            return false;
        ulong lowValue = 0, highValue = 0;
        if (!LoadResolved(ref s, low, linear, first, access, ref lowValue) || !LoadResolved(ref s, high, next, size - first, access, ref highValue))
            return false;
        value = lowValue | highValue << (8 * first);
        return true;
    }

    private bool StoreLinear(ref CpuState s, ulong linear, int size, bool user, bool isImplicit, ulong value)
    {
        if (!isImplicit)
            DebugTraps.Access(ref s, linear, size, true);
        int first = (int)Math.Min((ulong)size, 4096 - (linear & 0xFFF));
        if (!TryResolve(ref s, linear, AccessKind.Write, user, isImplicit, out Resolved low))
            return false;
        if (first == size)
            return StoreResolved(ref s, low, linear, size, value);
        ulong next = Wrap(ref s, linear + (ulong)first);
        if (!TryResolve(ref s, next, AccessKind.Write, user, isImplicit, out Resolved high))
            return false;
        // A device's part before memory's: it may leave the instruction for the host to answer, and then nothing may have been written.
        ulong highValue = value >> (8 * first);
        return high.Host == 0 && low.Host != 0
            ? StoreResolved(ref s, high, next, size - first, highValue) && StoreResolved(ref s, low, linear, first, value)
            : StoreResolved(ref s, low, linear, first, value) && StoreResolved(ref s, high, next, size - first, highValue);
    }

    /// <summary>Linear addresses have 32 bits outside IA-32e mode.</summary>
    private static ulong Wrap(ref CpuState s, ulong linear) => (s.Sys.Efer & EferLma) != 0 ? linear : (uint)linear;

    private bool LoadResolved(ref CpuState s, in Resolved at, ulong linear, int size, AccessKind access, ref ulong value)
    {
        if (at.Host == 0)
        {
            GuestAccess device = GuestAccess.Read | (access == AccessKind.Write ? GuestAccess.Write : 0) | (IsUser ? GuestAccess.User : 0);
            return DeviceAccess(ref s, at.Physical, linear, size, device, false, 0, ref value);
        }

        value = ReadHost(at.Host, size);
        return true;
    }

    private bool StoreResolved(ref CpuState s, in Resolved at, ulong linear, int size, ulong value)
    {
        if (at.Host == 0)
        {
            ulong ignored = 0;
            return DeviceAccess(ref s, at.Physical, linear, size, GuestAccess.Write | (IsUser ? GuestAccess.User : 0), true, Mask(value, size),
                ref ignored);
        }

        WriteHost(at.Host, size, value);
        if (at.HasCode)
            _codeHit |= Code.OnWrite(at.Slot, (ulong)size);
        return true;
    }

    private static ulong Mask(ulong value, int size) => size >= 8 ? value : value & ((1UL << (8 * size)) - 1);

    private static ulong ReadHost(nint host, int size)
    {
        // SAFETY: host is inside one page of a memory slot, and size does not cross it.
        byte* at = (byte*)host;
        switch (size)
        {
            case 1: return *at;
            case 2: return Unsafe.ReadUnaligned<ushort>(at);
            case 4: return Unsafe.ReadUnaligned<uint>(at);
            case 8: return Unsafe.ReadUnaligned<ulong>(at);
        }

        ulong value = 0;
        for (int i = 0; i < size; i++)
            value |= (ulong)at[i] << (8 * i);
        return value;
    }

    private static void WriteHost(nint host, int size, ulong value)
    {
        // SAFETY: host is inside one page of a memory slot, and size does not cross it.
        byte* at = (byte*)host;
        switch (size)
        {
            case 1: *at = (byte)value; return;
            case 2: Unsafe.WriteUnaligned(at, (ushort)value); return;
            case 4: Unsafe.WriteUnaligned(at, (uint)value); return;
            case 8: Unsafe.WriteUnaligned(at, value); return;
        }

        for (int i = 0; i < size; i++)
            at[i] = (byte)(value >> (8 * i));
    }

    /// <summary>Walks the page tables and the layer's nested translation, finds the memory slot, and fills the translation cache. False: a page fault
    /// is
    /// recorded, or an event on a table. A hole is a success with no host address.</summary>
    private bool TryResolve(ref CpuState s, ulong linear, AccessKind access, bool user, bool isImplicit, out Resolved resolved)
    {
        resolved = default;
        var walk = default(Walk);
        var walker = new PageWalker(this, ref s, access, user, isImplicit, sideEffects: true);
        bool mapped = walker.TryWalk(linear, ref walk);
        if (s.Attention != 0)
        {
            return false;
        }

        if (!mapped)
        {
            s.Fault = new FaultRecord { Vector = PageFault.Vector, HasErrorCode = true, ErrorCode = walk.ErrorCode, Address = linear };
            s.Attention |= Attention.Fault;
            return false;
        }

        resolved.Physical = walk.Physical;
        GuestAccess guestAccess = access switch
        {
            AccessKind.Read => GuestAccess.Read,
            AccessKind.Write => GuestAccess.Write,
            _ =>
            GuestAccess.Execute
        };
        if (!TranslateGuestPhysical(walk.Physical, user ? guestAccess | GuestAccess.User : guestAccess, out Gpa slot, out bool writable))
            return true;
        resolved.Slot = slot.Value;
        bool write = access == AccessKind.Write;
        nint page = Memory.HostPage(slot, write);
        if (page == 0)
            return true;
        resolved.Host = page + (nint)(linear & 0xFFF);
        if (access == AccessKind.Execute)
        {
            if (walk.PageSize > 4096)
                _tlb.NoteLarge(linear, walk.PageSize);
            return true;
        }

        if (write)
            resolved.HasCode = Code.HasCode(slot.Value);
        // Data breakpoints are seen here only, so nothing is cached while there are any (MOV DR flushes).
        if (DebugTraps.WatchesData(ref s))
            return true;
        int bank = user ? TranslationCache.UserBank : isImplicit ? TranslationCache.SupervisorSmapBank : _bank;
        if (walk.Readable)
            _tlb.Fill(bank, false, linear, page, walk.Global, walk.PageSize);
        if (write && writable && !resolved.HasCode)
            _tlb.Fill(bank, true, linear, page, walk.Global, walk.PageSize);
        return true;
    }

    /// <summary>The layer's nested translation.</summary>
    protected abstract bool TranslateGuestPhysical(ulong address, GuestAccess access, out Gpa host, out bool writable);

    /// <summary>Reads a page-table entry.</summary>
    internal ulong ReadTable(ulong address, int size)
    {
        ref CpuState s = ref State;
        const GuestAccess Access = GuestAccess.Read | GuestAccess.PageWalk;
        if (TranslateGuestPhysical(address, Access, out Gpa slot, out _))
        {
            nint page = Memory.HostPage(slot, false);
            if (page != 0)
                return ReadHost(page + (nint)(address & 0xFFF), size);
        }

        ulong value = 0;
        DeviceAccess(ref s, address, 0, size, Access, false, 0, ref value);
        return value;
    }

    /// <summary>One of PAE's four directory pointers. They are loaded together when CR3 is (SDM 3A 4.4.1), which is to say by the first walk after
    /// translations were dropped: the fetch of the next instruction. Later writes to them in memory are not seen. 0 with attention set: an event on
    /// their address.</summary>
    /// <param name="index">0 to 3.</param>
    /// <param name="keep">Whether they are kept: false for a host's look at a guest, which must leave no trace.</param>
    internal ulong DirectoryPointer(int index, bool keep)
    {
        ref CpuState s = ref State;
        ulong table = s.Sys.Cr3 & 0xFFFF_FFE0;
        if (_hasDirectory)
            return _directory[index];
        if (!keep)
            return ReadTable(table + (ulong)index * 8, 8);
        for (int i = 0; i < _directory.Length; i++)
        {
            _directory[i] = ReadTable(table + (ulong)i * 8, 8);
            if (s.Attention != 0)
                return 0;
        }

        _hasDirectory = true;
        return _directory[index];
    }

    /// <summary>Sets accessed and dirty bits in a page-table entry, atomically (SDM 3A 4.8).</summary>
    internal void MarkTable(ulong address, int size, ulong bits)
    {
        if (!TranslateGuestPhysical(address, GuestAccess.Read | GuestAccess.Write | GuestAccess.PageWalk, out Gpa slot, out _))
        {
            ulong ignored = 0;
            DeviceAccess(ref State, address, 0, size, GuestAccess.Read | GuestAccess.Write | GuestAccess.PageWalk, true, bits, ref ignored);
            return;
        }

        nint page = Memory.HostPage(slot, true);
        if (page == 0)
            return;
        // SAFETY: entries are aligned to their size, so this lies in the page that the slot gave.
        nint host = page + (nint)(address & 0xFFF);
        if (size == 8)
            Interlocked.Or(ref Unsafe.AsRef<ulong>((void*)host), bits);
        else
            Interlocked.Or(ref Unsafe.AsRef<uint>((void*)host), (uint)bits);
        if (Code.HasCode(slot.Value))
            Code.OnWrite(slot.Value, (ulong)size);
    }
}
