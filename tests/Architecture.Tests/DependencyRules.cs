using System.Xml.Linq;

namespace Hv.Architecture.Tests;

/// <summary>Rules over what a project or an assembly references. Pure, so that each is also tried on a reference that breaks it.</summary>
public static class DependencyRules
{
    /// <summary>What each project of src may reference among the others (docs/design.md).</summary>
    private static readonly Dictionary<string, string[]> Allowed = new(StringComparer.Ordinal)
    {
        ["Hv.Core"] = [],
        ["Hv.Cpu"] = ["Hv.Core"],
        ["Hv.Backends.Emulated"] = ["Hv.Core", "Hv.Cpu"],
        ["Hv.Backends.Vmx"] = ["Hv.Core", "Hv.Cpu"],
        ["Hv.Backends.Svm"] = ["Hv.Core", "Hv.Cpu"],
        ["Hv.Backends.Kvm"] = ["Hv.Core"],
        ["Hv.Host"] = ["Hv.Core", "Hv.Cpu", "Hv.Backends.Emulated", "Hv.Backends.Vmx", "Hv.Backends.Svm", "Hv.Backends.Kvm"],
    };

    /// <summary>The projects that have rules.</summary>
    public static IEnumerable<string> Projects => Allowed.Keys;

    /// <summary>References between projects that the design does not have.</summary>
    /// <param name="project">The project's name, for example <c>Hv.Cpu</c>.</param>
    /// <param name="csproj">Its file's text.</param>
    public static IEnumerable<string> ForbiddenProjectReferences(string project, string csproj) =>
        Forbidden(project, XDocument.Parse(csproj).Descendants("ProjectReference").Select(e => ProjectName(e.Attribute("Include")!.Value)));

    /// <summary>Package references of Core beyond abstractions.</summary>
    public static IEnumerable<string> ForbiddenCorePackages(string csproj) =>
        XDocument.Parse(csproj).Descendants("PackageReference").Select(e => e.Attribute("Include")!.Value)
            .Where(p => !IsAbstraction(p)).Select(p => $"Hv.Core references the package {p}");

    /// <summary>Referenced assemblies that the design does not have.</summary>
    /// <param name="assembly">The assembly's project, for example <c>Hv.Cpu</c>.</param>
    /// <param name="references">The names of the assemblies that it references.</param>
    public static IEnumerable<string> ForbiddenAssemblyReferences(string assembly, IReadOnlyCollection<string> references)
    {
        IEnumerable<string> ours = references.Where(r => r.StartsWith("Hv.", StringComparison.Ordinal) || r == "hv");
        IEnumerable<string> foreign = assembly != "Hv.Core"
            ? []
            : references.Except(ours).Where(r => !IsRuntime(r) && !IsAbstraction(r)).Select(r => $"{assembly} references {r}");
        return Forbidden(assembly, ours).Concat(foreign);
    }

    private static IEnumerable<string> Forbidden(string project, IEnumerable<string> references) =>
        Allowed.TryGetValue(project, out string[]? allowed)
            ? references.Except(allowed).Select(r => $"{project} references {r}")
            : [$"{project} has no rule: add it to DependencyRules"];

    private static string ProjectName(string path) => Path.GetFileNameWithoutExtension(path.Replace('\\', '/'));

    private static bool IsRuntime(string name) => name == "System" || name.StartsWith("System.", StringComparison.Ordinal);

    private static bool IsAbstraction(string name) =>
        name.StartsWith("Microsoft.Extensions.", StringComparison.Ordinal) && name.EndsWith(".Abstractions", StringComparison.Ordinal);
}
