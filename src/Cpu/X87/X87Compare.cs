using Hv.Cpu.Decode;
using Hv.Cpu.Floating;
using Hv.Cpu.State;

namespace Hv.Cpu.X87;

/// <summary>How a comparison treats quiet NaNs, and where it reports.</summary>
internal static class X87Comparison
{
    /// <summary>C3, C2 and C0 of a relation (SDM 2A FCOM, table 3-21).</summary>
    public static ushort Codes(FloatRelation relation) => relation switch
    {
        FloatRelation.Less => X87Stack.C0,
        FloatRelation.Equal => X87Stack.C3,
        FloatRelation.Greater => 0,
        _ => X87Stack.C3 | X87Stack.C2 | X87Stack.C0,
    };

    /// <summary>Compares ST(0) with a value. False: an unmasked exception, and nothing is popped; the relation is reported all the same, as
    /// silicon does.</summary>
    public static bool TryCompare(ref FpuState f, in FloatParts source, bool signaling, out FloatRelation relation)
    {
        var environment = FloatEnvironment.FromControlWord(f.Control);
        FloatParts top = FloatParts.Unpack(X87Stack.Get(in f, 0));
        relation = FloatComparison.Compare(in top, in source, signaling, ref environment);
        return X87Stack.Accept(ref f, in environment);
    }
}

/// <summary>FCOM, FCOMP, FICOM, FICOMP with memory.</summary>
internal readonly struct CompareMemory<TMemory, TPop> : IX87Instruction where TMemory : struct, IX87Memory where TPop : struct, IX87Pop
{
    public static bool Execute(ref CpuState s, ref Op op, Processor p)
    {
        if (!X87Memory.TryRead(ref s, ref op, p, TMemory.Size, out ulong bits))
            return false;
        ref FpuState f = ref s.Fpu;
        var relation = FloatRelation.Unordered;
        FloatParts source = TMemory.Unpack(bits);
        bool done = X87Stack.IsEmpty(in f, 0) ? X87Stack.StackFaulted(ref f, overflow: false)
            : X87Comparison.TryCompare(ref f, in source, signaling: true, out relation);
        X87Stack.SetCodes(ref f, X87Comparison.Codes(relation));
        if (done && TPop.Pops)
            X87Stack.Pop(ref f);
        return true;
    }
}

/// <summary>FCOM, FUCOM and their popping forms with ST(i).</summary>
internal readonly struct CompareRegister<TKind> : IX87Instruction where TKind : struct, IX87CompareKind
{
    public static bool ClearsC1 => !TKind.ToFlags;

    public static bool Execute(ref CpuState s, ref Op op, Processor p)
    {
        ref FpuState f = ref s.Fpu;
        int index = X87Decoding.StackIndex(in op);
        var relation = FloatRelation.Unordered;
        FloatParts source = FloatParts.Unpack(X87Stack.Get(in f, index));
        bool done = X87Stack.IsEmpty(in f, 0) || X87Stack.IsEmpty(in f, index)
            ? X87Stack.StackFaulted(ref f, overflow: false)
            : X87Comparison.TryCompare(ref f, in source, TKind.Signaling, out relation);
        if (TKind.ToFlags)
            Hv.Cpu.Execute.Flags.Put(ref s, Rflags(relation));
        else
            X87Stack.SetCodes(ref f, X87Comparison.Codes(relation));
        for (int i = 0; done && i < TKind.Pops; i++)
            X87Stack.Pop(ref f);
        return true;
    }

    /// <summary>ZF, PF and CF of a relation; OF, SF and AF are cleared (SDM 2A FCOMI).</summary>
    private static ulong Rflags(FloatRelation relation) => relation switch
    {
        FloatRelation.Less => 1,
        FloatRelation.Equal => 0x40,
        FloatRelation.Greater => 0,
        _ => 0x45,
    };
}

/// <summary>FTST.</summary>
internal readonly struct TestTop : IX87Instruction
{
    public static bool Execute(ref CpuState s, ref Op op, Processor p)
    {
        ref FpuState f = ref s.Fpu;
        var relation = FloatRelation.Unordered;
        FloatParts zero = FloatParts.Zero(false);
        if (X87Stack.IsEmpty(in f, 0))
            X87Stack.StackFaulted(ref f, overflow: false);
        else
            X87Comparison.TryCompare(ref f, in zero, signaling: true, out relation);
        X87Stack.SetCodes(ref f, X87Comparison.Codes(relation));
        return true;
    }
}

/// <summary>FXAM: classifies ST(0), empty or not; C1 is its sign (SDM 2A FXAM, table 3-42).</summary>
internal readonly struct Examine : IX87Instruction
{
    public static bool Execute(ref CpuState s, ref Op op, Processor p)
    {
        ref FpuState f = ref s.Fpu;
        Extended80 value = X87Stack.Get(in f, 0);
        FloatParts parts = FloatParts.Unpack(value);
        int codes = X87Stack.IsEmpty(in f, 0) ? X87Stack.C3 | X87Stack.C0 : parts.Class switch
        {
            FloatClass.Zero => X87Stack.C3,
            FloatClass.Infinity => X87Stack.C2 | X87Stack.C0,
            FloatClass.QuietNan or FloatClass.SignalingNan => X87Stack.C0,
            FloatClass.Unsupported => 0,
            _ => parts.Denormal ? X87Stack.C3 | X87Stack.C2 : X87Stack.C2,
        };
        X87Stack.SetCodes(ref f, (ushort)codes, value.SignExponent >> 15 != 0);
        return true;
    }
}

/// <summary>The comparing instructions' differences.</summary>
internal interface IX87CompareKind
{
    /// <summary>Quiet NaNs raise invalid too.</summary>
    static abstract bool Signaling { get; }

    /// <summary>The result goes to RFLAGS.</summary>
    static abstract bool ToFlags { get; }

    static abstract int Pops { get; }
}

internal readonly struct Fcom : IX87CompareKind
{
    public static bool Signaling => true;
    public static bool ToFlags => false;
    public static int Pops => 0;
}

internal readonly struct Fcomp : IX87CompareKind
{
    public static bool Signaling => true;
    public static bool ToFlags => false;
    public static int Pops => 1;
}

internal readonly struct Fcompp : IX87CompareKind
{
    public static bool Signaling => true;
    public static bool ToFlags => false;
    public static int Pops => 2;
}

internal readonly struct Fucom : IX87CompareKind
{
    public static bool Signaling => false;
    public static bool ToFlags => false;
    public static int Pops => 0;
}

internal readonly struct Fucomp : IX87CompareKind
{
    public static bool Signaling => false;
    public static bool ToFlags => false;
    public static int Pops => 1;
}

internal readonly struct Fucompp : IX87CompareKind
{
    public static bool Signaling => false;
    public static bool ToFlags => false;
    public static int Pops => 2;
}

internal readonly struct Fcomi : IX87CompareKind
{
    public static bool Signaling => true;
    public static bool ToFlags => true;
    public static int Pops => 0;
}

internal readonly struct Fcomip : IX87CompareKind
{
    public static bool Signaling => true;
    public static bool ToFlags => true;
    public static int Pops => 1;
}

internal readonly struct Fucomi : IX87CompareKind
{
    public static bool Signaling => false;
    public static bool ToFlags => true;
    public static int Pops => 0;
}

internal readonly struct Fucomip : IX87CompareKind
{
    public static bool Signaling => false;
    public static bool ToFlags => true;
    public static int Pops => 1;
}
