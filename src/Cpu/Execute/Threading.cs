using System.Runtime.CompilerServices;
using Hv.Cpu.Blocks;
using Hv.Cpu.Decode;
using Hv.Cpu.State;

namespace Hv.Cpu.Execute;

/// <summary>
/// How one operation's handler reaches the next: by a call in tail position, which the compiler turns into a jump in optimised code as long as the
/// caller's locals have no address taken (docs/adr/0021-tail-threaded-handlers.md). Every handler is therefore compiled with
/// <see cref="MethodImplOptions.AggressiveOptimization"/>, and these methods are inlined into it.
/// </summary>
// SAFETY: Op.Handler is set by the binders alone, to static methods of this signature; an operation that leaves ends every block.
internal static unsafe class Threading
{
    internal const MethodImplOptions Handler = MethodImplOptions.AggressiveOptimization;

    /// <summary>Goes on with the operation after <paramref name="op"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Next(ref CpuState s, ref Op op, Processor p)
    {
        ref Op next = ref Unsafe.Add(ref op, 1);
        // SAFETY: the operation after any but a block's last is bound by the block builder to a handler of this signature.
        ((delegate*<ref CpuState, ref Op, Processor, void>)next.Handler)(ref s, ref next, p);
    }

    /// <summary>Enters the successor in the link slot number <paramref name="index"/> after a branch, or leaves to the run loop.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Follow(ref CpuState s, ref Op op, Processor p, int index)
    {
        ref LinkSlot slot = ref Unsafe.As<Op, LinkSlot>(ref Unsafe.Add(ref op, 1 + index));
        if (slot.Ticket == s.Ticket)
            Enter(ref s, slot.Block, p);
        else
            p.FollowSlow(ref s, ref slot);
    }

    /// <summary>Enters the block at <paramref name="rip"/> if the lookup table knows it, or leaves to the run loop.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Jump(ref CpuState s, Processor p, ulong rip)
    {
        // SAFETY: the table holds LookupEntry.Count entries for the processor's life.
        LookupEntry* entry = (LookupEntry*)s.Lookup + (uint)(rip ^ (rip >> 12)) % LookupEntry.Count;
        if (entry->Rip == rip && entry->Ticket == s.Ticket)
            Enter(ref s, entry->Block, p);
        else
            s.Gpr.Rip = rip;
    }

    /// <summary>Ends a system instruction that has raised an event: goes on behind the answer, or leaves to the run loop. The way on is the block's link,
    /// and RIP is only compared with it: that it went through the host and back is then no part of what the next block waits for.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Answer(ref CpuState s, ref Op op, Processor p)
    {
        ulong ticket = s.Ticket;
        // Another ticket: what answered may have dropped all code, this block too, so that its link is not looked at any more.
        if (!p.TryAnswer(ref s) || s.Ticket != ticket)
            return;
        // Where the host has moved RIP, the loop finds the block.
        ref LinkSlot slot = ref Unsafe.As<Op, LinkSlot>(ref Unsafe.Add(ref op, 1));
        if (slot.Rip == s.Gpr.Rip)
            Follow(ref s, ref op, p, 0);
    }

    /// <summary>Starts a block, unless the budget ends inside it or a stop is wanted: then RIP is set and control returns to the run loop.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Enter(ref CpuState s, nint block, Processor p)
    {
        // SAFETY: block is a live block of the code cache: a header followed by its operations.
        ref BlockHeader header = ref Unsafe.AsRef<BlockHeader>((void*)block);
        long remaining = s.Remaining - header.Count;
        if (remaining < 0 || s.StopRequested != 0)
        {
            s.Gpr.Rip = header.Rip;
            return;
        }

        Run(ref s, ref header, remaining, p);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Run(ref CpuState s, ref BlockHeader header, long remaining, Processor p)
    {
        s.Remaining = remaining;
        s.Block = (nint)Unsafe.AsPointer(ref header);
        s.BlockRip = header.Rip;
        ref Op first = ref Unsafe.As<BlockHeader, Op>(ref Unsafe.Add(ref header, 1));
        // SAFETY: see Next.
        ((delegate*<ref CpuState, ref Op, Processor, void>)first.Handler)(ref s, ref first, p);
    }

    /// <summary>Starts the block at <paramref name="block"/> from the run loop, which has checked the budget and for a stop.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Start(ref CpuState s, nint block, Processor p)
    {
        // SAFETY: as in Enter.
        ref BlockHeader header = ref Unsafe.AsRef<BlockHeader>((void*)block);
        Run(ref s, ref header, s.Remaining - header.Count, p);
    }

    /// <summary>Instructions of the running block from <paramref name="op"/> on, itself included.</summary>
    internal static long Left(ref CpuState s, ref Op op)
    {
        // SAFETY: s.Block is the running block, and op one of its operations.
        ref BlockHeader header = ref Unsafe.AsRef<BlockHeader>((void*)s.Block);
        nint offset = Unsafe.ByteOffset(ref Unsafe.As<BlockHeader, Op>(ref Unsafe.Add(ref header, 1)), ref op);
        return header.Count - offset / Unsafe.SizeOf<Op>();
    }
}
