using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Hv.Backends.Kvm.Abi;
using Hv.Backends.Kvm.Native;
using Hv.Core;

namespace Hv.Backends.Kvm;

/// <summary>A vCPU's file descriptor and the page that it shares with the kernel: entering the guest, and the data of its exits.</summary>
// SAFETY: the page is mapped from construction to Dispose and as long as KVM said; ranges inside it are checked against that length.
internal sealed unsafe class KvmRunPage : IDisposable
{
    /// <summary>A read-modify-write of a hole asks twice; no instruction asks more often than this.</summary>
    private const int MostQuestions = 16;

    private readonly KvmRun* _run;
    private readonly nuint _size;

    /// <summary>Maps the page of <paramref name="fd"/>, which it owns from now on.</summary>
    /// <exception cref="HvException">The kernel refused; the descriptor is closed.</exception>
    public KvmRunPage(int fd, nuint size)
    {
        Fd = fd;
        _size = size;
        // SAFETY: the kernel's mapping of size bytes starts with struct kvm_run; unmapped in Dispose only.
        void* page = Libc.MemoryMap(null, size, Libc.ProtectReadWrite, Libc.MapShared, fd, 0);
        if ((nint)page == -1)
        {
            HvException failure = KvmIoctl.Failure("mmap of the vCPU's page");
            _ = Libc.Close(fd);
            throw failure;
        }

        _run = (KvmRun*)page;
    }

    /// <summary>The vCPU's descriptor.</summary>
    public int Fd { get; }

    /// <summary>The page's structure; valid until <see cref="Dispose"/>.</summary>
    public ref KvmRun Run => ref *_run;

    /// <summary>Runs the guest until an exit.</summary>
    /// <returns>0, or the error number.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Enter() => Libc.IoctlWithoutError(Fd, KvmIoctl.RunNumber, null) == 0 ? 0 : EnterForError();

    /// <summary>
    /// Enters once more to learn the error of an entry that failed. Keeping the error of every entry takes three calls in other libraries, each
    /// with its cold page, for what a signal makes needed: a kick has left immediate_exit set, so that it fails the same way, and a fault of host
    /// memory repeats itself.
    /// </summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private int EnterForError() => Libc.Ioctl(Fd, KvmIoctl.Run, null) == 0 ? 0 : Marshal.GetLastPInvokeError();

    /// <summary>KVM_RUN that is told to return at once: finishes an instruction that was answered, and brings the page up to date.</summary>
    /// <returns>Whether it returned an exit all the same: that instruction asks again.</returns>
    public bool EnterAndReturn()
    {
        Volatile.Write(ref _run->immediate_exit, 1);
        bool asks = Libc.Ioctl(Fd, KvmIoctl.Run, null) == 0;
        Volatile.Write(ref _run->immediate_exit, 0);
        return asks;
    }

    /// <summary>Lets KVM finish the instruction of the last exit, so that its state is consistent (KVM API, 4.10 KVM_RUN).</summary>
    public void Drain()
    {
        _run->kvm_dirty_regs = 0;
        for (int i = 0; i < MostQuestions && EnterAndReturn(); i++)
        {
        }
    }

    /// <summary>The bytes of a port access, <paramref name="offset"/> bytes into the mapping.</summary>
    /// <exception cref="HvException">KVM named a range outside it.</exception>
    public Span<byte> Data(ulong offset, byte length)
    {
        if (length is not (1 or 2 or 4) || offset > _size || _size - offset < length)
            throw new HvException($"KVM: port exit with size {length} and data at {offset} outside the vCPU's {_size} bytes");
        // SAFETY: just checked to lie in the mapping.
        return new Span<byte>((byte*)_run + offset, length);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _ = Libc.MemoryUnmap(_run, _size);
        _ = Libc.Close(Fd);
    }
}
