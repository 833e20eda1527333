using System.Runtime.CompilerServices;
using Hv.Core;
using Hv.Core.Cpuid;
using Hv.Core.Memory;
using Hv.Core.Registers;
using Hv.Cpu.Blocks;
using Hv.Cpu.Execute;
using Hv.Cpu.State;
using Hv.Cpu.System;
using Hv.Cpu.Virtualization;

namespace Hv.Cpu;

/// <summary>Why <see cref="Processor{TVirtualization}.Run"/> returned.</summary>
public enum RunResult : byte
{
    /// <summary>The budget is used up.</summary>
    Budget,

    /// <summary>Another thread asked for it.</summary>
    Stopped,

    /// <summary>The virtualization layer intercepted <see cref="Processor.Event"/>; RIP is on the instruction, nothing of it was executed.</summary>
    Event,

    /// <summary>HLT was executed without an intercept: the processor is halted, RIP is past it.</summary>
    Halted,

    /// <summary>A triple fault without an intercept: the processor is in shutdown.</summary>
    Shutdown,
}

/// <summary>The processor with its run loop, specialised for a backend's virtualization layer.</summary>
/// <typeparam name="TVirtualization">The layer; a struct, so that its calls are direct.</typeparam>
[SkipLocalsInit]
public sealed class Processor<TVirtualization> : Processor where TVirtualization : struct, IVirtualization
{
    /// <summary>The layer.</summary>
    public TVirtualization Virtualization;

    /// <summary>Makes a processor with all state zero: load or reset it before it runs.</summary>
    /// <param name="memory">The memory behind guest-physical addresses.</param>
    /// <param name="cpuid">What CPUID answers.</param>
    /// <param name="virtualization">The layer.</param>
    /// <param name="code">The decoded code of the partition, shared by its processors, which run on one thread; null for a cache of its own.</param>
    public Processor(GuestMemory memory, CpuidTable cpuid, TVirtualization virtualization, CodeCache? code = null) : base(memory, cpuid, code) =>
        Virtualization = virtualization;

    /// <summary>Runs guest instructions until the budget is used up, the layer intercepts something, or the processor halts or shuts down.</summary>
    /// <param name="budget">The most instructions to retire, at least 1. A delivered event, and a chunk of a REP, count as one each.</param>
    public RunResult Run(long budget)
    {
        ref CpuState s = ref State;
        BeginRun(ref s, budget);
        RunResult result = Loop(ref s);
        if (result != RunResult.Event)
            GiveFlags(ref s);
        return result;
    }

    /// <inheritdoc/>
    protected override bool TranslateGuestPhysical(ulong address, GuestAccess access, out Gpa host, out bool writable) =>
        Virtualization.TranslateGuestPhysical(address, access, out host, out writable);

    private RunResult Loop(ref CpuState s)
    {
        while (true)
        {
            if (HasErrand(ref s))
            {
                if (DoErrand(ref s, out RunResult result))
                    return result;
                continue;
            }

            RunBlocks(ref s);
            if (s.Attention == (Attention.Event | Attention.Placed))
            {
                s.Attention = Attention.None;
                TryAnswer(ref s);
            }

            if ((s.Attention & Attention.Left) != 0)
            {
                s.Attention &= ~(Attention.Left | Attention.Placed);
                return RunResult.Event;
            }
        }
    }

    /// <inheritdoc/>
    internal override bool TryAnswer(ref CpuState s)
    {
        if (IsAlone)
        {
            s.Attention |= Attention.Event | Attention.Placed;
            return false;
        }

        if (Offer(ref s))
        {
            if (!Virtualization.Answers(this))
            {
                s.Attention |= Attention.Left | Attention.Placed;
                return false;
            }

            TakeFlags(ref s);
        }

        if (IsPlain(ref s))
            return true;
        // RIP is where it belongs already.
        if (s.Attention != 0)
            s.Attention |= Attention.Placed;
        return false;
    }

    /// <summary>Does one of the things that come before running blocks, the most urgent first. True: the run ends.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool DoErrand(ref CpuState s, out RunResult result)
    {
        result = RunResult.Event;
        if (s.Attention != 0)
            return Attend(ref s);
        if (s.StopRequested != 0)
        {
            s.StopRequested = 0;
            result = RunResult.Stopped;
            return true;
        }

        if (s.Remaining <= 0)
        {
            result = RunResult.Budget;
            return true;
        }

        if (Pending.Kind != PendingEventKind.None)
            return DeliverPending(ref s, out result);
        if ((InterruptPending || InterruptWindowWanted) && CanInterrupt(ref s) && OfferInterrupt(ref s))
            return true;
        if (Pending.Kind != PendingEventKind.None)
            return false;
        if (s.Sys.Activity != ActivityState.Running)
        {
            result = s.Sys.Activity == ActivityState.Shutdown ? RunResult.Shutdown : RunResult.Halted;
            return true;
        }

        if (IsReplaying || DebugTraps.Stepping(ref s))
            Step(ref s);
        else
            RunBlocks(ref s);
        return false;
    }

    /// <summary>Runs from RIP on until something needs the loop.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void RunBlocks(ref CpuState s)
    {
        nint block = LookUp(ref s);
        if (block == 0 || HasLeftovers || CountOf(block) > s.Remaining)
        {
            block = Prepare(ref s, block);
            if (block == 0)
                return;
        }

        Threading.Start(ref s, block, this);
        if ((s.Attention & Attention.Placed) == 0 && s.Attention != 0)
            PlaceFault(ref s);
    }

    /// <summary>The block to run where the look-up table does not give it, a branch waits for its link, or the budget ends inside it. 0: a fault is
    /// recorded.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private nint Prepare(ref CpuState s, nint block)
    {
        Interrupted = default;
        if (block == 0)
            block = FindBlock(ref s, Key);
        if (block == 0)
            return 0;
        if (WantsLink)
            LinkTo(ref s, block);
        // One by one where the budget ends inside, so that it is exact.
        return CountOf(block) > s.Remaining ? FindBlock(ref s, SingleKey) : block;
    }

    /// <summary>Runs one instruction: under TF or breakpoints, in an interrupt shadow, or when its device accesses are replayed.</summary>
    private void Step(ref CpuState s)
    {
        ulong flags = s.Gpr.Rflags;
        InterruptShadow shadow = s.Sys.Shadow;
        if (!DebugTraps.BeforeInstruction(ref s))
            return;
        Interrupted = default;
        BeginReplay();
        nint block = FindBlock(ref s, SingleKey);
        if (block == 0)
            return;
        long rest = KeepOne(ref s);
        IsAlone = true;
        Threading.Start(ref s, block, this);
        IsAlone = false;
        if (s.Attention != 0)
            PlaceFault(ref s);
        bool retired = s.Remaining <= 0;
        GiveBack(ref s, rest);
        EndReplay(ref s);
        if (retired && s.Attention == 0)
            DebugTraps.AfterInstruction(ref s, flags, shadow);
    }

    /// <summary>Acts on what the last block or delivery left behind: a fault becomes an event, an event goes to the layer and, when that does not
    /// take it, has its native
    /// effect. True: the layer took it.</summary>
    private bool Attend(ref CpuState s)
    {
        Attention attention = s.Attention;
        s.Attention = Attention.None;
        if ((attention & Attention.Fault) != 0)
            OfferFault(ref s);
        else if ((attention & Attention.Event) == 0)
            return false;
        return Offer(ref s);
    }

    /// <summary>Asks the layer about the event; when that does not take it, it has its native effect. True: the layer took it.</summary>
    private bool Offer(ref CpuState s)
    {
        OweFlags();
        if (Virtualization.Intercepts(this, ref Event))
            return true;
        Perform(ref s);
        return false;
    }

    /// <summary>The event's effect where no layer takes it.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Perform(ref CpuState s)
    {
        if (Event.Kind == CpuEventKind.GuestPhysicalAccess)
        {
            // A hole: reads give ones, writes vanish.
            CompleteDeviceAccess(ulong.MaxValue);
            return;
        }

        GiveFlags(ref s);
        ulong flags = s.Gpr.Rflags;
        InterruptShadow shadow = s.Sys.Shadow;
        long remaining = s.Remaining;
        CpuEventKind kind = Event.Kind;
        Performing(true);
        Events.Execute(ref s, this);
        Performing(false);
        TakeFlags(ref s);
        // IRET and task switches go elsewhere instead of past the instruction, and count as well.
        if (s.Attention == 0 && s.Remaining == remaining && kind is CpuEventKind.Iret or CpuEventKind.TaskSwitch)
            s.Remaining--;
        // What the event's effect retired was one instruction; its traps follow it.
        if (s.Attention == 0 && s.Remaining != remaining)
            DebugTraps.AfterInstruction(ref s, flags, shadow);
    }

    /// <summary>Asks the layer about an external interrupt or the interrupt window. True: it took the event.</summary>
    private bool OfferInterrupt(ref CpuState s)
    {
        GiveFlags(ref s);
        if (InterruptPending)
        {
            Event = new CpuEvent { Kind = CpuEventKind.ExternalInterrupt, Index = InterruptVector };
            if (Virtualization.Intercepts(this, ref Event))
                return true;
            InterruptPending = false;
            Deliver(new PendingEvent(PendingEventKind.Interrupt, InterruptVector, false, 0, 0), 0);
            return false;
        }

        InterruptWindowWanted = false;
        Event = new CpuEvent { Kind = CpuEventKind.InterruptWindow };
        return Virtualization.Intercepts(this, ref Event);
    }

    /// <summary>Delivers <see cref="Processor.Pending"/> through the IDT. True: the run ends.</summary>
    private bool DeliverPending(ref CpuState s, out RunResult left)
    {
        left = RunResult.Event;
        PendingEvent e = Pending;
        int length = PendingLength;
        s.Remaining--;
        GiveFlags(ref s);
        BeginReplay();
        DeliveryResult result = Exceptions.Deliver(ref s, this, in e, length);
        TakeFlags(ref s);
        if (result == DeliveryResult.Event)
        {
            // It stays pending: when the access is answered the delivery begins again.
            s.Attention = Attention.Event;
            return false;
        }

        Pending = default;
        PendingLength = 0;
        ForgetReplays();
        switch (result)
        {
            case DeliveryResult.Delivered:
                return false;
            case DeliveryResult.Fault:
                s.Attention = Attention.Fault;
                return false;
            default:
                Event = new CpuEvent { Kind = CpuEventKind.TripleFault };
                if (Virtualization.Intercepts(this, ref Event))
                    return true;
                s.Sys.Activity = ActivityState.Shutdown;
                left = RunResult.Shutdown;
                return true;
        }
    }
}
