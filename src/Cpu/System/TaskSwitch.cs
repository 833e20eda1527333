using Hv.Core.Registers;
using Hv.Cpu.State;
using Hv.Cpu.Virtualization;

namespace Hv.Cpu.System;

/// <summary>
/// Hardware task switches, in the order of SDM 3A 8.3. Up to the commit point a fault belongs to the old task, which is intact (its TSS already holds
/// its state, which means nothing
/// while it runs). Past it, faults are raised in the new task (table 8-1): its selectors are visible, segments that were not reached are unusable.
/// </summary>
internal static class TaskSwitch
{
    private const ulong LocalBreakpoints = 0x155;

    /// <summary>The native effect of a <see cref="CpuEventKind.TaskSwitch"/> event. One through a gate is the delivery of
    /// <see cref="Processor.Pending"/>.</summary>
    public static void Execute(ref CpuState s, Processor p, in CpuEvent e)
    {
        bool gate = (TaskSwitchSource)e.Value == TaskSwitchSource.Gate;
        PendingEvent pending = p.Pending;
        if (gate)
            s.Delivery = EventDelivery.From(in pending, p.PendingLength);
        bool done = TryExecute(ref s, p, in e);
        if (done && gate)
        {
            Exceptions.Complete(ref s, in s.Delivery);
            p.Pending = default;
        }
        else if (gate && (s.Attention & Attention.Fault) != 0)
        {
            p.Interrupted = pending;
        }
        else if (done)
        {
            p.RetireJump();
        }

        s.Delivery = default;
    }

    private static bool TryExecute(ref CpuState s, Processor p, in CpuEvent e)
    {
        var source = (TaskSwitchSource)e.Value;
        var selector = (ushort)e.Index;
        bool isReturn = source == TaskSwitchSource.Return, nests = source is TaskSwitchSource.Call or TaskSwitchSource.Gate;
        byte vector = isReturn ? ExceptionVector.InvalidTss : ExceptionVector.GeneralProtection;
        if (!TaskTransfer.TryCheck(ref s, p, selector, isReturn, vector, out Descriptor descriptor))
            return false;
        bool wide = (descriptor.Type & SystemType.WideBit) != 0;
        if (descriptor.Limit < TaskImage.MinimumLimit(wide))
            return Faults.Raise(ref s, ExceptionVector.InvalidTss, selector);

        EventDelivery delivery = s.Delivery;
        ulong flags = delivery.Kind == DeliveryKind.None ? s.Gpr.Rflags : Exceptions.SavedFlags(ref s, in delivery);
        if (isReturn)
            flags &= ~Rflags.Nt;
        ulong tss = descriptor.Base32;
        if (!TaskImage.TrySave(ref s, p, ReturnRip(ref s, in e), flags) || !TaskImage.TryRead(ref s, p, tss, wide, out TaskImage image)
            || (nests && !p.TryWriteSystem(ref s, tss, 2, s.Sys.Tr.Selector))
            || !TrySetBusyBits(ref s, p, selector, ref descriptor, source))
            return false;

        Commit(ref s, p, selector, in descriptor, in image, nests);
        if (!TaskSegments.TryLoad(ref s, p, selector, wide, in image))
            return false;
        return TryFinish(ref s, p, wide, image.Trap, in delivery);
    }

    private static ulong ReturnRip(ref CpuState s, in CpuEvent e) => (uint)(s.Gpr.Rip + e.Length);

    /// <summary>Steps 6 and 10: the old task stays busy when it is nested in, the new one becomes busy; a return does the reverse.</summary>
    private static bool TrySetBusyBits(ref CpuState s, Processor p, ushort selector, ref Descriptor descriptor, TaskSwitchSource source)
    {
        if (source is TaskSwitchSource.Jump or TaskSwitchSource.Return)
        {
            if (!DescriptorTables.TryFetch(ref s, p, s.Sys.Tr.Selector, ExceptionVector.InvalidTss, out Descriptor old)
                || !DescriptorTables.TrySetType(ref s, p, s.Sys.Tr.Selector, ref old, old.Type & ~SystemType.BusyBit))
                return false;
        }

        return DescriptorTables.TrySetType(ref s, p, selector, ref descriptor, descriptor.Type | SystemType.BusyBit);
    }

    /// <summary>Steps 9, 11 and 12: TR, registers and selectors are the new task's from here on.</summary>
    private static void Commit(ref CpuState s, Processor p, ushort selector, in Descriptor descriptor, in TaskImage image, bool nests)
    {
        s.Sys.Tr = descriptor.ToRegister(selector);
        image.Load(ref s, image.Eflags | (nests ? Rflags.Nt : 0));
        s.Sys.Cr0 |= ControlBits.Ts;
        s.Sys.Dr7 &= ~LocalBreakpoints;
        s.Sys.Shadow &= InterruptShadow.NmiBlocked;
        for (int i = 0; i < 6; i++)
            Segments.LoadNull(ref Segments.Register(ref s, (SegmentNumber)i), (ushort)image.Selectors[i]);
        Segments.LoadNull(ref s.Sys.Ldtr, image.Ldt);
        s.Sys.Cpl = (byte)((s.Gpr.Rflags & Rflags.Vm) != 0 ? 3 : image.Selectors[(int)SegmentNumber.Cs] & 3);
        p.ModeChanged(ref s);
    }

    /// <summary>The error code goes on the new task's stack; the T bit makes a debug trap before its first instruction (SDM 3B 18.3.1.5).</summary>
    private static bool TryFinish(ref CpuState s, Processor p, bool wide, bool trap, in EventDelivery delivery)
    {
        if (delivery.HasErrorCode)
        {
            StackTarget stack = StackTarget.Current(ref s);
            if (!Stacks.TryPushFrame(ref s, p, in stack, [delivery.ErrorCode], wide ? 4 : 2, out ulong pointer))
                return false;
            s.Gpr.Rsp = pointer;
        }

        // A trap of the new task: the switch, and the delivery that asked for it, are complete.
        if (trap)
            DebugTraps.Raise(ref s, DebugRegisters.TaskBit);
        return true;
    }
}
