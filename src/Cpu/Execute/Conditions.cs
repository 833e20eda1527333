using System.Runtime.CompilerServices;
using Hv.Cpu.State;

namespace Hv.Cpu.Execute;

/// <summary>A condition code as a type (SDM 1, appendix B). Odd codes are the negation of the even ones.</summary>
internal interface ICondition
{
    static abstract bool Holds(ref CpuState s);
}

internal readonly struct CondO : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static bool Holds(ref CpuState s) => Flags.Overflow(ref s);
}

internal readonly struct CondB : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static bool Holds(ref CpuState s) => (long)s.FlagsAux < 0;
}

internal readonly struct CondE : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static bool Holds(ref CpuState s) => s.FlagsResult == 0;
}

internal readonly struct CondBe : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static bool Holds(ref CpuState s) => (long)s.FlagsAux < 0 || s.FlagsResult == 0;
}

internal readonly struct CondS : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static bool Holds(ref CpuState s) => (long)(s.FlagsResult ^ (s.FlagsAux << 63)) < 0;
}

internal readonly struct CondP : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static bool Holds(ref CpuState s) => Flags.Parity(ref s);
}

internal readonly struct CondL : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Holds(ref CpuState s) => (long)(s.FlagsResult ^ (s.FlagsAux << 63) ^ s.FlagsAux ^ (s.FlagsAux << 1)) < 0;
}

internal readonly struct CondLe : ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static bool Holds(ref CpuState s) => s.FlagsResult == 0 || CondL.Holds(ref s);
}

/// <summary>The negation of a condition.</summary>
internal readonly struct Not<TCondition> : ICondition where TCondition : struct, ICondition
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static bool Holds(ref CpuState s) => !TCondition.Holds(ref s);
}
