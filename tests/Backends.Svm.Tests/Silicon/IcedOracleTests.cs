using Hv.Backends.Svm.Silicon;
using Iced.Intel;
using Xunit;

namespace Hv.Backends.Svm.Tests.Silicon;

/// <summary>Iced knows which instructions may leave a guest on AMD processors (<c>OpCodeInfo.AmdVmExit</c>, <c>AmdMayVmExit</c>): an independent
/// list of what can be intercepted.</summary>
public class IcedOracleTests
{
    /// <summary>The exit by which the model lets an instruction leave.</summary>
    private static readonly Dictionary<Mnemonic, SvmExitCode> s_modelled = new()
    {
        [Mnemonic.Bound] = SvmExitCode.EXCP0 + 5,
        [Mnemonic.Int3] = SvmExitCode.EXCP0 + 3,
        [Mnemonic.Into] = SvmExitCode.EXCP0 + 4,
        [Mnemonic.Int1] = SvmExitCode.ICEBP,
        [Mnemonic.Int] = SvmExitCode.SWINT,
        [Mnemonic.Iret] = SvmExitCode.IRET,
        [Mnemonic.Iretd] = SvmExitCode.IRET,
        [Mnemonic.Iretq] = SvmExitCode.IRET,
        [Mnemonic.Call] = SvmExitCode.TASK_SWITCH,
        [Mnemonic.Jmp] = SvmExitCode.TASK_SWITCH,
        [Mnemonic.Clgi] = SvmExitCode.CLGI,
        [Mnemonic.Stgi] = SvmExitCode.STGI,
        [Mnemonic.Vmload] = SvmExitCode.VMLOAD,
        [Mnemonic.Vmsave] = SvmExitCode.VMSAVE,
        [Mnemonic.Vmrun] = SvmExitCode.VMRUN,
        [Mnemonic.Vmmcall] = SvmExitCode.VMMCALL,
        [Mnemonic.Skinit] = SvmExitCode.SKINIT,
        [Mnemonic.Invlpga] = SvmExitCode.INVLPGA,
        [Mnemonic.Cpuid] = SvmExitCode.CPUID,
        [Mnemonic.Hlt] = SvmExitCode.HLT,
        [Mnemonic.Invd] = SvmExitCode.INVD,
        [Mnemonic.Wbinvd] = SvmExitCode.WBINVD,
        [Mnemonic.Invlpg] = SvmExitCode.INVLPG,
        [Mnemonic.Monitor] = SvmExitCode.MONITOR,
        [Mnemonic.Mwait] = SvmExitCode.MWAIT,
        [Mnemonic.Pause] = SvmExitCode.PAUSE,
        [Mnemonic.Rdmsr] = SvmExitCode.MSR,
        [Mnemonic.Wrmsr] = SvmExitCode.MSR,
        [Mnemonic.Rdpmc] = SvmExitCode.RDPMC,
        [Mnemonic.Rdtsc] = SvmExitCode.RDTSC,
        [Mnemonic.Rdtscp] = SvmExitCode.RDTSCP,
        [Mnemonic.Rsm] = SvmExitCode.RSM,
        [Mnemonic.Xsetbv] = SvmExitCode.XSETBV,
        [Mnemonic.In] = SvmExitCode.IOIO,
        [Mnemonic.Insb] = SvmExitCode.IOIO,
        [Mnemonic.Insw] = SvmExitCode.IOIO,
        [Mnemonic.Insd] = SvmExitCode.IOIO,
        [Mnemonic.Out] = SvmExitCode.IOIO,
        [Mnemonic.Outsb] = SvmExitCode.IOIO,
        [Mnemonic.Outsw] = SvmExitCode.IOIO,
        [Mnemonic.Outsd] = SvmExitCode.IOIO,
        [Mnemonic.Mov] = SvmExitCode.CR0_READ,
        [Mnemonic.Clts] = SvmExitCode.CR0_WRITE,
        [Mnemonic.Lmsw] = SvmExitCode.CR0_WRITE,
        [Mnemonic.Smsw] = SvmExitCode.CR0_READ,
        [Mnemonic.Lgdt] = SvmExitCode.GDTR_WRITE,
        [Mnemonic.Lidt] = SvmExitCode.IDTR_WRITE,
        [Mnemonic.Lldt] = SvmExitCode.LDTR_WRITE,
        [Mnemonic.Ltr] = SvmExitCode.TR_WRITE,
        [Mnemonic.Sgdt] = SvmExitCode.GDTR_READ,
        [Mnemonic.Sidt] = SvmExitCode.IDTR_READ,
        [Mnemonic.Sldt] = SvmExitCode.LDTR_READ,
        [Mnemonic.Str] = SvmExitCode.TR_READ,
    };

    /// <summary>Reviewed: why the model does not let them leave.</summary>
    private static readonly Dictionary<Mnemonic, string> s_absent = new()
    {
        [Mnemonic.Pushf] = "refused by VMRUN: docs/adr/0055",
        [Mnemonic.Pushfd] = "refused by VMRUN: docs/adr/0055",
        [Mnemonic.Pushfq] = "refused by VMRUN: docs/adr/0055",
        [Mnemonic.Popf] = "refused by VMRUN: docs/adr/0055",
        [Mnemonic.Popfd] = "refused by VMRUN: docs/adr/0055",
        [Mnemonic.Popfq] = "refused by VMRUN: docs/adr/0055",
        [Mnemonic.Invlpgb] = "not offered by CPUID",
        [Mnemonic.Tlbsync] = "not offered by CPUID",
        [Mnemonic.Invpcid] = "not offered by CPUID",
        [Mnemonic.Mcommit] = "not offered by CPUID",
        [Mnemonic.Monitorx] = "not offered by CPUID",
        [Mnemonic.Mwaitx] = "not offered by CPUID",
        [Mnemonic.Rdpru] = "not offered by CPUID",
        [Mnemonic.Wbnoinvd] = "WBINVD with a prefix that is ignored without the feature",
        [Mnemonic.Pvalidate] = "SEV-SNP",
        [Mnemonic.Rmpadjust] = "SEV-SNP",
        [Mnemonic.Rmpquery] = "SEV-SNP",
        [Mnemonic.Vmgexit] = "SEV-ES; VMMCALL with a prefix without it",
        [Mnemonic.Rdmsrlist] = "not offered by CPUID",
        [Mnemonic.Wrmsrlist] = "not offered by CPUID",
        [Mnemonic.Wrmsrns] = "not offered by CPUID",
    };

    [Fact]
    public void Every_instruction_that_may_exit_is_modelled_or_reviewed()
    {
        IEnumerable<Mnemonic> iced = Enum.GetValues<Code>().Where(c => c.ToOpCode() is { AmdVmExit: true } or { AmdMayVmExit: true })
            .Select(c => c.Mnemonic()).Distinct();
        Assert.Equal(iced.Order(), s_modelled.Keys.Concat(s_absent.Keys).Order());
    }

    [Fact]
    public void Every_single_bit_intercept_is_one_that_Iced_knows() =>
        Assert.All(InstructionIntercepts.All, row => Assert.Contains(row.Code, s_modelled.Values));
}
