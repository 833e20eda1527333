using System.Runtime.InteropServices;
using Xunit;

namespace Hv.Backends.Kvm.Tests;

/// <summary>Takes a page of a slot's host memory away and puts one back: the only way to make KVM_RUN fail with EFAULT.</summary>
internal static unsafe partial class NativeUnmap
{
    private const int PageSize = 4096, ReadWrite = 3, FixedPrivateAnonymous = 0x32;

    public static void Page(nint address) => Assert.Equal(0, munmap((void*)address, PageSize));

    public static void Restore(nint address) => Assert.Equal(address, (nint)mmap((void*)address, PageSize, ReadWrite, FixedPrivateAnonymous, -1, 0));

    [LibraryImport("libc")]
    private static partial int munmap(void* address, nuint length);

    [LibraryImport("libc")]
    private static partial void* mmap(void* address, nuint length, int protection, int flags, int fd, nint offset);
}
