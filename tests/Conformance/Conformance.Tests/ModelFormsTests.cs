using Hv.Conformance.Campaigns.Cases;
using Hv.Conformance.Campaigns.Execution;
using Hv.Conformance.Campaigns.Forms;
using Hv.Conformance.Campaigns.Runs;
using Hv.Conformance.Oracle;
using Hv.Core;
using Hv.Core.Cpuid;
using Hv.Core.Memory;
using Hv.Core.Registers;
using Hv.Cpu;
using Hv.Cpu.State;
using Hv.Cpu.Virtualization;
using Iced.Intel;
using Xunit;

namespace Hv.Conformance.Tests;

/// <summary>What <c>--cpu max</c> reports in CPUID it executes, on every machine.</summary>
public sealed class ModelFormsTests
{
    private const uint Undefined = 6;
    private const int Encodings = 8;

    /// <summary>CPUID's bits by leaf, subleaf and register (0 is EAX) that bring instructions (SDM 2A CPUID, tables 3-8, 3-10 and 3-11; APM 3
    /// E.3, E.4).</summary>
    private static readonly Dictionary<(uint Leaf, uint Subleaf, int Register, int Bit), CpuidFeature> _features = new()
    {
        [(1, 0, 3, 0)] = CpuidFeature.FPU,
        [(1, 0, 3, 4)] = CpuidFeature.TSC,
        [(1, 0, 3, 5)] = CpuidFeature.MSR,
        [(1, 0, 3, 8)] = CpuidFeature.CX8,
        [(1, 0, 3, 11)] = CpuidFeature.SEP,
        [(1, 0, 3, 15)] = CpuidFeature.CMOV,
        [(1, 0, 3, 19)] = CpuidFeature.CLFSH,
        [(1, 0, 3, 23)] = CpuidFeature.MMX,
        [(1, 0, 3, 24)] = CpuidFeature.FXSR,
        [(1, 0, 3, 25)] = CpuidFeature.SSE,
        [(1, 0, 3, 26)] = CpuidFeature.SSE2,
        [(1, 0, 2, 0)] = CpuidFeature.SSE3,
        [(1, 0, 2, 1)] = CpuidFeature.PCLMULQDQ,
        [(1, 0, 2, 9)] = CpuidFeature.SSSE3,
        [(1, 0, 2, 12)] = CpuidFeature.FMA,
        [(1, 0, 2, 13)] = CpuidFeature.CMPXCHG16B,
        [(1, 0, 2, 19)] = CpuidFeature.SSE4_1,
        [(1, 0, 2, 20)] = CpuidFeature.SSE4_2,
        [(1, 0, 2, 22)] = CpuidFeature.MOVBE,
        [(1, 0, 2, 23)] = CpuidFeature.POPCNT,
        [(1, 0, 2, 25)] = CpuidFeature.AES,
        [(1, 0, 2, 26)] = CpuidFeature.XSAVE,
        [(1, 0, 2, 28)] = CpuidFeature.AVX,
        [(1, 0, 2, 29)] = CpuidFeature.F16C,
        [(1, 0, 2, 30)] = CpuidFeature.RDRAND,
        [(7, 0, 1, 0)] = CpuidFeature.FSGSBASE,
        [(7, 0, 1, 3)] = CpuidFeature.BMI1,
        [(7, 0, 1, 5)] = CpuidFeature.AVX2,
        [(7, 0, 1, 8)] = CpuidFeature.BMI2,
        [(7, 0, 1, 18)] = CpuidFeature.RDSEED,
        [(7, 0, 1, 19)] = CpuidFeature.ADX,
        [(7, 0, 1, 20)] = CpuidFeature.SMAP,
        [(7, 0, 1, 23)] = CpuidFeature.CLFLUSHOPT,
        [(7, 0, 1, 24)] = CpuidFeature.CLWB,
        [(7, 0, 1, 29)] = CpuidFeature.SHA,
        [(7, 0, 2, 22)] = CpuidFeature.RDPID,
        [(0xD, 1, 0, 0)] = CpuidFeature.XSAVEOPT,
        [(0x8000_0001, 0, 2, 5)] = CpuidFeature.LZCNT,
        [(0x8000_0001, 0, 3, 11)] = CpuidFeature.SYSCALL,
        [(0x8000_0001, 0, 3, 27)] = CpuidFeature.RDTSCP,
        [(0x8000_0001, 0, 3, 29)] = CpuidFeature.X64,
    };

    /// <summary>Bits that bring none: DE PSE PAE PGE PAT PSE36; the hypervisor's; FDP on exceptions only, SMEP, ERMS, no FCS and FDS; UMIP (the
    /// instructions are older); LAHF and SAHF in 64-bit code (rows of the 8086); NX.</summary>
    private static readonly HashSet<(uint, uint, int, int)> _without =
    [
        (1, 0, 3, 2), (1, 0, 3, 3), (1, 0, 3, 6), (1, 0, 3, 13), (1, 0, 3, 16), (1, 0, 3, 17), (1, 0, 2, 31), (7, 0, 1, 6), (7, 0, 1, 7),
        (7, 0, 1, 9), (7, 0, 1, 13), (7, 0, 2, 2), (0x8000_0001, 0, 2, 0), (0x8000_0001, 0, 3, 20),
    ];

    /// <summary>Parts of every x86-64 processor, which have no bit.</summary>
    private static readonly CpuidFeature[] _always = [CpuidFeature.INTEL8086, CpuidFeature.INTEL186, CpuidFeature.INTEL286, CpuidFeature.INTEL386,
        CpuidFeature.INTEL486, CpuidFeature.FPU287, CpuidFeature.FPU387];

    [Fact]
    public void Every_form_that_max_reports_is_owed_and_in_the_model()
    {
        HashSet<CpuidFeature> offered = [.. _always, .. Reported()];
        using var software = new SoftwareSide();
        var missing = new List<string>();
        int count = 0;
        foreach (Form form in FormList.All.Where(f => f.Code.CpuidFeatures().All(offered.Contains) && ExistsIn(f)))
        {
            count++;
            if (!PromisedForms.Contains(form))
                missing.Add($"not owed: {form}");
            if (!Executes(software, form))
                missing.Add($"#UD: {form}");
        }

        Assert.True(missing.Count == 0, string.Join('\n', missing));
        Assert.True(count > 5500, $"only {count} forms");
    }

    /// <summary>The features of the bits that are set; each bit must be in one of the two lists, so that a new one is not forgotten.</summary>
    private static IEnumerable<CpuidFeature> Reported()
    {
        CpuidTable max = CpuidModel.Find("max")!.Table;
        foreach ((uint leaf, uint subleaf, int[] registers) in
            ((uint, uint, int[])[])[(1, 0, [2, 3]), (7, 0, [1, 2, 3]), (0xD, 1, [0]), (0x8000_0001, 0, [2, 3])])
        {
            CpuidResult result = max.Query(leaf, subleaf);
            foreach (int register in registers)
            {
                uint value = register switch { 0 => result.Eax, 1 => result.Ebx, 2 => result.Ecx, _ => result.Edx };
                for (int bit = 0; bit < 32; bit++)
                    if ((value >> bit & 1) != 0 && !_without.Contains((leaf, subleaf, register, bit)))
                        yield return _features[(leaf, subleaf, register, bit)];
            }
        }
    }

    /// <summary>SDM 2B SYSCALL, SYSRET: #UD outside 64-bit code; UD0, UD1 and UD2 are #UD by name.</summary>
    private static bool ExistsIn(Form form) => form.OpCode.Mnemonic is not (Mnemonic.Ud0 or Mnemonic.Ud1 or Mnemonic.Ud2)
        && (form.Mode == CodeMode.Bits64 || form.OpCode.Mnemonic is not (Mnemonic.Syscall or Mnemonic.Sysret or Mnemonic.Sysretq));

    /// <summary>Whether some encoding of it is not #UD, at CPL 3 or in real mode: CLAC and STAC are #UD above CPL 0 (SDM 2A CLAC).</summary>
    private static bool Executes(SoftwareSide software, Form form)
    {
        var random = new Prng(1, 0);
        var states = new OperandState(1);
        for (int i = 0; i < Encodings; i++)
        {
            if (FormBytes.Make(form, random, FormProbe.OracleRip(form.Mode, 0), out _) is not { } bytes)
                return true;
            var slot = new CodeSlot(bytes, form.Mode, form.Way, 0);
            CaseRecord input = default, output = default;
            states.Fill(ref input, slot, random);
            software.Place(slot);
            software.Execute(in input, slot.DisturbsSegments, ref output, slot.EndRip, slot.Repeats);
            if (output.Vector != Undefined || (form.Mode == CodeMode.Bits16 && !IsUndefinedInRealMode(bytes)))
                return true;
        }

        return form.Mode != CodeMode.Bits16 && FormList.All.Any(f => f.Code == form.Code && f.Mode == CodeMode.Bits16 && Executes(software, f));
    }

    private static bool IsUndefinedInRealMode(byte[] bytes)
    {
        const ulong At = 0x1000;
        using GuestMemory memory = GuestMemory.OfSize(1 << 20);
        using var processor = new Processor<Witness>(memory, CpuidTables.Most, default);
        memory.TryWrite(new Gpa(At), bytes);
        ref CpuState s = ref processor.State;
        s.Sys.Cr0 = 0x10;
        s.Sys.Cs = new SegmentRegister { Limit = 0xFFFF, Attributes = 0x9B };
        s.Gpr.Rip = At;
        processor.ModeChanged(ref s);
        return processor.Run(1) == RunResult.Event && processor.Event.Kind == CpuEventKind.Exception && processor.Event.Index == Undefined;
    }

    /// <summary>Sees exceptions only.</summary>
    private struct Witness : IVirtualization
    {
        public readonly bool Intercepts(Processor processor, ref CpuEvent e) => e.Kind is CpuEventKind.Exception or CpuEventKind.TripleFault;

        public readonly bool Answers(Processor processor) => false;

        public readonly bool TranslateGuestPhysical(ulong address, GuestAccess access, out Gpa host, out bool writable)
        {
            (host, writable) = (new Gpa(address), true);
            return true;
        }
    }
}
