using Hv.Cpu.Decode;
using Hv.Cpu.State;
using Hv.Cpu.Virtualization;

namespace Hv.Cpu.System;

/// <summary>What asked for a task switch; the numbers are those of <see cref="CpuEvent.Value"/>.</summary>
internal enum TaskSwitchSource : byte
{
    Call,
    Return,
    Jump,
    Gate,
}

/// <summary>
/// The ways into a hardware task switch: each checks the gate and the TSS descriptor (SDM 3A 8.3, steps 1-4), then raises the event, because both
/// vendors let a
/// hypervisor see the switch at this point. IA-32e mode has none (SDM 3A 8.7).
/// </summary>
internal static class TaskTransfer
{
    /// <summary>JMP or CALL to a TSS or a task gate, whose 8-byte descriptor has been read.</summary>
    public static bool TryFromInstruction(ref CpuState s, ref Op op, Processor p, ushort selector, in Descriptor target, TaskSwitchSource source)
    {
        if (Modes.IsLong(ref s) || target.Dpl < s.Sys.Cpl || (selector & 3) > target.Dpl)
            return Faults.GeneralProtection(ref s, selector);
        ushort task = selector;
        if (target.Type == SystemType.TaskGate)
        {
            if (!target.Present)
                return Faults.Raise(ref s, ExceptionVector.SegmentNotPresent, selector);
            task = target.GateSelector;
        }

        if (!TryCheck(ref s, p, task, false, ExceptionVector.GeneralProtection, out _))
            return false;
        p.Leave(ref s, ref op, CpuEventKind.TaskSwitch);
        p.Event.Index = task;
        p.Event.Value = (ulong)source;
        return true;
    }

    /// <summary>IRET with NT set: back to the task in the link field, which must be busy (SDM 3A 8.4).</summary>
    public static bool TryFromReturn(ref CpuState s, Processor p, in CpuEvent e)
    {
        if (!TaskState.TryRead(ref s, p, 0, 2, out ulong link) || !TryCheck(ref s, p, (ushort)link, true, ExceptionVector.InvalidTss, out _))
            return false;
        Raise(ref s, p, (ushort)link, TaskSwitchSource.Return, e.Length);
        return true;
    }

    /// <summary>An event delivered through a task gate. The delivery stays in progress until the switch is done.</summary>
    public static bool TryFromDelivery(ref CpuState s, Processor p, in Descriptor gate)
    {
        if (!TryCheck(ref s, p, gate.GateSelector, false, ExceptionVector.GeneralProtection, out _))
            return false;
        Raise(ref s, p, gate.GateSelector, TaskSwitchSource.Gate, s.Delivery.Length);
        return true;
    }

    /// <summary>A TSS descriptor in the GDT, available or busy as asked, present; errors as <paramref name="vector"/> with the selector.</summary>
    public static bool TryCheck(ref CpuState s, Processor p, ushort selector, bool busy, byte vector, out Descriptor descriptor)
    {
        descriptor = default;
        if (DescriptorTables.IsNull(selector) || (selector & 4) != 0)
            return Faults.Raise(ref s, vector, selector);
        if (!DescriptorTables.TryFetch(ref s, p, selector, vector, out descriptor))
            return false;
        if (busy ? !descriptor.IsBusyTss : !descriptor.IsAvailableTss)
            return Faults.Raise(ref s, vector, selector);
        return descriptor.Present || Faults.Raise(ref s, ExceptionVector.SegmentNotPresent, selector);
    }

    private static void Raise(ref CpuState s, Processor p, ushort selector, TaskSwitchSource source, byte length)
    {
        p.Event = new CpuEvent { Kind = CpuEventKind.TaskSwitch, Length = length, Index = selector, Value = (ulong)source };
        s.Attention |= Attention.Event;
    }
}
