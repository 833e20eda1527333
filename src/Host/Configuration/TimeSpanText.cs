using System.Globalization;

namespace Hv.Host.Configuration;

/// <summary>Times as people write them: <c>500ms</c>, <c>10s</c>, <c>2m</c>, <c>1h</c>. The unit is never guessed.</summary>
internal static class TimeSpanText
{
    private static readonly (string Suffix, double Milliseconds)[] Units = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];

    /// <summary>Reads a time above 0 and of at most 24 days (the longest a timer can wait).</summary>
    public static bool TryParse(string text, out TimeSpan time)
    {
        time = default;
        ReadOnlySpan<char> trimmed = text.AsSpan().Trim();
        foreach ((string suffix, double unit) in Units)
        {
            if (!trimmed.EndsWith(suffix, StringComparison.OrdinalIgnoreCase))
                continue;
            if (!double.TryParse(trimmed[..^suffix.Length].TrimEnd(), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture,
                out double amount))
                return false;
            double milliseconds = amount * unit;
            if (!(milliseconds > 0) || milliseconds > int.MaxValue)
                return false;
            time = TimeSpan.FromMilliseconds(milliseconds);
            return true;
        }

        return false;
    }
}
