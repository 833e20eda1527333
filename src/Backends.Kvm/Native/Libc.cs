using System.Runtime.InteropServices;

namespace Hv.Backends.Kvm.Native;

/// <summary>The few calls of the C library that the backend makes. Each sets the last P/Invoke error.</summary>
// SAFETY: declarations alone, as the C library's headers have them.
internal static unsafe partial class Libc
{
    public const int ReadWrite = 2, CloseOnExec = 0x80000;
    public const int ProtectReadWrite = 3, MapShared = 1;
    public const int Enoent = 2, Eintr = 4, Enxio = 6, Eagain = 11, Eacces = 13, Efault = 14, Enodev = 19, Einval = 22, Eperm = 1, Enotty = 25;

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    public static partial int Close(int fd);

    /// <summary>Blocks while KVM_RUN is inside the guest: never to be marked SuppressGCTransition.</summary>
    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    public static partial int Ioctl(int fd, nuint request, void* argument);

    /// <summary>As <see cref="Ioctl"/>, but the error of a failure is lost: nothing is between the caller and the C library.</summary>
    [LibraryImport("libc", EntryPoint = "ioctl")]
    public static partial int IoctlWithoutError(int fd, nuint request, void* argument);

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    public static partial void* MemoryMap(void* address, nuint length, int protection, int flags, int fd, nint offset);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    public static partial int MemoryUnmap(void* address, nuint length);

    [LibraryImport("libc", EntryPoint = "getpid")]
    public static partial int ProcessId();

    [LibraryImport("libc", EntryPoint = "gettid")]
    public static partial int ThreadId();

    [LibraryImport("libc", EntryPoint = "tgkill", SetLastError = true)]
    public static partial int SignalThread(int process, int thread, int signal);

    [LibraryImport("libc", EntryPoint = "sigaction", SetLastError = true)]
    public static partial int SignalAction(int signal, in SignalActionRecord action, void* previous);
}

/// <summary>struct sigaction of glibc on x86-64: 152 bytes.</summary>
[StructLayout(LayoutKind.Explicit, Size = 152)]
internal struct SignalActionRecord
{
    [FieldOffset(0)] public nint Handler;

    /// <summary>128 bytes of mask follow, all clear.</summary>
    [FieldOffset(136)] public int Flags;
}
