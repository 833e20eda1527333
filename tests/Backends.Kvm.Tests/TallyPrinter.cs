using Hv.Backends.Kvm.Tests;
using Xunit;

[assembly: AssemblyFixture(typeof(TallyPrinter))]

namespace Hv.Backends.Kvm.Tests;

/// <summary>Prints, when all tests are done, how many contract tests this host's KVM could run.</summary>
public sealed class TallyPrinter : IDisposable
{
    /// <inheritdoc/>
    public void Dispose()
    {
        Console.WriteLine($"contract tests on Kvm: {Subject.Kvm.Tally.Report}");
        Console.WriteLine($"the same in lock-step with Emulated: {Subject.LockStep.Tally.Report}");
    }
}
