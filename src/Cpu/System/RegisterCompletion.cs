using Hv.Core.Cpuid;
using Hv.Core.Registers;
using Hv.Cpu.State;
using Hv.Cpu.Virtualization;

namespace Hv.Cpu.System;

/// <summary>Ends of instructions that raised an event: results into registers, RIP past the instruction. Used for native effects and by backends that complete an exit.</summary>
public static class RegisterCompletion
{
    /// <summary>RIP past the instruction, truncated to the code size.</summary>
    public static ulong NextRip(ref CpuState s, in CpuEvent e)
    {
        ulong next = s.Gpr.Rip + e.Length;
        return Modes.Is64(ref s) ? next : s.Sys.Cs.Default ? (uint)next : next & 0xFFFF;
    }

    /// <summary>Moves RIP past the instruction and ends the interrupt shadow that it ran under.</summary>
    public static void Skip(ref CpuState s, in CpuEvent e) => SkipTo(ref s, NextRip(ref s, in e));

    /// <summary>CPUID's four registers.</summary>
    public static void Cpuid(ref CpuState s, in CpuEvent e, CpuidResult result)
    {
        s.Gpr.Rax = result.Eax;
        s.Gpr.Rbx = result.Ebx;
        s.Gpr.Rcx = result.Ecx;
        s.Gpr.Rdx = result.Edx;
        Skip(ref s, in e);
    }

    /// <summary>A 64-bit result in EDX:EAX, for RDMSR, RDTSC, RDPMC.</summary>
    public static void Pair(ref CpuState s, in CpuEvent e, ulong value)
    {
        s.Gpr.Rax = (uint)value;
        s.Gpr.Rdx = value >> 32;
        Skip(ref s, in e);
    }

    /// <summary>RDTSCP: the pair, and IA32_TSC_AUX in ECX.</summary>
    public static void Rdtscp(ref CpuState s, in CpuEvent e, ulong value)
    {
        s.Gpr.Rcx = (uint)s.Sys.TscAux;
        Pair(ref s, in e, value);
    }

    internal static void SkipTo(ref CpuState s, ulong rip)
    {
        s.Gpr.Rip = rip;
        s.Sys.Shadow &= InterruptShadow.NmiBlocked;
    }
}
