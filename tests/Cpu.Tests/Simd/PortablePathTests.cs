using System.Diagnostics;
using System.Runtime.Intrinsics;

namespace Hv.Cpu.Tests.Simd;

/// <summary>The tests of vector operations once more in a process whose runtime offers no vector instructions, so that the portable paths are
/// tested on machines that have them.</summary>
public sealed class PortablePathTests
{
    private const string Switch = "DOTNET_EnableHWIntrinsic", AvxSwitch = "DOTNET_EnableAVX";

    [Theory]
    [InlineData(nameof(VectorOperationTests))]
    [InlineData(nameof(StringCompareTests))]
    [InlineData(nameof(CryptographyTests))]
    [InlineData(nameof(VectorLoopTests))]
    [InlineData(nameof(VectorMemoryTests))]
    [InlineData(nameof(GatherTests))]
    [InlineData(nameof(FloatCaseTests))]
    [InlineData(nameof(FastPathTests))]
    public void Operations_are_right_without_the_hosts_vector_instructions(string tests)
    {
        Assert.SkipWhen(Environment.GetEnvironmentVariable(Switch) == "0", "this is the process without vector instructions");
        (int code, string output) = Run(Switch, "-class", $"{typeof(PortablePathTests).Namespace}.{tests}");
        Assert.True(code == 0, output);
    }

    /// <summary>In between: a host with SSE alone, whose vectors of 256 bits and fused operations .NET computes in memory.</summary>
    [Theory]
    [InlineData(nameof(HostStackTests), nameof(HostStackTests.No_vector_handler_grows_the_stack))]
    [InlineData("Simd." + nameof(VectorOperationTests), "*")]
    [InlineData("Simd." + nameof(FastPathTests), "*")]
    public void Handlers_are_right_and_keep_the_stack_on_a_host_without_AVX(string tests, string method)
    {
        Assert.SkipWhen(Environment.GetEnvironmentVariable(AvxSwitch) == "0", "this is the process without AVX");
        Assert.SkipWhen(Environment.GetEnvironmentVariable(Switch) == "0", "this is the process without vector instructions");
        (int code, string output) = Run(AvxSwitch, "-method", $"{typeof(HostStackTests).Namespace}.{tests}.{method}");
        Assert.True(code == 0, output);
    }

    [Fact]
    public void The_runtimes_switch_works()
    {
        if (Environment.GetEnvironmentVariable(Switch) == "0")
        {
            Assert.False(Vector128.IsHardwareAccelerated);
            return;
        }

        (int code, string output) = Run(Switch, "-method", $"{typeof(PortablePathTests).FullName}.{nameof(The_runtimes_switch_works)}");
        Assert.True(code == 0, output);
    }

    private static (int Code, string Output) Run(string off, params ReadOnlySpan<string> arguments)
    {
        string assembly = typeof(PortablePathTests).Assembly.Location;
        var start = new ProcessStartInfo(Path.Combine(Path.GetDirectoryName(Environment.ProcessPath)!, "dotnet"))
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Path.GetDirectoryName(assembly),
        };
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
            start.ArgumentList.Add(assembly);
        else
            start.FileName = Environment.ProcessPath!;
        foreach (string argument in arguments)
            start.ArgumentList.Add(argument);
        start.ArgumentList.Add("-noColor");
        start.Environment[off] = "0";
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output + errors.Result);
    }
}
