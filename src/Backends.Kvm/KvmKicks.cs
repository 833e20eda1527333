using System.Runtime.CompilerServices;
using Hv.Backends.Kvm.Native;
using Hv.Core.Exits;

namespace Hv.Backends.Kvm;

/// <summary>Getting a vCPU out of KVM_RUN: on request, and by the watchdog. The setters may be called from any thread.</summary>
internal struct KvmKicks
{
    private int _managedThread;
    private int _thread;
    private int _exitRequested;
    private int _overdue;
    private uint _entries;
    private uint _entriesSeen;

    /// <summary>Makes a running or the next entry return.</summary>
    public void Request(KvmRunPage page)
    {
        Volatile.Write(ref _exitRequested, 1);
        Interrupt(page);
    }

    /// <summary>For the watchdog: kicks the vCPU if it is inside the same KVM_RUN as at the look before.</summary>
    public void KickIfOverdue(KvmRunPage page)
    {
        uint entries = Volatile.Read(ref _entries);
        if ((entries & 1) != 0 && entries == _entriesSeen)
        {
            Volatile.Write(ref _overdue, 1);
            Interrupt(page);
        }

        _entriesSeen = entries;
    }

    /// <summary>Takes one reason not to enter.</summary>
    /// <returns>Whether there was one.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryTake(out ExitReason reason)
    {
        reason = ExitReason.Cancelled;
        if (Interlocked.Exchange(ref _exitRequested, 0) != 0)
            return true;
        reason = ExitReason.BudgetExpired;
        return Interlocked.Exchange(ref _overdue, 0) != 0;
    }

    /// <summary>Called on both sides of KVM_RUN: the count is odd while inside.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void CountEntry() => Volatile.Write(ref _entries, _entries + 1);

    /// <summary>Where a kick goes: the calling thread. The kernel is asked for its number only when it is another one than in the run
    /// before.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void NoteThread()
    {
        int current = Environment.CurrentManagedThreadId;
        if (current != _managedThread)
            NoteThread(current);
    }

    private void NoteThread(int managed)
    {
        _managedThread = managed;
        Volatile.Write(ref _thread, Libc.ThreadId());
    }

    private readonly void Interrupt(KvmRunPage page)
    {
        Volatile.Write(ref page.Run.immediate_exit, 1);
        int thread = Volatile.Read(in _thread);
        if (thread != 0)
            Kick.Interrupt(thread);
    }
}
