using Hv.Backends.Vmx.Hypervisor;
using Hv.Backends.Vmx.Silicon;
using Hv.Backends.Vmx.Silicon.Exit;
using Hv.Backends.Vmx.Silicon.Fields;
using Hv.Backends.Vmx.Silicon.Operation;
using Hv.Contracts;
using Hv.Contracts.Guests;
using Hv.Core;
using Hv.Core.Exits;
using Hv.Core.Registers;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Backends.Vmx.Tests.Guests;

/// <summary>VM entry, non-root operation and VM exit with a guest: what the contract suite cannot see from outside.</summary>
public sealed class SiliconRunTests
{
    private static VcpuHarness Start(GuestImage image) => new(new VmxBackend { ChecksEverything = true }, image);

    private static LogicalProcessor SiliconOf(VcpuHarness run) => ((VmxVcpu)run.Vcpu).Silicon;

    [Fact]
    public void A_refused_entry_names_field_value_section_and_rule()
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c => c.Done()));
        var state = new VcpuState();
        run.Vcpu.SaveState(state);
        state.System.Cs.Attributes = 0xA19B;
        run.Vcpu.LoadState(state);
        VmExit exit = run.Run();
        Assert.Equal((ExitReason.EntryFailed, new RawExit(0x8000_0021, 0, 0)), (exit.Reason, exit.Raw));
        Assert.Equal("VM entry refused: Guest CS access rights (4816H) = 0xa19b: SDM 3C 27.3.1.2 "
            + "\"reserved bits 11:8 of a usable guest CS's access rights are 0\"",
            run.Vcpu.LastFailure);
        state.System.Cs.Attributes = 0xA09B;
        run.Vcpu.LoadState(state);
        run.RunToEnd();
    }

    /// <summary>The DPL of SS is the privilege level (SDM 3C 25.4.1), whatever the neutral state's own field says.</summary>
    [Fact]
    public void An_entry_takes_the_privilege_level_from_the_DPL_of_SS()
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c => c.hlt()));
        run.Vcpu.InterceptExceptions(1u << 13);
        var state = new VcpuState();
        run.Vcpu.SaveState(state);
        (state.System.Cs.Attributes, state.System.Ss.Attributes, state.System.Cpl) = (0xA0FB, 0xC0F3, 3);
        run.Vcpu.LoadState(state);
        VmExit exit = run.Expect(ExitReason.Exception);
        Assert.Equal((13, 3), (exit.Exception.Vector, exit.Cpl));
    }

    /// <summary>IA32_VMX_MISC[5]: an exit stores EFER.LMA into the IA-32e mode guest control, without which the next entry would be refused.</summary>
    [Fact]
    public void A_guest_that_enters_IA32e_mode_is_entered_again_in_it()
    {
        const ulong Pml4 = 0xF_0000, Pdpt = 0xF_1000, Directory = 0xF_2000, PresentWritable = 3, TwoMegabytes = 0x83;
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Protected32, c =>
        {
            c.mov(eax, cr4);
            c.or(eax, 0x20);
            c.mov(cr4, eax);
            c.mov(eax, (uint)Pml4);
            c.mov(cr3, eax);
            c.mov(ecx, 0xC000_0080);
            c.rdmsr();
            c.or(eax, 0x100);
            c.wrmsr();
            c.mov(eax, cr0);
            c.or(eax, 0x8000_0000);
            c.mov(cr0, eax);
            c.vmcall();
            c.vmcall();
        }).With(Pml4, Pdpt | PresentWritable).With(Pdpt, Directory | PresentWritable).With(Directory, TwoMegabytes));
        for (int i = 0; i < 2; i++)
        {
            VmExit exit = run.Expect(ExitReason.Hypercall);
            Assert.Equal(GuestMode.Protected | GuestMode.LongModeActive | GuestMode.Code32, exit.Mode);
            run.Complete(ExitCompletion.Retire);
        }
    }

    [Fact]
    public void Launch_state_and_control_and_host_checks_fail_by_number()
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c => c.Done()));
        LogicalProcessor silicon = SiliconOf(run);
        silicon.Vmwrite(VmcsField.PreemptionTimer, 1000);
        Assert.Equal(new VmxResult(VmxOutcome.FailValid, VmxError.VmresumeNotLaunched), silicon.Vmresume());
        silicon.Root.BlockingByMovSs = true;
        Assert.Equal(new VmxResult(VmxOutcome.FailValid, VmxError.EntryMovSsBlocking), silicon.Vmlaunch());
        silicon.Root.BlockingByMovSs = false;

        ulong pin = silicon.Vmread(VmcsField.PinBasedControls);
        silicon.Vmwrite(VmcsField.PinBasedControls, 0);
        Assert.Equal(new VmxResult(VmxOutcome.FailValid, VmxError.EntryInvalidControls), silicon.Vmlaunch());
        Assert.Equal(7UL, silicon.Vmread(VmcsField.InstructionError));
        Assert.Contains("Pin-based VM-execution controls (4000H) = 0x0", silicon.Refusal, StringComparison.Ordinal);
        silicon.Vmwrite(VmcsField.PinBasedControls, pin);

        ulong cr4 = silicon.Vmread(VmcsField.HostCr4);
        silicon.Vmwrite(VmcsField.HostCr4, 0);
        Assert.Equal(new VmxResult(VmxOutcome.FailValid, VmxError.EntryInvalidHostState), silicon.Vmlaunch());
        silicon.Vmwrite(VmcsField.HostCr4, cr4);

        Assert.Equal(VmxResult.Succeed, silicon.Vmlaunch());
        Assert.Null(silicon.Refusal);
        Assert.Equal((ulong)VmxExitReason.Hlt, silicon.Vmread(VmcsField.ExitReason));
        Assert.Equal(new VmxResult(VmxOutcome.FailValid, VmxError.VmlaunchNotClear), silicon.Vmlaunch());
        Assert.Equal(VmxResult.Succeed, silicon.Vmresume());
    }

    [Fact]
    public void The_MSR_areas_are_loaded_stored_and_refused_by_their_entry()
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c =>
        {
            c.mov(ecx, 0xC000_0082);
            c.rdmsr();
            c.add(eax, 1);
            c.wrmsr();
            c.Done();
        }));
        LogicalProcessor silicon = SiliconOf(run);
        HostPhysicalMemory host = ((VmxVcpu)run.Vcpu).HostMemory;
        ulong area = host.AllocatePage();
        host.Write(area, 0xC000_0082);
        host.Write(area + 8, 0x1234);
        silicon.Vmwrite(VmcsField.EntryMsrLoadAddress, area);
        silicon.Vmwrite(VmcsField.EntryMsrLoadCount, 1);
        silicon.Vmwrite(VmcsField.ExitMsrStoreAddress, area);
        silicon.Vmwrite(VmcsField.ExitMsrStoreCount, 1);
        run.RunToEnd();
        Assert.Equal(0x1235UL, host.Read(area + 8));

        host.Write(area + 16, 0xC000_0100);
        silicon.Vmwrite(VmcsField.EntryMsrLoadCount, 2);
        VmExit exit = run.Run();
        Assert.Equal((ExitReason.EntryFailed, new RawExit(0x8000_0022, 2, 0)), (exit.Reason, exit.Raw));
        Assert.Contains("entry 2 of the VM-entry MSR-load area", run.Vcpu.LastFailure, StringComparison.Ordinal);
    }

    [Fact]
    public void The_guest_sees_its_own_NE_and_no_VMXE_and_may_not_set_it()
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c =>
        {
            c.mov(rax, cr0);
            c.and(rax, ~0x20);
            c.mov(cr0, rax);
            c.mov(rbx, cr0);
            c.Store(0, rbx);
            c.smsw(ecx);
            c.Store(1, rcx);
            c.or(rax, 0x20);
            c.mov(cr0, rax);
            c.mov(rbx, cr0);
            c.Store(2, rbx);
            c.mov(rax, cr4);
            c.Store(3, rax);
            c.or(eax, 0x2000);
            c.Guard(() => c.mov(cr4, rax));
            c.Done();
        }));
        run.RunToEnd();
        Assert.Equal((0UL, 0UL, 0x20UL), (run.Result(0) & 0x20, run.Result(1) & 0x20, run.Result(2) & 0x20));
        Assert.Equal(0UL, run.Result(3) & 0x2000);
        Assert.Equal(13, Assert.Single(run.Exceptions).Vector);
        LogicalProcessor silicon = SiliconOf(run);
        Assert.Equal(0x2000UL, silicon.Vmread(VmcsField.GuestCr4) & 0x2000);
        Assert.Equal(0x20UL, silicon.Vmread(VmcsField.GuestCr0) & 0x20);
    }

    [Fact]
    public void VMX_instructions_are_undefined_to_the_guest()
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c =>
        {
            foreach (byte[] instruction in (byte[][])[[0x0F, 0x01, 0xC2], [0x0F, 0x01, 0xC3], [0x0F, 0x01, 0xC4], [0x0F, 0x78, 0xC8], [0x0F, 0x79,
                0xC8], [0x0F, 0x01, 0xD4]])
                c.Guard(() => c.db(instruction));
            c.Done();
        }));
        run.RunToEnd();
        Assert.Equal(6, run.Exceptions.Count);
        Assert.All(run.Exceptions, e => Assert.Equal(6, e.Vector));
    }

    [Fact]
    public void TSC_offsetting_moves_RDTSC_and_RDMSR_alike()
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c =>
        {
            c.rdtsc();
            c.shl(rdx, 32);
            c.or(rax, rdx);
            c.Store(0, rax);
            c.mov(ecx, 0x10);
            c.rdmsr();
            c.shl(rdx, 32);
            c.or(rax, rdx);
            c.Store(1, rax);
            c.Done();
        }));
        LogicalProcessor silicon = SiliconOf(run);
        silicon.Vmwrite(VmcsField.PrimaryControls, silicon.Vmread(VmcsField.PrimaryControls) | (uint)Primary.UseTscOffsetting);
        silicon.Vmwrite(VmcsField.TscOffset, 0x7000_0000_0000);
        run.RunToEnd();
        Assert.InRange(run.Result(0), 0x7000_0000_0000UL, 0x7000_0000_1000UL);
        // Five instructions at least lie between the two.
        Assert.InRange(run.Result(1), run.Result(0) + 5, 0x7000_0000_1000UL);
    }

    [Fact]
    public void A_hypercall_round_trip_allocates_nothing()
    {
        using var run = new VcpuHarness(new VmxBackend(), GuestImage.Of(CodeMode.Long64, c =>
        {
            Label again = c.CreateLabel();
            c.Label(ref again);
            c.vmcall();
            c.jmp(again);
        }));
        IVcpu vcpu = run.Vcpu;
        Assert.Equal(2000, RoundTrips(vcpu, 2000));
        // The runtime itself may allocate once while it compiles a hot method anew: what an exit allocates shows in every round.
        long least = long.MaxValue;
        for (int round = 0; round < 5; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            int done = RoundTrips(vcpu, 2000);
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
            Assert.Equal(2000, done);
        }

        Assert.Equal(0, least);
    }

    private static int RoundTrips(IVcpu vcpu, int count)
    {
        int hypercalls = 0;
        for (int i = 0; i < count; i++)
        {
            vcpu.Run(1_000_000, out VmExit exit);
            hypercalls += exit.Reason == ExitReason.Hypercall ? 1 : 0;
            vcpu.Complete(ExitCompletion.RetireWith((ulong)i));
        }

        return hypercalls;
    }

    [Theory]
    [InlineData(CodeMode.Real16)]
    [InlineData(CodeMode.Protected32)]
    [InlineData(CodeMode.Long64)]
    public void Random_code_never_breaks_an_entry_check_and_never_throws(CodeMode mode)
    {
        var random = new Random(0x564D58 + (int)mode);
        for (int guest = 0; guest < 60; guest++)
        {
            byte[] code = new byte[512];
            random.NextBytes(code);
            using VcpuHarness run = Start(GuestImage.Of(mode, c => c.db(code)));
            for (int exits = 0; exits < 40; exits++)
            {
                run.Vcpu.Run(2000, out VmExit exit);
                Assert.True(exit.Reason is not (ExitReason.EntryFailed or ExitReason.InternalError), run.Vcpu.LastFailure);
                if (exit.Reason is ExitReason.Shutdown or ExitReason.Halt)
                    break;
                if (exit.Reason is ExitReason.BudgetExpired)
                    continue;
                run.Complete((exits % 3) switch
                {
                    0 => ExitCompletion.Retire,
                    1 => ExitCompletion.RetireWith((ulong)random.NextInt64()),
                    _ =>
                    ExitCompletion.GeneralProtection
                });
            }
        }
    }
}
