using Hv.Core.Exits;
using Hv.Core.Hypercalls;
using Hv.Core.Machine;
using Hv.Core.Memory;
using Hv.Core.Tests.Fakes;

namespace Hv.Core.Tests.Hypercalls;

/// <summary>hv's own calls (docs/abi.md).</summary>
public sealed class OwnHypercallTests
{
    private const ulong Einval = ulong.MaxValue;

    [Fact]
    public void Console_write_passes_the_bytes_on()
    {
        using var guest = new Guest();
        guest.Memory.TryWrite(new Gpa(0x2FFE), "hello\n"u8);

        Assert.Equal(0ul, guest.Call(HypercallNumbers.ConsoleWrite, 0x2FFE, 6));

        Assert.Equal("hello\n", guest.Console.Text);
    }

    [Theory]
    [InlineData(0x2000ul, 0ul, 0ul, 0)]
    [InlineData(0x2000ul, 65536ul, 0ul, 65536)]
    [InlineData(0x2000ul, 65537ul, Einval, 0)]
    [InlineData(0x2000ul, ulong.MaxValue, Einval, 0)]
    [InlineData(Guest.MemorySize - 1, 1ul, 0ul, 1)]
    [InlineData(Guest.MemorySize - 1, 2ul, Einval, 0)]
    [InlineData(Guest.MemorySize, 1ul, Einval, 0)]
    [InlineData(ulong.MaxValue, 2ul, Einval, 0)]
    [InlineData(1ul << 63, 1ul, Einval, 0)]
    public void Console_write_is_bounded_and_all_or_nothing(ulong address, ulong length, ulong result, int written)
    {
        using var guest = new Guest();

        Assert.Equal(result, guest.Call(HypercallNumbers.ConsoleWrite, address, length));

        Assert.Equal(written, guest.Console.Bytes.Count);
    }

    [Fact]
    public void Console_write_reads_read_only_memory()
    {
        using var guest = new Guest();
        guest.Memory.AddSlot(new Gpa(Guest.MemorySize), 0x1000, SlotKind.ReadOnly);
        guest.Memory.TryLoad(new Gpa(Guest.MemorySize), "rom"u8);

        Assert.Equal(0ul, guest.Call(HypercallNumbers.ConsoleWrite, Guest.MemorySize, 3));

        Assert.Equal("rom", guest.Console.Text);
    }

    [Theory]
    [InlineData(0ul, 0)]
    [InlineData(3ul, 3)]
    [InlineData(0x1_0000_0007ul, 7)]
    [InlineData(0xFFFF_FFFFul, -1)]
    public void Exit_stops_the_machine_with_the_low_32_bits(ulong code, int exitCode)
    {
        using var guest = new Guest();
        guest.Fake.Registers.Rax = HypercallNumbers.Exit;
        guest.Fake.Registers.Rdi = code;

        StopInfo stop = guest.Play(Script.Hypercall(), Script.Out(1, 1, 1));

        Assert.Equal(StopReason.Exited, stop.Reason);
        Assert.Equal(exitCode, stop.ExitCode);
        Assert.Equal(0, stop.VcpuIndex);
        Assert.Equal(ExitReason.Hypercall, stop.Exit.Reason);
        Assert.Equal(ExitCompletion.RetireWith(0), guest.Fake.LastCompletion);
        // It can run on.
        Assert.Equal(StopReason.AllHalted, guest.Machine.Run(default, TestContext.Current.CancellationToken).Reason);
        Assert.Equal(2, guest.Fake.Completions);
    }

    [Fact]
    public void The_hosts_clock_never_goes_back_and_moves()
    {
        using var guest = new Guest();
        ulong first = guest.Call(HypercallNumbers.Clock);
        Thread.Sleep(2);
        ulong second = guest.Call(HypercallNumbers.Clock);

        Assert.InRange(second - first, 1_000_000ul, 60_000_000_000ul);
    }

    [Fact]
    public void Virtual_time_is_instructions_retired_by_all_vcpus()
    {
        using var guest = new Guest(new VirtualMachineOptions { Clock = GuestClock.Instructions, VcpuCount = 2, Quantum = 100 });
        guest.Machine.Vcpus[1].Activity = VcpuActivity.Running;
        guest.FakeOf(1).Play(new Step(1000));
        guest.Fake.Registers.Rax = HypercallNumbers.Clock;
        ulong seen = 0;
        guest.Fake.BeforeExit = v => seen = v.Registers.Rax == HypercallNumbers.Clock ? seen : v.Registers.Rax;

        // vCPU 0 retires 150, of which 100 in its first turn; then vCPU 1 its 100; then vCPU 0 the other 50 and asks.
        guest.Play(new Step(150, Script.Hypercall().Exit), Script.Out(1, 1, 0));

        Assert.Equal(250ul, seen);
    }

    [Fact]
    public void Virtual_time_goes_on_from_a_snapshot()
    {
        using var guest = new Guest(new VirtualMachineOptions { Clock = GuestClock.Instructions });
        guest.Play(new Step(500));
        ulong before = guest.Call(HypercallNumbers.Clock);
        MachineSnapshot snapshot = guest.Machine.Save();

        using var other = new Guest(new VirtualMachineOptions { Clock = GuestClock.Instructions });
        other.Machine.Restore(snapshot);
        ulong after = other.Call(HypercallNumbers.Clock);

        // The call itself and the HLT after it.
        Assert.Equal(before + 2, after);
    }

    [Fact]
    public void Virtual_time_needs_a_backend_that_counts()
    {
        ArgumentException e = Assert.Throws<ArgumentException>(() => new Guest(
            new VirtualMachineOptions { Clock = GuestClock.Instructions }, new FakeBackend("Vague", capabilities: BackendCapabilities.None)));

        Assert.Contains("Vague", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Start_vcpu_starts_a_waiting_one_in_the_callers_mode()
    {
        using var guest = new Guest(new VirtualMachineOptions { VcpuCount = 3 });
        guest.Fake.System.Cr3 = 0x7000;
        guest.Fake.System.Efer = 0x500;
        guest.Fake.Registers.R15 = 42;

        Assert.Equal(0ul, guest.Call(HypercallNumbers.StartVcpu, 2, 0xABC0, 0x77));

        FakeVcpu started = guest.FakeOf(2);
        Assert.Equal(0xABC0ul, started.Registers.Rip);
        Assert.Equal(0x77ul, started.Registers.Rdi);
        Assert.Equal(2ul, started.Registers.Rflags);
        Assert.Equal(0ul, started.Registers.R15);
        Assert.Equal(0x7000ul, started.System.Cr3);
        Assert.Equal(0x500ul, started.System.Efer);
        Assert.Equal(VcpuActivity.Halted, guest.Machine.Vcpus[2].Activity);
        Assert.Equal(VcpuActivity.WaitForStart, guest.Machine.Vcpus[1].Activity);
    }

    [Fact]
    public void Start_vcpu_in_32_bits_passes_the_argument_in_eax()
    {
        using var guest = new Guest(new VirtualMachineOptions { VcpuCount = 2 });
        guest.Fake.Registers.Rbx = HypercallNumbers.StartVcpu;
        guest.Fake.Registers.Rax = 1;
        guest.Fake.Registers.Rcx = 0x5000;
        guest.Fake.Registers.Rdx = 0x99;

        guest.Play(Script.Hypercall(GuestMode.Protected | GuestMode.Code32));

        Assert.Equal(0x5000ul, guest.FakeOf(1).Registers.Rip);
        Assert.Equal(0x99ul, guest.FakeOf(1).Registers.Rax);
    }

    [Theory]
    [InlineData(0ul)]
    [InlineData(2ul)]
    [InlineData(ulong.MaxValue)]
    [InlineData(1ul << 32)]
    public void Start_vcpu_refuses_who_does_not_wait(ulong index)
    {
        using var guest = new Guest(new VirtualMachineOptions { VcpuCount = 2 });

        Assert.Equal(Einval, guest.Call(HypercallNumbers.StartVcpu, index, 0x1000));
    }

    [Fact]
    public void Start_vcpu_works_once()
    {
        using var guest = new Guest(new VirtualMachineOptions { VcpuCount = 2 });
        Assert.Equal(0ul, guest.Call(HypercallNumbers.StartVcpu, 1, 0x1000));

        Assert.Equal(Einval, guest.Call(HypercallNumbers.StartVcpu, 1, 0x1000));
    }

    [Fact]
    public void Start_vcpu_is_for_cpl_0_even_where_user_calls_are_allowed()
    {
        using var guest = new Guest(new VirtualMachineOptions { VcpuCount = 2, AllowUserModeHypercalls = true });
        guest.Fake.System.Cpl = 3;

        Assert.Equal(Einval, guest.Call(HypercallNumbers.StartVcpu, 1, 0x1000));
        Assert.Equal(VcpuActivity.WaitForStart, guest.Machine.Vcpus[1].Activity);
    }
}
