using System.Runtime.InteropServices;
using Hv.Backends.Kvm.Abi;
using Hv.Core;

namespace Hv.Backends.Kvm.Native;

/// <summary>The request numbers of KVM's ioctls, computed as the kernel's _IOC macros do (asm-generic/ioctl.h), and the calls with their
/// errors.</summary>
// SAFETY: passes the caller's pointer on to ioctl, whose request number carries the size that the kernel moves.
internal static unsafe class KvmIoctl
{
    /// <summary>KVM_RUN as a constant, for the run loop.</summary>
    public const nuint RunNumber = 0xAE80;

    private const uint Kvm = 0xAE, Write = 1, Read = 2;

    public static readonly nuint
        GetApiVersion = Request(0, 0x00, 0), CreateVm = Request(0, 0x01, 0), CheckExtension = Request(0, 0x03, 0),
        GetVcpuMmapSize = Request(0, 0x04, 0),
        GetSupportedCpuid = Request(Read | Write, 0x05, 8), CreateVcpu = Request(0, 0x41, 0),
        GetDirtyLog = Request(Write, 0x42, sizeof(KvmDirtyLog)), SetUserMemoryRegion = Request(Write, 0x46, sizeof(KvmUserspaceMemoryRegion)),
        SetTssAddress = Request(0, 0x47, 0), SetIdentityMapAddress = Request(Write, 0x48, 8), Run = RunNumber,
        GetRegs = Request(Read, 0x81, sizeof(KvmRegs)), SetRegs = Request(Write, 0x82, sizeof(KvmRegs)),
        GetSregs = Request(Read, 0x83, sizeof(KvmSregs)), SetSregs = Request(Write, 0x84, sizeof(KvmSregs)),
        Interrupt = Request(Write, 0x86, 4),
        GetMsrs = Request(Read | Write, 0x88, 8), SetMsrs = Request(Write, 0x89, 8), SetCpuid2 = Request(Write, 0x90, 8),
        GetMpState = Request(Read, 0x98, 4), SetMpState = Request(Write, 0x99, 4),
        GetVcpuEvents = Request(Read, 0x9F, sizeof(KvmVcpuEvents)), SetVcpuEvents = Request(Write, 0xA0, sizeof(KvmVcpuEvents)),
        GetDebugRegs = Request(Read, 0xA1, sizeof(KvmDebugRegs)), SetDebugRegs = Request(Write, 0xA2, sizeof(KvmDebugRegs)),
        EnableCap = Request(Write, 0xA3, sizeof(KvmEnableCap)), GetXsave = Request(Read, 0xA4, 4096), SetXsave = Request(Write, 0xA5, 4096),
        GetXcrs = Request(Read, 0xA6, sizeof(KvmXcrs)), SetXcrs = Request(Write, 0xA7, sizeof(KvmXcrs)),
        SetMsrFilter = Request(Write, 0xC6, sizeof(KvmMsrFilter));

    /// <summary>_IOC(direction, 0xAE, number, size).</summary>
    public static nuint Request(uint direction, uint number, int size) => (direction << 30) | ((uint)size << 16) | (Kvm << 8) | number;

    /// <summary>Makes a call that must succeed; the result.</summary>
    /// <exception cref="HvException">It failed; the message names it and the error.</exception>
    public static int Call(int fd, nuint request, string name, void* argument = null)
    {
        int result;
        do
            result = Libc.Ioctl(fd, request, argument);
        while (result < 0 && Marshal.GetLastPInvokeError() is Libc.Eintr);
        return result >= 0 ? result : throw Failure(name);
    }

    /// <summary>Makes a call whose argument is a record.</summary>
    /// <exception cref="HvException">It failed; the message names it and the error.</exception>
    public static int Call<T>(int fd, nuint request, string name, ref T argument) where T : unmanaged
    {
        fixed (T* record = &argument)
            return Call(fd, request, name, record);
    }

    /// <summary>Makes a call that hands over guest state, which the kernel may refuse as impossible.</summary>
    /// <returns>Whether the kernel took it; not where it answered EINVAL.</returns>
    /// <exception cref="HvException">It failed for another reason.</exception>
    public static bool Offer<T>(int fd, nuint request, string name, ref T state) where T : unmanaged
    {
        fixed (T* record = &state)
        {
            if (Libc.Ioctl(fd, request, record) >= 0)
                return true;
        }

        return Marshal.GetLastPInvokeError() is Libc.Einval ? false : throw Failure(name);
    }

    /// <summary>What a failed call says.</summary>
    public static HvException Failure(string name)
    {
        int error = Marshal.GetLastPInvokeError();
        return new HvException($"KVM: {name} failed: {Marshal.GetPInvokeErrorMessage(error)} (errno {error})");
    }
}
