using Hv.Core.Registers;
using Hv.Cpu.State;
using Hv.Cpu.Virtualization;

namespace Hv.Cpu.System;

/// <summary>
/// The way of an exception or interrupt from where it was raised to the guest's handler. <c>CpuState.Delivery</c> holds the event on the way, so that a fault met meanwhile
/// can be combined with it, and an exit in the middle can tell the backend what was cut off. Each step returns to the run loop, which offers the next event to the
/// layer; the chain ends after at most four steps, because DoubleFaults only ever climbs.
/// </summary>
public static class Exceptions
{
    /// <summary>Turns the fault that an instruction, or a delivery, recorded into an event for the layer.</summary>
    public static void Offer(ref CpuState s, Processor p) => Offer(ref s, p, in s.Fault);

    /// <summary>
    /// The native effect of an <see cref="CpuEventKind.Exception"/> event: delivery, or what the combination with a delivery in progress makes of it. The layer is asked
    /// before the combination, as in both manuals (SDM 3C 26.2, 28.2.4; APM 2 15.12).
    /// </summary>
    public static void Deliver(ref CpuState s, Processor p)
    {
        ref CpuEvent e = ref p.Event;
        if (s.Delivery.Kind != DeliveryKind.None)
        {
            NestedOutcome outcome = DoubleFaults.Combine(in s.Delivery, (byte)e.Index);
            if (outcome == NestedOutcome.TripleFault)
            {
                p.Event = new CpuEvent { Kind = CpuEventKind.TripleFault };
                s.Attention |= Attention.Event;
                return;
            }

            if (outcome == NestedOutcome.DoubleFault)
            {
                // An exit because of the double fault itself is not one in the middle of a delivery (SDM 3C 28.2.4).
                s.Delivery = default;
                Offer(ref s, p, new FaultRecord { Vector = ExceptionVector.DoubleFault, HasErrorCode = true });
                return;
            }
        }

        s.Delivery = new EventDelivery
        {
            Kind = e.Length == 0 ? DeliveryKind.Exception : e.Index == ExceptionVector.Debug ? DeliveryKind.PrivilegedSoftwareException : DeliveryKind.SoftwareException,
            Vector = (byte)e.Index,
            HasErrorCode = e.HasErrorCode,
            ErrorCode = (uint)e.Value,
            Address = e.Address,
            Length = e.Length,
        };
        DeliverPending(ref s, p);
    }

    /// <summary>The native effect of INT n (<see cref="CpuEventKind.SoftwareInterrupt"/>).</summary>
    public static void DeliverSoftwareInterrupt(ref CpuState s, Processor p)
    {
        s.Delivery = new EventDelivery { Kind = DeliveryKind.SoftwareInterrupt, Vector = (byte)p.Event.Index, Length = p.Event.Length };
        DeliverPending(ref s, p);
    }

    /// <summary>Begins the delivery of an external interrupt or NMI that the layer or the backend has accepted. A halted processor wakes.</summary>
    public static void DeliverInterrupt(ref CpuState s, Processor p, byte vector, bool nmi)
    {
        s.Delivery = new EventDelivery { Kind = nmi ? DeliveryKind.Nmi : DeliveryKind.Interrupt, Vector = nmi ? ExceptionVector.Nmi : vector };
        DeliverPending(ref s, p);
    }

    /// <summary>Makes an exception the next thing the processor does, as if the instruction at RIP had raised it; for backends that answer an exit with a fault.</summary>
    public static void Queue(ref CpuState s, byte vector, uint? errorCode = null, ulong address = 0) => s.Delivery = new EventDelivery
    {
        Kind = DeliveryKind.Exception,
        Vector = vector,
        HasErrorCode = errorCode is not null,
        ErrorCode = errorCode ?? 0,
        Address = address,
    };

    /// <summary>Delivers <c>CpuState.Delivery</c> through the IVT or IDT. On a fault meanwhile the fault is recorded, and Delivery stays as the event it befell.</summary>
    public static void DeliverPending(ref CpuState s, Processor p)
    {
        ref EventDelivery d = ref s.Delivery;
        if (d.Kind == DeliveryKind.Exception && d.Vector == ExceptionVector.PageFault)
            s.Sys.Cr2 = d.Address;
        else if (d.Kind == DeliveryKind.Exception && d.Vector == ExceptionVector.Debug)
            DebugRegisters.Record(ref s, d.Address);

        bool delivered = Modes.IsReal(ref s) ? RealModeDelivery.TryDeliver(ref s, p, in d)
            : Modes.IsLong(ref s) ? LongModeDelivery.TryDeliver(ref s, p, in d) : ProtectedDelivery.TryDeliver(ref s, p, in d);
        if (delivered)
            Complete(ref s);
    }

    /// <summary>What holds after a completed delivery, whether through a gate or by a task switch.</summary>
    internal static void Complete(ref CpuState s)
    {
        if (s.Delivery.Kind == DeliveryKind.Nmi)
            s.Sys.Shadow |= InterruptShadow.NmiBlocked;
        s.Sys.Shadow &= InterruptShadow.NmiBlocked;
        s.Sys.Activity = ActivityState.Running;
        s.Delivery = default;
    }

    /// <summary>The RIP that the frame saves: past the instruction for the software kinds.</summary>
    internal static ulong ReturnRip(ref CpuState s, in EventDelivery d)
    {
        ulong next = s.Gpr.Rip + (d.IsSoftware ? d.Length : 0u);
        return Modes.Is64(ref s) ? next : s.Sys.Cs.Default || !Modes.IsProtected(ref s) ? (uint)next : next & 0xFFFF;
    }

    /// <summary>The RFLAGS that the frame saves: faults set RF, so that a breakpoint on the faulting instruction does not hit twice (SDM 3B 18.3.1.1).</summary>
    internal static ulong SavedFlags(ref CpuState s, in EventDelivery d)
    {
        bool fault = d.Kind == DeliveryKind.Exception && d.Vector is not (ExceptionVector.Debug or ExceptionVector.DoubleFault or ExceptionVector.MachineCheck);
        return fault ? s.Gpr.Rflags | Rflags.Rf : s.Gpr.Rflags;
    }

    private static void Offer(ref CpuState s, Processor p, in FaultRecord fault)
    {
        p.Event = new CpuEvent
        {
            Kind = CpuEventKind.Exception,
            Index = fault.Vector,
            HasErrorCode = fault.HasErrorCode,
            Value = fault.ErrorCode,
            Address = fault.Address,
        };
        s.Attention |= Attention.Event;
    }
}
