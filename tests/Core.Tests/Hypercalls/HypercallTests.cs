using Hv.Core.Exits;
using Hv.Core.Hypercalls;
using Hv.Core.Machine;
using Hv.Core.Registers;
using Hv.Core.Tests.Fakes;

namespace Hv.Core.Tests.Hypercalls;

/// <summary>The calling convention of 2007 (KVM 2007, include/linux/kvm_para.h) and what every call has in common.</summary>
public sealed class HypercallTests
{
    private const ulong Probe = 0x1234;
    private const GuestMode Compat = GuestMode.Protected | GuestMode.LongModeActive | GuestMode.Code32;
    private const GuestMode Protected32 = GuestMode.Protected | GuestMode.Code32;

    [Theory]
    [InlineData(Script.Long)]
    [InlineData(Compat)]
    public void With_lma_the_64_bit_registers_count_whatever_the_code_size(GuestMode mode)
    {
        var recorder = new Recorder(Probe);
        using var guest = new Guest(new VirtualMachineOptions { Hypercalls = [recorder] });
        guest.Fake.Registers = Distinct();
        guest.Fake.Registers.Rax = Probe;

        guest.Play(Script.Hypercall(mode));

        Assert.Equal(
            new HypercallArguments(Probe, Filled(7), Filled(6), Filled(2), Filled(1), Filled(8), Filled(9), true),
            recorder.Last);
    }

    [Theory]
    [InlineData(Protected32)]
    [InlineData(GuestMode.Protected)]
    [InlineData(GuestMode.Real)]
    public void Without_lma_ebx_is_the_number_and_all_are_truncated(GuestMode mode)
    {
        var recorder = new Recorder(Probe);
        using var guest = new Guest(new VirtualMachineOptions { Hypercalls = [recorder] });
        guest.Fake.Registers = Distinct();
        guest.Fake.Registers.Rbx = 0xDEAD_BEEF_0000_0000 | Probe;

        guest.Play(Script.Hypercall(mode));

        Assert.Equal(
            new HypercallArguments(Probe, (uint)Filled(0), (uint)Filled(1), (uint)Filled(2),
            (uint)Filled(6), (uint)Filled(7), (uint)Filled(5), false),
            recorder.Last);
    }

    [Fact]
    public void The_upper_half_of_a_64_bit_number_counts()
    {
        using var guest = new Guest();

        Assert.Equal(ulong.MaxValue, guest.Call(0x1_0000_0000));
    }

    [Theory]
    [InlineData(Script.Long, 0xFEDC_BA98_8765_4321ul)]
    [InlineData(Compat, 0xFEDC_BA98_8765_4321ul)]
    [InlineData(Protected32, 0x8765_4321ul)]
    [InlineData(GuestMode.Real, 0x8765_4321ul)]
    public void The_result_reaches_rax_and_no_other_register_changes(GuestMode mode, ulong rax)
    {
        var handler = new Recorder(Probe) { Answer = HypercallOutcome.Return(0xFEDC_BA98_8765_4321) };
        using var guest = new Guest(new VirtualMachineOptions { Hypercalls = [handler] });
        guest.Fake.Registers = Distinct();
        guest.Fake.Registers.Rax = Probe;
        if ((mode & GuestMode.LongModeActive) == 0)
            guest.Fake.Registers.Rbx = Probe;
        GeneralRegisters expected = guest.Fake.Registers;
        expected.Rax = rax;

        guest.Play(Script.Hypercall(mode));

        Assert.Equal(ExitCompletion.RetireWith(rax), guest.Fake.LastCompletion);
        Assert.Equivalent(expected, guest.Fake.Registers, strict: true);
    }

    [Fact]
    public void Number_0_is_the_test_call()
    {
        using var guest = new Guest();

        Assert.Equal(0x5A5Aul, guest.Call(0));
    }

    [Theory]
    [InlineData(1ul)]
    [InlineData(13ul)]
    [InlineData(HypercallNumbers.FirstOwn - 1)]
    [InlineData(HypercallNumbers.StartVcpu + 1)]
    [InlineData(ulong.MaxValue)]
    public void An_unknown_number_returns_einval(ulong number)
    {
        using var guest = new Guest();

        Assert.Equal(ulong.MaxValue, guest.Call(number));
    }

    [Fact]
    public void An_unknown_number_in_32_bits_returns_einval_in_eax()
    {
        using var guest = new Guest();
        guest.Fake.Registers.Rbx = 99;

        guest.Play(Script.Hypercall(Protected32));

        Assert.Equal(0xFFFF_FFFFul, guest.Fake.Registers.Rax);
    }

    [Theory]
    [InlineData((byte)1)]
    [InlineData((byte)2)]
    [InlineData((byte)3)]
    public void Above_cpl_0_calls_are_refused_before_any_handler(byte cpl)
    {
        var recorder = new Recorder(Probe);
        using var guest = new Guest(new VirtualMachineOptions { Hypercalls = [recorder] });
        guest.Fake.Registers.Rax = Probe;

        guest.Play(Script.Hypercall(Script.Long, cpl));

        Assert.Equal(ulong.MaxValue, guest.Fake.Registers.Rax);
        Assert.Null(recorder.Last);
    }

    [Fact]
    public void An_option_lets_user_code_call_as_in_2007()
    {
        using var guest = new Guest(new VirtualMachineOptions { AllowUserModeHypercalls = true });
        guest.Fake.Registers.Rax = 0;

        guest.Play(Script.Hypercall(Script.Long, 3));

        Assert.Equal(0x5A5Aul, guest.Fake.Registers.Rax);
    }

    [Fact]
    public void A_handler_may_fault_the_instruction()
    {
        using var guest = new Guest(new VirtualMachineOptions { Hypercalls = [new Recorder(Probe) { Answer = HypercallOutcome.Fault(13, 0x10) }] });

        guest.Call(Probe);

        Assert.Equal(ExitCompletion.Fault(13, true, 0x10), guest.Fake.LastCompletion);
    }

    [Fact]
    public void A_fault_without_an_error_code_has_none()
    {
        using var guest = new Guest(new VirtualMachineOptions { Hypercalls = [new Recorder(Probe) { Answer = HypercallOutcome.Fault(6) }] });

        guest.Call(Probe);

        Assert.Equal(ExitCompletion.InvalidOpcode, guest.Fake.LastCompletion);
    }

    [Fact]
    public void Two_handlers_of_one_number_are_refused_at_composition()
    {
        ArgumentException e = Assert.Throws<ArgumentException>(() => new Guest(new VirtualMachineOptions { Hypercalls = [new Recorder(0)] }));

        Assert.Contains("hypercall 0x0", e.Message, StringComparison.Ordinal);
        Assert.Contains(nameof(TestHypercall), e.Message, StringComparison.Ordinal);
        Assert.Contains(nameof(Recorder), e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Hvs_numbers_are_those_of_the_abi_document()
    {
        Assert.Equal(0x48560000ul, HypercallNumbers.ConsoleWrite);
        Assert.Equal(0x48560001ul, HypercallNumbers.Exit);
        Assert.Equal(0x48560002ul, HypercallNumbers.Clock);
        Assert.Equal(0x48560003ul, HypercallNumbers.StartVcpu);
    }

    private static ulong Filled(int register) => 0x1111_1111_1111_1111ul * (ulong)(register + 1) ^ 0x8000_0000_8000_0000;

    private static GeneralRegisters Distinct()
    {
        var registers = new GeneralRegisters { Rip = 0x1000, Rflags = 0x246 };
        for (int i = 0; i < 16; i++)
            registers[i] = Filled(i);
        return registers;
    }

    private sealed class Recorder(ulong number) : IHypercallHandler
    {
        public HypercallOutcome Answer { get; init; } = HypercallOutcome.Return(0);

        public HypercallArguments? Last { get; private set; }

        public ulong Number => number;

        public HypercallOutcome Invoke(VirtualCpu vcpu, in HypercallArguments arguments)
        {
            Last = arguments;
            return Answer;
        }
    }
}
