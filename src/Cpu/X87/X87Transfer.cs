using Hv.Cpu.Decode;
using Hv.Cpu.Floating;
using Hv.Cpu.State;

namespace Hv.Cpu.X87;

/// <summary>FLD m32fp and m64fp, FILD: converts and pushes.</summary>
internal readonly struct LoadMemory<TMemory> : IX87Instruction where TMemory : struct, IX87Memory
{
    public static bool Execute(ref CpuState s, ref Op op, Processor p)
    {
        if (!X87Memory.TryRead(ref s, ref op, p, TMemory.Size, out ulong bits))
            return false;
        ref FpuState f = ref s.Fpu;
        // A stack overflow comes before what the conversion raises.
        if (!X87Stack.IsEmpty(in f, -1))
        {
            X87Stack.Push(ref f, Extended80.Indefinite);
            return true;
        }

        FloatParts source = TMemory.Unpack(bits);
        if (source.IsNormal)
        {
            X87Stack.Push(ref f, source.ToNormal());
            return true;
        }

        // A load is exact whatever the precision control says.
        FloatEnvironment environment = FloatEnvironment.FromControlWord(f.Control) with { Precision = 64 };
        Extended80 value = FloatConversion.Convert(in source, ref environment).ToExtended(ref environment);
        // An unmasked denormal does not keep the value from being loaded: silicon converts first and reports then.
        if (X87Stack.Accept(ref f, in environment) || (environment.Flags & FloatFlags.Invalid) == 0)
            X87Stack.Push(ref f, value);
        return true;
    }
}

/// <summary>FLD m80fp: moves bits.</summary>
internal readonly struct LoadExtended : IX87Instruction
{
    public static bool Execute(ref CpuState s, ref Op op, Processor p)
    {
        if (!X87Memory.TryReadExtended(ref s, ref op, p, out Extended80 value))
            return false;
        X87Stack.Push(ref s.Fpu, value);
        return true;
    }
}

/// <summary>FLD ST(i).</summary>
internal readonly struct LoadRegister : IX87Instruction
{
    public static bool Execute(ref CpuState s, ref Op op, Processor p)
    {
        ref FpuState f = ref s.Fpu;
        int index = X87Decoding.StackIndex(in op);
        Extended80 value = X87Stack.Get(in f, index);
        if (X87Stack.IsEmpty(in f, index))
        {
            // The one fault counts: that the indefinite may have no room is not looked at.
            if (X87Stack.StackFaulted(ref f, overflow: false))
            {
                X87Stack.MoveTop(ref f, -1);
                X87Stack.Set(ref f, 0, Extended80.Indefinite);
            }

            return true;
        }

        X87Stack.Push(ref f, value);
        return true;
    }
}

/// <summary>FST and FSTP to m32fp and m64fp: rounds to the memory's format, not to the precision control's.</summary>
internal readonly struct StoreReal<TFormat, TPop> : IX87Instruction where TFormat : struct, IFloatFormat where TPop : struct, IX87Pop
{
    public static bool Execute(ref CpuState s, ref Op op, Processor p)
    {
        ref FpuState f = ref s.Fpu;
        var environment = FloatEnvironment.FromControlWord(f.Control);
        FloatParts source = FloatParts.Indefinite;
        bool store;
        ulong bits;
        if (X87Stack.IsEmpty(in f, 0))
        {
            store = X87Stack.StackFaulted(ref f, overflow: false);
            bits = FloatRounding.Pack<TFormat>(in source, ref environment);
        }
        else
        {
            source = FloatParts.Unpack(X87Stack.Get(in f, 0));
            // A denormal of the wide format is no denormal operand here: it underflows.
            source.Denormal = false;
            bits = source.Class == FloatClass.Finite
                ? FloatRounding.Round<TFormat>(source.Sign, source.Exponent, (UInt128)source.Significand << 64, ref environment)
                : FloatConversion.Convert(in source, ref environment).To<TFormat>(ref environment);
            store = X87Stack.AcceptForMemory(ref f, environment);
        }

        if (store && !X87Memory.TryWrite(ref s, ref op, p, (1 + TFormat.ExponentBits + TFormat.FractionBits) / 8, bits))
            return false;
        if (store && TPop.Pops)
            X87Stack.Pop(ref f);
        return true;
    }
}

/// <summary>FSTP m80fp: moves bits.</summary>
internal readonly struct StoreExtended : IX87Instruction
{
    public static bool Execute(ref CpuState s, ref Op op, Processor p)
    {
        ref FpuState f = ref s.Fpu;
        Extended80 value = X87Stack.Get(in f, 0);
        bool store = true;
        if (X87Stack.IsEmpty(in f, 0))
        {
            store = X87Stack.StackFaulted(ref f, overflow: false);
            value = Extended80.Indefinite;
        }

        if (store && !X87Memory.TryWriteExtended(ref s, ref op, p, value))
            return false;
        if (store)
            X87Stack.Pop(ref f);
        return true;
    }
}

/// <summary>FST and FSTP ST(i).</summary>
internal readonly struct StoreRegister<TPop> : IX87Instruction where TPop : struct, IX87Pop
{
    public static bool Execute(ref CpuState s, ref Op op, Processor p)
    {
        ref FpuState f = ref s.Fpu;
        Extended80 value = X87Stack.Get(in f, 0);
        if (X87Stack.IsEmpty(in f, 0))
        {
            if (!X87Stack.StackFaulted(ref f, overflow: false))
                return true;
            value = Extended80.Indefinite;
        }

        X87Stack.Set(ref f, X87Decoding.StackIndex(in op), value);
        if (TPop.Pops)
            X87Stack.Pop(ref f);
        return true;
    }
}

/// <summary>FSTP ST(i) at D9 D8+i, which the manuals do not list: as FSTP, but an empty ST(0) is popped without a stack fault and without being
/// stored. So does silicon.</summary>
internal readonly struct StoreRegisterNoFault : IX87Instruction
{
    public static bool Execute(ref CpuState s, ref Op op, Processor p)
    {
        ref FpuState f = ref s.Fpu;
        if (!X87Stack.IsEmpty(in f, 0))
            X87Stack.Set(ref f, X87Decoding.StackIndex(in op), X87Stack.Get(in f, 0));
        X87Stack.Pop(ref f);
        return true;
    }
}

/// <summary>FIST, FISTP and FISTTP.</summary>
internal readonly struct StoreInteger<TMemory, TRounding, TPop> : IX87Instruction
    where TMemory : struct, IX87Memory
    where TRounding : struct, IX87IntegerRounding
    where TPop : struct, IX87Pop
{
    public static bool Execute(ref CpuState s, ref Op op, Processor p)
    {
        ref FpuState f = ref s.Fpu;
        var environment = FloatEnvironment.FromControlWord(f.Control);
        long value = -1L << (8 * TMemory.Size - 1);
        bool store;
        if (X87Stack.IsEmpty(in f, 0))
        {
            store = X87Stack.StackFaulted(ref f, overflow: false);
        }
        else
        {
            FloatParts source = FloatParts.Unpack(X87Stack.Get(in f, 0));
            value = FloatConversion.ToInteger(in source, 8 * TMemory.Size, TRounding.Truncates ? RoundingMode.Zero
                : environment.Rounding, ref environment);
            store = X87Stack.Accept(ref f, in environment);
        }

        if (store && !X87Memory.TryWrite(ref s, ref op, p, TMemory.Size, (ulong)value & System.OpAccess.Mask(TMemory.Size)))
            return false;
        if (store && TPop.Pops)
            X87Stack.Pop(ref f);
        return true;
    }
}

/// <summary>FXCH: empty registers are filled with the indefinite first, where that is masked.</summary>
internal readonly struct Exchange : IX87Instruction
{
    public static bool Execute(ref CpuState s, ref Op op, Processor p)
    {
        ref FpuState f = ref s.Fpu;
        int index = X87Decoding.StackIndex(in op);
        bool topEmpty = X87Stack.IsEmpty(in f, 0), otherEmpty = X87Stack.IsEmpty(in f, index);
        if ((topEmpty || otherEmpty) && !X87Stack.StackFaulted(ref f, overflow: false))
            return true;
        Extended80 top = topEmpty ? Extended80.Indefinite : X87Stack.Get(in f, 0), other = otherEmpty ? Extended80.Indefinite
            : X87Stack.Get(in f, index);
        X87Stack.Set(ref f, 0, other);
        X87Stack.Set(ref f, index, top);
        return true;
    }
}

/// <summary>FCMOVcc.</summary>
internal readonly struct ConditionalMove<TCondition> : IX87Instruction where TCondition : struct, Execute.ICondition
{
    public static bool ClearsC1 => false;

    public static bool Execute(ref CpuState s, ref Op op, Processor p)
    {
        ref FpuState f = ref s.Fpu;
        int index = X87Decoding.StackIndex(in op);
        if (X87Stack.IsEmpty(in f, 0) || X87Stack.IsEmpty(in f, index))
        {
            if (X87Stack.StackFaulted(ref f, overflow: false))
                X87Stack.Set(ref f, 0, Extended80.Indefinite);
            return true;
        }

        // Opcodes DA move when the condition holds, DB when it does not.
        if (TCondition.Holds(ref s) == (X87Decoding.Escape(in op) == 2))
            X87Stack.Set(ref f, 0, X87Stack.Get(in f, index));
        return true;
    }
}

/// <summary>Whether an instruction pops.</summary>
internal interface IX87Pop
{
    static abstract bool Pops { get; }
}

internal readonly struct Keep : IX87Pop
{
    public static bool Pops => false;
}

internal readonly struct Popped : IX87Pop
{
    public static bool Pops => true;
}

/// <summary>How a store to an integer rounds.</summary>
internal interface IX87IntegerRounding
{
    static abstract bool Truncates { get; }
}

internal readonly struct ByControl : IX87IntegerRounding
{
    public static bool Truncates => false;
}

internal readonly struct Truncated : IX87IntegerRounding
{
    public static bool Truncates => true;
}
