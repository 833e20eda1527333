using Xunit;

namespace Hv.Host.Tests.Program;

/// <summary>The settings file beside the program, then the environment, then the command line; an unknown backend's name shows which one
/// won.</summary>
public class ConfigurationTests
{
    private const string FromFile = "{ \"Hypervisor\": { \"Backend\": \"FromFile\" } }";

    private static readonly Dictionary<string, string> s_environment = new() { ["Hypervisor__Backend"] = "FromEnvironment" };

    [Fact]
    public void The_file_beside_the_program_is_read()
    {
        using var program = new ProgramFolder(FromFile);
        HvProcess.Run(program.Start, "demo").AssertOneLine(ExitCode.Usage, "'FromFile'");
    }

    [Fact]
    public void The_environment_wins_over_the_file()
    {
        using var program = new ProgramFolder(FromFile);
        HvProcess.Run(program.Start with { Environment = s_environment }, "demo").AssertOneLine(ExitCode.Usage, "'FromEnvironment'");
    }

    [Theory]
    [InlineData("--Hypervisor:Backend=FromLine")]
    [InlineData("--backend=FromLine")]
    public void The_command_line_wins_over_the_environment(string argument)
    {
        using var program = new ProgramFolder(FromFile);
        HvProcess.Run(program.Start with { Environment = s_environment }, "demo", argument).AssertOneLine(ExitCode.Usage, "'FromLine'");
    }

    [Fact]
    public void A_file_in_the_current_directory_is_a_stranger()
    {
        string folder = Directory.CreateTempSubdirectory("hv-elsewhere").FullName;
        try
        {
            File.WriteAllText(Path.Combine(folder, "appsettings.json"), "{ broken");
            Assert.Equal(0, HvProcess.Run(new HvStart { WorkingDirectory = folder }, "backends").Code);
            HvProcess.Run(new HvStart { WorkingDirectory = folder }, "demo", "--backend", "x").AssertOneLine(ExitCode.Usage, "'x'");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
