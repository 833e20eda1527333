using Hv.Cpu.Decode;
using Hv.Cpu.State;

namespace Hv.Cpu.System;

/// <summary>JMP and CALL to another code segment, and what they share: fetching the pointer, choosing by descriptor, checking direct targets (SDM 2A
/// JMP, CALL).</summary>
internal static class FarJump
{
    /// <summary>JMP ptr16:16/32, JMP m16:16/32/64.</summary>
    public static void Execute(ref CpuState s, ref Op op, Processor p)
    {
        Faults.Begin(ref s, ref op);
        if (!TryPointer(ref s, ref op, p, out ushort selector, out ulong offset))
            return;
        if (!Modes.IsProtected(ref s))
            CodeTransfer.TryCommitFlat(ref s, p, selector, offset);
        else
            TryProtected(ref s, ref op, p, selector, offset);
    }

    /// <summary>The selector:offset operand, from the instruction or from memory; the offset has the operand's size.</summary>
    public static bool TryPointer(ref CpuState s, ref Op op, Processor p, out ushort selector, out ulong offset)
    {
        int size = OpAccess.Size(ref op);
        selector = (ushort)(op.Immediate >> 32);
        offset = op.Immediate & (size == 2 ? 0xFFFFu : 0xFFFF_FFFFu);
        if ((op.Form & OpForm.Memory) == 0)
            return true;
        ulong address = p.EffectiveAddress(ref s, ref op);
        if (!p.TryRead(ref s, (SegmentNumber)op.Segment, address, size, out offset)
            || !p.TryRead(ref s, (SegmentNumber)op.Segment, OpAccess.Advance(ref op, address, size), 2, out ulong high))
            return false;
        selector = (ushort)high;
        return true;
    }

    /// <summary>Reads the target's descriptor: null #GP(0), outside its table #GP(selector).</summary>
    public static bool TryTarget(ref CpuState s, Processor p, ushort selector, out Descriptor target)
    {
        target = default;
        if (DescriptorTables.IsNull(selector))
            return Faults.GeneralProtection(ref s);
        return DescriptorTables.TryFetch(ref s, p, selector, ExceptionVector.GeneralProtection, out target);
    }

    /// <summary>The checks of a direct transfer to a code segment, which never changes CPL (SDM 3A 5.8.1, table 5-1).</summary>
    public static bool TryCheckDirect(ref CpuState s, Processor p, ushort selector, ref Descriptor code, ulong offset)
    {
        int rpl = selector & 3, cpl = s.Sys.Cpl;
        bool allowed = code.IsConforming ? code.Dpl <= cpl : rpl <= cpl && code.Dpl == cpl;
        if (!allowed || CodeTransfer.HasReservedSize(ref s, in code))
            return Faults.GeneralProtection(ref s, selector);
        if (!code.Present)
            return Faults.Raise(ref s, ExceptionVector.SegmentNotPresent, selector);
        return CodeTransfer.TryCheckOffset(ref s, in code, offset) && DescriptorTables.TrySetAccessed(ref s, p, selector, ref code);
    }

    private static bool TryProtected(ref CpuState s, ref Op op, Processor p, ushort selector, ulong offset)
    {
        if (!TryTarget(ref s, p, selector, out Descriptor target))
            return false;
        if (target.IsCode)
        {
            if (!TryCheckDirect(ref s, p, selector, ref target, offset))
                return false;
            CodeTransfer.Commit(ref s, p, selector, in target, s.Sys.Cpl, offset);
            return true;
        }

        if (!target.IsSystem)
            return Faults.GeneralProtection(ref s, selector);
        switch (target.Type)
        {
            case SystemType.CallGate16 or SystemType.CallGate32:
                return TryGate(ref s, p, selector, in target);
            case SystemType.TaskGate or SystemType.Tss16Available or SystemType.Tss32Available:
                return TaskTransfer.TryFromInstruction(ref s, ref op, p, selector, in target, TaskSwitchSource.Jump);
            default:
                return Faults.GeneralProtection(ref s, selector);
        }
    }

    /// <summary>JMP through a call gate: no stack is touched, and CPL does not change, so a nonconforming target must be at CPL.</summary>
    private static bool TryGate(ref CpuState s, Processor p, ushort selector, in Descriptor gate)
    {
        if (!CallGates.TryResolve(ref s, p, selector, in gate, out GateTarget target))
            return false;
        if (target.Code.IsConforming ? target.Code.Dpl > s.Sys.Cpl : target.Code.Dpl != s.Sys.Cpl)
            return Faults.GeneralProtection(ref s, target.Selector);
        if (!target.Code.Present)
            return Faults.Raise(ref s, ExceptionVector.SegmentNotPresent, target.Selector);
        if (!CodeTransfer.TryCheckOffset(ref s, in target.Code, target.Offset)
            || !DescriptorTables.TrySetAccessed(ref s, p, target.Selector, ref target.Code))
            return false;
        CodeTransfer.Commit(ref s, p, target.Selector, in target.Code, s.Sys.Cpl, target.Offset);
        return true;
    }
}
