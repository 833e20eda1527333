using Hv.Core.Cpuid;
using Hv.Cpu.State;

namespace Hv.Cpu.System;

/// <summary>Ends of instructions that raised an event: results into registers, then <see cref="Processor.Retire"/>. Used for native effects and by
/// backends that complete an exit.</summary>
public static class RegisterCompletion
{
    /// <summary>CPUID's four registers.</summary>
    public static void Cpuid(Processor p, CpuidResult result)
    {
        ref CpuState s = ref p.State;
        s.Gpr.Rax = result.Eax;
        s.Gpr.Rbx = result.Ebx;
        s.Gpr.Rcx = result.Ecx;
        s.Gpr.Rdx = result.Edx;
        p.Retire();
    }

    /// <summary>A 64-bit result in EDX:EAX, for RDMSR, RDTSC, RDPMC.</summary>
    public static void Pair(Processor p, ulong value)
    {
        PutPair(p, value);
        p.Retire();
    }

    /// <summary>As <see cref="Pair"/>, without <see cref="Processor.Retire"/>, which must follow.</summary>
    public static void PutPair(Processor p, ulong value)
    {
        ref CpuState s = ref p.State;
        s.Gpr.Rax = (uint)value;
        s.Gpr.Rdx = value >> 32;
    }

    /// <summary>RDTSCP: the pair, and IA32_TSC_AUX in ECX.</summary>
    public static void Rdtscp(Processor p, ulong value)
    {
        p.State.Gpr.Rcx = (uint)p.State.Sys.TscAux;
        Pair(p, value);
    }
}
