using Hv.Core.Registers;
using Hv.Cpu.State;

namespace Hv.Cpu.System;

/// <summary>How the delivery of an event ended.</summary>
public enum DeliveryResult : byte
{
    /// <summary>The handler's first instruction is next.</summary>
    Delivered,

    /// <summary>An exception was raised on the way, or follows from two that were; it is in <see cref="CpuState.Fault"/>, and nothing else has
    /// changed.</summary>
    Fault,

    /// <summary>The layer must be asked about <see cref="Processor.Event"/> first: an access that memory does not answer, or a task switch.</summary>
    Event,

    /// <summary>The processor shuts down.</summary>
    TripleFault,
}

/// <summary>
/// The way of an event through the IVT or IDT. An exception met on the way comes back as a fault with <see cref="Processor.Interrupted"/> set to the
/// event that it befell; the run loop
/// offers it to the layer, as both manuals want it, before the two are combined here (SDM 3C 26.2, 28.2.4; APM 2 15.12). The chain ends after at
/// most four deliveries, because <see cref="DoubleFaults"/> only climbs.
/// </summary>
public static class Exceptions
{
    /// <summary>Delivers one event. A failed delivery leaves no trace, so that it can be begun again.</summary>
    /// <param name="s">The state; RIP is the address to return to, or on the instruction when <paramref name="length"/> is not 0; RFLAGS is
    /// exact.</param>
    /// <param name="p">The processor.</param>
    /// <param name="e">The event. An exception with a length is one that INT1, INT3 or INTO asked for.</param>
    /// <param name="length">Bytes of the instruction that raised a software interrupt or exception, else 0.</param>
    public static DeliveryResult Deliver(ref CpuState s, Processor p, in PendingEvent e, int length)
    {
        // CR2 takes the second address even when the two faults become one (SDM 3A 6.15, interrupt 14).
        if (e is { Kind: PendingEventKind.Exception, Vector: ExceptionVector.PageFault } && length == 0)
            s.Sys.Cr2 = e.Address;
        PendingEvent first = p.Interrupted;
        p.Interrupted = default;
        if (first.Kind != PendingEventKind.None)
        {
            NestedOutcome outcome = DoubleFaults.Combine(in first, e.Vector);
            if (outcome == NestedOutcome.TripleFault)
                return DeliveryResult.TripleFault;
            if (outcome == NestedOutcome.DoubleFault)
            {
                // An exit because of the double fault itself is not one in the middle of a delivery, so Interrupted stays empty (SDM 3C 28.2.4).
                s.Fault = new FaultRecord { Vector = ExceptionVector.DoubleFault, HasErrorCode = true };
                return DeliveryResult.Fault;
            }
        }

        s.Delivery = EventDelivery.From(in e, length);
        DeliveryResult result = Deliver(ref s, p);
        s.Delivery = default;
        if (result == DeliveryResult.Fault)
            p.Interrupted = e;
        return result;
    }

    private static DeliveryResult Deliver(ref CpuState s, Processor p)
    {
        ref EventDelivery d = ref s.Delivery;
        if (d.Kind == DeliveryKind.Exception && d.Vector == ExceptionVector.Debug)
            DebugRegisters.Record(ref s, d.Address);

        bool delivered = Modes.IsReal(ref s) ? RealModeDelivery.TryDeliver(ref s, p, in d)
            : Modes.IsLong(ref s) ? LongModeDelivery.TryDeliver(ref s, p, in d) : ProtectedDelivery.TryDeliver(ref s, p, in d);
        Attention attention = s.Attention;
        s.Attention = Attention.None;
        if (delivered && attention == Attention.None)
        {
            Complete(ref s, in d);
            return DeliveryResult.Delivered;
        }

        return (attention & Attention.Event) != 0 ? DeliveryResult.Event : DeliveryResult.Fault;
    }

    /// <summary>What holds after a completed delivery, whether through a gate or by a task switch.</summary>
    internal static void Complete(ref CpuState s, in EventDelivery d)
    {
        if (d.Kind == DeliveryKind.Nmi)
            s.Sys.Shadow |= InterruptShadow.NmiBlocked;
        s.Sys.Shadow &= InterruptShadow.NmiBlocked;
        if (s.Sys.Activity == ActivityState.Halted)
            s.Sys.Activity = ActivityState.Running;
    }

    /// <summary>The RIP that the frame saves: past the instruction for the software kinds.</summary>
    internal static ulong ReturnRip(ref CpuState s, in EventDelivery d)
    {
        ulong next = s.Gpr.Rip + (d.IsSoftware ? d.Length : 0u);
        return Modes.Is64(ref s) ? next : (uint)next;
    }

    /// <summary>The RFLAGS that the frame saves: faults set RF, so that a breakpoint on the faulting instruction does not hit twice (SDM 3B
    /// 18.3.1.1).</summary>
    internal static ulong SavedFlags(ref CpuState s, in EventDelivery d)
    {
        bool fault = d.Kind == DeliveryKind.Exception
            && d.Vector is not (ExceptionVector.Debug or ExceptionVector.DoubleFault or ExceptionVector.MachineCheck);
        return fault ? s.Gpr.Rflags | Rflags.Rf : s.Gpr.Rflags;
    }
}
