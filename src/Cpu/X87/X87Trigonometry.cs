using Hv.Cpu.Decode;
using Hv.Cpu.Floating;
using Hv.Cpu.State;

namespace Hv.Cpu.X87;

/// <summary>What the transcendental instructions share (docs/adr/0025-x87-transcendentals.md).</summary>
internal static class X87Function
{
    /// <summary>Arguments of this exponent and above are out of range for the trigonometric instructions: C2 (SDM 1 8.3.8).</summary>
    public const int RangeExponent = 63;

    /// <summary>An argument of this exponent or below is its own sine and tangent, and its cosine is 1, in every rounding mode: so narrow is
    /// silicon's datapath.</summary>
    public const int TinyExponent = -69;

    /// <summary>A result that no format holds exactly.</summary>
    public static FloatResult Irrational(bool sign, WideFloat magnitude) =>
        FloatResult.Finite(sign, magnitude.Exponent, magnitude.Significand | 1);

    /// <summary>A value that stands for a result near it: stored as it is, and inexact.</summary>
    public static FloatResult Approximation(in FloatParts a, ref FloatEnvironment environment)
    {
        environment.Flags |= FloatFlags.Inexact;
        if (a.Exponent < 1 - Extended80.Bias)
            environment.Flags |= FloatFlags.Underflow;
        return FloatResult.Finite(a.Sign, a.Exponent, (UInt128)a.Significand << 64);
    }
}

/// <summary>A trigonometric function of an argument in range, as a type.</summary>
internal interface IX87Circular
{
    static abstract FloatResult OfZero(in FloatParts a);

    static abstract FloatResult OfTiny(in FloatParts a, ref FloatEnvironment environment);

    /// <summary>Of an argument that <see cref="Transcendental.Reduce"/> took apart.</summary>
    static abstract FloatResult Of(in FloatParts a, WideFloat reduced, int quadrant, bool negative, ref FloatEnvironment environment);
}

internal readonly struct SineFunction : IX87Circular
{
    public static FloatResult OfZero(in FloatParts a) => FloatResult.Exact(in a);

    public static FloatResult OfTiny(in FloatParts a, ref FloatEnvironment environment) => X87Function.Approximation(in a, ref environment);

    public static FloatResult Of(in FloatParts a, WideFloat reduced, int quadrant, bool negative, ref FloatEnvironment environment)
    {
        bool isCosine = (quadrant & 1) != 0;
        return X87Function.Irrational(a.Sign ^ quadrant > 1 ^ (negative && !isCosine),
            isCosine ? Transcendental.Cosine(reduced) : Transcendental.Sine(reduced));
    }
}

internal readonly struct CosineFunction : IX87Circular
{
    public static FloatResult OfZero(in FloatParts a) => FloatResult.Finite(false, 0, UInt128.One << 127);

    public static FloatResult OfTiny(in FloatParts a, ref FloatEnvironment environment)
    {
        environment.Flags |= FloatFlags.Inexact;
        return OfZero(in a);
    }

    public static FloatResult Of(in FloatParts a, WideFloat reduced, int quadrant, bool negative, ref FloatEnvironment environment)
    {
        bool isSine = (quadrant & 1) != 0;
        return X87Function.Irrational(quadrant is 1 or 2 ^ (negative && isSine),
            isSine ? Transcendental.Sine(reduced) : Transcendental.Cosine(reduced));
    }
}

internal readonly struct TangentFunction : IX87Circular
{
    /// <summary>Between this and <see cref="X87Function.TinyExponent"/> silicon's tangent lies just below the argument, not above it, and on it when
    /// that is a power of two.</summary>
    private const int ShortExponent = -34;

    public static FloatResult OfZero(in FloatParts a) => FloatResult.Exact(in a);

    public static FloatResult OfTiny(in FloatParts a, ref FloatEnvironment environment) => X87Function.Approximation(in a, ref environment);

    public static FloatResult Of(in FloatParts a, WideFloat reduced, int quadrant, bool negative, ref FloatEnvironment environment)
    {
        if (a.Exponent <= ShortExponent)
        {
            return a.Significand == FloatParts.IntegerBit
                ? X87Function.Approximation(in a, ref environment)
                : X87Function.Irrational(a.Sign, WideFloat.Of(((UInt128)a.Significand << 64) - 1, a.Exponent));
        }

        WideFloat sine = Transcendental.Sine(reduced), cosine = Transcendental.Cosine(reduced);
        bool turned = (quadrant & 1) != 0;
        return X87Function.Irrational(a.Sign ^ negative ^ turned, turned ? cosine / sine : sine / cosine);
    }
}

/// <summary>FSIN and FCOS.</summary>
internal readonly struct Circular<TFunction> : IX87Instruction where TFunction : struct, IX87Circular
{
    public static bool Execute(ref CpuState s, ref Op op, Processor p)
    {
        ref FpuState f = ref s.Fpu;
        if (!CircularArgument.TryTake(ref f, pushes: false, out FloatParts a))
            return true;
        FloatEnvironment environment = FloatEnvironment.FromControlWord(f.Control) with { Precision = 64 };
        if (!FloatArithmetic.Special(in a, in a, ref environment, out FloatResult result))
            result = CircularArgument.Apply<TFunction>(in a, ref environment);
        Extended80 rounded = result.ToExtended(ref environment);
        if (X87Stack.Accept(ref f, in environment))
            X87Stack.Set(ref f, 0, rounded);
        return true;
    }
}

/// <summary>FPTAN, which pushes 1, and FSINCOS, which pushes the cosine.</summary>
internal readonly struct CircularPush<TFunction, TPushed> : IX87Instruction
    where TFunction : struct, IX87Circular
    where TPushed : struct, IX87Pushed
{
    public static bool Execute(ref CpuState s, ref Op op, Processor p)
    {
        ref FpuState f = ref s.Fpu;
        if (!CircularArgument.TryTake(ref f, pushes: true, out FloatParts a))
            return true;
        FloatEnvironment environment = FloatEnvironment.FromControlWord(f.Control) with { Precision = 64 };
        bool isSpecial = FloatArithmetic.Special(in a, in a, ref environment, out FloatResult result);
        if (!isSpecial)
            result = CircularArgument.Apply<TFunction>(in a, ref environment);
        FloatResult pushed = isSpecial || a.Class == FloatClass.Infinity ? result : TPushed.Of(in a, ref environment);
        Extended80 first = result.ToExtended(ref environment);
        bool up = environment.RoundedUp;
        Extended80 second = pushed.ToExtended(ref environment);
        environment.RoundedUp = TPushed.IsRounded ? environment.RoundedUp : up;
        if (!X87Stack.Accept(ref f, in environment))
            return true;
        X87Stack.Set(ref f, 0, first);
        X87Stack.Push(ref f, second);
        return true;
    }
}

/// <summary>What FPTAN or FSINCOS pushes, as a type.</summary>
internal interface IX87Pushed
{
    /// <summary>Whether C1 tells of its rounding, which comes last.</summary>
    static abstract bool IsRounded { get; }

    static abstract FloatResult Of(in FloatParts a, ref FloatEnvironment environment);
}

internal readonly struct PushedOne : IX87Pushed
{
    public static bool IsRounded => false;

    public static FloatResult Of(in FloatParts a, ref FloatEnvironment environment) => CosineFunction.OfZero(in a);
}

internal readonly struct PushedCosine : IX87Pushed
{
    public static bool IsRounded => true;

    public static FloatResult Of(in FloatParts a, ref FloatEnvironment environment) => CircularArgument.Apply<CosineFunction>(in a, ref environment);
}

/// <summary>The argument of a trigonometric instruction.</summary>
internal static class CircularArgument
{
    /// <summary>Takes ST(0). False: a stack fault is dealt with, or C2 says that the argument is out of range and nothing else has changed.</summary>
    public static bool TryTake(ref FpuState f, bool pushes, out FloatParts a)
    {
        a = FloatParts.Unpack(X87Stack.Get(in f, 0));
        bool isEmpty = X87Stack.IsEmpty(in f, 0);
        f.Status &= unchecked((ushort)~X87Stack.C2);
        if (isEmpty || (pushes && !X87Stack.IsEmpty(in f, -1)))
        {
            if (!X87Stack.StackFaulted(ref f, overflow: !isEmpty))
                return false;
            X87Stack.Set(ref f, 0, Extended80.Indefinite);
            if (pushes)
            {
                X87Stack.MoveTop(ref f, -1);
                X87Stack.Set(ref f, 0, Extended80.Indefinite);
            }

            return false;
        }

        if (a.Class != FloatClass.Finite || a.Exponent < X87Function.RangeExponent)
            return true;
        f.Status |= X87Stack.C2;
        return false;
    }

    /// <summary>The function of an argument that is no NaN.</summary>
    public static FloatResult Apply<TFunction>(in FloatParts a, ref FloatEnvironment environment) where TFunction : struct, IX87Circular
    {
        if (a.Class == FloatClass.Infinity)
            return FloatArithmetic.Invalid(ref environment);
        if (a.Class == FloatClass.Zero)
            return TFunction.OfZero(in a);
        FloatArithmetic.RaiseDenormal(in a, in a, ref environment);
        if (a.Exponent <= X87Function.TinyExponent)
            return TFunction.OfTiny(in a, ref environment);
        WideFloat reduced = Transcendental.Reduce(in a, out int quadrant, out bool negative);
        return TFunction.Of(in a, reduced, quadrant, negative, ref environment);
    }
}

/// <summary>FPATAN: the angle of the point (x, y) of y in ST(1) and x in ST(0) (SDM 2A FPATAN).</summary>
internal readonly struct AngleOperation : IX87Operation
{
    /// <summary>A quotient of this exponent or below is its own arctangent on silicon.</summary>
    private const int TinyExponent = -41;

    public static FloatResult Apply(in FloatParts y, in FloatParts x, ref FloatEnvironment environment)
    {
        if (FloatArithmetic.Special(in y, in x, ref environment, out FloatResult nan))
            return nan;
        FloatArithmetic.RaiseDenormal(in y, in x, ref environment);
        if (y.Class == FloatClass.Zero || (x.Class == FloatClass.Infinity && y.Class == FloatClass.Finite))
            return x.Sign ? X87Function.Irrational(y.Sign, Transcendental.Pi) : FloatResult.Exact(FloatParts.Zero(y.Sign));
        if (x.Class == FloatClass.Zero || (y.Class == FloatClass.Infinity && x.Class == FloatClass.Finite))
            return X87Function.Irrational(y.Sign, Transcendental.Pi.Scale(-1));
        if (y.Class == FloatClass.Infinity)
            return X87Function.Irrational(y.Sign, Transcendental.Angle(WideFloat.One, WideFloat.One, x.Sign));
        if (!x.Sign && y.Exponent - x.Exponent <= TinyExponent)
            return Quotient(in y, in x, ref environment);
        return X87Function.Irrational(y.Sign, Transcendental.Angle(WideFloat.Of(in y), WideFloat.Of(in x), x.Sign));
    }

    private static FloatResult Quotient(in FloatParts y, in FloatParts x, ref FloatEnvironment environment)
    {
        FloatResult quotient = FloatArithmetic.Divide(in y, in x, ref environment);
        environment.Flags |= FloatFlags.Inexact;
        if (quotient.Exponent < 1 - Extended80.Bias)
            environment.Flags |= FloatFlags.Underflow;
        return quotient;
    }
}
