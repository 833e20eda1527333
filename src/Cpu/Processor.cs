using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Hv.Core.Cpuid;
using Hv.Core.Memory;
using Hv.Cpu.Decode;
using Hv.Cpu.State;
using Hv.Cpu.Virtualization;

namespace Hv.Cpu;

/// <summary>
/// The software processor without its run loop: state, memory access and fault recording, as instruction handlers see it.
/// <see cref="Processor{TVirtualization}"/> adds the loop, specialised for a backend.
/// </summary>
/// <remarks>
/// A handler is <c>static void H(ref CpuState s, ref Op op, Processor p)</c>. An ordinary one ends by calling the next operation's handler in tail position
/// (<c>Threading.Next</c>). One that changes control flow, or that may change mode, translation or code, sets RIP and returns, which leaves the block. One that faults
/// calls <see cref="Raise(ref CpuState, ref Op, byte)"/> and returns, having changed nothing; an access below that fails has recorded the fault already.
/// </remarks>
public abstract unsafe partial class Processor
{
    private readonly CpuState* _state;

    /// <summary>Makes a processor over <paramref name="memory"/> at its reset state.</summary>
    protected Processor(GuestMemory memory, CpuidTable cpuid)
    {
        Memory = memory;
        Cpuid = cpuid;
        // SAFETY: freed in Dispose only; sizeof(CpuState) zeroed bytes, 64-byte aligned.
        _state = (CpuState*)NativeMemory.AlignedAlloc((nuint)sizeof(CpuState), 64);
        *_state = default;
    }

    /// <summary>The state block; pinned, 64-byte aligned.</summary>
    public ref CpuState State => ref *_state;

    /// <summary>The memory behind guest-physical addresses.</summary>
    public GuestMemory Memory { get; }

    /// <summary>What CPUID answers when no layer intercepts it, and which features exist.</summary>
    public CpuidTable Cpuid { get; }

    /// <summary>The event under <see cref="Attention.Event"/>.</summary>
    public CpuEvent Event;

    /// <summary>Records exception <paramref name="vector"/> without an error code for the instruction <paramref name="op"/>.</summary>
    public void Raise(ref CpuState s, ref Op op, byte vector) => Record(ref s, ref op, vector, false, 0);

    /// <summary>Records exception <paramref name="vector"/> with an error code for the instruction <paramref name="op"/>.</summary>
    public void Raise(ref CpuState s, ref Op op, byte vector, uint errorCode) => Record(ref s, ref op, vector, true, errorCode);

    /// <summary>Offers an event to the virtualization layer: fills <see cref="Event"/> with <paramref name="kind"/> and the length, sets RIP on the instruction and
    /// <see cref="Attention.Event"/>. The handler sets the other fields and returns; the run loop asks the layer, then calls the event's native effect.</summary>
    public void Leave(ref CpuState s, ref Op op, CpuEventKind kind)
    {
        s.Gpr.Rip = s.BlockRip + op.RipDelta;
        Event = new CpuEvent { Kind = kind, Length = op.Length };
        s.Attention |= Attention.Event;
    }

    /// <summary>Ends an instruction that leaves the block by falling through: RIP moves past it (truncated by the code size).</summary>
    public void Finish(ref CpuState s, ref Op op) => s.Gpr.Rip = NextRip(ref s, ref op);

    /// <summary>RIP after <paramref name="op"/>, truncated to 32 bits outside 64-bit code, to 16 where CS.D is clear.</summary>
    public ulong NextRip(ref CpuState s, ref Op op) => throw new NotImplementedException();

    private static void Record(ref CpuState s, ref Op op, byte vector, bool hasErrorCode, uint errorCode)
    {
        s.Gpr.Rip = s.BlockRip + op.RipDelta;
        s.Fault = new FaultRecord { Vector = vector, HasErrorCode = hasErrorCode, ErrorCode = errorCode };
        s.Attention |= Attention.Fault;
    }

    // ---- Memory, for handlers off the hot path (hot ones use Execute/MemoryAccess.cs). False: the fault is recorded, return at once. ----

    /// <summary>The linear address of a memory operand, before segment checks.</summary>
    public ulong EffectiveAddress(ref CpuState s, ref Op op) => throw new NotImplementedException();

    /// <summary>Reads 1..8 bytes at an offset in a segment, with the segment's checks and at the current privilege.</summary>
    public bool TryRead(ref CpuState s, ref Op op, SegmentNumber segment, ulong offset, int size, out ulong value) => throw new NotImplementedException();

    /// <summary>Writes 1..8 bytes at an offset in a segment, with the segment's checks and at the current privilege.</summary>
    public bool TryWrite(ref CpuState s, ref Op op, SegmentNumber segment, ulong offset, int size, ulong value) => throw new NotImplementedException();

    /// <summary>Reads 1..8 bytes at a linear address as an implicit supervisor access (descriptor tables, TSS, new stacks).</summary>
    public bool TryReadSystem(ref CpuState s, ulong linear, int size, out ulong value) => throw new NotImplementedException();

    /// <summary>Writes 1..8 bytes at a linear address as an implicit supervisor access.</summary>
    public bool TryWriteSystem(ref CpuState s, ulong linear, int size, ulong value) => throw new NotImplementedException();

    /// <summary>Checks that a linear range could be written at privilege <paramref name="cpl"/>, faulting as the write would, so that several writes can be all or nothing.</summary>
    public bool TryProbeWrite(ref CpuState s, ulong linear, int size, int cpl) => throw new NotImplementedException();

    /// <summary>Drops translations: all, or all but global ones.</summary>
    public void FlushTlb(bool keepGlobal) => throw new NotImplementedException();

    /// <summary>Drops the translation of one linear page.</summary>
    public void FlushTlbPage(ulong linear) => throw new NotImplementedException();

    /// <summary>Recomputes what is derived from CR0, CR4, EFER, CPL, RFLAGS.AC/VM and segments: the block key, the TLB bank, segment bases. Call after changing any of them.</summary>
    public void ModeChanged(ref CpuState s) => throw new NotImplementedException();
}
