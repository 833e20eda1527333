namespace Hv.Core.Hypercalls;

/// <summary>Where a guest's console output goes.</summary>
public interface IConsole
{
    /// <summary>Takes bytes as the guest wrote them; any values, any split.</summary>
    void Write(ReadOnlySpan<byte> bytes);
}

/// <summary>The console of a host that registers none: output is dropped.</summary>
public sealed class NullConsole : IConsole
{
    /// <inheritdoc/>
    public void Write(ReadOnlySpan<byte> bytes)
    {
    }
}
