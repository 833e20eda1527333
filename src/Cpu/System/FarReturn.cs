using Hv.Core.Registers;
using Hv.Cpu.Decode;
using Hv.Cpu.State;

namespace Hv.Cpu.System;

/// <summary>RET far (SDM 2B RET), and the checks of a return's CS and SS that IRET shares.</summary>
internal static class FarReturn
{
    public static void Execute(ref CpuState s, ref Op op, Processor p)
    {
        Faults.Begin(ref s, ref op);
        int size = OpAccess.Size(ref op);
        uint release = (uint)op.Immediate & 0xFFFF;
        if (!Stacks.TryPeek(ref s, p, 0, size, out ulong rip) || !Stacks.TryPeek(ref s, p, (uint)size, size, out ulong cs))
            return;
        ulong popped = 2 * (uint)size + release;
        if (Modes.IsProtected(ref s))
            TryProtected(ref s, p, (ushort)cs, rip, size, popped);
        else if (CodeTransfer.TryCommitFlat(ref s, p, (ushort)cs, rip))
            s.Gpr.Rsp = Stacks.Moved(ref s, popped);
    }

    /// <summary>The checks of the code segment that a return goes to, at the level of its selector's RPL (SDM 2B RET; SDM 2A IRET).</summary>
    public static bool TryCheckCode(ref CpuState s, Processor p, ushort selector, ulong rip, out Descriptor code)
    {
        if (!FarJump.TryTarget(ref s, p, selector, out code))
            return false;
        int rpl = selector & 3;
        bool levelOk = code.IsConforming ? code.Dpl <= rpl : code.Dpl == rpl;
        if (!code.IsCode || rpl < s.Sys.Cpl || !levelOk || CodeTransfer.HasReservedSize(ref s, in code))
            return Faults.GeneralProtection(ref s, selector);
        if (!code.Present)
            return Faults.Raise(ref s, ExceptionVector.SegmentNotPresent, selector);
        return CodeTransfer.TryCheckOffset(ref s, in code, rip) && DescriptorTables.TrySetAccessed(ref s, p, selector, ref code);
    }

    /// <summary>The checks of the stack segment that a return to <paramref name="cpl"/> loads; null is allowed for 64-bit code below CPL 3.</summary>
    public static bool TryCheckStack(ref CpuState s, Processor p, ushort selector, int cpl, in Descriptor code, out SegmentRegister loaded)
    {
        loaded = default;
        if (!DescriptorTables.IsNull(selector))
            return SegmentLoad.TryCheckStack(ref s, p, selector, cpl, ExceptionVector.GeneralProtection, out loaded);
        if (!Modes.IsLong(ref s) || !code.Long || cpl == 3 || (selector & 3) != cpl)
            return Faults.GeneralProtection(ref s);
        loaded = Segments.NullStack(cpl);
        return true;
    }

    /// <summary>Loads RSP popped from the stack: the new SS's width decides how much of it counts.</summary>
    public static ulong OuterPointer(ref CpuState s, in SegmentRegister ss, in Descriptor code, ulong pointer)
    {
        if (Modes.IsLong(ref s) && code.Long)
            return pointer;
        return ss.Default ? (uint)pointer : (s.Gpr.Rsp & 0xFFFF_0000) | (pointer & 0xFFFF);
    }

    private static bool TryProtected(ref CpuState s, Processor p, ushort selector, ulong rip, int size, ulong popped)
    {
        if (!TryCheckCode(ref s, p, selector, rip, out Descriptor code))
            return false;
        int cpl = selector & 3;
        if (cpl == s.Sys.Cpl)
        {
            s.Gpr.Rsp = Stacks.Moved(ref s, popped);
            CodeTransfer.Commit(ref s, p, selector, in code, cpl, rip);
            return true;
        }

        if (!Stacks.TryPeek(ref s, p, popped, size, out ulong pointer) || !Stacks.TryPeek(ref s, p, popped + (uint)size, size, out ulong ss)
            || !TryCheckStack(ref s, p, (ushort)ss, cpl, in code, out SegmentRegister stack))
            return false;
        ulong release = popped - 2 * (uint)size;
        ulong outer = OuterPointer(ref s, in stack, in code, pointer);
        s.Sys.Ss = stack;
        CodeTransfer.Commit(ref s, p, selector, in code, cpl, rip);
        s.Gpr.Rsp = outer;
        s.Gpr.Rsp = Stacks.Moved(ref s, release);
        SegmentLoad.DropInner(ref s);
        p.ModeChanged(ref s);
        return true;
    }
}
