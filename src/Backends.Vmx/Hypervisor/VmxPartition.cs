using Hv.Backends.Vmx.Silicon;
using Hv.Backends.Vmx.Silicon.Exit;
using Hv.Core;
using Hv.Core.Memory;
using Hv.Cpu.Blocks;
using Hv.Cpu.System;

namespace Hv.Backends.Vmx.Hypervisor;

/// <summary>What a guest's vCPUs share: host-physical memory, EPT, the MSR bitmap, decoded code.</summary>
internal sealed class VmxPartition : IPartition, IMemoryObserver
{
    private const uint MsrRange = 0x2000, HighMsrs = 0xC000_0000;
    private readonly EptBuilder _ept;
    private readonly HashSet<int> _vcpus = [];

    public VmxPartition(GuestMemory memory, PartitionOptions options, bool checksEverything)
    {
        Memory = memory;
        Options = options;
        ChecksEverything = checksEverything;
        Host = new HostPhysicalMemory(memory);
        _ept = new EptBuilder(Host);
        _ept.Rebuild();
        MsrBitmap = BuildMsrBitmap();
        Code = new CodeCache(memory);
        memory.Subscribe(this);
    }

    /// <inheritdoc/>
    public GuestMemory Memory { get; }

    public PartitionOptions Options { get; }

    public bool ChecksEverything { get; }

    public HostPhysicalMemory Host { get; }

    public CodeCache Code { get; }

    /// <summary>The address of the MSR bitmap page.</summary>
    public ulong MsrBitmap { get; }

    /// <summary>The EPT pointer for every vCPU.</summary>
    public ulong EptPointer => _ept.Pointer;

    /// <summary>Grows when the EPT is built anew, so that vCPUs drop what they remember of the old one.</summary>
    public int EptVersion { get; private set; }

    /// <inheritdoc/>
    public IVcpu CreateVcpu(int index)
    {
        if (!_vcpus.Add(index))
            throw new HvException($"creating vCPU {index} failed: the partition has one with this index");
        return new VmxVcpu(this, index);
    }

    /// <inheritdoc/>
    public void OnHostWrite(Gpa address, ulong length) { }

    /// <inheritdoc/>
    public void OnSlotsChanged()
    {
        Host.PlaceSlots();
        _ept.Rebuild();
        EptVersion++;
    }

    /// <inheritdoc/>
    public void OnDirtyLogCollected() { }

    /// <inheritdoc/>
    public void Dispose()
    {
        Memory.Unsubscribe(this);
        Code.Dispose();
    }

    // The registers that the processor keeps are the guest's own while it runs; all others are the host's to answer.
    private ulong BuildMsrBitmap()
    {
        ulong page = Host.AllocatePage();
        Span<byte> bits = Host.Page(page);
        bits.Fill(0xFF);
        for (uint i = 0; i < MsrRange; i++)
        {
            Allow(bits, i);
            Allow(bits, HighMsrs + i);
        }

        return page;
    }

    private static void Allow(Span<byte> bits, uint index)
    {
        if (!ModelSpecificRegisters.Owns(index))
            return;
        foreach (bool isWrite in (ReadOnlySpan<bool>)[false, true])
        {
            int bit = BitmapLookup.MsrBit(index, isWrite);
            bits[bit >> 3] &= (byte)~(1 << (bit & 7));
        }
    }
}
