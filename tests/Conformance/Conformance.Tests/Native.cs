using Hv.Conformance.Oracle;
using Xunit;

namespace Hv.Conformance.Tests;

/// <summary>Skips a test, with the reason, where this machine cannot execute cases.</summary>
internal static class Native
{
    public static void Require()
    {
        if (NativeOracle.WhyNot() is { } reason)
            Assert.Skip(reason);
    }
}
