using Hv.Cpu.Decode;
using Hv.Cpu.Floating;
using Hv.Cpu.State;

namespace Hv.Cpu.X87;

/// <summary>F2XM1: 2^x − 1 (SDM 2A F2XM1). Outside −1 to 1 the result is undefined; silicon gives the argument back.</summary>
internal readonly struct PowerOperation : IX87Unary
{
    public static FloatResult Apply(in FloatParts a, ref FloatEnvironment environment)
    {
        environment.Precision = 64;
        if (FloatArithmetic.Special(in a, in a, ref environment, out FloatResult nan))
            return nan;
        if (a.Class == FloatClass.Zero)
            return FloatResult.Exact(in a);
        if (a.Class == FloatClass.Infinity)
            return a.Sign ? FloatResult.Finite(true, 0, UInt128.One << 127) : FloatResult.Exact(in a);
        FloatArithmetic.RaiseDenormal(in a, in a, ref environment);
        if (a.Exponent < 0)
            return X87Function.Irrational(a.Sign, Transcendental.PowerOf2Minus1(in a));
        environment.Flags |= FloatFlags.Inexact;
        bool isMinusOne = a is { Sign: true, Exponent: 0, Significand: FloatParts.IntegerBit };
        return FloatResult.Finite(a.Sign, isMinusOne ? -1 : a.Exponent, (UInt128)a.Significand << 64);
    }
}

/// <summary>FYL2X: y·log2 x of y in ST(1) and x in ST(0) (SDM 2A FYL2X).</summary>
internal readonly struct LogarithmOperation : IX87Operation
{
    public static FloatResult Apply(in FloatParts y, in FloatParts x, ref FloatEnvironment environment)
    {
        if (FloatArithmetic.Special(in y, in x, ref environment, out FloatResult nan))
            return nan;
        if (x.Class == FloatClass.Zero)
            return OfZero(in y, ref environment);
        if (x.Sign || (x.Class == FloatClass.Infinity && y.Class == FloatClass.Zero))
            return FloatArithmetic.Invalid(ref environment);
        if (x.Class == FloatClass.Infinity)
        {
            FloatArithmetic.RaiseDenormal(in y, in y, ref environment);
            return FloatResult.Exact(FloatParts.Infinity(y.Sign));
        }

        bool isOne = x is { Exponent: 0, Significand: FloatParts.IntegerBit };
        if (isOne && y.Class == FloatClass.Infinity)
            return FloatArithmetic.Invalid(ref environment);
        FloatArithmetic.RaiseDenormal(in y, in x, ref environment);
        if (isOne)
            return FloatResult.Exact(FloatParts.Zero(y.Sign));
        bool sign = y.Sign ^ x.Exponent < 0;
        if (y.Class != FloatClass.Finite)
            return FloatResult.Exact(y.Class == FloatClass.Zero ? FloatParts.Zero(sign) : FloatParts.Infinity(sign));
        return Product(sign, in y, Transcendental.Log2(WideFloat.Of(in x)), x.Significand == FloatParts.IntegerBit, ref environment);
    }

    /// <summary>y times a logarithm. Of a power of two that is an integer, and the product exact; silicon calls it inexact all the same.</summary>
    public static FloatResult Product(bool sign, in FloatParts y, WideFloat logarithm, bool isInteger, ref FloatEnvironment environment)
    {
        WideFloat product = WideFloat.Of(in y) * logarithm;
        if (!isInteger)
            return X87Function.Irrational(sign, product);
        environment.Flags |= product.Exponent < 1 - Extended80.Bias ? FloatFlags.Inexact | FloatFlags.Underflow : FloatFlags.Inexact;
        return FloatResult.Finite(sign, product.Exponent, product.Significand);
    }

    private static FloatResult OfZero(in FloatParts y, ref FloatEnvironment environment)
    {
        if (y.Class == FloatClass.Zero)
            return FloatArithmetic.Invalid(ref environment);
        if (y.Class == FloatClass.Finite)
            environment.Flags |= FloatFlags.DivideByZero;
        return FloatResult.Exact(FloatParts.Infinity(!y.Sign));
    }
}

/// <summary>FYL2XP1: y·log2(x + 1) of y in ST(1) and x in ST(0) (SDM 2A FYL2XP1). Outside 1 − √½ on either side of 0 the result is
/// undefined; silicon goes on to give the logarithm where there is one, and x where there is none.</summary>
internal readonly struct LogarithmPlus1Operation : IX87Operation
{
    public static FloatResult Apply(in FloatParts y, in FloatParts x, ref FloatEnvironment environment)
    {
        if (FloatArithmetic.Special(in y, in x, ref environment, out FloatResult nan))
            return nan;
        if (y.Class == FloatClass.Infinity ? x.Class == FloatClass.Zero : x.Class == FloatClass.Infinity && y.Class == FloatClass.Zero)
            return FloatArithmetic.Invalid(ref environment);
        if (x is { Class: FloatClass.Infinity, Sign: true })
            return FloatArithmetic.Invalid(ref environment);
        FloatArithmetic.RaiseDenormal(in y, in x, ref environment);
        bool sign = y.Sign ^ x.Sign;
        if (x.Class == FloatClass.Zero || y.Class == FloatClass.Zero)
            return FloatResult.Exact(FloatParts.Zero(sign));
        if (x.Class == FloatClass.Infinity || y.Class == FloatClass.Infinity)
            return FloatResult.Exact(FloatParts.Infinity(sign));
        if (x is { Sign: true, Exponent: >= 0 })
            return X87Function.Approximation(in x, ref environment);
        WideFloat logarithm = Transcendental.Log2Plus1(in x);
        bool isInteger = x.Exponent >= -1 && (logarithm.Significand << (logarithm.Exponent + 1)) == 0;
        return LogarithmOperation.Product(sign, in y, logarithm, isInteger, ref environment);
    }
}

/// <summary>FYL2X, FYL2XP1 and FPATAN: the result replaces ST(1), and ST(0) is popped.</summary>
internal readonly struct FunctionOfTwo<TOperation> : IX87Instruction where TOperation : struct, IX87Operation
{
    public static bool Execute(ref CpuState s, ref Op op, Processor p)
    {
        ref FpuState f = ref s.Fpu;
        Extended80 result = Extended80.Indefinite;
        bool stored;
        if (X87Stack.IsEmpty(in f, 0) || X87Stack.IsEmpty(in f, 1))
        {
            stored = X87Stack.StackFaulted(ref f, overflow: false);
        }
        else
        {
            FloatEnvironment environment = FloatEnvironment.FromControlWord(f.Control) with { Precision = 64 };
            FloatParts y = FloatParts.Unpack(X87Stack.Get(in f, 1)), x = FloatParts.Unpack(X87Stack.Get(in f, 0));
            result = TOperation.Apply(in y, in x, ref environment).ToExtended(ref environment);
            stored = X87Stack.Accept(ref f, in environment);
        }

        if (!stored)
            return true;
        X87Stack.Set(ref f, 1, result);
        X87Stack.Pop(ref f);
        return true;
    }
}
