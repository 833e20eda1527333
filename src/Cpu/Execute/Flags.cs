using System.Numerics;
using System.Runtime.CompilerServices;
using Hv.Cpu.State;

namespace Hv.Cpu.Execute;

/// <summary>
/// The six arithmetic flags, kept as a result and an auxiliary word so that most operations write two words and most conditions read one of them
/// (docs/adr/0022-lazy-flags.md):
/// <list type="bullet">
/// <item><c>FlagsResult</c> is the sign-extended result: ZF is "it is 0"; SF is its bit 63 xor bit 0 of the auxiliary word; PF is the parity of its
/// low
/// byte xor bits 15:8 of the auxiliary word.</item>
/// <item><c>FlagsAux</c> is the vector of carries out of each bit, moved so that the operand's top bit is at 63: CF is bit 63, OF is bit 63 xor
/// bit 62, AF is bit 3.</item>
/// </list>
/// </summary>
internal static class Flags
{
    internal const ulong Cf = 1, Pf = 4, Af = 0x10, Zf = 0x40, Sf = 0x80, Of = 0x800;
    internal const ulong All = Cf | Pf | Af | Zf | Sf | Of;

    private const ulong AuxSign = 1, AuxAdjust = 8, AuxParity = 0xFF00, OddParity = 1 << 8;
    private const int CarryBit = 63, OverflowBit = 62;

    /// <summary>Flags of <paramref name="a"/> + <paramref name="b"/> (+ carry) = <paramref name="result"/>, all zero-extended.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Add<TW>(ref CpuState s, ulong a, ulong b, ulong result) where TW : struct, IWidth =>
        Set<TW>(ref s, result, (a & b) | ((a | b) & ~result));

    /// <summary>Flags of <paramref name="a"/> - <paramref name="b"/> (- borrow) = <paramref name="result"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Sub<TW>(ref CpuState s, ulong a, ulong b, ulong result) where TW : struct, IWidth =>
        Set<TW>(ref s, result, (~a & b) | ((~a | b) & result));

    /// <summary>Flags of a logical operation: CF, OF and AF clear (AF is undefined; silicon clears it).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Logic<TW>(ref CpuState s, ulong result) where TW : struct, IWidth
    {
        s.FlagsResult = TW.SignExtend(result);
        s.FlagsAux = 0;
    }

    /// <summary>SF, ZF and PF by the result, and the given CF, OF and AF.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Explicit<TW>(ref CpuState s, ulong result, bool carry, bool overflow, bool adjust = false) where TW : struct, IWidth
    {
        s.FlagsResult = TW.SignExtend(result);
        s.FlagsAux = CarryOverflow(carry, overflow) | (adjust ? AuxAdjust : 0);
    }

    /// <summary>An ordered floating-point comparison: ZF when equal, CF when less, the others clear.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Ordered(ref CpuState s, bool equal, bool less)
    {
        s.FlagsResult = equal ? 0UL : 1;
        s.FlagsAux = CarryOverflow(less, false) | (equal ? OddParity : 0);
    }

    /// <summary>INC and DEC: the flags of <paramref name="result"/> by <paramref name="carries"/>, the run of ones or zeros at the operand's low end;
    /// CF kept.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void KeepCarry<TW>(ref CpuState s, ulong result, ulong carries) where TW : struct, IWidth
    {
        ulong aux = Aux<TW>(carries);
        s.FlagsResult = TW.SignExtend(result);
        // Where CF is another than the carry, both top bits flip, so that OF stays.
        ulong flip = (aux ^ s.FlagsAux) & 1UL << CarryBit;
        s.FlagsAux = aux ^ flip ^ flip >> 1;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Set<TW>(ref CpuState s, ulong result, ulong carries) where TW : struct, IWidth
    {
        s.FlagsResult = TW.SignExtend(result);
        s.FlagsAux = Aux<TW>(carries);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Aux<TW>(ulong carries) where TW : struct, IWidth =>
        TW.Bits == 64 ? carries & ~(AuxParity | AuxSign) : carries << (64 - TW.Bits) | carries & AuxAdjust;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong WithCarry(ulong aux, ulong carry)
    {
        ulong flip = (aux >> CarryBit) ^ carry;
        return aux ^ (flip << CarryBit | flip << OverflowBit);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong CarryOverflow(bool carry, bool overflow)
    {
        ulong c = carry ? 1UL : 0, o = overflow ? 1UL : 0;
        return c << CarryBit | (c ^ o) << OverflowBit;
    }

    /// <summary>CF as 0 or 1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong Carry(ref CpuState s) => s.FlagsAux >> CarryBit;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool Zero(ref CpuState s) => s.FlagsResult == 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool Sign(ref CpuState s) => ((s.FlagsResult >> 63) ^ (s.FlagsAux & AuxSign)) != 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool Overflow(ref CpuState s) => (long)(s.FlagsAux ^ (s.FlagsAux << 1)) < 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool Parity(ref CpuState s) => (BitOperations.PopCount((byte)(s.FlagsResult ^ (s.FlagsAux >> 8))) & 1) == 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool Adjust(ref CpuState s) => (s.FlagsAux & AuxAdjust) != 0;

    /// <summary>Replaces CF and OF, keeping the rest.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void SetCarryOverflow(ref CpuState s, bool carry, bool overflow) =>
        s.FlagsAux = s.FlagsAux & ~(3UL << OverflowBit) | CarryOverflow(carry, overflow);

    /// <summary>Replaces CF alone.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void SetCarryKeepOverflow(ref CpuState s, ulong carry) => s.FlagsAux = WithCarry(s.FlagsAux, carry);

    /// <summary>The six flags as RFLAGS bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong Get(ref CpuState s)
    {
        // Once an exit, so each flag is moved to its place without a branch.
        ulong result = s.FlagsResult, aux = s.FlagsAux;
        ulong even = (ulong)~BitOperations.PopCount((byte)(result ^ (aux >> 8))) & 1, zero = result == 0 ? 1UL : 0;
        return aux >> CarryBit | even << 2 | (aux & AuxAdjust) << 1 | zero << 6 | (result >> 56 ^ aux << 7) & Sf | (aux ^ (aux << 1)) >> 52 & Of;
    }

    /// <summary>Takes the six flags from RFLAGS bits.</summary>
    internal static void Put(ref CpuState s, ulong rflags)
    {
        // A result that is not 0 has sign 0 and odd parity (1); the auxiliary word corrects sign and parity.
        bool zero = (rflags & Zf) != 0, sign = (rflags & Sf) != 0, parity = (rflags & Pf) != 0;
        s.FlagsResult = zero ? 0UL : 1;
        ulong aux = CarryOverflow((rflags & Cf) != 0, (rflags & Of) != 0) | ((rflags & Af) != 0 ? AuxAdjust : 0);
        if (sign)
            aux |= AuxSign;
        if (parity != zero)
            aux |= OddParity;
        s.FlagsAux = aux;
    }
}
