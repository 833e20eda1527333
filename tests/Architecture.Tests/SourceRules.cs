using System.Text.RegularExpressions;

namespace Hv.Architecture.Tests;

/// <summary>Rules over the text of one source file. Pure, so that each is also tried on text that breaks it.</summary>
public static partial class SourceRules
{
    private const int SafetyLinesAbove = 3;

    private static readonly HashSet<string> VendorWords = new(StringComparer.OrdinalIgnoreCase)
    {
        "intel", "amd", "genuineintel", "authenticamd", "vmx", "svm", "vmxon", "vmxoff", "vmcs", "vmcb", "vmcall", "vmmcall",
        "vmlaunch", "vmresume", "vmrun",
        "vmread", "vmwrite", "vmload", "vmsave", "ept", "npt", "invept", "stgi", "clgi", "skinit", "msrpm", "iopm",
    };

    private static readonly string[] VendorStems = ["intel", "vmcs", "vmcb", "vmcall", "vmmcall", "vmrun"];

    private static readonly string[] CatchAllStems = ["Common", "Util", "Utils", "Utilities", "Helper", "Helpers", "Manager", "Misc", "Shared"];

    /// <summary>Vendors' words in identifiers, strings and comments alike.</summary>
    public static IEnumerable<string> VendorWordsIn(string path, string text) =>
        from match in Words().Matches(text)
        where VendorWords.Contains(match.Value) || (HasVendorStem(match.Value) && !IsOrdinaryWord(match.Value))
        select $"{path}:{LineOf(text, match.Index)}: vendor's word '{match.Value}'";

    /// <summary>Each <c>unsafe</c> has a reason that begins with SAFETY within the three lines above it.</summary>
    public static IEnumerable<string> UnexplainedUnsafe(string path, string text)
    {
        string[] lines = text.Split('\n');
        for (int i = 0; i < lines.Length; i++)
        {
            if (UnsafeKeyword().IsMatch(WithoutCommentAndStrings(lines[i]))
                && !lines[Math.Max(0, i - SafetyLinesAbove)..(i + 1)].Any(l => l.Contains("// SAFETY:", StringComparison.Ordinal)))
            {
                yield return $"{path}:{i + 1}: unsafe without a SAFETY reason";
            }
        }
    }

    /// <summary>Work left for later.</summary>
    public static IEnumerable<string> LeftOvers(string path, string text) =>
        LeftOver().Matches(text).Select(m => $"{path}:{LineOf(text, m.Index)}: '{m.Value}' is left");

    /// <summary>File names that say nothing of what is inside.</summary>
    public static IEnumerable<string> CatchAllName(string path)
    {
        IEnumerable<string> words = Words().Matches(Path.GetFileNameWithoutExtension(path)).Select(m => m.Value);
        return words.Any(w => CatchAllStems.Contains(w, StringComparer.OrdinalIgnoreCase)) ? [$"{path}: a catch-all name"] : [];
    }

    private static bool HasVendorStem(string word) => VendorStems.Any(s => word.Contains(s, StringComparison.OrdinalIgnoreCase));

    private static bool IsOrdinaryWord(string word) => word.StartsWith("intell", StringComparison.OrdinalIgnoreCase);

    private static string WithoutCommentAndStrings(string line)
    {
        line = Strings().Replace(line, "\"\"");
        int comment = line.IndexOf("//", StringComparison.Ordinal);
        return comment < 0 ? line : line[..comment];
    }

    private static int LineOf(string text, int index) => text.AsSpan(0, index).Count('\n') + 1;

    // One word of an identifier in any casing: VmcsField is Vmcs and Field, VMRUN is one, AMD64 is AMD.
    [GeneratedRegex("[A-Z]+(?![a-z])|[A-Z]?[a-z]+")]
    private static partial Regex Words();

    [GeneratedRegex(@"\bunsafe\b")]
    private static partial Regex UnsafeKeyword();

    [GeneratedRegex("\"(\\\\.|[^\"\\\\])*\"")]
    private static partial Regex Strings();

    [GeneratedRegex(@"\bTODO\b|\bFIXME\b|\bXXX\b|\bHACK\b|\bNotImplementedException\b")]
    private static partial Regex LeftOver();
}
