using Hv.Core;
using Hv.Core.Cpuid;
using Hv.Core.Exits;
using Hv.Core.Memory;
using Hv.Core.Registers;
using Iced.Intel;

namespace Hv.Backends.Kvm.Tests;

/// <summary>A vCPU of /dev/kvm with a few instructions at 1000h, in real mode or, with paging, in 64-bit mode.</summary>
internal sealed class TestGuest : IDisposable
{
    public const ulong Code = 0x1000, MemorySize = 0x20_0000, Hole = 0x4000_0000;

    public TestGuest(KvmBackend backend, Action<Assembler> program, bool long64 = false)
    {
        Memory = GuestMemory.OfSize(MemorySize);
        Partition = backend.CreatePartition(Memory, new PartitionOptions { Cpuid = CpuidTables.Default });
        Vcpu = Partition.CreateVcpu(0);
        var assembler = new Assembler(long64 ? 64 : 16);
        program(assembler);
        using var stream = new MemoryStream();
        assembler.Assemble(new StreamCodeWriter(stream), Code);
        Memory.TryLoad(new Gpa(Code), stream.ToArray());
        var state = new VcpuState();
        Vcpu.SaveState(state);
        (state.General.Rip, state.General.Rsp) = (Code, 0xF000);
        (state.System.Cs.Selector, state.System.Cs.Base) = (0, 0);
        if (long64)
            Enter64(state);
        Vcpu.LoadState(state);
    }

    public GuestMemory Memory { get; }

    public IPartition Partition { get; }

    public IVcpu Vcpu { get; }

    public VmExit Run()
    {
        Vcpu.Run(long.MaxValue, out VmExit exit);
        return exit;
    }

    public void Dispose()
    {
        Vcpu.Dispose();
        Partition.Dispose();
        Memory.Dispose();
    }

    /// <summary>64-bit mode at CPL 0; the first 2 MiB and the hole's GiB are mapped to themselves.</summary>
    private void Enter64(VcpuState state)
    {
        Memory.TryWrite(new Gpa(0x5000), 0x6003UL);
        Memory.TryWrite(new Gpa(0x6000), 0x7003UL);
        Memory.TryWrite(new Gpa(0x6008), 0x8003UL);
        Memory.TryWrite(new Gpa(0x7000), 0x83UL);
        Memory.TryWrite(new Gpa(0x8000), Hole | 0x83);
        ref SystemRegisters s = ref state.System;
        (s.Cr0, s.Cr3, s.Cr4, s.Efer) = (0x80000031, 0x5000, 0x620, 0x500);
        s.Cs = new SegmentRegister { Selector = 8, Limit = uint.MaxValue, Attributes = 0xA09B };
        s.Ds = s.Es = s.Ss = s.Fs = s.Gs = new SegmentRegister { Selector = 16, Limit = uint.MaxValue, Attributes = 0xC093 };
        s.Tr = new SegmentRegister { Selector = 24, Limit = 0x67, Attributes = 0x8B };
        s.Ldtr.Attributes |= SegmentRegister.UnusableBit;
    }
}
