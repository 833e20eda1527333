using Hv.Backends.Svm.Hypervisor;
using Hv.Backends.Svm.Silicon;
using Hv.Core;
using Hv.Core.Cpuid;
using Hv.Core.Exits;
using Hv.Core.Memory;
using Hv.Core.Registers;
using Xunit;

namespace Hv.Backends.Svm.Tests.Hypervisor;

/// <summary>What is SVM's own in the vCPU, beside the contracts that every backend keeps. The guests are real-mode code at 1000H.</summary>
public sealed class SvmVcpuTests : IDisposable
{
    private const ulong Code = 0x1000, Stack = 0x8000, Efer = 0xC000_0080;
    private const ushort Handler = 0x2000;

    private readonly GuestMemory _memory = GuestMemory.OfSize(1 << 20);
    private IPartition? _partition;
    private IVcpu? _vcpu;

    public void Dispose()
    {
        _vcpu?.Dispose();
        _partition?.Dispose();
        _memory.Dispose();
    }

    [Fact]
    public void The_guest_reads_EFER_without_SVME()
    {
        IVcpu vcpu = Start([0x0F, 0x32, 0xF4]); // rdmsr; hlt
        vcpu.Registers.Rcx = Efer;
        Assert.Equal(ExitReason.Halt, Run(vcpu).Reason);
        Assert.Equal((0ul, 0ul), (vcpu.Registers.Rax, vcpu.Registers.Rdx));
    }

    [Theory]
    [InlineData(0x0800u, true)] // NXE
    [InlineData(0x1000u, false)] // SVME
    [InlineData(0x0200u, false)] // reserved
    public void The_guest_writes_EFER_within_its_own_features(uint value, bool accepted)
    {
        IVcpu vcpu = Start([0x0F, 0x30, 0xF4]); // wrmsr; hlt
        vcpu.Registers.Rcx = Efer;
        vcpu.Registers.Rdx = 0;
        vcpu.Registers.Rax = value;
        Assert.Equal(ExitReason.Halt, Run(vcpu).Reason);
        Assert.Equal(accepted ? Code + 3 : Handler + 1u, vcpu.Registers.Rip);
        Assert.Equal(accepted ? value : 0, Save(vcpu).System.Efer);
    }

    [Theory]
    [InlineData(0xD8)]
    [InlineData(0xDA)]
    [InlineData(0xDB)]
    [InlineData(0xDC)]
    [InlineData(0xDD)]
    [InlineData(0xDE)]
    [InlineData(0xDF)]
    public void The_SVM_instructions_do_not_exist_for_a_guest_in_protected_mode(byte last)
    {
        // #UD finds the IDT empty, #GP does too, and the third fault is a shutdown; at the first #UD nothing else happened.
        IVcpu vcpu = Start([0x0F, 0x01, last], s =>
        {
            s.System.Cr0 |= 1;
            s.System.Cs.Attributes = 0xC09B;
            s.System.Idtr.Limit = 0;
        });
        vcpu.InterceptExceptions(1u << 13);
        VmExit exit = Run(vcpu);
        Assert.Equal((ExitReason.Exception, 13, (6u << 3) | 2), (exit.Reason, exit.Exception.Vector, exit.Exception.ErrorCode & ~1u));
    }

    [Fact]
    public void A_time_stamp_is_loaded_and_written_through_the_offset()
    {
        IVcpu vcpu = Start([0x0F, 0x31, 0x0F, 0x30, 0x0F, 0x31, 0xF4], s => s.System.Tsc = 0x77_0000_0000); // rdtsc; wrmsr 10h; rdtsc; hlt
        vcpu.Registers.Rcx = 0x10;
        Assert.Equal(ExitReason.Halt, Run(vcpu).Reason);
        Assert.Equal(0x77ul, vcpu.Registers.Rdx);
        Assert.InRange(Save(vcpu).System.Tsc, 0x77_0000_0000ul, 0x77_0000_0010ul);
    }

    [Fact]
    public void An_impossible_state_names_field_and_rule()
    {
        IVcpu vcpu = Start([0xF4], s => s.System.Cr4 = 1ul << 40);
        Assert.Equal(ExitReason.EntryFailed, Run(vcpu).Reason);
        Assert.Equal("VMRUN refused: CR4 (VMCB 548H) = 0x10000000000: APM 2 15.5.1 \"any MBZ bit of CR4 is set\"", vcpu.LastFailure);
        vcpu.Reset();
        Assert.Null(vcpu.LastFailure);
    }

    [Fact]
    public void A_fault_in_the_middle_of_a_delivery_becomes_a_double_fault()
    {
        // INT 80H is benign; #GP's stack push in a hole with a #GP as the host's answer is contributory on contributory.
        IVcpu vcpu = Start([0x0F, 0x32, 0xF4], s => s.System.Ss.Base = 1 << 20); // rdmsr of an MSR that nobody has
        vcpu.Registers.Rcx = 0x8765_5678;
        Assert.Equal(ExitReason.MsrRead, Run(vcpu).Reason);
        vcpu.Complete(ExitCompletion.GeneralProtection);
        Assert.Equal(ExitReason.MemoryAccess, Run(vcpu).Reason);
        vcpu.Complete(ExitCompletion.GeneralProtection);
        Assert.Equal((PendingEventKind.Exception, 8), (Save(vcpu).Pending.Kind, Save(vcpu).Pending.Vector));
    }

    [Fact]
    public void A_slot_that_is_added_or_removed_is_followed()
    {
        MemorySlot slot = _memory.AddSlot(new Gpa(1 << 20), 0x1000, SlotKind.Ram);
        IVcpu vcpu = Start([0xA0, 0x00, 0x00, 0xEB, 0xFB], s => s.System.Ds.Base = 1 << 20); // mov al,[0]; jmp
        Assert.Equal(ExitReason.BudgetExpired, Run(vcpu, 10).Reason);
        _memory.RemoveSlot(slot);
        Assert.Equal(ExitReason.MemoryAccess, Run(vcpu, 10).Reason);
        _memory.AddSlot(new Gpa(1 << 20), 0x1000, SlotKind.Ram);
        Assert.Equal(ExitReason.BudgetExpired, Run(vcpu, 10).Reason);
    }

    [Fact]
    public void A_slot_beyond_the_nested_tables_is_refused_with_a_reason()
    {
        using var memory = new GuestMemory();
        memory.AddSlot(new Gpa(1ul << 48), 0x1000, SlotKind.Ram);
        HvException e = Assert.Throws<HvException>(() =>
            new SvmBackend().CreatePartition(memory, new PartitionOptions { Cpuid = CpuidTables.Default }));
        Assert.Contains("0x1000000000000", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_hypercall_round_trip_allocates_nothing()
    {
        IVcpu vcpu = Start([0x0F, 0x01, 0xD9, 0xEB, 0xFB]); // vmmcall; jmp
        for (int i = 0; i < 10; i++)
            RoundTrip(vcpu);
        // The least of five turns, as in VmrunTests.
        long least = long.MaxValue;
        for (int turn = 0; turn < 5; turn++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 1000; i++)
                RoundTrip(vcpu);
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.Equal(0, least);
        Assert.Equal(5010ul, vcpu.Registers.Rax);
    }

    [Fact]
    public void No_guest_and_no_state_makes_the_host_throw()
    {
        var random = new Random(20070219);
        var state = new VcpuState();
        IVcpu vcpu = Start([0xF4]);
        Span<byte> code = stackalloc byte[64];
        for (int round = 0; round < 400; round++)
        {
            random.NextBytes(code);
            _memory.TryWrite(new Gpa(Code), code);
            vcpu.Reset();
            vcpu.SaveState(state);
            Spoil(random, ref state.System);
            state.General.Rip = Code;
            for (int i = 0; i < 16; i++)
                state.General[i] = (ulong)random.NextInt64() >> random.Next(64);
            state.General.Rflags = (ulong)random.NextInt64() >> random.Next(64);
            vcpu.LoadState(state);
            for (int step = 0; step < 20; step++)
            {
                VmExit exit = Run(vcpu, 50);
                if (exit.Reason is ExitReason.EntryFailed or ExitReason.Shutdown or ExitReason.Halt)
                    break;
                if (exit.Reason is ExitReason.BudgetExpired or ExitReason.Cancelled)
                    continue;
                vcpu.Complete(random.Next(3) switch
                {
                    0 => ExitCompletion.Retire,
                    1 => ExitCompletion.RetireWith((ulong)random.NextInt64()),
                    _ => ExitCompletion.Fault((byte)random.Next(32), random.Next(2) == 0, (uint)random.Next(), (ulong)random.NextInt64()),
                });
            }
        }
    }

    private static void Spoil(Random random, ref SystemRegisters s)
    {
        ulong Bits() => (ulong)random.NextInt64() >> random.Next(64);
        for (int i = random.Next(4); i > 0; i--)
        {
            switch (random.Next(12))
            {
                case 0: s.Cr0 = Bits(); break;
                case 1: s.Cr0 = 0x8000_0011; break;
                case 2: s.Cr3 = Bits(); break;
                case 3: s.Cr4 = Bits() & 0x37_0FFF; break;
                case 4: s.Efer = 0x500; break;
                case 5: s.Efer = Bits(); break;
                case 6: s.Cs.Attributes = (uint)Bits(); break;
                case 7: s.Ss = new SegmentRegister { Attributes = (uint)Bits(), Base = Bits(), Limit = (uint)Bits() }; break;
                case 8: s.Idtr = new TableRegister { Base = Bits(), Limit = (ushort)Bits() }; break;
                case 9: s.Tr = new SegmentRegister { Attributes = (uint)Bits(), Base = Bits(), Limit = (uint)Bits() }; break;
                case 10: s.Dr7 = Bits(); break;
                default: s.Cpl = (byte)random.Next(); break;
            }
        }
    }

    private static void RoundTrip(IVcpu vcpu)
    {
        vcpu.Run(1000, out VmExit exit);
        Assert.True(exit.Reason == ExitReason.Hypercall);
        vcpu.Complete(ExitCompletion.RetireWith(vcpu.Registers.Rax + 1));
    }

    private static VmExit Run(IVcpu vcpu, long budget = 1000)
    {
        vcpu.Run(budget, out VmExit exit);
        return exit;
    }

    private static VcpuState Save(IVcpu vcpu)
    {
        var state = new VcpuState();
        vcpu.SaveState(state);
        return state;
    }

    private IVcpu Start(byte[] code, Action<VcpuState>? change = null)
    {
        Assert.True(_memory.TryWrite(new Gpa(Code), code));
        Assert.True(_memory.TryWrite(new Gpa(13 * 4), (uint)Handler));
        Assert.True(_memory.TryWrite(new Gpa(Handler), (byte)0xF4));
        _partition = new SvmBackend().CreatePartition(_memory, new PartitionOptions { Cpuid = CpuidTables.Default });
        _vcpu = _partition.CreateVcpu(0);
        VcpuState state = Save(_vcpu);
        state.System.Cs = new SegmentRegister { Limit = 0xFFFF, Attributes = 0x9B };
        state.System.Idtr = new TableRegister { Limit = 0x3FF };
        state.General.Rip = Code;
        state.General.Rsp = Stack;
        change?.Invoke(state);
        _vcpu.LoadState(state);
        return _vcpu;
    }
}
