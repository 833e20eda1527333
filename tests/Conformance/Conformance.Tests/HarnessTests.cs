using Hv.Conformance.Campaigns;
using Hv.Conformance.Campaigns.Cases;
using Hv.Conformance.Campaigns.Execution;
using Hv.Conformance.Campaigns.Forms;
using Hv.Conformance.Oracle;
using Iced.Intel;
using Xunit;

namespace Hv.Conformance.Tests;

/// <summary>The harness's own parts, without any processor.</summary>
public sealed class HarnessTests
{
    [Fact]
    public void A_case_survives_its_text()
    {
        const string Line = "64 j 480fafc1 ; rax=3 rcx=ffffffffffffffff fl=206 m+1f=0102 ; ok rax=fffffffffffffffd fl=283";
        (CodeSlot slot, CaseRecord input, CaseRecord result) = CaseText.Parse(Line, 0x400);
        Assert.Equal(Line, CaseText.Format(slot, in input, in result));
        const string Fault = "32 t 8b00 ; rax=7 ; #14/4@7 rax=8";
        (slot, input, result) = CaseText.Parse(Fault, 0x400);
        Assert.Equal(14u, result.Vector);
        Assert.Equal(7ul, result.Address);
        Assert.Equal(Fault, CaseText.Format(slot, in input, in result));
        // A push moves TOP: registers keep their physical numbers.
        const string Extended = "64 jx d9c1 ; fsw=800 ftw=fe fop=1d9 mx=9fc0 f2=3fff8000000000000000 y3=1000000000000000000000000000000002 ; " +
            "ok fsw=0 ftw=ff fip=10000400 f0=3fff8000000000000000 y3=2";
        (slot, input, result) = CaseText.Parse(Extended, 0x400);
        Assert.Equal(0x3FFFul, input.Extended.Stack[1].SignExponent);
        Assert.Equal(0x3FFFul, result.Extended.Stack[0].SignExponent);
        Assert.Equal(0x3FFFul, result.Extended.Stack[2].SignExponent);
        Assert.Equal(Extended, CaseText.Format(slot, in input, in result));
    }

    [Theory]
    [InlineData("64 j 90")]
    [InlineData("64 z 90 ; ; ok")]
    [InlineData("64 j 90 ; foo=1 ; ok")]
    [InlineData("64 j 9 ; ; ok")]
    public void A_line_that_is_no_case_is_a_format_error(string line) => Assert.Throws<FormatException>(() => CaseText.Parse(line, 0));

    [Theory]
    [InlineData(5, 10)]
    [InlineData(8, 23)]
    [InlineData(11, 52)]
    public void Floating_point_operands_are_of_every_class(int exponentBits, int fractionBits)
    {
        var random = new Prng(1, 0);
        var classes = new Dictionary<string, int>();
        ulong fraction = (1UL << fractionBits) - 1, quiet = 1UL << (fractionBits - 1);
        int top = (1 << exponentBits) - 1;
        for (int i = 0; i < 20_000; i++)
        {
            ulong value = FloatValues.Next(random, exponentBits, fractionBits);
            Assert.Equal(0ul, value >> (exponentBits + fractionBits) >> 1);
            int exponent = (int)(value >> fractionBits) & top;
            string name = exponent == top ? (value & fraction) == 0 ? "infinite" : (value & quiet) != 0 ? "quiet NaN" : "signalling NaN"
                : exponent == 0 ? (value & fraction) == 0 ? "zero" : "denormal" : "normal";
            classes[name] = classes.GetValueOrDefault(name) + 1;
        }

        Assert.Equal(6, classes.Count);
        Assert.All(classes, c => Assert.True(c.Value > 200, $"{c.Key}: {c.Value} of 20000"));
        Assert.True(classes["normal"] > 8000);
    }

    [Fact]
    public void The_same_seed_gives_the_same_cases_and_another_gives_others()
    {
        Assert.Equal(Make(5), Make(5));
        Assert.NotEqual(Make(5), Make(6));

        static string Make(ulong seed)
        {
            var random = new Prng(seed, 3);
            Form form = FormList.OfInstruction("add")[0];
            byte[] bytes = FormBytes.Make(form, random, 0, out _)!;
            var slot = new CodeSlot(bytes, form.Mode, form.Way, 0);
            CaseRecord record = default;
            new OperandState(seed).Fill(ref record, slot, random);
            return CaseText.Format(slot, in record, in record);
        }
    }

    [Fact]
    public void Every_undefined_flag_is_undefined_in_Iceds_table_too()
    {
        foreach (UndefinedRule rule in UndefinedFlags.Rules.Where(r => r.When != UndefinedWhen.CountExceedsSize && r.Flags != 0))
        {
            foreach (Mnemonic mnemonic in rule.Instructions.Where(m => m != Mnemonic.Sal))
            {
                ulong known = 0;
                foreach (Form form in FormList.OfInstruction(mnemonic.ToString()))
                {
                    var random = new Prng(1, 0);
                    for (int i = 0; i < 4; i++)
                        if (FormBytes.Make(form, random, 0, out Instruction instruction) is not null)
                            known |= Bits(instruction.RflagsUndefined);
                }

                // Iced has no conditions: for CF of shifts it knows only "modified".
                Assert.True((rule.Flags & ~known) == 0 || rule.When == UndefinedWhen.CountReachesSize,
                    $"{mnemonic}: {rule.Flags:x} of which Iced knows {known:x}");
            }
        }
    }

    [Fact]
    public void Most_forms_can_be_encoded_and_are_read_back_as_themselves()
    {
        var random = new Prng(1, 0);
        int made = FormList.All.Count(f => FormBytes.Make(f, random, 0, out Instruction i) is not null && i.Code == f.Code);
        Assert.True(made > FormList.All.Count * 95 / 100, $"{made} of {FormList.All.Count}");
    }

    [Fact]
    public void A_harness_that_runs_stale_code_is_found_out()
    {
        var tally = new Tally();
        for (int i = 0; i < 20_000; i++)
            tally.Count(i % 100 == 0 ? 14 : Outcome.Completed);
        Assert.Null(tally.Degenerate(0.6));
        tally.Repeats = 19_000;
        Assert.Contains("stale", tally.Degenerate(0.6), StringComparison.Ordinal);
        var faulting = new Tally();
        for (int i = 0; i < 20_000; i++)
            faulting.Count(14);
        Assert.Contains("completed", faulting.Degenerate(0.6), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("an unknown command", "dance")]
    [InlineData("unknown option", "operands", "--sed", "1")]
    [InlineData("needs a value", "operands", "--seed")]
    [InlineData("whole number", "operands", "--seed", "abc")]
    [InlineData("whole number", "operands", "--seconds", "0")]
    [InlineData("no instruction is called 'addd'", "operands", "--instruction", "addd")]
    public void Bad_input_gets_one_line_and_its_own_exit_code(string expected, params string[] arguments)
    {
        if (arguments is [_, "--instruction", ..])
            Native.Require();
        (int code, string error, _) = Run(arguments);
        Assert.Equal(CommandLine.BadUsage, code);
        Assert.Contains(expected == "an unknown command" ? "unknown command 'dance'; the commands are operands" : expected, error,
            StringComparison.Ordinal);
        Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [Theory]
    [InlineData("operands")]
    [InlineData("encodings")]
    [InlineData("blocks")]
    public void A_campaign_of_nothing_that_is_compared_says_why_and_is_no_success(string command)
    {
        Native.Require();
        (int code, string error, _) = Run(command, "--instruction", "rdrand,cpuid");
        Assert.Equal(CommandLine.NoOracle, code);
        Assert.Contains("nothing of this is compared: Rdrand (7 forms): answers with random numbers; Cpuid (3 forms): answers with the host's own",
            error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("help")]
    [InlineData("--help")]
    [InlineData("operands", "--help")]
    [InlineData("replay", "--recorded", "nowhere", "-h")]
    public void Help_is_the_usage_wherever_it_stands(params string[] arguments)
    {
        Native.Require();
        (int code, string error, string output) = Run(arguments);
        Assert.Equal(CommandLine.Agreed, code);
        Assert.Empty(error);
        Assert.StartsWith("hv-conformance COMMAND [--seed N]", output, StringComparison.Ordinal);
    }

    private static (int Code, string Error, string Output) Run(params string[] arguments)
    {
        (TextWriter errorBefore, TextWriter outputBefore) = (Console.Error, Console.Out);
        using StringWriter error = new(), output = new();
        Console.SetError(error);
        Console.SetOut(output);
        try
        {
            return (CommandLine.Run(arguments), error.ToString(), output.ToString());
        }
        finally
        {
            Console.SetError(errorBefore);
            Console.SetOut(outputBefore);
        }
    }

    [Fact]
    public void An_unknown_instruction_says_what_exists()
    {
        ArgumentException e = Assert.Throws<ArgumentException>(() => FormList.OfInstruction("addd"));
        Assert.Contains(" Add ", e.Message, StringComparison.Ordinal);
    }

    private static ulong Bits(RflagsBits flags) =>
        ((flags & RflagsBits.CF) != 0 ? UndefinedFlags.Cf : 0) | ((flags & RflagsBits.PF) != 0 ? UndefinedFlags.Pf : 0)
        | ((flags & RflagsBits.AF) != 0 ? UndefinedFlags.Af : 0) | ((flags & RflagsBits.ZF) != 0 ? UndefinedFlags.Zf : 0)
        | ((flags & RflagsBits.SF) != 0 ? UndefinedFlags.Sf : 0) | ((flags & RflagsBits.OF) != 0 ? UndefinedFlags.Of : 0);
}
