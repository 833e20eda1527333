using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Hv.Backends.Kvm.Abi;
using Hv.Backends.Kvm.Native;
using Hv.Contracts;
using Hv.Contracts.Guests;
using Hv.Core;
using Hv.Core.Exits;
using Hv.Core.Memory;
using Hv.Core.Registers;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Backends.Kvm.Tests;

/// <summary>
/// KVM_RUN that fails, exits that end the guest, the watchdog and signals: each is a neutral exit, with one line of what KVM reported where it is
/// the guest's end. Provoked on the device where that can be done; else the page that KVM would have written goes through the same code.
/// </summary>
public class FaultTests
{
    private const ulong Page = 0x5_0000;

    [Fact]
    public void Memory_that_the_host_cannot_provide_is_an_internal_error_that_names_EFAULT()
    {
        KvmBackend kvm = Device.Require(BackendCapabilities.Long64 | BackendCapabilities.UserMode | BackendCapabilities.Long64Exceptions);
        // From CPL 3: an access of the kernel's emulator, which some hosts have for CPL 0, ends as one to a hole.
        using var run = new VcpuHarness(kvm, GuestImage.Of(CodeMode.Long64, c => c.EnterUser()).WithCode(GuestLayout.SecondCode, c =>
        {
            c.mov(al, __byte_ptr[(long)Page]);
            c.hlt();
        }));
        nint host = run.Memory.Slots[0].HostBase + (nint)Page;
        NativeUnmap.Page(host);
        VmExit exit = run.Run();
        NativeUnmap.Restore(host);
        Assert.Equal(ExitReason.InternalError, exit.Reason);
        Assert.Contains("KVM_RUN failed at RIP 0xe000: EFAULT", run.Vcpu.LastFailure, StringComparison.Ordinal);
        // The guest is not lost: with the memory back it goes on.
        Assert.Equal(ExitReason.Halt, run.Run().Reason);
        Assert.Null(run.Vcpu.LastFailure);
    }

    [Fact]
    public void A_guest_that_never_leaves_is_kicked_by_the_watchdog_and_can_go_on()
    {
        Device.Require(BackendCapabilities.RealMode);
        using var backend = new KvmBackend(new KvmOptions { DevicePath = Device.Path, Watchdog = TimeSpan.FromMilliseconds(20) });
        using var guest = new TestGuest(backend, a =>
        {
            var top = a.CreateLabel();
            a.Label(ref top);
            a.inc(eax);
            a.jmp(top);
        });
        ulong before = guest.Vcpu.Registers.Rax;
        for (int i = 0; i < 3; i++)
        {
            VmExit exit = guest.Run();
            Assert.Equal((ExitReason.BudgetExpired, (string?)null), (exit.Reason, guest.Vcpu.LastFailure));
            Assert.InRange(exit.Rip, TestGuest.Code, TestGuest.Code + 3);
            Assert.True((uint)guest.Vcpu.Registers.Rax > (uint)before, "it goes on where it was");
            before = guest.Vcpu.Registers.Rax;
        }
    }

    [Fact]
    public void A_kicked_vcpu_shows_and_saves_where_the_guest_is()
    {
        KvmBackend backend = Device.Require(BackendCapabilities.RealMode);
        Action<Iced.Intel.Assembler> count = a =>
        {
            var top = a.CreateLabel();
            a.Label(ref top);
            a.inc(eax);
            a.mov(__dword_ptr[0x9000], eax);
            a.jmp(top);
        };
        using var from = new TestGuest(backend, count);
        using var to = new TestGuest(backend, count);
        Assert.Equal(ExitReason.Cancelled, RunFor(from, 20));
        Assert.True(from.Memory.TryRead(new Gpa(0x9000), out uint stored));
        Assert.InRange((uint)from.Vcpu.Registers.Rax - stored, 0u, 1u);
        Assert.True(stored > 100, $"only {stored} rounds");
        var state = new VcpuState();
        from.Vcpu.SaveState(state);
        Assert.Equal(from.Vcpu.Registers.Rax, state.General.Rax);
        to.Vcpu.LoadState(state);
        Assert.Equal(ExitReason.Cancelled, RunFor(to, 20));
        Assert.True((uint)to.Vcpu.Registers.Rax > (uint)state.General.Rax);
    }

    /// <summary>EINTR is provoked by every kick. EAGAIN comes from a vCPU of an in-kernel interrupt controller that is woken before its start-up
    /// IPI: this backend has no such controller, so that only the answer to the number can be tested.</summary>
    [Theory]
    [InlineData(4, true)] // EINTR
    [InlineData(11, true)] // EAGAIN
    [InlineData(14, false)] // EFAULT
    [InlineData(22, false)] // EINVAL
    [InlineData(12, false)] // ENOMEM
    public void Only_a_signal_or_a_wake_up_means_to_enter_again(int error, bool again) => Assert.Equal(again, KvmFailures.MeansRunAgain(error));

    /// <summary>FAIL_ENTRY and KVM_EXIT_UNKNOWN are the processor's refusal of a state that KVM has checked before: no ioctl lets such a state
    /// in.</summary>
    [Theory]
    [InlineData(9u, 0x8000_0021UL, ExitReason.EntryFailed,
        "KVM_EXIT_FAIL_ENTRY at RIP 0x1234: hardware entry failure reason 0x80000021 on processor 5")]
    [InlineData(0u, 0x42UL, ExitReason.Unknown, "KVM_EXIT_UNKNOWN at RIP 0x1234: hardware exit reason 0x42")]
    [InlineData(999u, 0UL, ExitReason.Unknown, "KVM exit reason 999 at RIP 0x1234, which this backend does not know")]
    public void An_entry_that_fails_and_a_reason_that_nobody_knows_are_values(uint reason, ulong hardware, ExitReason expected, string line)
    {
        byte[] page = RunPage(reason);
        BinaryPrimitives.WriteUInt64LittleEndian(page.AsSpan(32), hardware);
        BinaryPrimitives.WriteUInt32LittleEndian(page.AsSpan(40), 5);
        Assert.Equal((expected, line), Read(page));
    }

    [Theory]
    [InlineData(1u, 3u,
        "KVM_EXIT_INTERNAL_ERROR at RIP 0x1234: suberror 1, the kernel cannot emulate the instruction 0F0B90; run this guest on a software backend")]
    [InlineData(2u, 2u, "KVM_EXIT_INTERNAL_ERROR at RIP 0x1234: suberror 2, simultaneous exceptions; data 0x1 0x900b0f03")]
    [InlineData(3u, 0u, "KVM_EXIT_INTERNAL_ERROR at RIP 0x1234: suberror 3, an exit while an event was being delivered")]
    [InlineData(4u, 1u, "KVM_EXIT_INTERNAL_ERROR at RIP 0x1234: suberror 4, an exit reason that the kernel does not expect; data 0x1")]
    [InlineData(77u, 9u, "KVM_EXIT_INTERNAL_ERROR at RIP 0x1234: suberror 77; data 0x1 0x900b0f03 0x0 0x0")]
    public void An_internal_error_says_what_KVM_said(uint suberror, uint words, string line)
    {
        byte[] page = RunPage(17);
        BinaryPrimitives.WriteUInt32LittleEndian(page.AsSpan(32), suberror);
        BinaryPrimitives.WriteUInt32LittleEndian(page.AsSpan(36), words);
        page[40] = 1; // flags: the instruction's bytes are there
        page[48] = 3; // their number, and they
        page[49] = 0x0F;
        page[50] = 0x0B;
        page[51] = 0x90;
        Assert.Equal((ExitReason.InternalError, line), Read(page));
    }

    [Theory]
    [InlineData(14, "KVM_RUN failed at RIP 0x1234: EFAULT: the guest reached memory that the host cannot provide")]
    [InlineData(22, "KVM_RUN failed at RIP 0x1234: Invalid argument (errno 22)")]
    public void A_KVM_RUN_that_fails_is_an_internal_error_with_its_error(int error, string line)
    {
        byte[] page = RunPage(2);
        KvmFailures.Note(ref MemoryMarshal.AsRef<KvmRun>(page.AsSpan()), error);
        Assert.Equal((ExitReason.InternalError, line), Read(page));
    }

    [Fact]
    public void A_triple_fault_is_a_shutdown()
    {
        KvmBackend backend = Device.Require(BackendCapabilities.Long64);
        using var guest = new TestGuest(backend, a => a.ud2(), long64: true);
        Assert.Equal(ExitReason.Shutdown, guest.Run().Reason);
    }

    [Fact]
    public void A_stray_hypercall_instruction_of_a_vendor_ends_in_a_fault_and_not_in_a_livelock()
    {
        KvmBackend backend = Device.Require(BackendCapabilities.Long64);
        using var guest = new TestGuest(backend, a => a.db(0x0F, 0x01, 0xC1), long64: true);
        using var watchdog = new Timer(_ => guest.Vcpu.RequestExit(), null, 2000, Timeout.Infinite);
        Assert.Equal(ExitReason.Shutdown, guest.Run().Reason);
        Assert.True(guest.Memory.TryRead(new Gpa(TestGuest.Code), out uint bytes));
        Assert.Equal(0xC1010FU, bytes & 0xFFFFFF);
    }

    [Fact]
    public void An_instruction_that_the_kernel_cannot_emulate_is_an_internal_error_that_names_its_bytes()
    {
        KvmBackend backend = Device.Require(BackendCapabilities.Long64);
        Assert.SkipWhen(backend.Capabilities.HasFlag(BackendCapabilities.SoftwareInterrupts), "this host's KVM runs INT3 in 64-bit mode");
        using var guest = new TestGuest(backend, a => a.int3(), long64: true);
        Assert.Equal(ExitReason.InternalError, guest.Run().Reason);
        Assert.Contains("KVM_EXIT_INTERNAL_ERROR at RIP 0x1000: suberror 1, the kernel cannot emulate the instruction CC", guest.Vcpu.LastFailure,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_signal_that_nobody_asked_for_does_not_end_the_run()
    {
        KvmBackend backend = Device.Require(BackendCapabilities.RealMode);
        using var guest = new TestGuest(backend, a =>
        {
            var top = a.CreateLabel();
            a.mov(cx, 20000);
            a.Label(ref top);
            a.dec(cx);
            a.jnz(top);
            a.hlt();
        });
        int thread = Native.Libc.ThreadId(), signals = 0;
        using var done = new CancellationTokenSource();
        var sender = new Thread(() =>
        {
            while (!done.IsCancellationRequested)
            {
                Native.Kick.Interrupt(thread);
                signals++;
                Thread.Sleep(1);
            }
        });
        sender.Start();
        ExitReason reason = guest.Run().Reason;
        done.Cancel();
        sender.Join();
        Assert.Equal(ExitReason.Halt, reason);
        Assert.True(signals > 0);
    }

    private static ExitReason RunFor(TestGuest guest, int milliseconds)
    {
        using var timer = new Timer(_ => guest.Vcpu.RequestExit(), null, milliseconds, Timeout.Infinite);
        return guest.Run().Reason;
    }

    /// <summary>The bytes of struct kvm_run at RIP 1234h, by the offsets of the kernel's header: exit_reason at 8, the synced registers at
    /// 304.</summary>
    private static byte[] RunPage(uint reason)
    {
        byte[] page = new byte[4096];
        BinaryPrimitives.WriteUInt32LittleEndian(page.AsSpan(8), reason);
        BinaryPrimitives.WriteUInt64LittleEndian(page.AsSpan(304 + 16 * 8), 0x1234);
        return page;
    }

    private static (ExitReason Reason, string Line) Read(byte[] page)
    {
        ref KvmRun run = ref MemoryMarshal.AsRef<KvmRun>(page.AsSpan());
        KvmExitCapture.Capture(new KvmExitRecord(in run, 0, 0xE4, 0), out VmExit exit);
        return (exit.Reason, KvmFailures.Describe(in run));
    }
}
