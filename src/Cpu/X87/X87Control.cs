using Hv.Cpu.Decode;
using Hv.Cpu.Floating;
using Hv.Cpu.State;
using Hv.Cpu.System;

namespace Hv.Cpu.X87;

/// <summary>FCHS and FABS: sign changes that raise nothing but stack faults.</summary>
internal readonly struct SetSign<TSign> : IX87Instruction where TSign : struct, IX87Sign
{
    public static bool Execute(ref CpuState s, ref Op op, Processor p)
    {
        ref FpuState f = ref s.Fpu;
        Extended80 value = X87Stack.Get(in f, 0);
        if (X87Stack.IsEmpty(in f, 0))
        {
            if (X87Stack.StackFaulted(ref f, overflow: false))
                X87Stack.Set(ref f, 0, Extended80.Indefinite);
            return true;
        }

        X87Stack.Set(ref f, 0, value with { SignExponent = (ushort)(TSign.Clears ? value.SignExponent & 0x7FFF : value.SignExponent ^ 0x8000) });
        return true;
    }
}

internal interface IX87Sign
{
    static abstract bool Clears { get; }
}

internal readonly struct Negated : IX87Sign
{
    public static bool Clears => false;
}

internal readonly struct Absolute : IX87Sign
{
    public static bool Clears => true;
}

/// <summary>FNOP: nothing, but it waits and is the last instruction.</summary>
internal readonly struct NoOperation : IX87Instruction
{
    public static bool ClearsC1 => false;

    public static bool Execute(ref CpuState s, ref Op op, Processor p) => true;
}

/// <summary>The 8087's FNENI and FNDISI and the 80287's FNSETPM, which do nothing since the 80387 (SDM 3B 24.18.9).</summary>
internal readonly struct NoControl : IX87Instruction
{
    public static bool Waits => false;
    public static bool IsRecorded => false;
    public static bool ClearsC1 => false;

    public static bool Execute(ref CpuState s, ref Op op, Processor p) => true;
}

/// <summary>FNINIT.</summary>
internal readonly struct InitializeState : IX87Instruction
{
    public static bool Waits => false;
    public static bool IsRecorded => false;
    public static bool ClearsC1 => false;

    public static bool Execute(ref CpuState s, ref Op op, Processor p)
    {
        FpuImage.Initialize(ref s.Fpu);
        return true;
    }
}

/// <summary>FNCLEX: clears the exception flags, SF, ES and B (SDM 2A FCLEX).</summary>
internal readonly struct ClearExceptions : IX87Instruction
{
    private const ushort Cleared = 0x80FF;

    public static bool Waits => false;
    public static bool IsRecorded => false;
    public static bool ClearsC1 => false;

    public static bool Execute(ref CpuState s, ref Op op, Processor p)
    {
        s.Fpu.Status &= unchecked((ushort)~Cleared);
        return true;
    }
}

/// <summary>FNSTCW.</summary>
internal readonly struct StoreControl : IX87Instruction
{
    public static bool Waits => false;
    public static bool IsRecorded => false;
    public static bool ClearsC1 => false;

    public static bool Execute(ref CpuState s, ref Op op, Processor p) => X87Memory.TryWrite(ref s, ref op, p, 2, s.Fpu.Control);
}

/// <summary>FLDCW: an exception that it unmasks is pending at once.</summary>
internal readonly struct LoadControl : IX87Instruction
{
    public static bool IsRecorded => false;
    public static bool ClearsC1 => false;

    public static bool Execute(ref CpuState s, ref Op op, Processor p)
    {
        if (!X87Memory.TryRead(ref s, ref op, p, 2, out ulong control))
            return false;
        s.Fpu.Control = FpuImage.ControlWord((ushort)control);
        FpuImage.UpdateSummary(ref s.Fpu);
        return true;
    }
}

/// <summary>FNSTSW to memory or AX.</summary>
internal readonly struct StoreStatus : IX87Instruction
{
    public static bool Waits => false;
    public static bool IsRecorded => false;
    public static bool ClearsC1 => false;

    public static bool Execute(ref CpuState s, ref Op op, Processor p)
    {
        if (op.IsMemory)
            return X87Memory.TryWrite(ref s, ref op, p, 2, s.Fpu.Status);
        OpAccess.SetNumbered(ref s, 0, 2, s.Fpu.Status);
        return true;
    }
}

/// <summary>FINCSTP and FDECSTP: TOP moves, tags do not.</summary>
internal readonly struct MoveTop<TBy> : IX87Instruction where TBy : struct, IX87Step
{
    public static bool Execute(ref CpuState s, ref Op op, Processor p)
    {
        X87Stack.MoveTop(ref s.Fpu, TBy.By);
        return true;
    }
}

internal interface IX87Step
{
    static abstract int By { get; }
}

internal readonly struct Up : IX87Step
{
    public static int By => 1;
}

internal readonly struct Down : IX87Step
{
    public static int By => -1;
}

/// <summary>FFREE, and FFREEP, which pops too.</summary>
internal readonly struct FreeRegister<TPop> : IX87Instruction where TPop : struct, IX87Pop
{
    public static bool Execute(ref CpuState s, ref Op op, Processor p)
    {
        X87Stack.Free(ref s.Fpu, X87Decoding.StackIndex(in op));
        if (TPop.Pops)
            X87Stack.Pop(ref s.Fpu);
        return true;
    }
}
