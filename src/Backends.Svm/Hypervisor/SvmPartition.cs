using Hv.Backends.Svm.Silicon;
using Hv.Core;
using Hv.Core.Memory;
using Hv.Cpu.Blocks;
using Hv.Cpu.System;

namespace Hv.Backends.Svm.Hypervisor;

/// <summary>A guest: its memory, and the pages that all its vCPUs share: permission maps and nested page tables.</summary>
public sealed class SvmPartition : IPartition, IMemoryObserver
{
    private readonly NestedPageTables _tables;
    private readonly List<SvmVcpu> _vcpus = [];
    private int _slotsVersion;
    private int _builtVersion = -1;

    internal SvmPartition(GuestMemory memory, PartitionOptions options)
    {
        Memory = memory;
        Options = options;
        Code = new CodeCache(memory);
        HostMemory = new HostMemory();
        MsrMap = HostMemory.AllocatePages(MsrPermissionMap.Pages);
        MsrPermissionMap.InterceptAll(HostMemory, MsrMap);
        AllowGuestMsrs();
        IoMap = HostMemory.AllocatePages(IoPermissionMap.Pages);
        IoPermissionMap.InterceptAll(HostMemory, IoMap);
        _tables = new NestedPageTables(HostMemory);
        memory.Subscribe(this);
        RefreshTables();
    }

    /// <inheritdoc/>
    public GuestMemory Memory { get; }

    internal HostMemory HostMemory { get; }

    internal PartitionOptions Options { get; }

    /// <summary>Decoded code, shared by the vCPUs.</summary>
    internal CodeCache Code { get; }

    internal Hpa MsrMap { get; }

    internal Hpa IoMap { get; }

    internal Hpa NestedRoot => _tables.Root;

    /// <summary>Counts changes of the slots; a vCPU that runs under an older count must flush its translations.</summary>
    internal int SlotsVersion => Volatile.Read(ref _slotsVersion);

    /// <inheritdoc/>
    public IVcpu CreateVcpu(int index)
    {
        if (_vcpus.Exists(v => v.Index == index))
            throw new HvException($"creating vCPU {index} of an SVM partition failed: there is one already");
        var vcpu = new SvmVcpu(this, index);
        _vcpus.Add(vcpu);
        return vcpu;
    }

    /// <summary>Brings the nested tables up to date with the slots.</summary>
    /// <exception cref="HvException">A slot lies where four levels of tables cannot reach.</exception>
    internal void RefreshTables()
    {
        int version = SlotsVersion;
        if (_builtVersion == version)
            return;
        foreach (MemorySlot slot in Memory.Slots)
        {
            if (slot.Start.Value + slot.Size > HostMemory.Base)
            {
                throw new HvException($"mapping the memory slot {slot.Start}+0x{slot.Size:x} failed: "
                    + $"SVM's nested page tables reach 2^{NestedPageWalker.GuestAddressBits} bytes");
            }
        }

        _tables.Build(Memory.Slots);
        _builtVersion = version;
    }

    // The guest may touch without an exit what its own processor keeps for it, but for EFER, whose SVME bit is the hypervisor's, and the time
    // stamp, which has an offset.
    private void AllowGuestMsrs()
    {
        foreach (uint first in new uint[] { 0, 0xC000_0000, 0xC001_0000 })
        {
            for (uint index = first; index < first + 0x2000; index++)
            {
                if (ModelSpecificRegisters.Owns(index) && index is not (HostMsrs.Efer or SvmVcpu.TscIndex))
                    MsrPermissionMap.Allow(HostMemory, MsrMap, index);
            }
        }
    }

    /// <inheritdoc/>
    void IMemoryObserver.OnHostWrite(Gpa address, ulong length) { }

    /// <inheritdoc/>
    void IMemoryObserver.OnSlotsChanged() => Interlocked.Increment(ref _slotsVersion);

    /// <inheritdoc/>
    void IMemoryObserver.OnDirtyLogCollected() { }

    /// <inheritdoc/>
    public void Dispose()
    {
        Memory.Unsubscribe(this);
        foreach (SvmVcpu vcpu in _vcpus)
            vcpu.Dispose();
        Code.Dispose();
        HostMemory.Dispose();
    }
}
