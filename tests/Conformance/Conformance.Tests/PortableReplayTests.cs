using System.Diagnostics;
using Xunit;

namespace Hv.Conformance.Tests;

/// <summary>The recorded cases in a process whose runtime offers no vector instructions, as on a machine whose processor is not x86-64: the portable
/// paths against silicon.</summary>
public sealed class PortableReplayTests
{
    private static readonly TimeSpan _most = TimeSpan.FromMinutes(3);

    [Fact]
    public void Recorded_cases_agree_without_the_hosts_vector_instructions()
    {
        var start = new ProcessStartInfo("dotnet",
            [Path.Combine(AppContext.BaseDirectory, "hv-conformance.dll"), "replay", "--recorded", Path.Combine(AppContext.BaseDirectory, "Recorded")])
        {
            RedirectStandardOutput = true,
        };
        start.Environment["DOTNET_EnableHWIntrinsic"] = "0";
        using Process replay = Process.Start(start)!;
        if (!replay.WaitForExit(_most))
            replay.Kill();
        Assert.EndsWith(", 0 differ\n", replay.StandardOutput.ReadToEnd(), StringComparison.Ordinal);
        Assert.Equal(0, replay.ExitCode);
    }
}
