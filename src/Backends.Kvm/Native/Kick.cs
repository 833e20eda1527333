using System.Runtime.InteropServices;
using Hv.Core;

namespace Hv.Backends.Kvm.Native;

/// <summary>
/// Gets a thread out of KVM_RUN: a signal whose handler does nothing. The handler must be async-signal-safe native code, which managed code is not;
/// the C library's own abs() has the right shape and no effect. An ignored signal would not interrupt the call.
/// </summary>
internal static class Kick
{
    /// <summary>SIGRTMIN + 8: the runtime uses 34 (SIGRTMIN), this one is free.</summary>
    public const int Signal = 42;

    private static readonly Lazy<bool> s_installed = new(Install);

    /// <summary>Makes sure that the handler is there. Once a process.</summary>
    /// <exception cref="HvException">The signal could not be set up.</exception>
    public static void Prepare() => _ = s_installed.Value;

    /// <summary>Interrupts a thread of this process. A thread that has ended is no error.</summary>
    public static void Interrupt(int thread) => _ = Libc.SignalThread(Libc.ProcessId(), thread, Signal);

    // SAFETY: the handler is native code for the life of the process; null asks for no old action.
    private static unsafe bool Install()
    {
        nint library = NativeLibrary.Load("libc.so.6");
        var action = new SignalActionRecord { Handler = NativeLibrary.GetExport(library, "abs") };
        if (Libc.SignalAction(Signal, in action, null) != 0)
            throw KvmIoctl.Failure($"sigaction({Signal})");
        return true;
    }
}
