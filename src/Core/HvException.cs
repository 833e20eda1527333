namespace Hv.Core;

/// <summary>The host failed, not the guest: the message names the call that failed and what it said.</summary>
public sealed class HvException : Exception
{
    public HvException(string message) : base(message) { }

    public HvException(string message, Exception inner) : base(message, inner) { }
}
