using Hv.Conformance.Campaigns.Forms;
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

    /// <summary>What this machine can run, found once.</summary>
    public static OracleCapabilities Capabilities => _capabilities.Value;

    /// <summary>The same for a test that needs code of a width.</summary>
    public static void Require(CodeMode mode)
    {
        Require();
        if (Capabilities.WhyNot((int)mode) is { } reason)
            Assert.Skip($"this machine runs no {(int)mode}-bit code: {reason}");
    }

    private static readonly Lazy<OracleCapabilities> _capabilities = new(() =>
    {
        using var native = new NativeOracle();
        return native.Capabilities;
    });
}
