using Hv.Core.Registers;
using Hv.Cpu.State;

namespace Hv.Cpu.System;

/// <summary>Interrupts and exceptions in IA-32e mode: 16-byte gates, 64-bit handlers, the interrupt stack table, aligned stacks, SS:RSP always saved
/// (SDM 3A 6.14).</summary>
internal static class LongModeDelivery
{
    public static bool TryDeliver(ref CpuState s, Processor p, in EventDelivery d)
    {
        uint entry = d.Vector * 16u;
        if (entry + 15 > s.Sys.Idtr.Limit)
            return Faults.RaiseIdt(ref s, ExceptionVector.GeneralProtection, d.Vector);
        if (!p.TryReadSystem(ref s, s.Sys.Idtr.Base + entry, 8, out ulong low)
            || !p.TryReadSystem(ref s, s.Sys.Idtr.Base + entry + 8, 8, out ulong high))
            return false;
        var gate = new Descriptor(low, high);
        bool known = gate.IsSystem && gate.Type is SystemType.InterruptGate32 or SystemType.TrapGate32;
        bool checksDpl = d.Kind is DeliveryKind.SoftwareInterrupt or DeliveryKind.SoftwareException;
        if (!known || !gate.IsSystem || (checksDpl && gate.Dpl < s.Sys.Cpl))
            return Faults.RaiseIdt(ref s, ExceptionVector.GeneralProtection, d.Vector);
        if (!gate.Present)
            return Faults.RaiseIdt(ref s, ExceptionVector.SegmentNotPresent, d.Vector);

        ushort selector = gate.GateSelector;
        if (!FarJump.TryTarget(ref s, p, selector, out Descriptor code))
            return false;
        if (!code.IsCode || code.Dpl > s.Sys.Cpl || !code.Long || code.Default)
            return Faults.GeneralProtection(ref s, selector);
        if (!code.Present)
            return Faults.Raise(ref s, ExceptionVector.SegmentNotPresent, selector);
        int cpl = code.IsConforming ? s.Sys.Cpl : code.Dpl;
        if (!TryStack(ref s, p, in gate, cpl, out StackTarget stack))
            return false;

        ReadOnlySpan<ulong> frame =
        [
            s.Sys.Ss.Selector, s.Gpr.Rsp, Exceptions.SavedFlags(ref s, in d), s.Sys.Cs.Selector, Exceptions.ReturnRip(ref s, in d), d.ErrorCode,
        ];
        if (!Modes.IsCanonical(gate.GateOffset64))
            return Faults.GeneralProtection(ref s);
        if (!DescriptorTables.TrySetAccessed(ref s, p, selector, ref code)
            || !Stacks.TryPushFrame(ref s, p, in stack, frame[..(d.HasErrorCode ? 6 : 5)], 8, out ulong pointer))
            return false;

        bool interrupt = gate.Type == SystemType.InterruptGate32;
        s.Gpr.Rsp = pointer;
        if (cpl != s.Sys.Cpl)
            s.Sys.Ss = Segments.NullStack(cpl);
        s.Gpr.Rflags &= ~(Rflags.Tf | Rflags.Nt | Rflags.Rf | (interrupt ? Rflags.If : 0));
        CodeTransfer.Commit(ref s, p, selector, in code, cpl, gate.GateOffset64);
        return true;
    }

    /// <summary>The stack to use, aligned down to 16 bytes before the frame (SDM 3A 6.14.2): IST if the gate names one, else by privilege.</summary>
    private static bool TryStack(ref CpuState s, Processor p, in Descriptor gate, int cpl, out StackTarget stack)
    {
        bool inner = cpl != s.Sys.Cpl;
        bool ok = true;
        if (gate.GateIst != 0)
            ok = TaskState.TryInterruptStack(ref s, p, gate.GateIst, cpl, out stack);
        else if (inner)
            ok = TaskState.TryInnerStack(ref s, p, cpl, out stack);
        else
            stack = new StackTarget { Segment = s.Sys.Ss, Pointer = s.Gpr.Rsp, Mask = ulong.MaxValue, Is64 = true, IsCurrent = Modes.Is64(ref s) };

        // From compatibility mode at the same level the handler's 64-bit stack is the same memory, but SS's limit and base no longer count.
        if (!stack.IsCurrent)
            stack.Segment = Segments.NullStack(cpl);
        stack.Pointer &= ~0xFUL;
        return ok;
    }
}
