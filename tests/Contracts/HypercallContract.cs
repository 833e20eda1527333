using Hv.Contracts.Guests;
using Hv.Core;
using Hv.Core.Hypercalls;
using Hv.Core.Machine;
using Hv.Core.Registers;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Contracts;

/// <summary>Hypercalls: number and arguments by the convention of 2007, the result in RAX, and nothing else changed (docs/abi.md).</summary>
public abstract class HypercallContract(BackendUnderTest subject) : ContractTest(subject)
{
    private const uint Number = 0x77, Exit = (uint)HypercallNumbers.Exit, Write = (uint)HypercallNumbers.ConsoleWrite;
    private const ulong Invalid = ulong.MaxValue, Text = GuestLayout.Free;

    [Theory]
    [MemberData(nameof(Modes.All), MemberType = typeof(Modes))]
    public void Number_and_six_arguments_arrive(CodeMode mode)
    {
        var handler = new RecordingHypercall(Number, HypercallOutcome.Return(0x1234));
        using MachineHarness run = Boot(Registered(mode, c =>
        {
            c.Hypercall(Number, 11, 22, 33, 44, 55, 66);
            c.Store(0, eax);
            c.Done();
        }), new VirtualMachineOptions { Hypercalls = [handler] });
        run.RunToEnd();
        Assert.Equal(new HypercallArguments(Number, 11, 22, 33, 44, 55, 66, mode == CodeMode.Long64), Assert.Single(handler.Calls));
        Assert.Equal(0x1234UL, run.Result(0));
    }

    [Theory]
    [MemberData(nameof(Modes.Sizes), MemberType = typeof(Modes))]
    public void A_call_changes_rax_and_nothing_else(CodeMode mode)
    {
        var handler = new RecordingHypercall(Number, HypercallOutcome.Return(0x55));
        GeneralRegisters before = default, after = default;
        var fill = new Marker(0x10, v =>
        {
            ref GeneralRegisters r = ref v.Processor.Registers;
            ulong mask = mode == CodeMode.Long64 ? ulong.MaxValue : 0xFFFFFFFF;
            for (int i = 0; i < 16; i++)
                r[i] = i == 4 ? r[i] : 0x0123_4567_89AB_CDEF * (ulong)(i + 1) & mask;
            r[mode == CodeMode.Long64 ? 0 : 3] = Number;
            r.Rflags = 0x4D7 & ~0x100UL; // arithmetic flags and DF set
            before = r;
        });
        var look = new Marker(0x11, v => after = v.Processor.Registers);
        using MachineHarness run = Boot(Registered(mode, c =>
        {
            c.@out(0x10, al);
            c.CallStub();
            c.@out(0x11, al);
            c.Done();
        }), new VirtualMachineOptions { Hypercalls = [handler], Ports = [fill, look] });
        run.RunToEnd();
        Assert.Single(handler.Calls);
        Assert.Equal(0x55UL, after.Rax);
        for (int i = 1; i < 16; i++)
            Assert.True(before[i] == after[i], $"register {i}: {before[i]:x} became {after[i]:x}");
        Assert.Equal(before.Rflags, after.Rflags);
    }

    [Fact]
    public void In_long_mode_all_64_bits_of_number_and_arguments_count()
    {
        var handler = new RecordingHypercall(0xABCD_0000_0000_0001, HypercallOutcome.Return(0x8765_4321_0000_0001));
        using MachineHarness run = Boot(Registered(CodeMode.Long64, c =>
        {
            c.mov(rdi, 0x1111_2222_3333_4444);
            c.mov(r9, unchecked((long)0xFFFF_0000_FFFF_0000));
            c.mov(rax, 0xABCD_0000_0000_0001);
            c.CallStub();
            c.Store(0, rax);
            c.mov(rax, 0x1_0000_0000); // not number 0
            c.CallStub();
            c.Store(1, rax);
            c.Done();
        }), new VirtualMachineOptions { Hypercalls = [handler] });
        run.RunToEnd();
        Assert.Equal((0x1111_2222_3333_4444UL, 0xFFFF_0000_FFFF_0000UL), (handler.Calls[0].A0, handler.Calls[0].A5));
        Assert.Equal((0x8765_4321_0000_0001UL, Invalid), (run.Result(0), run.Result(1)));
    }

    [Theory]
    [InlineData(CodeMode.Real16)]
    [InlineData(CodeMode.Protected32)]
    public void Outside_long_mode_upper_halves_do_not_count(CodeMode mode)
    {
        var handler = new RecordingHypercall(Number, HypercallOutcome.Return(0xFFFF_FFFF_1234_5678));
        var fill = new Marker(0x10, v =>
        {
            ref GeneralRegisters r = ref v.Processor.Registers;
            r.Rbx = 0xDEAD_0000_0000_0000 | Number;
            r.Rax = 0xDEAD_0000_0000_0001;
            r.Rbp = 0xDEAD_0000_0000_0006;
        });
        using MachineHarness run = Boot(Registered(mode, c =>
        {
            c.@out(0x10, al);
            c.CallStub();
            c.Store(0, eax);
            c.Done();
        }), new VirtualMachineOptions { Hypercalls = [handler], Ports = [fill] });
        run.RunToEnd();
        Assert.Equal((1UL, 6UL), (Assert.Single(handler.Calls).A0, handler.Calls[0].A5));
        Assert.Equal(0x1234_5678UL, run.Result(0));
    }

    [Theory]
    [InlineData(CodeMode.Protected32, 1u, 0xFFFFFFFFUL)]
    [InlineData(CodeMode.Long64, 1u, Invalid)]
    [InlineData(CodeMode.Long64, 0x48560004u, Invalid)]
    [InlineData(CodeMode.Long64, 0xFFFFFFFFu, Invalid)]
    public void An_unknown_number_is_minus_einval(CodeMode mode, uint number, ulong expected)
    {
        using MachineHarness run = Boot(Registered(mode, c =>
        {
            c.Hypercall(number);
            c.Done();
        }));
        run.RunToEnd();
        Assert.Equal(expected, run.Registers.Rax);
    }

    [Theory]
    [InlineData(CodeMode.Protected32, false)]
    [InlineData(CodeMode.Protected32, true)]
    [InlineData(CodeMode.Long64, false)]
    [InlineData(CodeMode.Long64, true)]
    public void At_cpl_3_a_call_is_refused_unless_the_machine_allows_it(CodeMode mode, bool allow)
    {
        using MachineHarness run = Boot(
            Registered(mode, c => c.EnterUser()).WithCode(GuestLayout.SecondCode, c =>
            {
                c.Hypercall(0);
                c.Store(0, eax);
                c.hlt();
            }, mode),
            new VirtualMachineOptions { AllowUserModeHypercalls = allow },
            BackendCapabilities.UserMode | BackendCapabilities.UserHypercalls | BackendCapabilities.GuestExceptions);
        run.RunToEnd();
        Assert.Equal(allow ? 0x5A5AUL : 0xFFFFFFFF, run.Result(0));
        Assert.Equal(13, Assert.Single(run.Exceptions).Vector); // the HLT that ends user code
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Compatibility_mode_uses_the_convention_of_long_mode(bool user)
    {
        var handler = new RecordingHypercall(Number, HypercallOutcome.Return(0xFFFF_FFFF_0000_0042));
        using MachineHarness run = Boot(
            Registered(CodeMode.Long64, c => c.EnterAt(GuestLayout.SecondCode, user
                ? Descriptors.CompatibilityUserCode : Descriptors.CompatibilityCode))
                .WithCode(GuestLayout.SecondCode, c =>
                {
                    c.mov(eax, Number);
                    c.mov(edi, 1);
                    c.mov(esi, 2);
                    c.mov(ebx, 0xBAD);
                    c.CallStub();
                    c.hlt();
                }, CodeMode.Protected32),
            new VirtualMachineOptions { Hypercalls = [handler], AllowUserModeHypercalls = true },
            BackendCapabilities.GuestExceptions | (user ? BackendCapabilities.UserMode | BackendCapabilities.UserHypercalls : 0));
        run.RunToEnd();
        HypercallArguments call = Assert.Single(handler.Calls);
        Assert.Equal(((ulong)Number, 1UL, 2UL, true), (call.Number, call.A0, call.A1, call.LongMode));
        Assert.Contains(run.Exits, e => e.Contains("Hypercall", StringComparison.Ordinal)
            && e.Contains("LongModeActive, Code32", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Virtual_8086_mode_calls_by_the_convention_of_32_bits_at_cpl_3(bool allow)
    {
        using MachineHarness run = Boot(
            Registered(CodeMode.Protected32, c => c.EnterVirtual8086()).WithCode(GuestLayout.SecondCode, c =>
            {
                c.mov(ebx, 0);
                c.CallStub();
                c.Store(0, eax);
                c.hlt();
            }, CodeMode.Real16),
            new VirtualMachineOptions { AllowUserModeHypercalls = allow },
            BackendCapabilities.LegacyTasks | BackendCapabilities.UserHypercalls);
        run.RunToEnd();
        Assert.Equal(allow ? 0x5A5AUL : 0xFFFFFFFF, run.Result(0));
        Assert.Contains(run.Exits, e => e.Contains("Hypercall", StringComparison.Ordinal) && e.Contains("Virtual8086 3", StringComparison.Ordinal));
    }

    [Fact]
    public void A_handlers_fault_arrives_at_the_exit_instruction()
    {
        var handler = new RecordingHypercall(Number, HypercallOutcome.Fault(13, 0));
        using MachineHarness run = Boot(Registered(CodeMode.Long64, c =>
        {
            c.GuardAt(GuestLayout.Stub, () => c.Hypercall(Number, 5));
            c.Store(0, eax);
            c.Done();
        }), new VirtualMachineOptions { Hypercalls = [handler] }, BackendCapabilities.GuestExceptions);
        run.RunToEnd();
        Assert.Equal((13, 0u, GuestLayout.Stub), (Assert.Single(run.Exceptions).Vector, run.Exceptions[0].ErrorCode, run.Exceptions[0].Rip));
        Assert.Equal((ulong)Number, run.Result(0));
    }

    [Theory]
    [InlineData(CodeMode.Real16, 7)]
    [InlineData(CodeMode.Protected32, 0)]
    [InlineData(CodeMode.Long64, -5)]
    public void The_exit_call_stops_the_machine_with_its_code(CodeMode mode, int code)
    {
        using MachineHarness run = Boot(Registered(mode, c =>
        {
            c.Hypercall(Exit, (uint)code);
            c.Mark(0);
            c.Done();
        }));
        StopInfo stop = run.Expect(StopReason.Exited);
        Assert.Equal((code, 0, 0UL), (stop.ExitCode, stop.VcpuIndex, run.Result(0)));
        // Three MOVs and WRMSR, two MOVs, CALL, and the exit instruction that never returns.
        if (Backend.Capabilities.HasFlag(BackendCapabilities.Deterministic))
            Assert.Equal(8, run.Machine.Statistics.Instructions);
    }

    [Theory]
    [MemberData(nameof(Modes.All), MemberType = typeof(Modes))]
    public void The_console_call_writes_what_the_guest_names(CodeMode mode)
    {
        using MachineHarness run = Boot(Registered(mode, c =>
        {
            c.Hypercall(Write, (uint)Text, 6);
            c.Store(0, eax);
            c.Hypercall(Write, (uint)Text, 0);
            c.Store(1, eax);
            c.Hypercall(Write, (uint)GuestLayout.RamSize - 3, 4); // one byte in the hole
            c.Store(2, eax);
            c.Hypercall(Write, (uint)Text, 0x10001);
            c.Store(3, eax);
            c.Done();
        }).With(Text, "hello\n"u8.ToArray()));
        run.RunToEnd();
        Assert.Equal("hello\n", run.Console);
        Assert.Equal((0UL, 0UL, 0xFFFFFFFFUL, 0xFFFFFFFFUL), (run.Result(0), run.Result(1), run.Result(2), run.Result(3)));
    }

    [Fact]
    public void The_clock_does_not_go_back()
    {
        using MachineHarness run = Boot(Registered(CodeMode.Long64, c =>
        {
            for (int i = 0; i < 3; i++)
            {
                c.Hypercall((uint)HypercallNumbers.Clock);
                c.Store(i, rax);
            }

            c.Done();
        }));
        run.RunToEnd();
        Assert.True(run.Result(0) <= run.Result(1) && run.Result(1) <= run.Result(2));
    }

    /// <summary>A guest that has registered, and does this then.</summary>
    private static GuestImage Registered(CodeMode mode, Action<GuestCode> program) => GuestImage.Of(mode, c =>
    {
        c.Wrmsr(GuestCode.ApiMagic, GuestLayout.ParaState);
        program(c);
    }).WithParaState();
}
