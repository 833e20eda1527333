using System.Globalization;

namespace Hv.Host.Configuration;

/// <summary>Sizes as people write them: <c>64MiB</c>, <c>1G</c>, <c>65536</c>, <c>0x10000</c>. Units are powers of 1024.</summary>
internal static class ByteSize
{
    private static readonly (string Suffix, int Shift)[] Units =
    [
        ("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40), ("K", 10), ("M", 20), ("G", 30), ("T", 40),
    ];

    /// <summary>Reads a size in bytes. False when it is not one, or does not fit in 64 bits.</summary>
    public static bool TryParse(string text, out ulong bytes)
    {
        ReadOnlySpan<char> number = text.AsSpan().Trim();
        int shift = 0;
        foreach ((string suffix, int unitShift) in Units)
        {
            if (number.EndsWith(suffix, StringComparison.OrdinalIgnoreCase))
            {
                number = number[..^suffix.Length].TrimEnd();
                shift = unitShift;
                break;
            }
        }

        if (!TryParseNumber(number, out bytes) || bytes > ulong.MaxValue >> shift)
            return false;
        bytes <<= shift;
        return true;
    }

    /// <summary>Reads a decimal number, or a hexadecimal one after <c>0x</c>, without sign or spaces.</summary>
    public static bool TryParseNumber(ReadOnlySpan<char> text, out ulong value)
    {
        if (text.StartsWith("0x", StringComparison.OrdinalIgnoreCase))
            return ulong.TryParse(text[2..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);
        return ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);
    }

    /// <summary>The size in the largest unit that divides it, for example <c>64 MiB</c>.</summary>
    public static string Format(ulong bytes)
    {
        for (int i = 3; i >= 0; i--)
        {
            (string suffix, int shift) = Units[i];
            if (bytes != 0 && bytes % (1UL << shift) == 0)
                return $"{bytes >> shift} {suffix}";
        }

        return $"{bytes} bytes";
    }
}
