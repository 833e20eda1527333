using Hv.Cpu.Decode;
using Hv.Cpu.Floating;
using Hv.Cpu.State;

namespace Hv.Cpu.X87;

/// <summary>FBLD: eighteen packed decimal digits and a sign; exact. Digits above 9 count as they stand (undefined, SDM 2A FBLD).</summary>
internal readonly struct LoadDecimal : IX87Instruction
{
    public static bool Execute(ref CpuState s, ref Op op, Processor p)
    {
        if (!X87Memory.TryReadExtended(ref s, ref op, p, out Extended80 bits))
            return false;
        ulong value = 0;
        for (int i = 1; i >= 0; i--)
            value = value * 10 + ((uint)bits.SignExponent >> (4 * i) & 15);
        for (int i = 15; i >= 0; i--)
            value = value * 10 + (bits.Significand >> (4 * i) & 15);
        FloatEnvironment exact = default;
        Extended80 result = FloatConversion.FromUnsigned(value).ToExtended(ref exact);
        X87Stack.Push(ref s.Fpu, result with { SignExponent = (ushort)(result.SignExponent | (bits.SignExponent & 0x8000)) });
        return true;
    }
}

/// <summary>FBSTP: rounds to an integer of eighteen digits; beyond them the packed indefinite (SDM 2A FBSTP).</summary>
internal readonly struct StoreDecimal : IX87Instruction
{
    private const long Limit = 999_999_999_999_999_999;

    public static bool Execute(ref CpuState s, ref Op op, Processor p)
    {
        ref FpuState f = ref s.Fpu;
        var packed = new Extended80(0xC000000000000000, 0xFFFF);
        bool store;
        if (X87Stack.IsEmpty(in f, 0))
        {
            store = X87Stack.StackFaulted(ref f, overflow: false);
        }
        else
        {
            var environment = FloatEnvironment.FromControlWord(f.Control);
            FloatParts source = FloatParts.Unpack(X87Stack.Get(in f, 0));
            long value = FloatConversion.ToInteger(in source, 64, environment.Rounding, ref environment);
            if ((environment.Flags & FloatFlags.Invalid) == 0 && value is <= Limit and >= -Limit)
            {
                packed = Pack((ulong)Math.Abs(value), source.Sign);
            }
            else
            {
                environment.Flags = FloatFlags.Invalid;
                environment.RoundedUp = false;
            }

            store = X87Stack.Accept(ref f, in environment);
        }

        if (store && !X87Memory.TryWriteExtended(ref s, ref op, p, packed))
            return false;
        if (store)
            X87Stack.Pop(ref f);
        return true;
    }

    private static Extended80 Pack(ulong value, bool sign)
    {
        ulong low = 0;
        for (int i = 0; i < 16; i++, value /= 10)
            low |= value % 10 << (4 * i);
        return new Extended80(low, (ushort)(value % 10 | value / 10 << 4 | (sign ? 0x8000UL : 0)));
    }
}
