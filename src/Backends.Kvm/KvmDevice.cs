using System.Runtime.InteropServices;
using Hv.Backends.Kvm.Abi;
using Hv.Backends.Kvm.Native;

namespace Hv.Backends.Kvm;

/// <summary>The opened /dev/kvm, checked to be KVM with the interface this backend is written for.</summary>
internal sealed class KvmDevice : IDisposable
{
    /// <summary>KVM_API_VERSION since Linux 2.6.22; it has not changed and is not expected to.</summary>
    public const int ApiVersion = 12;

    private readonly Lazy<KvmCpuid> _cpuid;

    private KvmDevice(int fd)
    {
        Fd = fd;
        _cpuid = new Lazy<KvmCpuid>(() => KvmCpuid.Of(this));
    }

    public int Fd { get; }

    /// <summary>Looks at every vCPU of the device.</summary>
    public required KvmWatchdog Watchdog { get; init; }

    /// <summary>What the host can offer a guest.</summary>
    public KvmCpuid Cpuid => _cpuid.Value;

    /// <summary>Bytes of a vCPU's shared mapping.</summary>
    public int RunSize { get; private init; }

    /// <summary>Opens the device that the options name.</summary>
    /// <returns>Null with the reason when it cannot be used.</returns>
    public static KvmDevice? TryOpen(KvmOptions options, out KvmRefusal? refusal)
    {
        string path = options.DevicePath;
        int fd = Libc.Open(path, Libc.ReadWrite | Libc.CloseOnExec);
        if (fd < 0)
        {
            refusal = WhyNot(path, Marshal.GetLastPInvokeError());
            return null;
        }

        var device = new KvmDevice(fd) { RunSize = Size(fd), Watchdog = new KvmWatchdog(options.Watchdog) };
        refusal = device.WhatIsMissing(path);
        if (refusal is null)
            return device;
        device.Dispose();
        return null;
    }

    /// <summary>KVM_CHECK_EXTENSION: 0 when absent. KVM also advertises what does not work here: <see cref="Probing.KvmProbe"/> tries it.</summary>
    // SAFETY: this ioctl takes a number where others take a pointer.
    public unsafe int Check(uint capability) => Math.Max(0, Libc.Ioctl(Fd, KvmIoctl.CheckExtension, (void*)capability));

    /// <inheritdoc/>
    public void Dispose()
    {
        Watchdog.Dispose();
        _ = Libc.Close(Fd);
    }

    // SAFETY: this ioctl takes no pointer.
    private static unsafe int Size(int fd) => Libc.Ioctl(fd, KvmIoctl.GetVcpuMmapSize, null);

    // SAFETY: null is the pointer of an ioctl that takes none.
    private unsafe KvmRefusal? WhatIsMissing(string path)
    {
        int version = Libc.Ioctl(Fd, KvmIoctl.GetApiVersion, null);
        if (version < 0)
        {
            string error = Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError());
            return new KvmRefusal(KvmRequirement.Kvm, $"{path} is not KVM (KVM_GET_API_VERSION: {error})", "name the right device");
        }

        if (version != ApiVersion)
            return new KvmRefusal(KvmRequirement.Kvm, $"{path} speaks KVM API version {version}, not {ApiVersion}", "update the kernel");
        (uint Capability, string Name)[] needed =
        [
            (KvmCap.UserMemory, "KVM_CAP_USER_MEMORY"), (KvmCap.SyncRegs, "KVM_CAP_SYNC_REGS"), (KvmCap.ImmediateExit, "KVM_CAP_IMMEDIATE_EXIT"),
            (KvmCap.X86UserSpaceMsr, "KVM_CAP_X86_USER_SPACE_MSR"), (KvmCap.X86MsrFilter, "KVM_CAP_X86_MSR_FILTER"),
            (KvmCap.ReadonlyMem, "KVM_CAP_READONLY_MEM"), (KvmCap.Xsave, "KVM_CAP_XSAVE"), (KvmCap.Xcrs, "KVM_CAP_XCRS"),
            (KvmCap.VcpuEvents, "KVM_CAP_VCPU_EVENTS"), (KvmCap.DebugRegs, "KVM_CAP_DEBUGREGS"),
        ];
        foreach ((uint capability, string name) in needed)
        {
            if (Check(capability) == 0)
                return new KvmRefusal(KvmRequirement.Kvm, $"{path} lacks {name}", "Linux 5.10 or later is needed");
        }

        return RunSize >= sizeof(KvmRun) ? null
            : new KvmRefusal(KvmRequirement.Kvm, $"{path} gives a vCPU mapping of {RunSize} bytes", "update the kernel");
    }

    private static KvmRefusal WhyNot(string path, int error) => error switch
    {
        Libc.Enoent => new KvmRefusal(KvmRequirement.Present, $"{path} does not exist",
            "load the module kvm_intel or kvm_amd, and see that virtualization is switched on in the firmware"),
        Libc.Eacces or Libc.Eperm => new KvmRefusal(KvmRequirement.Permitted, $"no permission to open {path}",
            "join its group (usually: usermod -aG kvm $USER, then log in again)"),
        Libc.Enodev or Libc.Enxio => new KvmRefusal(KvmRequirement.Present, $"{path} has no driver behind it",
            "load the module kvm_intel or kvm_amd"),
        _ => new KvmRefusal(KvmRequirement.Permitted, $"{path} cannot be opened: {Marshal.GetPInvokeErrorMessage(error)} (errno {error})",
            "name a device that can be opened for reading and writing"),
    };
}
