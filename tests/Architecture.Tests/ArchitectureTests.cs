using System.Reflection;

namespace Hv.Architecture.Tests;

/// <summary>The house rules on this repository. That each rule finds what it should is shown in <see cref="RuleTests"/>.</summary>
public sealed class ArchitectureTests
{
    public static TheoryData<string> Projects => [.. DependencyRules.Projects];

    [Theory]
    [MemberData(nameof(Projects))]
    public void Projects_reference_only_what_the_design_says(string project)
    {
        string path = Assert.Single(Repository.Files("src", $"{project}.csproj"));

        None(DependencyRules.ForbiddenProjectReferences(project, File.ReadAllText(path)));
    }

    [Theory]
    [MemberData(nameof(Projects))]
    public void Assemblies_reference_only_what_the_design_says(string project)
    {
        var assembly = Assembly.Load(project == "Hv.Host" ? "hv" : project);

        None(DependencyRules.ForbiddenAssemblyReferences(project, [.. assembly.GetReferencedAssemblies().Select(a => a.Name!)]));
    }

    [Fact]
    public void Every_project_of_src_has_a_rule() =>
        Assert.Equal(DependencyRules.Projects.Order(), Repository.Files("src", "*.csproj").Select(Path.GetFileNameWithoutExtension).Order());

    [Fact]
    public void Core_uses_packages_of_abstractions_alone() =>
        None(DependencyRules.ForbiddenCorePackages(File.ReadAllText(Assert.Single(Repository.Files("src", "Hv.Core.csproj")))));

    [Fact]
    public void Core_says_no_vendors_word() =>
        None(Repository.Files("src/Core", "*.cs*").SelectMany(f => SourceRules.VendorWordsIn(Repository.Relative(f), File.ReadAllText(f))));

    [Fact]
    public void Every_unsafe_has_its_reason() =>
        None(Repository.Files("src", "*.cs").SelectMany(f => SourceRules.UnexplainedUnsafe(Repository.Relative(f), File.ReadAllText(f))));

    [Fact]
    public void Nothing_is_left_for_later() =>
        None(Repository.Files("src", "*.cs").SelectMany(f => SourceRules.LeftOvers(Repository.Relative(f), File.ReadAllText(f))));

    [Fact]
    public void No_file_is_a_catch_all() =>
        None(new[] { "src", "tests", "bench" }
            .SelectMany(folder => Repository.Files(folder, "*.cs"))
            .SelectMany(f => SourceRules.CatchAllName(Repository.Relative(f))));

    // All of them, in full: the runner's own message shows five and cuts them.
    private static void None(IEnumerable<string> findings)
    {
        string[] all = [.. findings];
        Assert.True(all.Length == 0, string.Join('\n', all));
    }
}
