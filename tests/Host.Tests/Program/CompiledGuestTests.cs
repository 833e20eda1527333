using Xunit;

namespace Hv.Host.Tests.Program;

/// <summary>
/// Programs as gcc compiles them for each level of the instruction set: auto-vectorised loops, scalar floating point at its edges, long double, strings
/// and wide integers (tests/Guests/compiled/work.c). What they must print was printed by the same object files as Linux programs on a real processor
/// (tests/Guests/build.sh: AMD EPYC, family 19h, model 11h).
/// </summary>
public sealed class CompiledGuestTests
{
    private static readonly string[] s_software = ["Emulated", "Vmx", "Svm"];

    private static readonly (string Guest, string Cpu)[] s_guests =
        [("i686", "x86-64-v1"), ("x86-64-v1", "x86-64-v1"), ("x86-64-v2", "x86-64-v2"), ("x86-64-v3", "x86-64-v3"), ("max", "max")];

    public static TheoryData<string, string, string> BackendsAndGuests =>
        [.. s_software.SelectMany(_ => s_guests, (backend, g) => (backend, g.Guest, g.Cpu))];

    [Theory]
    [MemberData(nameof(BackendsAndGuests))]
    public void A_compiled_program_prints_what_it_prints_on_a_real_processor(string backend, string guest, string cpu)
    {
        HvResult result = HvProcess.Run("run", HvProcess.Guest($"compiled/{guest}.elf"), "--backend", backend, "--cpu", cpu, "--timeout", "30s");
        Assert.Equal(File.ReadAllText(HvProcess.Guest($"compiled/{guest}.expected")).Split('\n'), result.Output.Split('\n'));
        Assert.Equal("", result.Errors);
        Assert.Equal(1, result.Code);
    }

    /// <summary>The guest has no IDT: #UD is a triple fault, shown with the instruction.</summary>
    [Theory]
    [InlineData("x86-64-v2", "x86-64-v1", "roundsd")]
    [InlineData("x86-64-v3", "x86-64-v2", "vxorps")]
    [InlineData("max", "x86-64-v3", "vaeskeygenassist")]
    public void A_program_for_a_greater_model_ends_at_an_instruction_that_the_model_does_not_have(string guest, string cpu, string instruction)
    {
        HvResult result = HvProcess.Run("run", HvProcess.Guest($"compiled/{guest}.elf"), "--backend", "Emulated", "--cpu", cpu, "--timeout", "30s");
        Assert.Equal((int)ExitCode.GuestFault, result.Code);
        Assert.Contains($"at RIP: {instruction}", result.Errors, StringComparison.Ordinal);
    }
}
