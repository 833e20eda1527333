using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Hv.Core.Registers;

namespace Hv.Cpu.State;

/// <summary>
/// All state of one processor that guest instructions touch: one pinned block of unmanaged memory with fixed offsets, shared by the
/// interpreter and, later, by translated code (docs/adr/0003-cpu-state-is-one-block.md). The general registers come first, so that an
/// operand's byte offset into them is its encoding times 8.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public struct CpuState
{
    /// <summary>
    /// Registers, RIP and RFLAGS. While blocks run, Rip is stale (it is <see cref="BlockRip"/> plus the operation's delta) and the six arithmetic
    /// bits of
    /// Rflags are stale (they are in <see cref="FlagsResult"/> and <see cref="FlagsAux"/>); both are exact whenever the run loop holds control.
    /// </summary>
    public GeneralRegisters Gpr;

    /// <summary>Always 0: what an absent base or index register reads. Its byte offset is <see cref="ZeroOffset"/>.</summary>
    public ulong Zero;

    /// <summary>Lazy arithmetic flags; see <c>Execute/Flags.cs</c>.</summary>
    public ulong FlagsResult, FlagsAux;

    /// <summary>RIP of the first instruction of the running block (an offset in CS).</summary>
    public ulong BlockRip;

    /// <summary>Always <see cref="RipReachValue"/>: the index of RIP-relative operands whose displacement from the block's start exceeds 31
    /// bits.</summary>
    public ulong RipReach;

    /// <summary>The running block: the address of its <c>BlockHeader</c>.</summary>
    public nint Block;

    /// <summary>The number under which links between blocks are valid now; renewed whenever translations or code change.</summary>
    public ulong Ticket;

    /// <summary>Instructions that may still be retired in this run; blocks subtract their size on entry.</summary>
    public long Remaining;

    /// <summary>Not 0 when another thread wants the processor to stop. Read at block boundaries and between chunks of a REP.</summary>
    public int StopRequested;

    /// <summary>What the run loop must look at before the next block.</summary>
    public Attention Attention;

    /// <summary>The translation caches for the present privilege: native arrays of <c>TlbEntry</c>.</summary>
    public nint ReadTlb, WriteTlb;

    /// <summary>RIP to block, for indirect branches: a native array of <c>LookupEntry</c>.</summary>
    public nint Lookup;

    /// <summary>The exception that the last instruction raised; valid under <see cref="State.Attention.Fault"/>.</summary>
    public FaultRecord Fault;

    /// <summary>Segment bases by segment number (ES CS SS DS FS GS), then two that are always 0 for 64-bit code.</summary>
    public SegmentBases SegmentBase;

    /// <summary>Segments, control, debug and model-specific registers. Change them through <c>Hv.Cpu.System</c>: caches depend on them.</summary>
    public SystemRegisters Sys;

    /// <summary>The event being delivered, while it is; faults on the way depend on its kind.</summary>
    public EventDelivery Delivery;

    /// <summary>DR6 bits that the running instruction has collected for a debug trap at its end (SDM 3B 18.2.3).</summary>
    public ulong PendingDebug;

    /// <summary>Model-specific registers that are only read back.</summary>
    public KeptMsrs KeptMsr;

    /// <summary>x87, SSE and AVX registers, 32-byte aligned.</summary>
    public FpuState Fpu;

    /// <summary>Room for a vector memory operand on its way, when it cannot be used where it is.</summary>
    public Vector256<byte> Staging;

    /// <summary>Byte offset of <see cref="Zero"/>: the operand number for "no register".</summary>
    public const int ZeroOffset = 144;

    /// <summary>Byte offset of <see cref="BlockRip"/>: the base of RIP-relative operands.</summary>
    public const int BlockRipOffset = 168;

    /// <summary>Byte offset of <see cref="RipReach"/>.</summary>
    public const int RipReachOffset = 176;

    /// <summary>More than a block is long, so that the rest of a folded displacement fits 32 bits.</summary>
    public const int RipReachValue = 8192;
}

/// <summary>Eight segment bases.</summary>
[InlineArray(8)]
public struct SegmentBases
{
    private ulong _base;
}

/// <summary>Reasons why the run loop must act before the next block.</summary>
[Flags]
public enum Attention : uint
{
    None = 0,

    /// <summary>The instruction raised an exception, recorded in <see cref="CpuState.Fault"/>; RIP is on the instruction (or after it, for a
    /// trap).</summary>
    Fault = 1,

    /// <summary>The instruction is one that the virtualization layer may intercept; <c>Processor.Event</c> describes it; RIP is on it.</summary>
    Event = 2,

    /// <summary>RIP is on the instruction that raised the fault or event, and the block's charge for it and what follows is given back.</summary>
    Placed = 4,

    /// <summary>The layer has taken the event, and the run ends.</summary>
    Left = 8,
}

/// <summary>An exception on its way to the guest's IDT.</summary>
public struct FaultRecord
{
    public byte Vector;
    public bool HasErrorCode;
    public uint ErrorCode;

    /// <summary>For #PF the linear address that goes to CR2; for #DB the DR6 bits to set.</summary>
    public ulong Address;
}

/// <summary>Segment registers by their encoding (SDM 2B, Sreg), and the always-zero base.</summary>
public enum SegmentNumber : byte
{
    Es, Cs, Ss, Ds, Fs, Gs,

    /// <summary>No segment: base 0, no limit. What 64-bit code uses for ES, CS, SS and DS.</summary>
    Flat,
}
