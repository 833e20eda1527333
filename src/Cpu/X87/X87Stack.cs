using Hv.Cpu.Decode;
using Hv.Cpu.Floating;
using Hv.Cpu.State;
using Hv.Cpu.System;

namespace Hv.Cpu.X87;

/// <summary>
/// The register stack and what all computing x87 instructions share: the checks before, stack faults, and merging of exception flags (SDM 1 8.1,
/// 8.5). Each check that fails has recorded its fault or its flags, so that a caller writes <c>if (!…) return</c>.
/// </summary>
internal static class X87Stack
{
    internal const ushort C0 = 1 << 8, C1 = 1 << 9, C2 = 1 << 10, C3 = 1 << 14, ConditionCodes = C0 | C1 | C2 | C3;

    private const ushort ErrorSummary = 1 << 7, StackFault = 1 << 6, InvalidFlag = 1;
    private const int TopShift = 11;
    private const FloatFlags Before = FloatFlags.Invalid | FloatFlags.Denormal | FloatFlags.DivideByZero;

    /// <summary>The instruction becomes the last one. Its opcode and operand count only when it leaves an unmasked exception behind (CPUID
    /// 07H.EBX[6]; SDM 1 8.1.8, 8.1.9), and selectors never (CPUID 07H.EBX[13]; docs/adr/0027-x87-pointers.md).</summary>
    public static void Record(ref CpuState s, ref Op op, Processor p)
    {
        ref FpuState f = ref s.Fpu;
        f.InstructionPointer = s.BlockRip + op.RipDelta;
        if ((f.Status & ErrorSummary) == 0)
            return;
        f.Opcode = X87Decoding.Opcode(in op);
        if (op.IsMemory)
            f.OperandPointer = p.EffectiveAddress(ref s, ref op);
    }

    /// <summary>#NM while EM or TS is set (SDM 3A 2.5, table 2-2).</summary>
    public static bool IsUsable(ref CpuState s, ref Op op, Processor p)
    {
        if ((s.Sys.Cr0 & (ControlBits.Em | ControlBits.Ts)) == 0)
            return true;
        p.Raise(ref s, ref op, ExceptionVector.DeviceNotAvailable);
        return false;
    }

    /// <summary>#MF for an unmasked exception that waits to be reported; without CR0.NE that is a pin that no board here connects.</summary>
    public static bool IsClear(ref CpuState s, ref Op op, Processor p)
    {
        if ((s.Fpu.Status & ErrorSummary) == 0 || (s.Sys.Cr0 & ControlBits.Ne) == 0)
            return true;
        p.Raise(ref s, ref op, ExceptionVector.FloatingPoint);
        return false;
    }

    /// <summary>The physical register that is ST(<paramref name="index"/>).</summary>
    public static int Physical(in FpuState f, int index) => ((f.Status >> TopShift) + index) & 7;

    /// <summary>Whether ST(<paramref name="index"/>) is empty.</summary>
    public static bool IsEmpty(in FpuState f, int index) => (f.Tags >> Physical(in f, index) & 1) == 0;

    /// <summary>The contents of ST(<paramref name="index"/>), empty or not.</summary>
    public static Extended80 Get(in FpuState f, int index)
    {
        X87Register register = f.X87[Physical(in f, index)];
        return new Extended80(register.Significand, (ushort)register.SignExponent);
    }

    /// <summary>Fills ST(<paramref name="index"/>).</summary>
    public static void Set(ref FpuState f, int index, Extended80 value)
    {
        int physical = Physical(in f, index);
        f.X87[physical] = new X87Register { Significand = value.Significand, SignExponent = value.SignExponent };
        f.Tags |= (byte)(1 << physical);
    }

    /// <summary>Marks ST(<paramref name="index"/>) empty.</summary>
    public static void Free(ref FpuState f, int index) => f.Tags &= (byte)~(1 << Physical(in f, index));

    /// <summary>Moves TOP: −1 before a push, +1 after a pop.</summary>
    public static void MoveTop(ref FpuState f, int by) =>
        f.Status = (ushort)(f.Status & ~(7 << TopShift) | (((f.Status >> TopShift) + by) & 7) << TopShift);

    /// <summary>Empties ST(0) and moves TOP on.</summary>
    public static void Pop(ref FpuState f)
    {
        Free(ref f, 0);
        MoveTop(ref f, 1);
    }

    /// <summary>Pushes a value; a full register is a stack overflow, whose masked answer is the indefinite.</summary>
    public static void Push(ref FpuState f, Extended80 value)
    {
        if (!IsEmpty(in f, -1))
        {
            if (!StackFaulted(ref f, overflow: true))
                return;
            value = Extended80.Indefinite;
        }

        MoveTop(ref f, -1);
        Set(ref f, 0, value);
    }

    /// <summary>A stack fault: IE and SF, C1 tells which. True when masked, and the indefinite stands for the value.</summary>
    public static bool StackFaulted(ref FpuState f, bool overflow)
    {
        f.Status = (ushort)(f.Status & ~C1 | InvalidFlag | StackFault | (overflow ? C1 : 0));
        FpuImage.UpdateSummary(ref f);
        return (f.Control & InvalidFlag) != 0;
    }

    /// <summary>
    /// Merges what an operation raised into the status word. False when an exception that is detected before the result is unmasked: then nothing is
    /// stored, and only such flags are set (SDM 1 8.6).
    /// </summary>
    public static bool Accept(ref FpuState f, in FloatEnvironment environment)
    {
        FloatFlags raised = environment.Flags;
        bool stored = (raised & Before & ~environment.Masks) == 0;
        if (!stored)
            raised &= Before;
        f.Status |= (ushort)raised;
        if (stored && environment.RoundedUp && (raised & FloatFlags.Inexact) != 0)
            f.Status |= C1;
        FpuImage.UpdateSummary(ref f);
        return stored;
    }

    /// <summary>As <see cref="Accept"/>, for a result that goes to memory: an unmasked overflow or underflow stores nothing either (SDM 1 8.5.4,
    /// 8.5.5).</summary>
    public static bool AcceptForMemory(ref FpuState f, FloatEnvironment environment)
    {
        const FloatFlags Range = FloatFlags.Overflow | FloatFlags.Underflow;
        bool outOfRange = (environment.Flags & Range & ~environment.Masks) != 0;
        if (outOfRange)
        {
            environment.Flags &= ~FloatFlags.Inexact;
            environment.RoundedUp = false;
        }

        return Accept(ref f, in environment) && !outOfRange;
    }

    /// <summary>Sets C3, C2 and C0 from these bits, and C1 from <paramref name="c1"/>.</summary>
    public static void SetCodes(ref FpuState f, ushort codes, bool c1 = false) =>
        f.Status = (ushort)(f.Status & ~ConditionCodes | codes | (c1 ? C1 : 0));
}
