using System.Text.RegularExpressions;
using Hv.Backends.Svm.Hypervisor;
using Hv.Backends.Svm.Silicon;
using Hv.Core.Exits;
using Xunit;

namespace Hv.Backends.Svm.Tests.Hypervisor;

public partial class DescriptionTests
{
    [Theory]
    [InlineData(0x00, 0ul, 0ul, "VMEXIT_CR0_READ")]
    [InlineData(0x13, 0x8000_0000_0000_0002ul, 0ul, "VMEXIT_CR3_WRITE GPR 2")]
    [InlineData(0x27, 3ul, 0ul, "VMEXIT_DR7_READ GPR 3")]
    [InlineData(0x4D, 0x10ul, 0ul, "VMEXIT_EXCP13 error 0x10")]
    [InlineData(0x4E, 2ul, 0x1000ul, "VMEXIT_EXCP14 error 0x2 address 0x1000")]
    [InlineData(0x60, 0ul, 0ul, "VMEXIT_INTR")]
    [InlineData(0x75, 0x80ul, 0ul, "VMEXIT_SWINT vector 128")]
    [InlineData(0x7B, 0x03F80211ul, 0x1001ul, "VMEXIT_IOIO IN port 0x3f8 size 1 address size 8 next RIP 0x1001")]
    [InlineData(0x7B, 0x00700D2Cul, 0x1003ul, "VMEXIT_IOIO REP OUTS port 0x70 size 2 address size 4 segment 3 next RIP 0x1003")]
    [InlineData(0x7C, 0ul, 0ul, "VMEXIT_MSR RDMSR")]
    [InlineData(0x7C, 1ul, 0ul, "VMEXIT_MSR WRMSR")]
    [InlineData(0x7D, 0x28ul, 0x50_0000_0000ul, "VMEXIT_TASK_SWITCH to TSS selector 0x28 by IRET")]
    [InlineData(0x81, 0ul, 0ul, "VMEXIT_VMMCALL")]
    [InlineData(0x94, 0ul, 0ul, "VMEXIT_CR4_WRITE_TRAP")]
    [InlineData(0x400, 0x1_0000_0006ul, 0xFEE00000ul, "VMEXIT_NPF write at GPA 0xfee00000, not present")]
    [InlineData(0x400, 0x2_0000_0007ul, 0x1000ul, "VMEXIT_NPF write of a guest page table at GPA 0x1000, not permitted")]
    [InlineData(-1, 0ul, 0ul, "VMEXIT_INVALID")]
    [InlineData(0x12345, 1ul, 2ul, "exit code 12345H EXITINFO1 0x1 EXITINFO2 0x2")]
    public void A_raw_exit_reads_as_in_the_manual(long code, ulong info1, ulong info2, string expected) =>
        Assert.Equal(expected, SvmExitDescription.Describe(new RawExit((ulong)code, info1, info2)));

    /// <summary>The kernel's header is an independent list of the codes; it leaves CR and DR numbers out that do not exist.</summary>
    [Fact]
    public void Codes_agree_with_the_kernels_header()
    {
        const string header = "/usr/include/x86_64-linux-gnu/asm/svm.h";
        Assert.SkipUnless(File.Exists(header), $"{header} is not installed here");
        int compared = 0;
        foreach (Match match in Definition().Matches(File.ReadAllText(header)))
        {
            string name = match.Groups[1].Value;
            long code = Convert.ToInt64(match.Groups[2].Value, 16);
            if (name is "EXCP_BASE" or "LAST_EXCP" or "SW")
                continue;
            string ours = SvmExitDescription.NameOf((SvmExitCode)code);
            string theirs = "VMEXIT_" + name switch
            {
                _ when CrOrDr().Match(name) is { Success: true } m => $"{m.Groups[2].Value}_{m.Groups[1].Value}",
                "MWAIT_COND" => "MWAIT_CONDITIONAL",
                "AVIC_UNACCELERATED_ACCESS" => "AVIC_NOACCEL",
                _ => name,
            };
            Assert.Equal(theirs, ours);
            compared++;
        }

        Assert.True(compared > 80, $"only {compared} codes were found");
    }

    [GeneratedRegex(@"#define SVM_EXIT_(\w+)\s+0x([0-9a-f]+)\b")]
    private static partial Regex Definition();

    [GeneratedRegex(@"^(READ|WRITE)_([CD]R\d)$")]
    private static partial Regex CrOrDr();
}
