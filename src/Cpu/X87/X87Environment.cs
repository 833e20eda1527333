using Hv.Cpu.Decode;
using Hv.Cpu.Floating;
using Hv.Cpu.Memory;
using Hv.Cpu.State;
using Hv.Cpu.System;

namespace Hv.Cpu.X87;

/// <summary>
/// FNSTENV, FLDENV, FNSAVE and FRSTOR (SDM 1 8.1.10, figures 8-9 to 8-12): seven words or doublewords, in the protected-mode layout or, in real and
/// virtual-8086 mode, that of linear pointers. Selectors are gone (docs/adr/0027-x87-pointers.md): they are stored as 0, and what is loaded is
/// dropped.
/// </summary>
internal static class X87Environment
{
    /// <summary>Bytes of the registers that follow the environment in FNSAVE's image.</summary>
    public const int RegisterBytes = 80;

    private const int ExceptionMasks = 0x3F;

    /// <summary>Bytes of the environment: 14 or 28.</summary>
    public static int Size(in Op op) => op.SizeLog2 == 1 ? 14 : 28;

    /// <summary>Makes sure that the image, and <paramref name="more"/> bytes behind it, can be accessed. False: the fault is recorded.</summary>
    public static bool TryFind(ref CpuState s, ref Op op, Processor p, int more, AccessKind access, out ulong linear) =>
        p.TryX87Image(ref s, ref op, Size(in op) + more, Size(in op) / 7, access, out linear);

    /// <summary>The full tag word: two bits a register, valid, zero, special or empty (SDM 1 8.1.7).</summary>
    public static ushort TagWord(in FpuState f)
    {
        int word = 0;
        for (int i = 0; i < 8; i++)
        {
            int tag = 3;
            if ((f.Tags >> i & 1) != 0)
            {
                FloatParts parts = FloatParts.Unpack(new Extended80(f.X87[i].Significand, (ushort)f.X87[i].SignExponent));
                tag = parts.Class == FloatClass.Zero ? 1 : parts.Class == FloatClass.Finite && !parts.Denormal ? 0 : 2;
            }

            word |= tag << (2 * i);
        }

        return (ushort)word;
    }

    /// <summary>Writes the environment; the caller has made sure that it can be written.</summary>
    public static bool TryStore(ref CpuState s, ref Op op, Processor p, ulong linear)
    {
        ref FpuState f = ref s.Fpu;
        int step = Size(in op) / 7;
        Span<uint> words = [f.Control, f.Status, TagWord(in f), 0, 0, 0, 0];
        if (step == 4)
        {
            for (int i = 0; i < 3; i++)
                words[i] |= 0xFFFF0000;
        }

        uint instruction = (uint)f.InstructionPointer, operand = (uint)f.OperandPointer;
        if (IsRealLayout(ref s))
        {
            words[3] = instruction & 0xFFFF;
            words[4] = (instruction >> 16 << 12) | f.Opcode;
            words[5] = operand & 0xFFFF;
            words[6] = operand >> 16 << 12;
        }
        else
        {
            words[3] = instruction;
            words[4] = step == 4 ? (uint)f.Opcode << 16 : 0;
            words[5] = operand;
            words[6] = step == 4 ? 0xFFFF0000 : 0;
        }

        for (int i = 0; i < 7; i++)
        {
            if (!p.TryWriteX87Image(ref s, ref op, linear + (ulong)(i * step), step, words[i] & (step == 2 ? 0xFFFF : uint.MaxValue)))
                return false;
        }

        return true;
    }

    /// <summary>Reads the environment into <paramref name="f"/>; registers keep their contents, tags say only which are empty.</summary>
    public static bool TryLoad(ref CpuState s, ref Op op, Processor p, ulong linear, ref FpuState f)
    {
        int step = Size(in op) / 7;
        Span<uint> words = stackalloc uint[7];
        for (int i = 0; i < 7; i++)
        {
            if (!p.TryReadX87Image(ref s, ref op, linear + (ulong)(i * step), step, out ulong word))
                return false;
            words[i] = (uint)word;
        }

        f.Control = FpuImage.ControlWord((ushort)words[0]);
        f.Status = (ushort)words[1];
        f.Tags = 0;
        for (int i = 0; i < 8; i++)
            f.Tags |= (byte)((words[2] >> (2 * i) & 3) == 3 ? 0 : 1 << i);
        if (IsRealLayout(ref s))
        {
            f.InstructionPointer = (words[3] & 0xFFFF) | (words[4] >> 12 << 16);
            f.OperandPointer = (words[5] & 0xFFFF) | (words[6] >> 12 << 16);
            f.Opcode = (ushort)(words[4] & 0x7FF);
        }
        else
        {
            (f.InstructionPointer, f.OperandPointer) = (words[3], words[5]);
            f.Opcode = (ushort)(step == 4 ? words[4] >> 16 & 0x7FF : 0);
        }

        FpuImage.UpdateSummary(ref f);
        return true;
    }

    /// <summary>All exceptions masked, as FNSTENV leaves them.</summary>
    public static void MaskAll(ref FpuState f)
    {
        f.Control |= ExceptionMasks;
        FpuImage.UpdateSummary(ref f);
    }

    private static bool IsRealLayout(ref CpuState s) => (s.Sys.Cr0 & ControlBits.Pe) == 0 || (s.Gpr.Rflags & Rflags.Vm) != 0;
}

/// <summary>FNSTENV.</summary>
internal readonly struct StoreEnvironment : IX87Instruction
{
    public static bool Waits => false;
    public static bool IsRecorded => false;
    public static bool ClearsC1 => false;

    public static bool Execute(ref CpuState s, ref Op op, Processor p)
    {
        if (!X87Environment.TryFind(ref s, ref op, p, 0, AccessKind.Write, out ulong linear)
            || !X87Environment.TryStore(ref s, ref op, p, linear))
            return false;
        X87Environment.MaskAll(ref s.Fpu);
        return true;
    }
}

/// <summary>FLDENV.</summary>
internal readonly struct LoadEnvironment : IX87Instruction
{
    public static bool IsRecorded => false;
    public static bool ClearsC1 => false;

    public static bool Execute(ref CpuState s, ref Op op, Processor p)
    {
        FpuState loaded = s.Fpu;
        if (!X87Environment.TryFind(ref s, ref op, p, 0, AccessKind.Read, out ulong linear)
            || !X87Environment.TryLoad(ref s, ref op, p, linear, ref loaded))
            return false;
        s.Fpu = loaded;
        return true;
    }
}

/// <summary>FNSAVE: environment and registers in stack order, then FNINIT.</summary>
internal readonly struct SaveState : IX87Instruction
{
    public static bool Waits => false;
    public static bool IsRecorded => false;
    public static bool ClearsC1 => false;

    public static bool Execute(ref CpuState s, ref Op op, Processor p)
    {
        if (!X87Environment.TryFind(ref s, ref op, p, X87Environment.RegisterBytes, AccessKind.Write, out ulong linear)
            || !X87Environment.TryStore(ref s, ref op, p, linear))
            return false;
        ulong at = linear + (ulong)X87Environment.Size(in op);
        for (int i = 0; i < 8; i++, at += 10)
        {
            Extended80 value = X87Stack.Get(in s.Fpu, i);
            if (!p.TryWriteX87Image(ref s, ref op, at, 8, value.Significand) || !p.TryWriteX87Image(ref s, ref op, at + 8, 2, value.SignExponent))
                return false;
        }

        FpuImage.Initialize(ref s.Fpu);
        return true;
    }
}

/// <summary>FRSTOR.</summary>
internal readonly struct RestoreState : IX87Instruction
{
    public static bool IsRecorded => false;
    public static bool ClearsC1 => false;

    public static bool Execute(ref CpuState s, ref Op op, Processor p)
    {
        FpuState loaded = s.Fpu;
        if (!X87Environment.TryFind(ref s, ref op, p, X87Environment.RegisterBytes, AccessKind.Read, out ulong linear)
            || !X87Environment.TryLoad(ref s, ref op, p, linear, ref loaded))
            return false;
        ulong at = linear + (ulong)X87Environment.Size(in op);
        for (int i = 0; i < 8; i++, at += 10)
        {
            if (!p.TryReadX87Image(ref s, ref op, at, 8, out ulong significand)
                || !p.TryReadX87Image(ref s, ref op, at + 8, 2, out ulong signExponent))
                return false;
            loaded.X87[X87Stack.Physical(in loaded, i)] = new X87Register { Significand = significand, SignExponent = signExponent };
        }

        s.Fpu = loaded;
        return true;
    }
}
