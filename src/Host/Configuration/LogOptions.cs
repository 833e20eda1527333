using Microsoft.Extensions.Configuration;
using Serilog;
using Serilog.Core;
using Serilog.Events;
using Serilog.Formatting.Json;

namespace Hv.Host.Configuration;

/// <summary>
/// The section <c>Serilog</c>: minimum level and format. Read here and not by Serilog.Settings.Configuration, which finds sinks by reflection
/// and so does not survive trimming (docs/adr/0062-lean-start.md).
/// </summary>
internal static class LogOptions
{
    /// <summary>The section's name.</summary>
    public const string Section = "Serilog";

    public const string MinimumLevelKey = Section + ":MinimumLevel", FormatKey = Section + ":Format";

    private const string MinimumLevelLongKey = MinimumLevelKey + ":Default";
    private const string Template = "{Timestamp:HH:mm:ss.fff} {Level:u3} {Message:lj}{NewLine}{Exception}";

    /// <summary>Makes the logger: one sink, standard error.</summary>
    /// <exception cref="CommandException">The level or the format does not exist, or the section has another key.</exception>
    public static Logger CreateLogger(IConfiguration configuration)
    {
        RefuseUnknownKeys(configuration.GetSection(Section), MinimumLevelKey, FormatKey);
        RefuseUnknownKeys(configuration.GetSection(MinimumLevelKey), MinimumLevelLongKey);
        RefuseUnknownKeys(configuration.GetSection(FormatKey));
        string level = configuration[MinimumLevelKey] ?? configuration[MinimumLevelLongKey] ?? nameof(LogEventLevel.Warning);
        if (!Enum.TryParse(level, ignoreCase: true, out LogEventLevel minimum) || !Enum.IsDefined(minimum))
            throw CommandException.Usage($"{MinimumLevelKey}: '{level}' is no log level; use {string.Join(", ", Enum.GetNames<LogEventLevel>())}");
        LoggerConfiguration logger = new LoggerConfiguration().MinimumLevel.Is(minimum);
        string format = configuration[FormatKey] ?? "text";
        return format.ToUpperInvariant() switch
        {
            "TEXT" => logger.WriteTo.Console(LevelAlias.Minimum, Template, null, null, LevelAlias.Minimum).CreateLogger(),
            "JSON" => logger.WriteTo.Console(new JsonFormatter(renderMessage: true), standardErrorFromLevel: LevelAlias.Minimum).CreateLogger(),
            _ => throw CommandException.Usage($"{FormatKey}: '{format}' is no log format; use text or json"),
        };
    }

    private static void RefuseUnknownKeys(IConfigurationSection section, params ReadOnlySpan<string> known)
    {
        foreach (IConfigurationSection child in section.GetChildren())
        {
            if (!known.Contains(child.Path, StringComparer.OrdinalIgnoreCase))
                throw CommandException.Usage($"{child.Path} is not a setting; the settings are {MinimumLevelKey} and {FormatKey}");
        }
    }
}
