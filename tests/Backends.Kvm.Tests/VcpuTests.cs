using Hv.Core;
using Hv.Core.Exits;
using Hv.Core.Memory;
using Hv.Core.Registers;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Backends.Kvm.Tests;

/// <summary>The protocol of a vCPU against the real device: answers reach the guest, kicks are not lost, state survives, nothing leaks.</summary>
public class VcpuTests
{
    private const byte Port = 0xE4;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_hypercall_leaves_with_RIP_on_it_and_its_result_arrives(bool long64)
    {
        KvmBackend backend = Device.Require(long64 ? BackendCapabilities.Long64 : BackendCapabilities.RealMode);
        using var guest = new TestGuest(backend, a =>
        {
            a.mov(ax, 0x1234);
            a.@out(Port, al);
            a.mov(bx, ax);
            a.hlt();
        }, long64);
        VmExit exit = guest.Run();
        Assert.Equal(ExitReason.Hypercall, exit.Reason);
        Assert.Equal(TestGuest.Code + (long64 ? 4u : 3u), exit.Rip);
        Assert.Equal(exit.Rip, guest.Vcpu.Registers.Rip);
        guest.Vcpu.Complete(ExitCompletion.RetireWith(0x5A5A));
        Assert.Equal(ExitReason.Halt, guest.Run().Reason);
        Assert.Equal(0x5A5AU, guest.Vcpu.Registers.Rbx & 0xFFFF);
    }

    [Fact]
    public void Port_reads_and_string_elements_get_their_values()
    {
        KvmBackend backend = Device.Require(BackendCapabilities.RealMode);
        using var guest = new TestGuest(backend, a =>
        {
            a.mov(dx, 0x300);
            a.@in(ax, dx);
            a.mov(bx, ax);
            a.mov(di, 0x9000);
            a.mov(cx, 3);
            a.cld();
            a.rep.insb();
            a.mov(si, 0x9000);
            a.mov(cx, 3);
            a.rep.outsb();
            a.hlt();
        });
        VmExit exit = guest.Run();
        Assert.Equal(new PortIoExit(0x300, 2, false, 0, false), exit.PortIo);
        guest.Vcpu.Complete(ExitCompletion.RetireWith(0xBEEF));
        for (byte i = 1; i <= 3; i++)
        {
            exit = guest.Run();
            Assert.Equal(ExitReason.PortIo, exit.Reason);
            Assert.False(exit.PortIo.IsWrite);
            guest.Vcpu.Complete(ExitCompletion.RetireWith(i));
        }

        for (byte i = 1; i <= 3; i++)
        {
            exit = guest.Run();
            Assert.Equal((true, (uint)i), (exit.PortIo.IsWrite, exit.PortIo.Value));
            guest.Vcpu.Complete(ExitCompletion.Retire);
        }

        Assert.Equal(ExitReason.Halt, guest.Run().Reason);
        Assert.Equal(0xBEEFU, guest.Vcpu.Registers.Rbx & 0xFFFF);
        Assert.True(guest.Memory.TryRead(new Gpa(0x9000), out uint memory));
        Assert.Equal(0x030201U, memory & 0xFFFFFF);
    }

    [Fact]
    public void A_hole_reads_what_the_host_says_and_its_writes_arrive()
    {
        KvmBackend backend = Device.Require(BackendCapabilities.Long64);
        using var guest = new TestGuest(backend, a =>
        {
            a.mov(rdi, TestGuest.Hole);
            a.mov(eax, __dword_ptr[rdi + 8]);
            a.add(__dword_ptr[rdi + 16], eax);
            a.hlt();
        }, long64: true);
        VmExit exit = guest.Run();
        Assert.Equal(new MemoryExit(new Gpa(TestGuest.Hole + 8), 4, false, false, 0), exit.Memory);
        guest.Vcpu.Complete(ExitCompletion.RetireWith(100));
        Assert.Equal(new MemoryExit(new Gpa(TestGuest.Hole + 16), 4, false, false, 0), guest.Run().Memory);
        guest.Vcpu.Complete(ExitCompletion.RetireWith(11));
        Assert.Equal(new MemoryExit(new Gpa(TestGuest.Hole + 16), 4, true, false, 111), guest.Run().Memory);
        guest.Vcpu.Complete(ExitCompletion.Retire);
        Assert.Equal(ExitReason.Halt, guest.Run().Reason);
    }

    [Fact]
    public void An_unknown_MSR_leaves_and_its_value_arrives()
    {
        KvmBackend backend = Device.Require(BackendCapabilities.Long64);
        using var guest = new TestGuest(backend, a =>
        {
            a.mov(ecx, 0x87655678);
            a.rdmsr();
            a.mov(esi, eax);
            a.mov(edi, edx);
            a.mov(eax, 0x5000);
            a.xor(edx, edx);
            a.wrmsr();
            a.hlt();
        }, long64: true);
        VmExit exit = guest.Run();
        Assert.Equal((ExitReason.MsrRead, 0x87655678U), (exit.Reason, exit.Msr.Index));
        guest.Vcpu.Complete(ExitCompletion.RetireWith(0x1122334455667788));
        exit = guest.Run();
        Assert.Equal((ExitReason.MsrWrite, new MsrExit(0x87655678, 0x5000)), (exit.Reason, exit.Msr));
        guest.Vcpu.Complete(ExitCompletion.Retire);
        Assert.Equal(ExitReason.Halt, guest.Run().Reason);
        Assert.Equal((0x55667788UL, 0x11223344UL), (guest.Vcpu.Registers.Rsi, guest.Vcpu.Registers.Rdi));
    }

    [Fact]
    public void KVMs_own_paravirtual_MSRs_are_Cores_to_decide()
    {
        KvmBackend backend = Device.Require(BackendCapabilities.Long64);
        using var guest = new TestGuest(backend, a =>
        {
            a.mov(ecx, 0x4B564D01);
            a.rdmsr();
            a.hlt();
        }, long64: true);
        Assert.Equal((ExitReason.MsrRead, 0x4B564D01U), (guest.Run().Reason, 0x4B564D01U));
    }

    [Fact]
    public void A_hypercall_that_is_not_completed_is_executed_again()
    {
        KvmBackend backend = Device.Require(BackendCapabilities.RealMode);
        using var guest = new TestGuest(backend, a =>
        {
            a.mov(ax, 0x1234);
            a.@out(Port, al);
            a.hlt();
        });
        VmExit first = guest.Run();
        var state = new VcpuState();
        guest.Vcpu.SaveState(state);
        Assert.Equal(first.Rip, state.General.Rip);
        VmExit second = guest.Run();
        Assert.Equal((ExitReason.Hypercall, first.Rip), (second.Reason, second.Rip));
        guest.Vcpu.Complete(ExitCompletion.RetireWith(7));
        Assert.Equal(ExitReason.Halt, guest.Run().Reason);
        Assert.Equal(7U, guest.Vcpu.Registers.Rax & 0xFFFF);
    }

    [Fact]
    public void State_saved_at_an_exit_leaves_its_answer_to_come()
    {
        KvmBackend backend = Device.Require(BackendCapabilities.RealMode);
        using var guest = new TestGuest(backend, a =>
        {
            a.mov(ax, 0x1234);
            a.@out(Port, al);
            a.mov(bx, ax);
            a.@in(al, 0x71);
            a.hlt();
        });
        var state = new VcpuState();
        VmExit exit = guest.Run();
        guest.Vcpu.SaveState(state);
        Assert.Equal((exit.Rip, 0x1234UL), (state.General.Rip, state.General.Rax & 0xFFFF));
        guest.Vcpu.Complete(ExitCompletion.RetireWith(7));
        Assert.Equal(ExitReason.PortIo, guest.Run().Reason);
        guest.Vcpu.SaveState(state);
        Assert.Equal((7UL, 7UL), (state.General.Rax & 0xFFFF, state.General.Rbx & 0xFFFF));
        guest.Vcpu.Complete(ExitCompletion.RetireWith(0x42));
        Assert.Equal(ExitReason.Halt, guest.Run().Reason);
        Assert.Equal(0x42UL, guest.Vcpu.Registers.Rax & 0xFFFF);
    }

    [Fact]
    public void State_saved_at_an_exit_continues_in_another_machine()
    {
        KvmBackend backend = Device.Require(BackendCapabilities.Long64);
        Action<Iced.Intel.Assembler> program = a =>
        {
            a.mov(rbx, 0x1111222233334444);
            a.mov(r15, 0x5555666677778888);
            a.@out(Port, al);
            a.mov(rcx, rbx);
            a.add(rcx, r15);
            a.hlt();
        };
        using var from = new TestGuest(backend, program, long64: true);
        using var to = new TestGuest(backend, program, long64: true);
        Assert.Equal(ExitReason.Hypercall, from.Run().Reason);
        from.Vcpu.Complete(ExitCompletion.Retire);
        var state = new VcpuState();
        from.Vcpu.SaveState(state);
        to.Vcpu.LoadState(state);
        Assert.Equal(ExitReason.Halt, to.Run().Reason);
        Assert.Equal(0x1111222233334444UL + 0x5555666677778888UL, to.Vcpu.Registers.Rcx);
    }

    [Fact]
    public void What_the_guest_wrote_is_in_the_dirty_log()
    {
        KvmBackend backend = Device.Require(BackendCapabilities.RealMode);
        using var guest = new TestGuest(backend, a =>
        {
            a.mov(__byte_ptr[0x9000], 1);
            a.hlt();
        });
        MemorySlot slot = guest.Memory.Slots[0];
        ulong[] bitmap = new ulong[slot.DirtyWords];
        guest.Memory.CollectDirty(slot, bitmap);
        Assert.False(guest.Memory.IsDirty(new Gpa(0x9000)));
        Assert.Equal(ExitReason.Halt, guest.Run().Reason);
        Assert.True(guest.Memory.IsDirty(new Gpa(0x9000)));
        Assert.Equal(1, guest.Memory.CollectDirty(slot, bitmap));
        Assert.Equal(1UL << 9, bitmap[0]);
        Assert.Equal(0, guest.Memory.CollectDirty(slot, bitmap));
    }

    [Fact]
    public void An_exit_allocates_nothing()
    {
        KvmBackend backend = Device.Require(BackendCapabilities.RealMode);
        using var guest = new TestGuest(backend, a =>
        {
            var top = a.CreateLabel();
            a.Label(ref top);
            a.@out(Port, al);
            a.jmp(top);
        });
        // The first round warms up. A collection that another test causes can charge this thread some bytes once, as in BudgetContract: what an exit
        // allocates shows in every round.
        long least = long.MaxValue;
        for (int round = 0; round < 6; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 200; i++)
            {
                guest.Vcpu.Run(long.MaxValue, out VmExit exit);
                if (exit.Reason != ExitReason.Hypercall)
                    Assert.Fail($"{exit.Reason}");
                guest.Vcpu.Complete(ExitCompletion.RetireWith(0));
            }

            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.Equal(0, least);
    }
}
