using Hv.Core.Registers;
using Hv.Cpu.State;

namespace Hv.Cpu.System;

/// <summary>Interrupts and exceptions through the protected-mode IDT, from protected and virtual-8086 code (SDM 3A 6.12; SDM 2A INT n,
/// PROTECTED-MODE; SDM 3B 21.3).</summary>
internal static class ProtectedDelivery
{
    /// <summary>GS FS DS ES SS ESP EFLAGS CS EIP and an error code.</summary>
    private const int MaxFrame = 10;

    public static bool TryDeliver(ref CpuState s, Processor p, in EventDelivery d)
    {
        uint entry = d.Vector * 8u;
        if (entry + 7 > s.Sys.Idtr.Limit)
            return Faults.RaiseIdt(ref s, ExceptionVector.GeneralProtection, d.Vector);
        if (!p.TryReadSystem(ref s, (uint)(s.Sys.Idtr.Base + entry), 8, out ulong raw))
            return false;
        var gate = new Descriptor(raw);
        if (!TryCheckGate(ref s, in d, in gate))
            return false;
        if (gate.Type == SystemType.TaskGate)
            return TaskTransfer.TryFromDelivery(ref s, p, in gate);
        if (!TryCheckHandler(ref s, p, gate.GateSelector, out Descriptor code))
            return false;

        bool wide = (gate.Type & SystemType.WideBit) != 0;
        ulong offset = wide ? gate.GateOffset32 : gate.GateOffset16;
        int cpl = code.IsConforming ? s.Sys.Cpl : code.Dpl;
        if (Modes.IsVm86(ref s) && cpl != 0)
            return Faults.GeneralProtection(ref s, gate.GateSelector);
        StackTarget stack;
        bool inner = cpl != s.Sys.Cpl;
        if (!inner)
            stack = StackTarget.Current(ref s);
        else if (!TaskState.TryInnerStack(ref s, p, cpl, out stack))
            return false;

        Span<ulong> frame = stackalloc ulong[MaxFrame];
        int count = Fill(ref s, in d, inner, frame);
        if (!CodeTransfer.TryCheckOffset(ref s, in code, offset) || !DescriptorTables.TrySetAccessed(ref s, p, gate.GateSelector, ref code)
            || !Stacks.TryPushFrame(ref s, p, in stack, frame[..count], wide ? 4 : 2, out ulong pointer))
            return false;

        bool vm86 = Modes.IsVm86(ref s);
        s.Gpr.Rsp = pointer;
        if (inner)
            s.Sys.Ss = stack.Segment;
        if (vm86)
            DropVm86Segments(ref s);
        s.Gpr.Rflags = EntryFlags(s.Gpr.Rflags, in gate);
        CodeTransfer.Commit(ref s, p, gate.GateSelector, in code, cpl, offset);
        return true;
    }

    /// <summary>The gate's type, the DPL check that only INT n, INT3 and INTO meet, and presence.</summary>
    private static bool TryCheckGate(ref CpuState s, in EventDelivery d, in Descriptor gate)
    {
        bool known = gate.IsSystem && gate.Type is SystemType.TaskGate or SystemType.InterruptGate16 or SystemType.TrapGate16
            or SystemType.InterruptGate32 or SystemType.TrapGate32;
        bool checksDpl = d.Kind is DeliveryKind.SoftwareInterrupt or DeliveryKind.SoftwareException;
        if (!known || !gate.IsSystem || (checksDpl && gate.Dpl < s.Sys.Cpl))
            return Faults.RaiseIdt(ref s, ExceptionVector.GeneralProtection, d.Vector);
        return gate.Present || Faults.RaiseIdt(ref s, ExceptionVector.SegmentNotPresent, d.Vector);
    }

    /// <summary>The handler's code segment: never at an outer level (SDM 3A 6.12.1.1).</summary>
    private static bool TryCheckHandler(ref CpuState s, Processor p, ushort selector, out Descriptor code)
    {
        if (!FarJump.TryTarget(ref s, p, selector, out code))
            return false;
        if (!code.IsCode || code.Dpl > s.Sys.Cpl)
            return Faults.GeneralProtection(ref s, selector);
        return code.Present || Faults.Raise(ref s, ExceptionVector.SegmentNotPresent, selector);
    }

    private static int Fill(ref CpuState s, in EventDelivery d, bool inner, Span<ulong> frame)
    {
        int count = 0;
        if (Modes.IsVm86(ref s))
        {
            frame[count++] = s.Sys.Gs.Selector;
            frame[count++] = s.Sys.Fs.Selector;
            frame[count++] = s.Sys.Ds.Selector;
            frame[count++] = s.Sys.Es.Selector;
        }

        if (inner)
        {
            frame[count++] = s.Sys.Ss.Selector;
            frame[count++] = s.Gpr.Rsp;
        }

        frame[count++] = Exceptions.SavedFlags(ref s, in d);
        frame[count++] = s.Sys.Cs.Selector;
        frame[count++] = Exceptions.ReturnRip(ref s, in d);
        if (d.HasErrorCode)
            frame[count++] = d.ErrorCode;
        return count;
    }

    private static ulong EntryFlags(ulong flags, in Descriptor gate)
    {
        bool interrupt = gate.Type is SystemType.InterruptGate16 or SystemType.InterruptGate32;
        return flags & ~(Rflags.Tf | Rflags.Nt | Rflags.Rf | Rflags.Vm | (interrupt ? Rflags.If : 0));
    }

    private static void DropVm86Segments(ref CpuState s)
    {
        Segments.LoadNull(ref s.Sys.Es, 0);
        Segments.LoadNull(ref s.Sys.Ds, 0);
        Segments.LoadNull(ref s.Sys.Fs, 0);
        Segments.LoadNull(ref s.Sys.Gs, 0);
    }
}
