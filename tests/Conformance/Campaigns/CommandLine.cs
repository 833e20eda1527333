using Hv.Conformance.Campaigns.Commands;
using Hv.Conformance.Oracle;

namespace Hv.Conformance.Campaigns;

/// <summary>The program: one command a campaign.</summary>
public static class CommandLine
{
    /// <summary>Exit codes.</summary>
    public const int Agreed = 0, Differed = 1, BadUsage = 2, Degenerate = 3, NoOracle = 4;

    private static readonly Dictionary<string, (string About, Func<Options, int> Run)> _commands = new(StringComparer.Ordinal)
    {
        ["operands"] = ("every form with edge-biased operands, against this machine's processor", CampaignCommands.Operands),
        ["encodings"] = ("random and damaged bytes, against this machine's processor", CampaignCommands.Encodings),
        ["blocks"] = ("short random blocks, against this machine's processor", CampaignCommands.Blocks),
        ["ring0"] = ("system instructions and exception delivery, against the manual, QEMU and Bochs", Ring0Command.Run),
        ["replay"] = ("the recorded cases; needs no particular processor", RecordCommands.Replay),
        ["record"] = ("makes the recorded corpus anew from this machine's processor", RecordCommands.Record),
        ["planted"] = ("how many planted faults the campaigns catch", PlantedCommand.Run),
        ["forms"] = ("which forms are compared, and which are not and why", RecordCommands.Forms),
        ["report"] = ("writes docs/conformance.md from the kept runs", RecordCommands.Report),
    };

    /// <summary>The commands' names.</summary>
    public static string CommandNames => string.Join(", ", _commands.Keys);

    /// <summary>Runs a command line.</summary>
    /// <returns>The process's exit code.</returns>
    public static int Run(IReadOnlyList<string> arguments)
    {
        try
        {
            if (arguments is ["help"] || arguments.Any(a => a is "--help" or "-h"))
                return Help();
            var options = Options.Parse(arguments);
            if (!_commands.TryGetValue(options.Command, out (string About, Func<Options, int> Run) command))
                throw new ArgumentException($"unknown command '{options.Command}'; the commands are {CommandNames}");
            return command.Run(options);
        }
        catch (Exception e) when (e is ArgumentException or FormatException or IOException)
        {
            Console.Error.WriteLine($"hv-conformance: {e.Message}");
            return BadUsage;
        }
        catch (OracleFailedException e)
        {
            Console.Error.WriteLine($"hv-conformance: {e.Message}");
            return Degenerate;
        }
        catch (PlatformNotSupportedException e)
        {
            Console.Error.WriteLine($"hv-conformance: {e.Message}; `replay` compares with recorded cases instead");
            return NoOracle;
        }
    }

    private static int Help()
    {
        Console.WriteLine("hv-conformance COMMAND [--seed N] [--cases N] [--seconds N] [--threads N] [--instruction NAME,...] [--group FEATURE] " +
            "[--family NAME] [--recorded DIRECTORY] [--keep]");
        foreach ((string name, (string about, _)) in _commands)
            Console.WriteLine($"  {name,-10} {about}");
        Console.WriteLine($"Exit codes: {Agreed} no difference, {Differed} differences, {BadUsage} bad usage, {Degenerate} the harness cannot be " +
            $"trusted, {NoOracle} this machine cannot serve as an oracle, or not for what was asked.");
        return NativeOracle.WhyNot() is null ? Agreed : NoOracle;
    }
}
