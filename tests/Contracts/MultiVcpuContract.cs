using Hv.Contracts.Guests;
using Hv.Core;
using Hv.Core.Hypercalls;
using Hv.Core.Machine;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Contracts;

/// <summary>Several vCPUs in one guest: started by hypercall, each with its own registration, interleaved the same in every run.</summary>
public abstract class MultiVcpuContract(BackendUnderTest subject) : ContractTest(subject)
{
    private const uint Start1 = (uint)HypercallNumbers.StartVcpu, Write = (uint)HypercallNumbers.ConsoleWrite, Number = 0x1001;
    private const ulong ParaPages = GuestLayout.Free, Counter = GuestLayout.Free + 0x8000, Text = GuestLayout.Free + 0x9000;

    [Theory]
    [InlineData(CodeMode.Real16)]
    [InlineData(CodeMode.Protected32)]
    [InlineData(CodeMode.Long64)]
    public void A_vcpu_is_started_by_hypercall_with_entry_and_argument(CodeMode mode)
    {
        using MachineHarness run = Boot(GuestImage.Of(mode, c =>
        {
            c.Wrmsr(GuestCode.ApiMagic, GuestLayout.ParaState);
            c.Hypercall(Start1, 1, (uint)GuestLayout.SecondCode, 0x1234);
            c.Store(0, eax);
            c.Done();
        }).WithParaState().WithCode(GuestLayout.SecondCode, c =>
        {
            c.Store(1, mode == CodeMode.Long64 ? edi : eax);
            c.Store(2, esp);
            c.Done();
        }), new VirtualMachineOptions { VcpuCount = 2 });
        run.RunToEnd();
        Assert.Equal((0UL, 0x1234UL, 0UL), (run.Result(0), run.Result(1), run.Result(2)));
        Assert.All(run.Machine.Vcpus, v => Assert.Equal(VcpuActivity.Halted, v.Activity));
    }

    [Fact]
    public void Each_vcpu_finds_its_own_apic_id()
    {
        void Ask(GuestCode c, int slot)
        {
            c.mov(eax, 1);
            c.cpuid();
            c.shr(ebx, 24);
            c.Store(slot, ebx);
            c.Done();
        }

        using MachineHarness run = Boot(GuestImage.Of(CodeMode.Long64, c =>
        {
            c.Wrmsr(GuestCode.ApiMagic, GuestLayout.ParaState);
            c.Hypercall(Start1, 1, (uint)GuestLayout.SecondCode, 0);
            Ask(c, 0);
        }).WithParaState().With(GuestLayout.Results, 0x77).WithCode(GuestLayout.SecondCode, c => Ask(c, 1)),
            new VirtualMachineOptions { VcpuCount = 2 });
        run.RunToEnd();
        Assert.Equal((0UL, 1UL), (run.Result(0), run.Result(1)));
    }

    [Fact]
    public void Random_numbers_differ_between_vcpus_and_seeds_and_repeat_with_the_seed()
    {
        void Draw(GuestCode c, int slot)
        {
            c.rdrand(rax);
            c.Store(slot, rax);
            c.rdseed(rax);
            c.Store(slot + 1, rax);
            c.Done();
        }

        GuestImage image = GuestImage.Of(CodeMode.Long64, c =>
        {
            c.Wrmsr(GuestCode.ApiMagic, GuestLayout.ParaState);
            c.Hypercall(Start1, 1, (uint)GuestLayout.SecondCode, 0);
            Draw(c, 0);
        }).WithParaState().WithCode(GuestLayout.SecondCode, c => Draw(c, 2));
        ulong[] Numbers(ulong seed)
        {
            using MachineHarness run = Boot(image, new VirtualMachineOptions { VcpuCount = 2, RandomSeed = seed }, BackendCapabilities.Deterministic);
            run.RunToEnd();
            return [.. Enumerable.Range(0, 4).Select(run.Result)];
        }

        ulong[] first = Numbers(7), other = Numbers(8);
        Assert.Equal(first, Numbers(7));
        Assert.Equal(8, first.Concat(other).Distinct().Count());
    }

    [Theory]
    [InlineData(0u)] // the caller
    [InlineData(2u)] // beyond the last
    [InlineData(0xFFFFFFFFu)]
    public void Starting_what_does_not_wait_is_minus_einval(uint index)
    {
        using MachineHarness run = Boot(GuestImage.Of(CodeMode.Long64, c =>
        {
            c.Wrmsr(GuestCode.ApiMagic, GuestLayout.ParaState);
            c.Hypercall(Start1, index, (uint)GuestLayout.SecondCode, 0);
            c.Store(0, eax);
            c.Done();
        }).WithParaState().WithCode(GuestLayout.SecondCode, c => c.Done()), new VirtualMachineOptions { VcpuCount = 2 });
        run.RunToEnd();
        Assert.Equal(0xFFFFFFFFUL, run.Result(0));
    }

    [Fact]
    public void A_vcpu_is_started_once()
    {
        using MachineHarness run = Boot(GuestImage.Of(CodeMode.Long64, c =>
        {
            c.Wrmsr(GuestCode.ApiMagic, GuestLayout.ParaState);
            c.Hypercall(Start1, 1, (uint)GuestLayout.SecondCode, 0);
            c.Store(0, eax);
            c.Hypercall(Start1, 1, (uint)GuestLayout.SecondCode, 0);
            c.Store(1, eax);
            c.Done();
        }).WithParaState().WithCode(GuestLayout.SecondCode, c => c.Done()), new VirtualMachineOptions { VcpuCount = 2 });
        run.RunToEnd();
        Assert.Equal((0UL, 0xFFFFFFFFUL), (run.Result(0), run.Result(1)));
    }

    [Fact]
    public void Each_vcpu_has_its_own_registration_and_may_share_a_stub()
    {
        using MachineHarness run = Boot(Workers(3), new VirtualMachineOptions { VcpuCount = 3 });
        run.RunToEnd();
        for (int i = 0; i < 3; i++)
        {
            Assert.Equal(ParaPages + (ulong)i * 0x1000, run.Machine.Vcpus[i].Registration?.ParaStateAddress.Value);
            Assert.Equal(GuestLayout.Stub, run.Machine.Vcpus[i].Registration?.Stub.Address.Value);
            Assert.Equal(0, run.Read<int>(ParaPages + (ulong)i * 0x1000 + 12));
        }
    }

    [Fact]
    public void A_vcpu_that_has_not_registered_may_call_through_anothers_stub()
    {
        using MachineHarness run = Boot(GuestImage.Of(CodeMode.Long64, c =>
        {
            c.Wrmsr(GuestCode.ApiMagic, GuestLayout.ParaState);
            c.Hypercall(Start1, 1, (uint)GuestLayout.SecondCode, 0);
            c.Done();
        }).WithParaState().WithCode(GuestLayout.SecondCode, c =>
        {
            c.mov(esp, (int)GuestLayout.UserStackTop);
            c.Rdmsr(GuestCode.ApiMagic);
            c.Store(0, eax);
            c.Hypercall(0);
            c.Store(1, eax);
            c.Done();
        }), new VirtualMachineOptions { VcpuCount = 2 });
        run.RunToEnd();
        Assert.Equal((0UL, 0x5A5AUL), (run.Result(0), run.Result(1)));
        Assert.Null(run.Machine.Vcpus[1].Registration);
    }

    [Fact]
    public void A_locked_counter_loses_no_increment()
    {
        using MachineHarness run = Boot(Workers(4), new VirtualMachineOptions { VcpuCount = 4, Quantum = 3 });
        run.RunToEnd();
        Assert.Equal(400UL, run.Read<ulong>(Counter));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(1000)]
    public void The_same_guest_gives_the_same_exits_and_console(int quantum)
    {
        var options = new VirtualMachineOptions { VcpuCount = 3, Quantum = quantum };
        using MachineHarness first = Boot(Workers(3), options, BackendCapabilities.Deterministic);
        using MachineHarness second = Boot(Workers(3), options);
        first.RunToEnd();
        second.RunToEnd();
        Assert.Equal(first.Exits, second.Exits);
        Assert.Equal(first.Console, second.Console);
        Assert.Equal(30, first.Console.Length);
    }

    [Fact]
    public void A_run_that_is_cut_into_pieces_interleaves_as_an_uncut_one()
    {
        var options = new VirtualMachineOptions { VcpuCount = 3, Quantum = 11 };
        using MachineHarness whole = Boot(Workers(3), options, BackendCapabilities.Deterministic);
        using MachineHarness cut = Boot(Workers(3), options);
        whole.RunToEnd();
        int pieces = 0;
        while (cut.Run(17).Reason == StopReason.InstructionLimit && pieces < 100_000)
            pieces++;
        Assert.True(pieces > 50);
        Assert.Equal(whole.Exits.Where(e => !e.Contains("BudgetExpired", StringComparison.Ordinal)),
            cut.Exits.Where(e => !e.Contains("BudgetExpired", StringComparison.Ordinal)));
        Assert.Equal(whole.Console, cut.Console);
    }

    [Fact]
    public void While_one_waits_for_user_level_the_others_run()
    {
        var options = new VirtualMachineOptions { VcpuCount = 2, Hypercalls = [new RecordingHypercall(Number, HypercallOutcome.ExitToUser)] };
        using MachineHarness run = Boot(GuestImage.Of(CodeMode.Long64, c =>
        {
            c.Wrmsr(GuestCode.ApiMagic, GuestLayout.ParaState);
            c.Hypercall(Start1, 1, (uint)GuestLayout.SecondCode, 0);
            c.Hypercall(Number);
            c.Store(0, eax);
            c.Done();
        }).WithParaState().WithCode(GuestLayout.SecondCode, c =>
        {
            c.Mark(1);
            c.Done();
        }), options);
        Assert.Equal(0, run.Expect(StopReason.UserExit).VcpuIndex);
        Assert.Equal(StopReason.UserExit, run.Run().Reason);
        Assert.Equal(1UL, run.Result(1));
        run.Vcpu.CompleteHypercall(3);
        run.RunToEnd();
        Assert.Equal(3UL, run.Result(0));
    }

    /// <summary>A guest whose vCPU 0 starts the others; each registers its own page, adds 100 to a counter, writes ten letters and halts.</summary>
    private static GuestImage Workers(int count)
    {
        void Work(GuestCode c)
        {
            // EBX: the index.
            c.mov(eax, ebx);
            c.shl(eax, 12);
            c.add(eax, (int)ParaPages);
            c.mov(ecx, GuestCode.ApiMagic);
            c.xor(edx, edx);
            c.wrmsr();
            c.mov(ebp, 10);
            Iced.Intel.Label outer = c.CreateLabel(), inner = c.CreateLabel();
            c.Label(ref outer);
            c.mov(ecx, 10);
            c.Label(ref inner);
            c.@lock.inc(__qword_ptr[(long)Counter]);
            c.dec(ecx);
            c.jnz(inner);
            c.lea(edi, __dword_ptr[ebx + (int)Text]);
            c.mov(esi, 1);
            c.mov(eax, Write);
            c.CallStub();
            c.dec(ebp);
            c.jnz(outer);
            c.Done();
        }

        GuestImage image = GuestImage.Of(CodeMode.Long64, c =>
        {
            c.Wrmsr(GuestCode.ApiMagic, ParaPages);
            for (uint i = 1; i < count; i++)
                c.Hypercall(Start1, i, (uint)GuestLayout.SecondCode, i);
            c.xor(ebx, ebx);
            Work(c);
        }).WithCode(GuestLayout.SecondCode, c =>
        {
            c.mov(ebx, edi);
            c.mov(esp, edi);
            c.shl(esp, 8);
            c.add(esp, (int)GuestLayout.Free + 0xA000);
            Work(c);
        }).With(Text, "ABCD"u8.ToArray());
        for (int i = 0; i < count; i++)
            image.WithParaState(ParaPages + (ulong)i * 0x1000);
        return image;
    }
}
