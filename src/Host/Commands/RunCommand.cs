using Hv.Host.Composition;
using Hv.Host.Configuration;
using Hv.Host.Loading;
using Hv.Host.Running;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Hv.Host.Commands;

/// <summary>What <c>hv demo</c> and <c>hv run</c> do: compose the host and let its service run the guest.</summary>
internal static class RunCommand
{
    /// <summary>Runs the guest to its end.</summary>
    /// <returns>The process's exit code.</returns>
    public static async Task<int> Run(CommandLine line)
    {
        GuestRequest request = ReadRequest(line);
        WarmUp.Begin(line);
        IHost host = HostComposition.Build(request, line.Configuration);
        RunOutcome outcome;
        try
        {
            // The host would validate too, but log a failure with its stack; a wrong setting deserves one line.
            host.Services.GetRequiredService<IStartupValidator>().Validate();
            outcome = host.Services.GetRequiredService<RunOutcome>();
            await host.RunAsync();
        }
        catch (OptionsValidationException e)
        {
            throw new CommandException(ExitCode.Usage, string.Join("; ", e.Failures), e);
        }
        catch (InvalidOperationException e) when (e.Message.Contains($"'{HypervisorOptions.Section}:", StringComparison.OrdinalIgnoreCase))
        {
            // The binder's own line names value, key and type.
            string expected = e.Message.Contains("System.Int", StringComparison.Ordinal) ? "a whole number"
                : e.Message.Contains("System.UInt", StringComparison.Ordinal) ? "a whole number from 0 to 2^64 - 1"
                : e.Message.Contains("System.Boolean", StringComparison.Ordinal) ? "true or false"
                : string.Join(" or ", Enum.GetNames<Core.Machine.GuestClock>());
            throw new CommandException(ExitCode.Usage, $"{e.Message.TrimEnd('.')}; write {expected}", e);
        }
        finally
        {
            host.Dispose();
        }

        return outcome.Get();
    }

    private static GuestRequest ReadRequest(CommandLine line) => line.Command == Command.Demo
        ? new GuestRequest { DemoBits = ReadBits(line[CommandOption.BitsName]), Summary = true }
        : new GuestRequest
        {
            Path = line.Guest,
            Flat = ReadFlat(line[CommandOption.FlatName], line[CommandOption.ModeName]),
            Append = line[CommandOption.AppendName] ?? "",
            Modules = line.Modules,
            Summary = line[CommandOption.SummaryName] is not null,
        };

    private static int ReadBits(string? text) => text switch
    {
        null or "64" => 64,
        "32" => 32,
        "16" => 16,
        _ => throw CommandException.Usage($"{CommandOption.BitsName}: '{text}' is no form of the demo guest; use 16, 32 or 64"),
    };

    private static FlatPlacement? ReadFlat(string? address, string? mode)
    {
        if (address is null && mode is null)
            return null;
        if (address is null || mode is null)
            throw CommandException.Usage($"{CommandOption.FlatName} and {CommandOption.ModeName} go together: --flat 0x7c00 --mode real");
        if (!ByteSize.TryParse(address, out ulong start))
            throw CommandException.Usage($"{CommandOption.FlatName}: '{address}' is not an address; write for example 0x7c00 or 1MiB");
        return new FlatPlacement(start, mode switch
        {
            "real" => EntryMode.Real,
            "protected" => EntryMode.Protected,
            "long" => EntryMode.Long,
            _ => throw CommandException.Usage($"{CommandOption.ModeName}: '{mode}' is no mode; use real, protected or long"),
        });
    }
}
