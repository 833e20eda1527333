using System.Runtime.CompilerServices;
using Hv.Cpu.Decode;
using Hv.Cpu.State;
using Hv.Cpu.X87;

namespace Hv.Cpu.Simd;

/// <summary>MMX registers: the significands of R0 to R7, whatever TOP is (SDM 1 9.2.1, 9.5). Offsets are the decoder's, a register's number times 8;
/// REX does not reach them.</summary>
internal static class MmxRegister
{
    private const ushort Top = 7 << 11;

    /// <summary>MMX instructions report an unmasked x87 exception that is pending. False: #MF is recorded.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static bool TryBegin(ref CpuState s, ref Op op, Processor p) => X87Stack.IsClear(ref s, ref op, p);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong Get(ref CpuState s, int offset) => s.Fpu.X87[offset >> 3 & 7].Significand;

    /// <summary>Writes a register: sign and exponent become ones (SDM 1 9.2.1).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Set(ref CpuState s, int offset, ulong value)
    {
        ref X87Register register = ref s.Fpu.X87[offset >> 3 & 7];
        register.Significand = value;
        register.SignExponent = 0xFFFF;
    }

    /// <summary>What every MMX instruction but EMMS does to the x87 state when it completes: no register is empty, and TOP is 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Finish(ref CpuState s)
    {
        s.Fpu.Tags = 0xFF;
        ClearTop(ref s);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void ClearTop(ref CpuState s) => s.Fpu.Status &= unchecked((ushort)~Top);
}
