using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Xunit;

namespace Hv.Host.Tests.Program;

/// <summary>What a run of the built program printed and how it ended.</summary>
internal sealed record HvResult(int Code, string Output, string Errors)
{
    /// <summary>Requires one line on stderr that starts with <c>hv: </c> and contains <paramref name="words"/>, and nothing on stdout.</summary>
    public void AssertOneLine(ExitCode code, params string[] words)
    {
        Assert.Equal("", Output);
        Assert.StartsWith("hv: ", Errors, StringComparison.Ordinal);
        Assert.Equal(Errors.Length - 1, Errors.IndexOf('\n', StringComparison.Ordinal));
        Assert.All(words, word => Assert.Contains(word, Errors, StringComparison.Ordinal));
        Assert.Equal((int)code, Code);
    }
}

/// <summary>Runs the built <c>hv.dll</c> as a user does.</summary>
internal static class HvProcess
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static readonly Lazy<(string Name, bool Available)[]> s_backends = new(ListBackends);

    /// <summary>The program, beside the tests because they reference it.</summary>
    public static string Program { get; } = Path.Combine(AppContext.BaseDirectory, "hv.dll");

    /// <summary>The guests in tests/Guests.</summary>
    public static string Guest(string path) => Path.Combine(AppContext.BaseDirectory, "Guests", path);

    /// <summary>The names of the backends that can run here.</summary>
    public static IEnumerable<string> AvailableBackends => s_backends.Value.Where(b => b.Available).Select(b => b.Name);

    /// <summary>Runs to the end.</summary>
    public static HvResult Run(params string[] arguments) => Run(new HvStart(), arguments);

    /// <summary>Runs to the end with an environment, an input or a program folder of its own.</summary>
    public static HvResult Run(HvStart start, params string[] arguments)
    {
        using Process process = Start(start, arguments);
        process.StandardInput.Write(start.Input);
        process.StandardInput.Close();
        return Finish(process);
    }

    /// <summary>Starts it and leaves input and signals to the caller.</summary>
    public static Process Start(HvStart start, params string[] arguments)
    {
        var info = new ProcessStartInfo("dotnet")
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.Latin1,
            WorkingDirectory = start.WorkingDirectory ?? Path.GetTempPath(),
        };
        info.ArgumentList.Add(start.Program ?? Program);
        foreach (string argument in arguments)
            info.ArgumentList.Add(argument);
        foreach ((string key, string value) in start.Environment)
            info.Environment[key] = value;
        return Process.Start(info)!;
    }

    /// <summary>Waits for the end.</summary>
    public static HvResult Finish(Process process)
    {
        Task<string> errors = process.StandardError.ReadToEndAsync(), output = process.StandardOutput.ReadToEndAsync();
        if (!process.WaitForExit(Patience))
        {
            process.Kill();
            Assert.Fail($"hv did not end within {Patience.TotalSeconds} s; stdout: {output.Result} stderr: {errors.Result}");
        }

        return new HvResult(process.ExitCode, output.Result, errors.Result);
    }

    private static (string Name, bool Available)[] ListBackends()
    {
        HvResult result = Run("backends", "--json");
        Assert.Equal(0, result.Code);
        using var json = JsonDocument.Parse(result.Output);
        return [.. json.RootElement.EnumerateArray().Select(b => (b.GetProperty("name").GetString()!, b.GetProperty("available").GetBoolean()))];
    }
}

/// <summary>How to start the program, where not plainly.</summary>
internal sealed record HvStart
{
    public string Input { get; init; } = "";

    public string? WorkingDirectory { get; init; }

    public string? Program { get; init; }

    public Dictionary<string, string> Environment { get; init; } = [];
}
