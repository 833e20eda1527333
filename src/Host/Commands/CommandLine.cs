using Hv.Host.Configuration;

namespace Hv.Host.Commands;

/// <summary>What a command line asks for.</summary>
internal enum Command
{
    Demo,
    Run,
    Backends,
    Header,
    Help,
    Version,
}

/// <summary>
/// A parsed command line. Options that are configuration by another name (<c>--backend</c>) become configuration keys, so that the file, the
/// environment and the command line meet in one place.
/// </summary>
internal sealed class CommandLine
{
    private readonly Dictionary<string, string> _values = new(StringComparer.Ordinal);

    private CommandLine(Command command) => Command = command;

    /// <summary>The command; <see cref="Command.Demo"/> where none is named.</summary>
    public Command Command { get; private set; }

    /// <summary>The file to run, for <see cref="Command.Run"/>.</summary>
    public string? Guest { get; private set; }

    /// <summary>The files given by <c>--initrd</c>, in order.</summary>
    public List<string> Modules { get; } = [];

    /// <summary>Configuration keys with values, the strongest source of configuration.</summary>
    public Dictionary<string, string?> Configuration { get; } = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>The value of an option that is no configuration, or null where it was not given. A flag's value is empty.</summary>
    public string? this[string option] => _values.GetValueOrDefault(option);

    /// <summary>Reads a command line.</summary>
    /// <exception cref="CommandException">It names a command or an option that does not exist, or an option lacks its value.</exception>
    public static CommandLine Parse(IReadOnlyList<string> arguments)
    {
        var line = new CommandLine(Command.Demo);
        int at = 0;
        if (arguments.Count > 0 && !arguments[0].StartsWith('-'))
        {
            line.Command = ParseCommand(arguments[0]);
            at = 1;
        }

        for (; at < arguments.Count; at++)
        {
            string argument = arguments[at];
            if (argument is "-h" or "-?" or "--help")
            {
                line.Command = Command.Help;
                return line;
            }

            if (argument is "--version" && line.Command == Command.Demo)
            {
                line.Command = Command.Version;
                return line;
            }

            if (argument.StartsWith('-') && argument.Length > 1)
                line.TakeOption(arguments, ref at);
            else
                line.TakeGuest(argument);
        }

        if (line.Command == Command.Run && line.Guest is null)
            throw CommandException.Usage("run needs the guest's file: hv run GUEST [options]");
        return line;
    }

    private static Command ParseCommand(string name) => name switch
    {
        "demo" => Command.Demo,
        "run" => Command.Run,
        "backends" => Command.Backends,
        "header" => Command.Header,
        "help" => Command.Help,
        "version" => Command.Version,
        _ when File.Exists(name) => throw CommandException.Usage($"unknown command '{name}'; to run that file: hv run {name}"),
        _ => throw CommandException.Usage($"unknown command '{name}'; the commands are demo, run, backends, header, help, version"),
    };

    private void TakeOption(IReadOnlyList<string> arguments, ref int at)
    {
        string argument = arguments[at];
        int equals = argument.IndexOf('=', StringComparison.Ordinal);
        string name = equals < 0 ? argument : argument[..equals];
        string? key = null;
        CommandOption? option = CommandOption.Find(name);
        if (option is not null)
        {
            if (!option.Serves(Command))
                throw CommandException.Usage($"{name} is not an option of {CommandName}; hv help lists them");
            if (option.IsFlag)
            {
                if (equals >= 0)
                    throw CommandException.Usage($"{name} takes no value");
                _values[name] = "";
                return;
            }

            key = option.ConfigurationKey;
        }
        else if (IsConfigurationKey(name))
        {
            key = name[2..];
        }
        else
        {
            throw CommandException.Usage($"unknown option '{name}'{CommandOption.Suggest(name, Command)}; hv help lists the options");
        }

        string value;
        if (equals >= 0)
            value = argument[(equals + 1)..];
        else if (++at < arguments.Count)
            value = arguments[at];
        else
            throw CommandException.Usage($"{name} needs a value{(option is null ? "" : $": {name} {option.ValueName}")}");
        if (key is not null)
            Configuration[key] = value;
        else if (name == CommandOption.InitrdName)
            Modules.Add(value);
        else
            _values[name] = value;
    }

    private void TakeGuest(string argument)
    {
        if (Command != Command.Run)
            throw CommandException.Usage($"{CommandName} takes no argument '{argument}'; to run a file: hv run {argument}");
        if (Guest is not null)
            throw CommandException.Usage($"run takes one guest, not '{Guest}' and '{argument}'; the guest's own arguments go into --append \"...\"");
        Guest = argument;
    }

    private static bool IsConfigurationKey(string name) =>
        name.StartsWith("--" + HypervisorOptions.Section + ":", StringComparison.OrdinalIgnoreCase)
        || name.StartsWith("--" + LogOptions.Section + ":", StringComparison.OrdinalIgnoreCase);

    private string CommandName => Command switch
    {
        Command.Run => "run",
        Command.Backends => "backends",
        Command.Header => "header",
        Command.Help => "help",
        Command.Version => "version",
        _ => "demo",
    };
}
