using Hv.Cpu.Decode;
using Hv.Cpu.Floating;
using Hv.Cpu.State;

namespace Hv.Cpu.X87;

/// <summary>FPREM and FPREM1: C2 says that the remainder is partial; C0, C3 and C1 are the quotient's bits 2, 1 and 0 (SDM 2A FPREM).</summary>
internal readonly struct PartialRemainder<TRounding> : IX87Instruction where TRounding : struct, IX87IntegerRounding
{
    public static bool Execute(ref CpuState s, ref Op op, Processor p)
    {
        ref FpuState f = ref s.Fpu;
        f.Status &= unchecked((ushort)~X87Stack.C2);
        if (X87Stack.IsEmpty(in f, 0) || X87Stack.IsEmpty(in f, 1))
        {
            if (X87Stack.StackFaulted(ref f, overflow: false))
                X87Stack.Set(ref f, 0, Extended80.Indefinite);
            return true;
        }

        FloatEnvironment environment = FloatEnvironment.FromControlWord(f.Control) with { Precision = 64 };
        FloatParts a = FloatParts.Unpack(X87Stack.Get(in f, 0)), b = FloatParts.Unpack(X87Stack.Get(in f, 1));
        FloatResult rest = FloatRemainder.Step(in a, in b, !TRounding.Truncates, out ulong quotient, out bool complete, ref environment);
        Extended80 result = rest.ToExtended(ref environment);
        if (!X87Stack.Accept(ref f, in environment))
            return true;
        X87Stack.Set(ref f, 0, result);
        // Without a quotient C0 and C3 stay.
        if ((result.SignExponent & Extended80.MaxExponent) == Extended80.MaxExponent)
            return true;
        ushort codes = complete
            ? (ushort)(((quotient & 4) != 0 ? X87Stack.C0 : 0) | ((quotient & 2) != 0 ? X87Stack.C3 : 0))
            : X87Stack.C2;
        X87Stack.SetCodes(ref f, codes, complete && (quotient & 1) != 0);
        return true;
    }
}

/// <summary>FSCALE: ST(0) × 2^⌊ST(1)⌋ toward zero (SDM 2A FSCALE, table 3-44).</summary>
internal readonly struct ScaleOperation : IX87Operation
{
    /// <summary>More than any exponent range can absorb.</summary>
    private const int Beyond = 0x10000;

    public static FloatResult Apply(in FloatParts destination, in FloatParts source, ref FloatEnvironment environment)
    {
        if (FloatArithmetic.Special(in destination, in source, ref environment, out FloatResult nan))
            return nan;
        if (source.Class == FloatClass.Infinity)
        {
            bool invalid = source.Sign ? destination.Class == FloatClass.Infinity : destination.Class == FloatClass.Zero;
            if (invalid)
                return FloatArithmetic.Invalid(ref environment);
            FloatArithmetic.RaiseDenormal(in destination, in destination, ref environment);
            return FloatResult.Exact(source.Sign ? FloatParts.Zero(destination.Sign) : FloatParts.Infinity(destination.Sign));
        }

        FloatArithmetic.RaiseDenormal(in destination, in source, ref environment);
        if (destination.Class != FloatClass.Finite)
            return FloatResult.Exact(destination);
        int by = 0;
        if (source.Class == FloatClass.Zero)
        {
            // A denormal stays as it is, and underflows by no means.
            environment.Masks |= FloatFlags.Underflow;
        }
        else
        {
            FloatEnvironment quiet = default;
            by = source.Exponent > 16 ? (source.Sign ? -Beyond : Beyond)
                : (int)FloatConversion.ToInteger(in source, 32, RoundingMode.Zero, ref quiet);
        }

        // The result is exact unless it leaves the range: precision control does not matter.
        environment.Precision = 64;
        return FloatResult.Finite(destination.Sign, destination.Exponent + by, (UInt128)destination.Significand << 64);
    }
}

/// <summary>FSCALE.</summary>
internal readonly struct Scale : IX87Instruction
{
    public static bool Execute(ref CpuState s, ref Op op, Processor p)
    {
        ref FpuState f = ref s.Fpu;
        if (X87Stack.IsEmpty(in f, 0) || X87Stack.IsEmpty(in f, 1))
        {
            if (X87Stack.StackFaulted(ref f, overflow: false))
                X87Stack.Set(ref f, 0, Extended80.Indefinite);
            return true;
        }

        var environment = FloatEnvironment.FromControlWord(f.Control);
        FloatParts a = FloatParts.Unpack(X87Stack.Get(in f, 0)), b = FloatParts.Unpack(X87Stack.Get(in f, 1));
        Extended80 result = ScaleOperation.Apply(in a, in b, ref environment).ToExtended(ref environment);
        if (X87Stack.Accept(ref f, in environment))
            X87Stack.Set(ref f, 0, result);
        return true;
    }
}

/// <summary>FXTRACT: the exponent replaces ST(0), the significand is pushed; zero raises divide by zero (SDM 2A FXTRACT).</summary>
internal readonly struct Extract : IX87Instruction
{
    public static bool Execute(ref CpuState s, ref Op op, Processor p)
    {
        ref FpuState f = ref s.Fpu;
        bool empty = X87Stack.IsEmpty(in f, 0);
        if (empty || !X87Stack.IsEmpty(in f, -1))
        {
            if (!X87Stack.StackFaulted(ref f, overflow: !empty))
                return true;
            X87Stack.Set(ref f, 0, Extended80.Indefinite);
            X87Stack.MoveTop(ref f, -1);
            X87Stack.Set(ref f, 0, Extended80.Indefinite);
            return true;
        }

        FloatEnvironment environment = FloatEnvironment.FromControlWord(f.Control) with { Precision = 64 };
        FloatParts a = FloatParts.Unpack(X87Stack.Get(in f, 0));
        FloatResult exponent, significand;
        if (FloatArithmetic.Special(in a, in a, ref environment, out FloatResult nan))
        {
            exponent = significand = nan;
        }
        else if (a.Class == FloatClass.Zero)
        {
            environment.Flags |= FloatFlags.DivideByZero;
            exponent = FloatResult.Exact(FloatParts.Infinity(true));
            significand = FloatResult.Exact(a);
        }
        else if (a.Class == FloatClass.Infinity)
        {
            exponent = FloatResult.Exact(FloatParts.Infinity(false));
            significand = FloatResult.Exact(a);
        }
        else
        {
            FloatArithmetic.RaiseDenormal(in a, in a, ref environment);
            exponent = FloatConversion.FromInteger(a.Exponent);
            significand = FloatResult.Finite(a.Sign, 0, (UInt128)a.Significand << 64);
        }

        Extended80 first = exponent.ToExtended(ref environment), second = significand.ToExtended(ref environment);
        if (!X87Stack.Accept(ref f, in environment))
            return true;
        X87Stack.Set(ref f, 0, first);
        X87Stack.Push(ref f, second);
        return true;
    }
}
