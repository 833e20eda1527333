using Hv.Contracts;
using Xunit;

namespace Hv.Backends.Kvm.Tests;

/// <summary>A contract that is added to the suite is held on /dev/kvm, alone and in lock-step, or this fails.</summary>
public class CompletenessTests
{
    public static TheoryData<string> Contracts =>
        [.. typeof(ContractTest).Assembly.GetExportedTypes().Where(t => t.IsAbstract && t.BaseType == typeof(ContractTest)).Select(t => t.Name)];

    [Theory]
    [MemberData(nameof(Contracts))]
    public void Every_contract_is_held_alone_and_in_lock_step(string contract)
    {
        string[] classes = [.. typeof(CompletenessTests).Assembly.GetTypes().Where(t => t.BaseType?.Name == contract).Select(t => t.Name).Order()];
        Assert.Equal(2, classes.Length);
        Assert.StartsWith("Kvm", classes[0], StringComparison.Ordinal);
        Assert.StartsWith("LockStep", classes[1], StringComparison.Ordinal);
    }

    [Fact]
    public void There_are_contracts() => Assert.True(Contracts.Count >= 15);
}
