using Hv.Core.Registers;
using Hv.Cpu.State;

namespace Hv.Cpu.Tests.Simd;

/// <summary>64-bit guests whose system has enabled SSE, AVX and #XM.</summary>
internal static class VectorGuest
{
    internal const ulong Osfxsr = 1 << 9, Osxmmexcpt = 1 << 10, Osxsave = 1 << 18;

    internal static Guest Create()
    {
        Guest guest = Guest.Long();
        ref SystemRegisters sys = ref guest.Cpu.State.Sys;
        sys.Cr4 |= Osfxsr | Osxmmexcpt | Osxsave;
        sys.Xcr0 = 7;
        guest.Cpu.State.Fpu.Mxcsr = FpuState.MxcsrDefault;
        guest.Changed();
        return guest;
    }
}
