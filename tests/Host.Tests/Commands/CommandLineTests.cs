using Hv.Host.Commands;
using Xunit;

namespace Hv.Host.Tests.Commands;

public class CommandLineTests
{
    private static string Refusal(params string[] arguments)
    {
        var e = Assert.Throws<CommandException>(() => CommandLine.Parse(arguments));
        Assert.Equal(ExitCode.Usage, e.Code);
        return e.Message;
    }

    [Fact]
    public void Nothing_means_the_demo() => Assert.Equal(Command.Demo, CommandLine.Parse([]).Command);

    [Fact]
    public void Options_without_a_command_belong_to_the_demo()
    {
        CommandLine line = CommandLine.Parse(["--bits", "16", "--backend=Svm"]);
        Assert.Equal(Command.Demo, line.Command);
        Assert.Equal("16", line["--bits"]);
        Assert.Equal("Svm", line.Configuration["Hypervisor:Backend"]);
    }

    [Fact]
    public void Run_takes_its_options_in_both_spellings()
    {
        CommandLine line = CommandLine.Parse(
            ["run", "--memory", "1GiB", "guest.elf", "--append=a b=c", "--initrd", "one", "--initrd=two", "--flat", "0x7c00", "--mode=real",
                "--summary"]);
        Assert.Equal((Command.Run, "guest.elf"), (line.Command, line.Guest));
        Assert.Equal("1GiB", line.Configuration["hypervisor:memory"]);
        Assert.Equal("a b=c", line["--append"]);
        Assert.Equal(["one", "two"], line.Modules);
        Assert.Equal(("0x7c00", "real", ""), (line["--flat"], line["--mode"], line["--summary"]));
    }

    [Fact]
    public void Configuration_keys_are_options_too()
    {
        CommandLine line = CommandLine.Parse(["--Hypervisor:Backend=Svm", "--Serilog:MinimumLevel", "Debug"]);
        Assert.Equal("Svm", line.Configuration["Hypervisor:Backend"]);
        Assert.Equal("Debug", line.Configuration["Serilog:MinimumLevel"]);
    }

    [Fact]
    public void The_last_of_two_spellings_wins() =>
        Assert.Equal("b", CommandLine.Parse(["--backend", "a", "--Hypervisor:Backend=b"]).Configuration["Hypervisor:Backend"]);

    [Theory]
    [InlineData("help")]
    [InlineData("--help")]
    [InlineData("run", "-h")]
    public void Help_is_there(params string[] arguments) => Assert.Equal(Command.Help, CommandLine.Parse(arguments).Command);

    [Fact]
    public void Mistakes_say_what_is_right()
    {
        Assert.Contains("the commands are", Refusal("frobnicate"), StringComparison.Ordinal);
        Assert.Contains("did you mean --backend", Refusal("--backnd", "x"), StringComparison.Ordinal);
        Assert.DoesNotContain("did you mean", Refusal("--completely-different"), StringComparison.Ordinal);
        Assert.Contains("not an option of demo", Refusal("demo", "--append", "x"), StringComparison.Ordinal);
        Assert.Contains("not an option of header", Refusal("header", "--json"), StringComparison.Ordinal);
        Assert.Contains("version takes no argument 'x'", Refusal("version", "x"), StringComparison.Ordinal);
        Assert.Contains("needs a value: --memory SIZE", Refusal("run", "g", "--memory"), StringComparison.Ordinal);
        Assert.Contains("takes no value", Refusal("run", "g", "--summary=yes"), StringComparison.Ordinal);
        Assert.Contains("needs the guest's file", Refusal("run"), StringComparison.Ordinal);
        Assert.Contains("--append", Refusal("run", "a", "b"), StringComparison.Ordinal);
        Assert.Contains("hv run", Refusal("demo", "guest.elf"), StringComparison.Ordinal);
        Assert.Contains("unknown option", Refusal("--Other:Key=1"), StringComparison.Ordinal);
    }

    [Fact]
    public void Any_arguments_are_parsed_or_refused()
    {
        string[] words = ["run", "demo", "backends", "--", "-", "", "=", "--=", "--memory", "--memory=", "--bits", "x", "--initrd", "\0",
            "--Hypervisor:", "-h="];
        var random = new Random(11);
        for (int i = 0; i < 5000; i++)
        {
            string[] arguments = [.. Enumerable.Range(0, random.Next(6)).Select(_ => words[random.Next(words.Length)])];
            try
            {
                CommandLine.Parse(arguments);
            }
            catch (CommandException e)
            {
                Assert.Equal(ExitCode.Usage, e.Code);
            }
        }
    }
}
