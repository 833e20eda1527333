using System.Runtime.InteropServices;

namespace Hv.Bench.Compare;

/// <summary>The work of the guest `strings` done by the machine's own processor: the same instructions, run from an executable page.</summary>
internal static unsafe partial class NativeStrings
{
    private const int Size = 65536, ReadWriteExecute = 7, PrivateAnonymous = 0x22;

    /// <summary>Null when the machine can run it; else why not.</summary>
    public static string? Missing =>
        RuntimeInformation.ProcessArchitecture == Architecture.X64 && OperatingSystem.IsLinux() ? null : "not x86-64 Linux";

    /// <summary>CPU seconds for <paramref name="rounds"/> rounds of 2,000 pairs of REP MOVSB and REP STOSQ over 64 KiB.</summary>
    public static double Run(uint rounds)
    {
        // System V order: rdi destination, rsi source, rdx bytes, rcx value.
        ReadOnlySpan<byte> code =
        [
            0x48, 0x89, 0xC8,           // mov rax, rcx
            0x48, 0x89, 0xD1,           // mov rcx, rdx
            0x49, 0x89, 0xF0,           // mov r8, rsi
            0xF3, 0xA4,                 // rep movsb
            0x4C, 0x89, 0xC7,           // mov rdi, r8
            0x48, 0x89, 0xD1,           // mov rcx, rdx
            0x48, 0xC1, 0xE9, 0x03,     // shr rcx, 3
            0xF3, 0x48, 0xAB,           // rep stosq
            0xC3,                       // ret
        ];
        void* page = mmap(null, 4096, ReadWriteExecute, PrivateAnonymous, -1, 0);
        if ((nint)page == -1)
            throw new InvalidOperationException($"mmap of an executable page failed with {Marshal.GetLastPInvokeError()}");
        // SAFETY: the page holds code.Length bytes; the function touches only the two buffers of Size bytes.
        code.CopyTo(new Span<byte>(page, 4096));
        var pair = (delegate* unmanaged<void*, void*, ulong, ulong, void>)page;
        void* from = NativeMemory.AlignedAlloc(Size, 4096), to = NativeMemory.AlignedAlloc(Size, 4096);
        TimeSpan before = Environment.CpuUsage.TotalTime;
        for (ulong i = 0; i < rounds * 2000; i++)
            pair(to, from, Size, i);
        double seconds = (Environment.CpuUsage.TotalTime - before).TotalSeconds;
        NativeMemory.AlignedFree(from);
        NativeMemory.AlignedFree(to);
        _ = munmap(page, 4096);
        return seconds;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial void* mmap(void* address, nuint length, int protection, int flags, int fd, nint offset);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int munmap(void* address, nuint length);
}
