namespace Hv.Host;

/// <summary>Ends the command with one line on stderr and an exit code: what was wrong, where, and how to mend it.</summary>
internal sealed class CommandException : Exception
{
    public CommandException(ExitCode code, string message) : base(message) => Code = code;

    public CommandException(ExitCode code, string message, Exception inner) : base(message, inner) => Code = code;

    /// <summary>What the process exits with.</summary>
    public ExitCode Code { get; }

    /// <summary>A wrong command line or configuration.</summary>
    public static CommandException Usage(string message) => new(ExitCode.Usage, message);

    /// <summary>A guest file that cannot be loaded.</summary>
    public static CommandException BadGuest(string message) => new(ExitCode.BadGuestFile, message);
}
