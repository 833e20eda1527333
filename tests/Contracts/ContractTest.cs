using System.Diagnostics.CodeAnalysis;
using Hv.Contracts.Guests;
using Hv.Core;
using Hv.Core.Machine;
using Xunit;
using Xunit.Sdk;

namespace Hv.Contracts;

/// <summary>The base of the contracts. A backend's test project derives one sealed class from each and passes its
/// <see cref="BackendUnderTest"/>.</summary>
public abstract class ContractTest : IDisposable
{
    private readonly BackendUnderTest _subject;
    private string? _whySkipped;

    protected ContractTest(BackendUnderTest subject)
    {
        _subject = subject;
        Backend = subject.Create();
    }

    protected IBackend Backend { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        _subject.Tally.Count(TestContext.Current.TestState?.Result, _whySkipped);
        GC.SuppressFinalize(this);
    }

    /// <summary>Skips the test, saying why, where the backend cannot run here or lacks an ability.</summary>
    protected void Need(BackendCapabilities capabilities)
    {
        BackendAvailability availability = Backend.Availability;
        if (!availability.IsAvailable)
            Skip($"{Backend.Name} cannot run here: {availability.Reason}");
        BackendCapabilities missing = capabilities & ~Backend.Capabilities;
        if (missing != 0)
            Skip($"{Backend.Name} does not declare {missing}");
    }

    /// <summary>Starts a guest on a vCPU of the backend alone, without a machine around it.</summary>
    protected VcpuHarness Start(GuestImage image, BackendCapabilities needs = BackendCapabilities.None)
    {
        Need(image.Mode.Needs() | image.Mode.Narrow(needs));
        return new VcpuHarness(Backend, image) { HostCannot = WhyHostCannot };
    }

    /// <summary>Makes a machine of the backend with a guest in it.</summary>
    protected MachineHarness Boot(GuestImage image, VirtualMachineOptions? options = null, BackendCapabilities needs = BackendCapabilities.None)
    {
        Need(image.Mode.Needs() | image.Mode.Narrow(needs));
        return new MachineHarness(Backend, image, options) { HostCannot = WhyHostCannot };
    }

    /// <summary>The other backend, for guests that move.</summary>
    protected IBackend CreateOther()
    {
        if (_subject.CreateOther is null)
            Skip("no other backend was given to move the guest to");
        return _subject.CreateOther();
    }

    /// <summary>Checks a rule. Where the backend has declared that it does not keep it, the check must fail, and the test is skipped with the
    /// declared
    /// reason; a deviation that no longer is one fails.</summary>
    protected void Holds(string rule, Action check)
    {
        Deviation? deviation = _subject.Deviations.FirstOrDefault(d => d.Rule == rule);
        if (deviation is null)
        {
            check();
            return;
        }

        bool holds = true;
        try
        {
            check();
        }
        catch (Exception e) when (e is IAssertionException and not SkipException)
        {
            holds = false;
        }

        Assert.False(holds, $"{Backend.Name} declares that it does not keep \"{rule}\", but it does: remove the deviation");
        Skip(ContractTally.DeviationMark + deviation.Reason);
    }

    /// <summary>Ends the test as skipped, with the reason in its report and in the tally.</summary>
    [DoesNotReturn]
    protected void Skip(string reason)
    {
        _whySkipped = reason;
        Assert.Skip(reason);
    }

    /// <summary>Called by a harness, which skips with what it returns.</summary>
    private string? WhyHostCannot(string failure) => _whySkipped = _subject.HostCannot?.Invoke(failure);
}
