using Hv.Cpu.Decode;
using Hv.Cpu.State;

namespace Hv.Cpu.System;

/// <summary>CALL to another code segment: direct, or through a call gate with or without a stack switch (SDM 2A CALL; SDM 3A 5.8.5).</summary>
internal static class FarCall
{
    /// <summary>Old SS, old SP, at most 31 parameters, CS, IP.</summary>
    private const int MaxFrame = 35;

    public static void Execute(ref CpuState s, ref Op op, Processor p)
    {
        Faults.Begin(ref s, ref op);
        if (!FarJump.TryPointer(ref s, ref op, p, out ushort selector, out ulong offset))
            return;
        if (Modes.IsProtected(ref s))
            TryProtected(ref s, ref op, p, selector, offset);
        else
            TryFlat(ref s, ref op, p, selector, offset);
    }

    private static bool TryFlat(ref CpuState s, ref Op op, Processor p, ushort selector, ulong offset)
    {
        if (offset > (Modes.IsVm86(ref s) ? 0xFFFF : s.Sys.Cs.Limit))
            return Faults.GeneralProtection(ref s);
        StackTarget stack = StackTarget.Current(ref s);
        if (!Stacks.TryPushFrame(ref s, p, in stack, [s.Sys.Cs.Selector, p.NextRip(ref s, ref op)], OpAccess.Size(ref op), out ulong pointer))
            return false;
        s.Gpr.Rsp = pointer;
        return CodeTransfer.TryCommitFlat(ref s, p, selector, offset);
    }

    private static bool TryProtected(ref CpuState s, ref Op op, Processor p, ushort selector, ulong offset)
    {
        if (!FarJump.TryTarget(ref s, p, selector, out Descriptor target))
            return false;
        ulong next = p.NextRip(ref s, ref op);
        if (target.IsCode)
        {
            return FarJump.TryCheckDirect(ref s, p, selector, ref target, offset)
                && TrySameLevel(ref s, p, selector, in target, offset, OpAccess.Size(ref op), next);
        }

        if (!target.IsSystem)
            return Faults.GeneralProtection(ref s, selector);
        switch (target.Type)
        {
            case SystemType.CallGate16 or SystemType.CallGate32:
                return TryGate(ref s, p, selector, in target, next);
            case SystemType.TaskGate or SystemType.Tss16Available or SystemType.Tss32Available:
                return TaskTransfer.TryFromInstruction(ref s, ref op, p, selector, in target, TaskSwitchSource.Call);
            default:
                return Faults.GeneralProtection(ref s, selector);
        }
    }

    private static bool TrySameLevel(ref CpuState s, Processor p, ushort selector, in Descriptor code, ulong offset, int size, ulong next)
    {
        StackTarget stack = StackTarget.Current(ref s);
        if (!Stacks.TryPushFrame(ref s, p, in stack, [s.Sys.Cs.Selector, next], size, out ulong pointer))
            return false;
        s.Gpr.Rsp = pointer;
        CodeTransfer.Commit(ref s, p, selector, in code, s.Sys.Cpl, offset);
        return true;
    }

    private static bool TryGate(ref CpuState s, Processor p, ushort selector, in Descriptor gate, ulong next)
    {
        if (!CallGates.TryResolve(ref s, p, selector, in gate, out GateTarget target))
            return false;
        if (!target.Code.Present)
            return Faults.Raise(ref s, ExceptionVector.SegmentNotPresent, target.Selector);
        bool inner = !target.Code.IsConforming && target.Code.Dpl < s.Sys.Cpl;
        if (!inner)
        {
            return CodeTransfer.TryCheckOffset(ref s, in target.Code, target.Offset)
                && DescriptorTables.TrySetAccessed(ref s, p, target.Selector, ref target.Code)
                && TrySameLevel(ref s, p, target.Selector, in target.Code, target.Offset, target.Size, next);
        }

        if (!TaskState.TryInnerStack(ref s, p, target.Code.Dpl, out StackTarget stack))
            return false;
        Span<ulong> frame = stackalloc ulong[MaxFrame];
        int count = 0;
        frame[count++] = s.Sys.Ss.Selector;
        frame[count++] = s.Gpr.Rsp;
        for (int i = target.Parameters - 1; i >= 0; i--)
        {
            if (!Stacks.TryPeek(ref s, p, (uint)(i * target.Size), target.Size, out frame[count++]))
                return false;
        }

        frame[count++] = s.Sys.Cs.Selector;
        frame[count++] = next;
        if (!CodeTransfer.TryCheckOffset(ref s, in target.Code, target.Offset)
            || !DescriptorTables.TrySetAccessed(ref s, p, target.Selector, ref target.Code)
            || !Stacks.TryPushFrame(ref s, p, in stack, frame[..count], target.Size, out ulong pointer))
            return false;
        s.Sys.Ss = stack.Segment;
        s.Gpr.Rsp = pointer;
        CodeTransfer.Commit(ref s, p, target.Selector, in target.Code, target.Code.Dpl, target.Offset);
        return true;
    }
}
