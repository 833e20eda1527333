using Hv.Cpu.Decode;
using Hv.Cpu.Floating;
using Hv.Cpu.State;

namespace Hv.Cpu.X87;

/// <summary>A two-operand operation, as a type: destination, then source.</summary>
internal interface IX87Operation
{
    static abstract FloatResult Apply(in FloatParts destination, in FloatParts source, ref FloatEnvironment environment);

    /// <summary>The common case, quickly. False: <see cref="Apply"/> must do it.</summary>
    static virtual bool TryNormal(Extended80 destination, Extended80 source, ref FloatEnvironment environment, out Extended80 result)
    {
        result = default;
        return false;
    }
}

internal readonly struct AddOperation : IX87Operation
{
    public static FloatResult Apply(in FloatParts destination, in FloatParts source, ref FloatEnvironment environment) =>
        FloatArithmetic.Add(destination, source, false, ref environment);

    public static bool TryNormal(Extended80 destination, Extended80 source, ref FloatEnvironment environment, out Extended80 result) =>
        ExtendedNormal.TryAdd(destination, source, ref environment, out result);
}

internal readonly struct SubtractOperation : IX87Operation
{
    public static FloatResult Apply(in FloatParts destination, in FloatParts source, ref FloatEnvironment environment) =>
        FloatArithmetic.Add(destination, source, true, ref environment);

    public static bool TryNormal(Extended80 destination, Extended80 source, ref FloatEnvironment environment, out Extended80 result) =>
        ExtendedNormal.TryAdd(destination, source.Negated, ref environment, out result);
}

internal readonly struct ReverseSubtractOperation : IX87Operation
{
    public static FloatResult Apply(in FloatParts destination, in FloatParts source, ref FloatEnvironment environment) =>
        FloatArithmetic.Add(source, destination, true, ref environment);

    public static bool TryNormal(Extended80 destination, Extended80 source, ref FloatEnvironment environment, out Extended80 result) =>
        ExtendedNormal.TryAdd(source, destination.Negated, ref environment, out result);
}

internal readonly struct MultiplyOperation : IX87Operation
{
    public static FloatResult Apply(in FloatParts destination, in FloatParts source, ref FloatEnvironment environment) =>
        FloatArithmetic.Multiply(in destination, in source, ref environment);

    public static bool TryNormal(Extended80 destination, Extended80 source, ref FloatEnvironment environment, out Extended80 result) =>
        ExtendedNormal.TryMultiply(destination, source, ref environment, out result);
}

internal readonly struct DivideOperation : IX87Operation
{
    public static FloatResult Apply(in FloatParts destination, in FloatParts source, ref FloatEnvironment environment) =>
        FloatArithmetic.Divide(in destination, in source, ref environment);
}

internal readonly struct ReverseDivideOperation : IX87Operation
{
    public static FloatResult Apply(in FloatParts destination, in FloatParts source, ref FloatEnvironment environment) =>
        FloatArithmetic.Divide(in source, in destination, ref environment);
}

/// <summary>FADD, FSUB, FSUBR, FMUL, FDIV, FDIVR with a memory source: ST(0) is the destination.</summary>
internal readonly struct ArithmeticMemory<TOperation, TMemory> : IX87Instruction
    where TOperation : struct, IX87Operation
    where TMemory : struct, IX87Memory
{
    public static bool Execute(ref CpuState s, ref Op op, Processor p)
    {
        if (!X87Memory.TryRead(ref s, ref op, p, TMemory.Size, out ulong bits))
            return false;
        ref FpuState f = ref s.Fpu;
        if (X87Stack.IsEmpty(in f, 0))
        {
            if (X87Stack.StackFaulted(ref f, overflow: false))
                X87Stack.Set(ref f, 0, Extended80.Indefinite);
            return true;
        }

        var environment = FloatEnvironment.FromControlWord(f.Control);
        FloatParts source = TMemory.Unpack(bits);
        Extended80 top = X87Stack.Get(in f, 0);
        if (!source.IsNormal || !TOperation.TryNormal(top, source.ToNormal(), ref environment, out Extended80 result))
        {
            FloatParts destination = FloatParts.Unpack(top);
            result = TOperation.Apply(in destination, in source, ref environment).ToExtended(ref environment);
        }

        if (X87Stack.Accept(ref f, in environment))
            X87Stack.Set(ref f, 0, result);
        return true;
    }
}

/// <summary>The register forms: ST(0) with ST(i), ST(i) with ST(0), and the latter with a pop.</summary>
internal readonly struct ArithmeticRegister<TOperation, TForm> : IX87Instruction
    where TOperation : struct, IX87Operation
    where TForm : struct, IX87RegisterForm
{
    public static bool Execute(ref CpuState s, ref Op op, Processor p)
    {
        ref FpuState f = ref s.Fpu;
        int other = X87Decoding.StackIndex(in op), to = TForm.ToOther ? other : 0, from = TForm.ToOther ? 0 : other;
        bool stored;
        Extended80 result = Extended80.Indefinite;
        if (X87Stack.IsEmpty(in f, 0) || X87Stack.IsEmpty(in f, other))
        {
            stored = X87Stack.StackFaulted(ref f, overflow: false);
        }
        else
        {
            var environment = FloatEnvironment.FromControlWord(f.Control);
            Extended80 left = X87Stack.Get(in f, to), right = X87Stack.Get(in f, from);
            if (!TOperation.TryNormal(left, right, ref environment, out result))
            {
                FloatParts destination = FloatParts.Unpack(left), source = FloatParts.Unpack(right);
                result = TOperation.Apply(in destination, in source, ref environment).ToExtended(ref environment);
            }

            stored = X87Stack.Accept(ref f, in environment);
        }

        if (!stored)
            return true;
        X87Stack.Set(ref f, to, result);
        if (TForm.Pops)
            X87Stack.Pop(ref f);
        return true;
    }
}

/// <summary>Which register is written, and whether the stack is popped.</summary>
internal interface IX87RegisterForm
{
    static abstract bool ToOther { get; }
    static abstract bool Pops { get; }
}

internal readonly struct ToTop : IX87RegisterForm
{
    public static bool ToOther => false;

    public static bool Pops => false;
}

internal readonly struct ToOther : IX87RegisterForm
{
    static bool IX87RegisterForm.ToOther => true;

    public static bool Pops => false;
}

internal readonly struct ToOtherPop : IX87RegisterForm
{
    public static bool ToOther => true;

    public static bool Pops => true;
}

/// <summary>A one-operand operation on ST(0), as a type.</summary>
internal interface IX87Unary
{
    static abstract FloatResult Apply(in FloatParts a, ref FloatEnvironment environment);
}

internal readonly struct SquareRootOperation : IX87Unary
{
    public static FloatResult Apply(in FloatParts a, ref FloatEnvironment environment) => FloatArithmetic.SquareRoot(in a, ref environment);
}

internal readonly struct RoundOperation : IX87Unary
{
    /// <summary>FRNDINT: denormals raise theirs, and the result is exact in any precision.</summary>
    public static FloatResult Apply(in FloatParts a, ref FloatEnvironment environment)
    {
        if (a.Denormal)
            environment.Flags |= FloatFlags.Denormal;
        FloatResult result = FloatConversion.RoundToIntegral(in a, environment.Rounding, quietInexact: false, ref environment);
        environment.Precision = 64;
        return result;
    }
}

/// <summary>FSQRT and FRNDINT.</summary>
internal readonly struct UnaryTop<TOperation> : IX87Instruction where TOperation : struct, IX87Unary
{
    public static bool Execute(ref CpuState s, ref Op op, Processor p)
    {
        ref FpuState f = ref s.Fpu;
        if (X87Stack.IsEmpty(in f, 0))
        {
            if (X87Stack.StackFaulted(ref f, overflow: false))
                X87Stack.Set(ref f, 0, Extended80.Indefinite);
            return true;
        }

        var environment = FloatEnvironment.FromControlWord(f.Control);
        FloatParts a = FloatParts.Unpack(X87Stack.Get(in f, 0));
        FloatResult exact = TOperation.Apply(in a, ref environment);
        bool up = environment.RoundedUp;
        Extended80 result = exact.ToExtended(ref environment);
        environment.RoundedUp |= up;
        if (X87Stack.Accept(ref f, in environment))
            X87Stack.Set(ref f, 0, result);
        return true;
    }
}
