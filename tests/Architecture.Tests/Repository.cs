namespace Hv.Architecture.Tests;

/// <summary>The working copy that the tests were built from.</summary>
public static class Repository
{
    /// <summary>Its root: the folder of hv.sln.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>Files under a folder of the root, without build output.</summary>
    public static IEnumerable<string> Files(string folder, string pattern) =>
        Directory.EnumerateFiles(Path.Combine(Root, folder), pattern, SearchOption.AllDirectories)
            .Where(f => !f.Split(Path.DirectorySeparatorChar).Any(part => part is "bin" or "obj" or "BenchmarkDotNet.Artifacts"))
            .Order(StringComparer.Ordinal);

    /// <summary>The path inside the repository, for messages.</summary>
    public static string Relative(string path) => Path.GetRelativePath(Root, path);

    private static string FindRoot()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "hv.sln")))
                return folder.FullName;
        }

        throw new InvalidOperationException($"hv.sln is in no folder above {AppContext.BaseDirectory}");
    }
}
