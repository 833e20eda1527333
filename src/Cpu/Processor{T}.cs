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
public sealed class Processor<TVirtualization> : Processor where TVirtualization : struct, IVirtualization
{
    private const InterruptShadow OneInstruction = InterruptShadow.Sti | InterruptShadow.MovSs;

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
        s.Remaining = budget;
        TakeFlags(ref s);
        RunResult result = Loop(ref s);
        GiveFlags(ref s);
        InstructionsRetired += (ulong)(budget - s.Remaining);
        s.Sys.Tsc += (ulong)(budget - s.Remaining);
        return result;
    }

    /// <inheritdoc/>
    protected override bool TranslateGuestPhysical(ulong address, GuestAccess access, out Gpa host, out bool writable) =>
        Virtualization.TranslateGuestPhysical(address, access, out host, out writable);

    private RunResult Loop(ref CpuState s)
    {
        while (true)
        {
            if (s.Attention != 0 && Attend(ref s) is { } intercepted)
                return intercepted;
            if (s.StopRequested != 0)
            {
                s.StopRequested = 0;
                return RunResult.Stopped;
            }

            if (s.Remaining <= 0)
                return RunResult.Budget;
            if (Pending.Kind != PendingEventKind.None)
            {
                if (DeliverPending(ref s) is { } left)
                    return left;
                continue;
            }

            if (InterruptPending && CanInterrupt(ref s))
            {
                s.Sys.Activity = s.Sys.Activity == ActivityState.Halted ? ActivityState.Running : s.Sys.Activity;
                if (OfferInterrupt(ref s))
                    return RunResult.Event;
                continue;
            }

            if (InterruptWindowWanted && CanInterrupt(ref s))
            {
                Event = new CpuEvent { Kind = CpuEventKind.InterruptWindow };
                if (Virtualization.Intercepts(this, ref Event))
                    return RunResult.Event;
                InterruptWindowWanted = false;
            }

            if (s.Sys.Activity != ActivityState.Running)
                return s.Sys.Activity == ActivityState.Shutdown ? RunResult.Shutdown : RunResult.Halted;
            if ((s.Gpr.Rflags & RflagsTf) != 0 || (s.Sys.Shadow & OneInstruction) != 0 || IsReplaying)
                Step(ref s);
            else
                RunBlocks(ref s);
        }
    }

    /// <summary>Runs from RIP on until something needs the loop.</summary>
    private void RunBlocks(ref CpuState s)
    {
        nint block = FindBlock(ref s, Key);
        if (block == 0)
            return;
        LinkTo(ref s, block);
        if (CountOf(block) > s.Remaining)
        {
            // The budget ends inside: go on one by one, so that it is exact.
            block = FindBlock(ref s, SingleKey);
            if (block == 0)
                return;
        }

        Threading.Start(ref s, block, this);
        if (s.Attention != 0)
            PlaceFault(ref s);
    }

    /// <summary>Runs one instruction: under TF, in an interrupt shadow, or when its device accesses are replayed.</summary>
    private void Step(ref CpuState s)
    {
        InterruptShadow shadow = s.Sys.Shadow & OneInstruction;
        bool trap = (s.Gpr.Rflags & RflagsTf) != 0;
        long rest = s.Remaining - 1;
        BeginReplay();
        nint block = FindBlock(ref s, SingleKey);
        if (block == 0)
            return;
        s.Sys.Shadow &= ~OneInstruction;
        s.Remaining = 1;
        Threading.Start(ref s, block, this);
        if (s.Attention != 0)
            PlaceFault(ref s);
        bool retired = s.Remaining == 0;
        s.Remaining += rest;
        EndReplay(ref s);
        if (!retired)
        {
            s.Sys.Shadow |= shadow;
            return;
        }

        // A single-step trap is a trap: RIP is past the instruction (SDM 3B 18.3.1.4). POP SS and MOV SS hold it off (SDM 3A 6.8.3).
        if (trap && (s.Attention & (Attention.Fault | Attention.Event)) == 0 && (s.Sys.Shadow & InterruptShadow.MovSs) == 0)
            RaiseSingleStep(ref s);
    }

    /// <summary>Acts on what the last block left behind. Not null: return it.</summary>
    private RunResult? Attend(ref CpuState s)
    {
        Attention attention = s.Attention;
        s.Attention = Attention.None;
        if ((attention & Attention.Fault) != 0)
        {
            FaultRecord fault = s.Fault;
            Pending = new PendingEvent(PendingEventKind.Exception, fault.Vector, fault.HasErrorCode, fault.ErrorCode, fault.Address);
            PendingLength = 0;
            return OfferException(ref s) ? RunResult.Event : null;
        }

        if ((attention & Attention.Event) == 0)
            return null;
        GiveFlags(ref s);
        bool trap = (s.Gpr.Rflags & RflagsTf) != 0;
        if (Virtualization.Intercepts(this, ref Event))
            return RunResult.Event;
        if (Event.Kind == CpuEventKind.GuestPhysicalAccess)
        {
            // A hole: reads give ones, writes vanish.
            CompleteDeviceAccess(ulong.MaxValue);
            return null;
        }

        ulong rip = s.Gpr.Rip;
        Events.Execute(ref s, this);
        TakeFlags(ref s);
        if (trap && s.Attention == 0 && s.Gpr.Rip != rip && Pending.Kind == PendingEventKind.None)
            RaiseSingleStep(ref s);
        return null;
    }

    /// <summary>Asks the layer whether the pending exception leaves. If so it is no longer pending here: the layer owns it.</summary>
    private bool OfferException(ref CpuState s)
    {
        Event = new CpuEvent
        {
            Kind = CpuEventKind.Exception,
            Index = Pending.Vector,
            HasErrorCode = Pending.HasErrorCode,
            Value = Pending.ErrorCode,
            Address = Pending.Address,
        };
        GiveFlags(ref s);
        if (!Virtualization.Intercepts(this, ref Event))
            return false;
        Pending = default;
        return true;
    }

    private bool OfferInterrupt(ref CpuState s)
    {
        Event = new CpuEvent { Kind = CpuEventKind.ExternalInterrupt, Index = InterruptVector };
        GiveFlags(ref s);
        if (Virtualization.Intercepts(this, ref Event))
            return true;
        InterruptPending = false;
        Pending = new PendingEvent(PendingEventKind.Interrupt, InterruptVector, false, 0, 0);
        PendingLength = 0;
        return false;
    }

    /// <summary>Delivers <see cref="Processor.Pending"/> through the IDT. Not null: return it.</summary>
    private RunResult? DeliverPending(ref CpuState s)
    {
        PendingEvent e = Pending;
        s.Remaining--;
        GiveFlags(ref s);
        BeginReplay();
        DeliveryResult result = Exceptions.Deliver(ref s, this, e, PendingLength);
        TakeFlags(ref s);
        switch (result)
        {
            case DeliveryResult.Delivered:
                Pending = default;
                ForgetReplays();
                s.Sys.Shadow &= ~OneInstruction;
                s.Sys.Activity = s.Sys.Activity == ActivityState.Halted ? ActivityState.Running : s.Sys.Activity;
                return null;
            case DeliveryResult.Fault:
                ForgetReplays();
                s.Attention = Attention.None;
                Interrupted = e;
                Pending = new PendingEvent(PendingEventKind.Exception, s.Fault.Vector, s.Fault.HasErrorCode, s.Fault.ErrorCode, s.Fault.Address);
                PendingLength = 0;
                return OfferException(ref s) ? RunResult.Event : null;
            case DeliveryResult.Event:
                // The event stays pending: the access is answered and the delivery begins again.
                s.Attention = Attention.Event;
                return null;
            default:
                ForgetReplays();
                Pending = default;
                Event = new CpuEvent { Kind = CpuEventKind.TripleFault };
                if (Virtualization.Intercepts(this, ref Event))
                    return RunResult.Event;
                s.Sys.Activity = ActivityState.Shutdown;
                return RunResult.Shutdown;
        }
    }
}
