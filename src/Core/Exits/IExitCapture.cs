namespace Hv.Core.Exits;

/// <summary>Turns a backend's raw exit record into a neutral exit: pure, total (unknown codes become <see cref="ExitReason.Unknown"/>), tested
/// without a guest.</summary>
/// <typeparam name="TRaw">The backend's own record of an exit.</typeparam>
public interface IExitCapture<TRaw> where TRaw : allows ref struct
{
    /// <summary>Reads <paramref name="raw"/> and nothing else.</summary>
    static abstract void Capture(in TRaw raw, out VmExit exit);
}
