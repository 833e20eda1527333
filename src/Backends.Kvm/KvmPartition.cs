using Hv.Backends.Kvm.Abi;
using Hv.Backends.Kvm.Native;
using Hv.Core;
using Hv.Core.Cpuid;
using Hv.Core.Memory;

namespace Hv.Backends.Kvm;

/// <summary>A virtual machine of /dev/kvm: its slots mirror those of the guest's memory.</summary>
// SAFETY: pointers go to the kernel for one call each, to locals or fixed memory; slots are removed before the memory behind them.
public sealed unsafe class KvmPartition : IPartition, IMemoryObserver
{
    private readonly KvmDevice _device;
    private readonly int _fd;
    private readonly CpuidTable _cpuid;
    private readonly Dictionary<MemorySlot, uint> _slots = [];
    private readonly Lock _slotLock = new();
    private uint _nextSlot;
    private bool _disposed;

    internal KvmPartition(KvmDevice device, GuestMemory memory, CpuidTable cpuid, ushort hypercallPort, byte outLength)
    {
        _device = device;
        Memory = memory;
        _cpuid = device.Cpuid.Mask(cpuid);
        HypercallPort = hypercallPort;
        OutLength = outLength;
        _fd = KvmIoctl.Call(device.Fd, KvmIoctl.CreateVm, "KVM_CREATE_VM");
        try
        {
            EnableUserSpaceMsrs();
            DisableHypercallQuirk();
            OnSlotsChanged();
            memory.Subscribe(this);
        }
        catch
        {
            _ = Libc.Close(_fd);
            throw;
        }
    }

    /// <inheritdoc/>
    public GuestMemory Memory { get; }

    /// <summary>The port whose OUT imm8 is the exit instruction.</summary>
    internal ushort HypercallPort { get; }

    /// <summary>How far RIP is past an OUT imm8 at its exit on this host.</summary>
    internal byte OutLength { get; }

    /// <summary>Bounds the time of each KVM_RUN.</summary>
    internal KvmWatchdog Watchdog => _device.Watchdog;

    /// <inheritdoc/>
    public IVcpu CreateVcpu(int index)
    {
        int fd = KvmIoctl.Call(_fd, KvmIoctl.CreateVcpu, "KVM_CREATE_VCPU", (void*)(nint)index);
        try
        {
            KvmCpuid.Set(fd, _cpuid, index);
        }
        catch
        {
            _ = Libc.Close(fd);
            throw;
        }

        var page = new KvmRunPage(fd, (nuint)_device.RunSize);
        try
        {
            return new KvmVcpu(this, index, page);
        }
        catch
        {
            page.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void OnHostWrite(Gpa address, ulong length)
    {
        // The kernel sees host writes to a slot's memory at once.
    }

    /// <inheritdoc/>
    public void OnDirtyLogCollected()
    {
        // KVM_GET_DIRTY_LOG clears its log as it reads it.
    }

    /// <inheritdoc/>
    public void OnDirtyLogRead(MemorySlot slot)
    {
        lock (_slotLock)
        {
            if (!_slots.TryGetValue(slot, out uint number))
                return;
            ulong[] bitmap = new ulong[slot.DirtyWords];
            // SAFETY: KVM writes one bit a page of the slot, rounded up to 64: the array's length; it is pinned during the call.
            fixed (ulong* words = bitmap)
            {
                var log = new KvmDirtyLog { slot = number, dirty_bitmap = (ulong)words };
                KvmIoctl.Call(_fd, KvmIoctl.GetDirtyLog, "KVM_GET_DIRTY_LOG", ref log);
            }

            slot.AddDirty(bitmap);
        }
    }

    /// <inheritdoc/>
    public void OnSlotsChanged()
    {
        lock (_slotLock)
        {
            IReadOnlyList<MemorySlot> wanted = Memory.Slots;
            foreach (MemorySlot gone in _slots.Keys.Except(wanted).ToArray())
            {
                Set(gone, _slots[gone], size: 0);
                _slots.Remove(gone);
            }

            foreach (MemorySlot added in wanted.Where(slot => !_slots.ContainsKey(slot)))
            {
                uint number = _nextSlot++;
                Set(added, number, added.Size);
                _slots.Add(added, number);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        Memory.Unsubscribe(this);
        _ = Libc.Close(_fd);
    }

    private void Set(MemorySlot slot, uint number, ulong size)
    {
        var region = new KvmUserspaceMemoryRegion
        {
            slot = number,
            flags = KvmUserspaceMemoryRegion.LogDirtyPages | (slot.Kind == SlotKind.ReadOnly ? KvmUserspaceMemoryRegion.ReadOnly : 0),
            guest_phys_addr = slot.Start.Value,
            memory_size = size,
            userspace_addr = (ulong)slot.HostBase,
        };
        KvmIoctl.Call(_fd, KvmIoctl.SetUserMemoryRegion, "KVM_SET_USER_MEMORY_REGION", ref region);
    }

    /// <summary>An MSR that KVM does not know, and KVM's own paravirtual ones, come to Core, which alone decides what exists.</summary>
    private void EnableUserSpaceMsrs()
    {
        var exits = new KvmEnableCap { cap = KvmCap.X86UserSpaceMsr, arg0 = KvmCap.MsrExitUnknown | KvmCap.MsrExitFilter };
        KvmIoctl.Call(_fd, KvmIoctl.EnableCap, "KVM_ENABLE_CAP(X86_USER_SPACE_MSR)", ref exits);
        byte* denied = stackalloc byte[32];
        new Span<byte>(denied, 32).Clear();
        var filter = new KvmMsrFilter
        {
            range = new KvmMsrFilterRange
            {
                flags = KvmMsrFilterRange.Read | KvmMsrFilterRange.Write,
                nmsrs = 256,
                @base = 0x4B564D00,
                bitmap = (ulong)denied,
            },
        };
        KvmIoctl.Call(_fd, KvmIoctl.SetMsrFilter, "KVM_X86_SET_MSR_FILTER", ref filter);
    }

    /// <summary>Without this a stray VMCALL or VMMCALL makes the kernel rewrite the guest's bytes, and on some hosts for ever.</summary>
    private void DisableHypercallQuirk()
    {
        if ((_device.Check(KvmCap.DisableQuirks2) & (int)KvmCap.QuirkFixHypercallInstruction) == 0)
            return;
        var quirk = new KvmEnableCap { cap = KvmCap.DisableQuirks2, arg0 = KvmCap.QuirkFixHypercallInstruction };
        KvmIoctl.Call(_fd, KvmIoctl.EnableCap, "KVM_ENABLE_CAP(DISABLE_QUIRKS2)", ref quirk);
    }
}
