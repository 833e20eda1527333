namespace Hv.Architecture.Tests;

/// <summary>Each rule on a planted violation, which it must find, and on what looks like one and is none.</summary>
public sealed class RuleTests
{
    [Theory]
    [InlineData("// as VMCALL does")]
    [InlineData("class VmxThing;")]
    [InlineData("var vmcsField = 1;")]
    [InlineData("int lastVmcbOffset;")]
    [InlineData("string s = \"GenuineIntel\";")]
    [InlineData("// on AMD64 parts")]
    [InlineData("bool isSvm;")]
    [InlineData("const int EPT_VIOLATION = 48;")]
    [InlineData("int vmcsrevision;")]
    public void A_vendors_word_is_found(string text) => Assert.Single(SourceRules.VendorWordsIn("a.cs", text));

    [Theory]
    [InlineData("// accept, except, concept, intelligible, intellect")]
    [InlineData("const uint KVM_PARA_API_VERSION = 1;")]
    [InlineData("/// <summary>SDM 3A 4.1.4, APM 2 15.5</summary>")]
    [InlineData("class VirtualMachine { VmExit exit; IVcpu vcpu; }")]
    public void An_ordinary_word_is_not(string text) => Assert.Empty(SourceRules.VendorWordsIn("a.cs", text));

    [Fact]
    public void A_finding_names_file_and_line() => Assert.Equal(["a.cs:2: vendor's word 'Vmcs'"], SourceRules.VendorWordsIn("a.cs", "x\nVmcs y;"));

    [Theory]
    [InlineData("unsafe void M() { }")]
    [InlineData("// SAFETY: too far away\n\n\n\nunsafe void M() { }")]
    [InlineData("// it is safe\npublic unsafe class A;")]
    public void An_unsafe_without_a_reason_is_found(string text) => Assert.Single(SourceRules.UnexplainedUnsafe("a.cs", text));

    [Theory]
    [InlineData("// SAFETY: the page is pinned\nunsafe void M() { }")]
    [InlineData("// SAFETY: the page is pinned\n\n\nunsafe { }")]
    [InlineData("// unsafe is a word here")]
    [InlineData("string s = \"unsafe\";")]
    [InlineData("Unsafe.SizeOf<int>();")]
    public void An_unsafe_with_a_reason_is_not(string text) => Assert.Empty(SourceRules.UnexplainedUnsafe("a.cs", text));

    [Theory]
    [InlineData("// TODO: later")]
    [InlineData("// FIXME")]
    [InlineData("throw new NotImplementedException();")]
    public void Work_left_is_found(string text) => Assert.Single(SourceRules.LeftOvers("a.cs", text));

    [Theory]
    [InlineData("src/Core/Common.cs")]
    [InlineData("src/Core/StringUtils.cs")]
    [InlineData("src/Core/MemoryHelper.cs")]
    [InlineData("src/Core/VcpuManager.cs")]
    public void A_catch_all_name_is_found(string path) => Assert.Single(SourceRules.CatchAllName(path));

    [Theory]
    [InlineData("src/Core/Memory/GuestMemory.cs")]
    [InlineData("src/Core/Commonwealth.cs")]
    public void A_telling_name_is_not(string path) => Assert.Empty(SourceRules.CatchAllName(path));

    [Theory]
    [InlineData("Hv.Core", "../Cpu/Hv.Cpu.csproj")]
    [InlineData("Hv.Cpu", "../Backends.Vmx/Hv.Backends.Vmx.csproj")]
    [InlineData("Hv.Cpu", @"..\Backends.Emulated\Hv.Backends.Emulated.csproj")]
    [InlineData("Hv.Backends.Vmx", "../Backends.Svm/Hv.Backends.Svm.csproj")]
    [InlineData("Hv.Backends.Kvm", "../Cpu/Hv.Cpu.csproj")]
    [InlineData("Hv.Backends.Emulated", "../Host/Hv.Host.csproj")]
    [InlineData("Hv.Nowhere", "../Core/Hv.Core.csproj")]
    public void A_forbidden_project_reference_is_found(string project, string reference) =>
        Assert.Single(DependencyRules.ForbiddenProjectReferences(project, $"<Project><ProjectReference Include=\"{reference}\" /></Project>"));

    [Fact]
    public void An_allowed_project_reference_is_not() =>
        Assert.Empty(DependencyRules.ForbiddenProjectReferences(
            "Hv.Backends.Vmx",
            "<Project><ProjectReference Include=\"../Core/Hv.Core.csproj\" /><ProjectReference Include=\"../Cpu/Hv.Cpu.csproj\" /></Project>"));

    [Theory]
    [InlineData("Hv.Core", "Hv.Cpu")]
    [InlineData("Hv.Core", "Iced")]
    [InlineData("Hv.Core", "Serilog")]
    [InlineData("Hv.Core", "Microsoft.Extensions.Hosting")]
    [InlineData("Hv.Cpu", "Hv.Backends.Svm")]
    [InlineData("Hv.Backends.Svm", "Hv.Backends.Vmx")]
    [InlineData("Hv.Backends.Svm", "hv")]
    public void A_forbidden_assembly_reference_is_found(string assembly, string reference) =>
        Assert.Single(DependencyRules.ForbiddenAssemblyReferences(assembly, ["System.Runtime", reference]));

    [Theory]
    [InlineData("Hv.Core", "Microsoft.Extensions.Logging.Abstractions")]
    [InlineData("Hv.Core", "System.Collections")]
    [InlineData("Hv.Host", "Hv.Backends.Svm")]
    [InlineData("Hv.Host", "Serilog")]
    public void An_allowed_assembly_reference_is_not(string assembly, string reference) =>
        Assert.Empty(DependencyRules.ForbiddenAssemblyReferences(assembly, [reference]));

    [Fact]
    public void A_package_that_is_no_abstraction_is_found_in_core() =>
        Assert.Equal(["Hv.Core references the package Serilog"], DependencyRules.ForbiddenCorePackages(
            "<Project><PackageReference Include=\"Serilog\" /><PackageReference Include=\"Microsoft.Extensions.Logging.Abstractions\" /></Project>"));
}
