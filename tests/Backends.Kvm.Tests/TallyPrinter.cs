using Hv.Backends.Kvm.Tests;
using Hv.Contracts;
using Xunit;

[assembly: AssemblyFixture(typeof(TallyPrinter))]

namespace Hv.Backends.Kvm.Tests;

/// <summary>Prints, when all tests are done, how many contract tests this host's KVM could run.</summary>
public sealed class TallyPrinter : IDisposable
{
    /// <inheritdoc/>
    public void Dispose() => Console.WriteLine($"Kvm {ContractTally.Line}");
}
