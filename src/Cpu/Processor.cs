using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Hv.Core.Cpuid;
using Hv.Core.Memory;
using Hv.Core.Registers;
using Hv.Cpu.Blocks;
using Hv.Cpu.Decode;
using Hv.Cpu.Execute;
using Hv.Cpu.Memory;
using Hv.Cpu.State;
using Hv.Cpu.System;
using Hv.Cpu.Virtualization;

namespace Hv.Cpu;

/// <summary>
/// The software processor without its run loop: state, memory access and fault recording, as instruction handlers see it.
/// <see cref="Processor{TVirtualization}"/> adds the loop, specialised for a backend.
/// </summary>
/// <remarks>
/// A handler is <c>static void H(ref CpuState s, ref Op op, Processor p)</c>. An ordinary one ends by calling the next operation's handler in tail
/// position
/// (<c>Threading.Next</c>). One that changes control flow, or that may change mode, translation or code, sets RIP and returns, which leaves the
/// block. One that raises an event ends by <c>Threading.Answer</c>, or returns where exits of its kind are rare. One that faults
/// calls <see cref="Raise(ref CpuState, ref Op, byte)"/> and returns, having changed nothing; an access below that fails has recorded the fault
/// already.
/// </remarks>
// SAFETY: the state block and the look-up table are allocated in the constructor and freed in Dispose alone.
public abstract unsafe partial class Processor : IDisposable
{
    private const ulong RflagsVm = 1 << 17, Cr0Am = 1 << 18;

    private const int LookupBytes = LookupEntry.Count * 32;
    private const int MostKeys = 16, FetchedWords = 64;

    private readonly CpuState* _state;
    private readonly bool _ownsCode;
    private readonly (ModeKey Key, ulong Ticket)[] _tickets = new (ModeKey, ulong)[MostKeys];
    // The linear pages that blocks under the present tickets were fetched from, as a filter: one bit a page, many pages to a bit.
    private readonly ulong[] _fetchedPages = new ulong[FetchedWords];
    private int _nextTicket;
    private ModeKey _key;
    private bool _disposed;

    /// <summary>Makes a processor over <paramref name="memory"/> with all state zero: load or reset it before it runs.</summary>
    /// <param name="memory">The memory behind guest-physical addresses.</param>
    /// <param name="cpuid">What CPUID answers.</param>
    /// <param name="code">The decoded code of the partition, shared by its processors; null for a cache of its own.</param>
    protected Processor(GuestMemory memory, CpuidTable cpuid, CodeCache? code = null)
    {
        Memory = memory;
        Cpuid = cpuid;
        Features = FeatureSet.Of(cpuid);
        PhysicalReserved = ProcessorFeatures.PhysicalReserved(cpuid);
        _ownsCode = code is null;
        Code = code ?? new CodeCache(memory);
        // SAFETY: freed in Dispose only; zeroed, 64-byte aligned.
        _state = (CpuState*)NativeMemory.AlignedAlloc((nuint)sizeof(CpuState), 64);
        *_state = new CpuState { RipReach = CpuState.RipReachValue };
        void* lookup = NativeMemory.AlignedAlloc(LookupBytes, 64);
        NativeMemory.Clear(lookup, LookupBytes);
        _state->Lookup = (nint)lookup;
        Code.Attach(this);
        ModeChanged(ref State);
    }

    /// <summary>The state block; pinned, 64-byte aligned.</summary>
    public ref CpuState State => ref *_state;

    /// <summary>The memory behind guest-physical addresses.</summary>
    public GuestMemory Memory { get; }

    /// <summary>What CPUID answers when no layer intercepts it, and which features exist.</summary>
    public CpuidTable Cpuid { get; }

    /// <summary>The parts of the instruction set that <see cref="Cpuid"/> reports. The processors of a partition, which share decoded code, have the
    /// same.</summary>
    internal FeatureSet Features { get; }

    /// <summary>Address bits above the physical width, which tables and CR3 must leave 0.</summary>
    internal ulong PhysicalReserved { get; }

    /// <summary>The decoded code of the partition.</summary>
    public CodeCache Code { get; }

    /// <summary>The event under <see cref="Attention.Event"/>.</summary>
    public CpuEvent Event;

    /// <summary>Room for handlers that need more than locals.</summary>
    internal ulong[] Scratch { get; } = new ulong[8];

    /// <summary>Every access goes the slow way: a data breakpoint is armed, or alignment is checked.</summary>
    internal bool WatchesAccesses { get; private set; }

    /// <summary>Misaligned accesses are #AC(0): CPL 3, CR0.AM, RFLAGS.AC (SDM 3A 6.15, interrupt 17).</summary>
    internal bool ChecksAlignment { get; private set; }

    /// <summary>The mode that decoding and checks depend on.</summary>
    internal ModeKey Key => _key;

    /// <summary>Another number after each change of a segment register, of CPL or of the mode: what is derived from those holds while it stays.</summary>
    public ulong ModeVersion { get; private set; }

    /// <summary>Whether the processor runs 64-bit code: EFER.LMA and CS.L.</summary>
    public bool Is64BitCode => _key.Is64;

    /// <summary>Records exception <paramref name="vector"/> without an error code for the instruction <paramref name="op"/>.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public void Raise(ref CpuState s, ref Op op, byte vector) => Record(ref s, ref op, vector, false, 0);

    /// <summary>Records exception <paramref name="vector"/> with an error code for the instruction <paramref name="op"/>.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public void Raise(ref CpuState s, ref Op op, byte vector, uint errorCode) => Record(ref s, ref op, vector, true, errorCode);

    /// <summary>Offers an event to the virtualization layer: fills <see cref="Event"/> with <paramref name="kind"/> and the length, sets RIP on the
    /// instruction and
    /// <see cref="Attention.Event"/>. The handler sets the other fields and returns; the run loop asks the layer, then calls the event's native
    /// effect.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Leave(ref CpuState s, ref Op op, CpuEventKind kind)
    {
        Describe(ref s, ref op, kind);
        s.Attention |= Attention.Event | Attention.Placed;
    }

    /// <summary>As <see cref="Leave"/>, for a handler that ends with <see cref="Threading.Answer"/>: without <see cref="Attention.Event"/>, which that
    /// sets where it is needed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Describe(ref CpuState s, ref Op op, CpuEventKind kind)
    {
        // What offers an event ends its block, so that nothing but the instruction itself is given back.
        Debug.Assert(Threading.Left(ref s, ref op) == 1);
        Event = default;
        Event.Kind = kind;
        Event.Length = op.Length;
        s.Gpr.Rip = s.BlockRip + op.RipDelta;
        s.Remaining++;
    }

    /// <summary>Ends an instruction that leaves the block by falling through: RIP moves past it (truncated by the code size).</summary>
    public void Finish(ref CpuState s, ref Op op) => s.Gpr.Rip = NextRip(ref s, ref op);

    /// <summary>Leaves the block after an instruction that others of it may follow: what was not executed is given back to the budget.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal void LeaveAfter(ref CpuState s, ref Op op)
    {
        s.Gpr.Rip = NextRip(ref s, ref op);
        s.Remaining += Threading.Left(ref s, ref op) - 1;
    }

    /// <summary>RIP after <paramref name="op"/>, truncated to 32 bits outside 64-bit code.</summary>
    public ulong NextRip(ref CpuState s, ref Op op) => TruncateRip(s.BlockRip + op.RipDelta + op.Length);

    /// <summary>Whether a near branch may go to <paramref name="target"/>: canonical in 64-bit code, inside CS's limit otherwise.</summary>
    internal bool IsBranchTarget(ref CpuState s, ulong target) => _key.Is64 ? IsCanonical(target) : target <= s.Sys.Cs.Limit;

    /// <summary>Recomputes what is derived from CR0, CR4, EFER, CPL, RFLAGS.AC/VM and segments: the block key, the TLB bank, segment bases. Call
    /// after changing any of them, for segments even when nothing derived differs (<see cref="ModeVersion"/>).</summary>
    public void ModeChanged(ref CpuState s)
    {
        ref SystemRegisters sys = ref s.Sys;
        ModeVersion++;
        bool long64 = (sys.Efer & EferLma) != 0 && sys.Cs.Long;
        ulong key = 0;
        if (long64)
        {
            key = ModeKey.Code64 | ModeKey.Stack32 | ModeKey.FlatData | ModeKey.FlatStack;
        }
        else
        {
            key |= sys.Cs.Default ? ModeKey.Code32 : 0;
            key |= sys.Ss.Default ? ModeKey.Stack32 : 0;
            key |= IsFlat(sys.Ds) && IsFlat(sys.Es) ? ModeKey.FlatData : 0;
            key |= IsFlat(sys.Ss) ? ModeKey.FlatStack : 0;
            key |= Code.LimitNumber(sys.Cs.Limit) << ModeKey.LimitShift;
            key |= sys.Cs.Base << 32;
        }

        bool real = (sys.Cr0 & 1) == 0 || (s.Gpr.Rflags & RflagsVm) != 0;
        key |= (sys.Cpl == 3 ? ModeKey.User : 0) | (real ? ModeKey.Real : 0) | VectorKey(sys, real);

        s.SegmentBase[0] = long64 ? 0 : sys.Es.Base;
        s.SegmentBase[1] = long64 ? 0 : sys.Cs.Base;
        s.SegmentBase[2] = long64 ? 0 : sys.Ss.Base;
        s.SegmentBase[3] = long64 ? 0 : sys.Ds.Base;
        s.SegmentBase[4] = sys.Fs.Base;
        s.SegmentBase[5] = sys.Gs.Base;

        SelectBank(ref s);
        _key = new ModeKey(key);
        s.Ticket = TicketOf(_key);
    }

    private static ulong VectorKey(in SystemRegisters sys, bool real)
    {
        const ulong SseAndAvx = 6;
        ulong key = (sys.Cr0 & ControlBits.Ts) != 0 ? ModeKey.TaskSwitched : 0;
        if ((sys.Cr0 & ControlBits.Em) != 0)
            key |= ModeKey.NoCoprocessor;
        else if ((sys.Cr4 & ControlBits.Osfxsr) != 0)
            key |= ModeKey.Sse;
        if (!real && (sys.Cr4 & ControlBits.Osxsave) != 0 && (sys.Xcr0 & SseAndAvx) == SseAndAvx)
            key |= ModeKey.Avx;
        return key;
    }

    /// <summary>Points the state block at the translation caches of the present privilege.</summary>
    private void SelectBank(ref CpuState s)
    {
        bool smapLifted = (s.Sys.Cr4 & Cr4Smap) != 0 && (s.Gpr.Rflags & RflagsAc) != 0;
        ChecksAlignment = s.Sys.Cpl == 3 && (s.Sys.Cr0 & Cr0Am) != 0 && (s.Gpr.Rflags & RflagsAc) != 0;
        WatchesAccesses = ChecksAlignment || DebugTraps.WatchesData(ref s);
        _bank = s.Sys.Cpl == 3 ? TranslationCache.UserBank : smapLifted ? TranslationCache.SupervisorBank : TranslationCache.SupervisorSmapBank;
        int shown = WatchesAccesses ? TranslationCache.EmptyBank : _bank;
        s.ReadTlb = _tlb.ReadBank(shown);
        s.WriteTlb = _tlb.WriteBank(shown);
    }

    /// <summary>Makes all links between blocks void: translations or code have changed.</summary>
    internal void RenewTickets()
    {
        Array.Clear(_tickets);
        Array.Clear(_fetchedPages);
        State.Ticket = TicketOf(_key);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        Code.Detach(this);
        if (_ownsCode)
            Code.Dispose();
        _tlb.Dispose();
        NativeMemory.AlignedFree((void*)_state->Lookup);
        NativeMemory.AlignedFree(_state);
        GC.SuppressFinalize(this);
    }

    /// <summary>Whether code may have been fetched from the page of <paramref name="linear"/> under a present ticket.</summary>
    private bool HasFetchedFrom(ulong linear)
    {
        ulong page = linear >> 12;
        return (_fetchedPages[page / 64 % FetchedWords] >> (int)(page % 64) & 1) != 0;
    }

    private void NoteFetch(ulong linear)
    {
        ulong page = linear >> 12;
        _fetchedPages[page / 64 % FetchedWords] |= 1UL << (int)(page % 64);
    }

    private ulong TicketOf(ModeKey key)
    {
        foreach ((ModeKey known, ulong ticket) in _tickets)
        {
            if (ticket != 0 && known == key)
                return ticket;
        }

        ulong fresh = Code.NextTicket();
        _tickets[_nextTicket++ % MostKeys] = (key, fresh);
        return fresh;
    }

    private ulong TruncateRip(ulong rip) => _key.Is64 ? rip : (uint)rip;

    private void Record(ref CpuState s, ref Op op, byte vector, bool hasErrorCode, uint errorCode)
    {
        s.Fault = new FaultRecord { Vector = vector, HasErrorCode = hasErrorCode, ErrorCode = errorCode };
        s.Attention |= Attention.Fault;
        Abort(ref s, ref op);
    }

    /// <summary>Puts RIP on an instruction that did not complete, and gives back what the block was charged for it and what follows.</summary>
    internal void Abort(ref CpuState s, ref Op op)
    {
        s.Gpr.Rip = s.BlockRip + op.RipDelta;
        s.Remaining += Threading.Left(ref s, ref op);
        if ((s.Attention & Attention.Event) != 0)
            Event.Length = op.Length;
        s.Attention |= Attention.Placed;
    }
}
