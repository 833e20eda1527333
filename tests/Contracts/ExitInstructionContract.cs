using Hv.Contracts.Guests;
using Hv.Core;
using Hv.Core.Exits;
using Hv.Core.Registers;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Contracts;

/// <summary>The exit instruction itself, without the interface around it: where it works, what surrounds it, and that nobody else's does.</summary>
public abstract class ExitInstructionContract(BackendUnderTest subject) : ContractTest(subject)
{
    private const ulong TrapFlag = 1 << 8;

    /// <summary>The exit instructions of the backends in this repository: VMCALL, VMMCALL, UD1 EDI, EAX
    /// (docs/adr/0004-emulated-exit-instruction.md).</summary>
    public static TheoryData<CodeMode, byte[]> KnownExitInstructions => new(
        from mode in new[] { CodeMode.Real16, CodeMode.Protected32, CodeMode.Long64 }
        from bytes in new byte[][] { [0x0F, 0x01, 0xC1], [0x0F, 0x01, 0xD9], [0x0F, 0xB9, 0xF8] }
        select new TheoryDataRow<CodeMode, byte[]>(mode, bytes));

    private byte[] Exit => MachineHarness.StubOf(Backend)[..^1];

    [Theory]
    [MemberData(nameof(Modes.All), MemberType = typeof(Modes))]
    public void It_exits_in_every_mode_with_place_length_and_mode(CodeMode mode)
    {
        using VcpuHarness run = Start(GuestImage.Of(mode, c =>
        {
            c.mov(eax, 0x11);
            c.db(Exit);
            c.Store(0, eax);
            c.Done();
        }));
        VmExit exit = run.Expect(ExitReason.Hypercall);
        ulong at = GuestLayout.Code + (mode.Bits() == 16 ? 6UL : 5UL);
        Assert.Equal((at, at), (exit.Rip, run.Registers.Rip));
        Assert.Equal(Exit.Length, exit.InstructionLength);
        GuestMode expected = mode switch
        {
            CodeMode.Real16 => GuestMode.Real,
            CodeMode.Long64 => GuestMode.Protected | GuestMode.LongModeActive | GuestMode.Code64,
            _ => GuestMode.Protected | GuestMode.Code32,
        };
        Assert.Equal((expected, 0), (exit.Mode, exit.Cpl));
        Assert.Equal(0x11UL, run.Registers.Rax);
        run.Complete(ExitCompletion.RetireWith(0x22));
        run.RunToEnd();
        Assert.Equal(0x22UL, run.Result(0));
    }

    [Fact]
    public void Retiring_without_a_value_leaves_rax()
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c =>
        {
            c.mov(rax, 0x1122334455667788);
            c.db(Exit);
            c.Done();
        }));
        run.Expect(ExitReason.Hypercall);
        run.Complete(ExitCompletion.Retire);
        run.RunToEnd();
        Assert.Equal(0x1122334455667788UL, run.Registers.Rax);
    }

    [Fact]
    public void What_the_host_writes_to_registers_before_completing_stays()
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c =>
        {
            c.db(Exit);
            c.Store(0, r15);
            c.Done();
        }));
        run.Expect(ExitReason.Hypercall);
        run.Registers.R15 = 0xCAFE_F00D_DEAD_BEEF;
        run.Complete(ExitCompletion.RetireWith(1));
        run.RunToEnd();
        Assert.Equal(0xCAFE_F00D_DEAD_BEEFUL, run.Result(0));
    }

    [Theory]
    [MemberData(nameof(Modes.Protected), MemberType = typeof(Modes))]
    public void At_cpl_3_it_exits_and_says_so(CodeMode mode)
    {
        using VcpuHarness run = Start(
            GuestImage.Of(mode, c => c.EnterUser()).WithCode(GuestLayout.SecondCode, c =>
            {
                c.db(Exit);
                c.hlt();
            }, mode),
            BackendCapabilities.UserMode | BackendCapabilities.UserHypercalls | BackendCapabilities.GuestExceptions);
        VmExit exit = run.Expect(ExitReason.Hypercall);
        Assert.Equal((3, GuestLayout.SecondCode), (exit.Cpl, exit.Rip));
    }

    [Theory]
    [MemberData(nameof(KnownExitInstructions))]
    public void Another_backends_exit_instruction_is_undefined(CodeMode mode, byte[] instruction)
    {
        if (instruction.AsSpan().SequenceEqual(Exit))
            Skip("this is the backend's own");
        using VcpuHarness run = Start(GuestImage.Of(mode, c =>
        {
            c.Guard(() => c.db(instruction));
            c.Done();
        }), BackendCapabilities.GuestExceptions);
        Holds(Rules.OtherExitInstructionsAreUndefined, () =>
        {
            run.RunToEnd();
            Assert.Equal((6, GuestLayout.Code), (Assert.Single(run.Exceptions).Vector, run.Exceptions[0].Rip));
        });
    }

    [Theory]
    [InlineData(CodeMode.Real16, new byte[] { 0x3E })]
    [InlineData(CodeMode.Protected32, new byte[] { 0x64 })]
    [InlineData(CodeMode.Long64, new byte[] { 0x48 })]
    [InlineData(CodeMode.Long64, new byte[] { 0x2E, 0x65, 0x4F })]
    public void Prefix_bytes_count_to_its_length(CodeMode mode, byte[] prefixes)
    {
        using VcpuHarness run = Start(GuestImage.Of(mode, c =>
        {
            c.db([.. prefixes, .. Exit]);
            c.Mark(0);
            c.Done();
        }));
        Holds(Rules.PrefixedExit, () =>
        {
            VmExit exit = run.Expect(ExitReason.Hypercall);
            Assert.Equal((GuestLayout.Code, prefixes.Length + Exit.Length), (exit.Rip, exit.InstructionLength));
            run.Complete(ExitCompletion.Retire);
            run.RunToEnd();
            Assert.Equal(1UL, run.Result(0));
        });
    }

    [Theory]
    [MemberData(nameof(Modes.Sizes), MemberType = typeof(Modes))]
    public void Locked_it_is_undefined(CodeMode mode)
    {
        using VcpuHarness run = Start(GuestImage.Of(mode, c =>
        {
            c.Guard(() => c.db([0xF0, .. Exit]));
            c.Done();
        }), BackendCapabilities.GuestExceptions);
        run.RunToEnd();
        Assert.Equal((6, GuestLayout.Code), (Assert.Single(run.Exceptions).Vector, run.Exceptions[0].Rip));
    }

    [Theory]
    [MemberData(nameof(Modes.Sizes), MemberType = typeof(Modes))]
    public void Completion_ends_the_shadow_of_sti(CodeMode mode)
    {
        using VcpuHarness run = Start(GuestImage.Of(mode, c =>
        {
            c.sti();
            c.db(Exit);
            c.nop();
            c.Done();
        }));
        Holds(Rules.ExitEndsStiShadow, () =>
        {
            VmExit exit = run.Expect(ExitReason.Hypercall);
            Assert.Equal(InterruptShadow.Sti, run.Save().System.Shadow);
            Assert.False(run.Vcpu.TryInterrupt(0x21));
            run.Vcpu.RequestInterruptWindow(true);
            run.Complete(ExitCompletion.Retire);
            Assert.Equal(exit.Rip + exit.InstructionLength, run.Expect(ExitReason.InterruptWindow).Rip);
        });
    }

    [Theory]
    [MemberData(nameof(Modes.Sizes), MemberType = typeof(Modes))]
    public void Single_stepped_it_traps_behind_itself(CodeMode mode)
    {
        using VcpuHarness run = Start(GuestImage.Of(mode, c =>
        {
            c.db(Exit);
            c.nop();
            c.StopStepping();
            c.Done();
        }).WithState(s => s.General.Rflags |= TrapFlag), BackendCapabilities.GuestExceptions);
        Holds(Rules.SingleStepOverExit, () =>
        {
            VmExit exit = run.Expect(ExitReason.Hypercall);
            run.Complete(ExitCompletion.Retire);
            run.RunToEnd();
            Assert.Equal((1, exit.Rip + exit.InstructionLength), (run.Exceptions[0].Vector, run.Exceptions[0].Rip));
            Assert.Equal((1, exit.Rip + exit.InstructionLength + 1UL), (run.Exceptions[1].Vector, run.Exceptions[1].Rip));
        });
    }

    [Fact]
    public void It_may_be_the_last_bytes_below_the_non_canonical_hole()
    {
        const ulong LastPage = 0x0000_7FFF_FFFF_F000, End = 0x0000_8000_0000_0000;
        ulong at = End - (ulong)Exit.Length;
        GuestImage image = GuestImage.Of(CodeMode.Long64, c =>
        {
            c.GuardAt(End, () =>
            {
                c.mov(rax, at);
                c.jmp(rax);
            });
            c.Done();
        }).With(GuestLayout.Free + 0x1000 - (ulong)Exit.Length, Exit);
        image.Tables!.Map(LastPage, GuestLayout.Free);
        using VcpuHarness run = Start(image, BackendCapabilities.GuestExceptions);
        Holds(Rules.ExitBelowCanonicalHole, () =>
        {
            Assert.Equal(at, run.Expect(ExitReason.Hypercall).Rip);
            run.Complete(ExitCompletion.Retire);
            run.RunToEnd();
            Assert.Equal((13, 0u, End), (Assert.Single(run.Exceptions).Vector, run.Exceptions[0].ErrorCode, run.Exceptions[0].Rip));
        });
    }

    [Fact]
    public void It_may_lie_on_two_pages_that_are_not_neighbours()
    {
        const ulong First = 0x5_0000, Second = 0x5_8000;
        GuestImage image = GuestImage.Of(CodeMode.Long64, c => c.jmp(First + 0xFFF))
            .With(First + 0xFFF, Exit[0]).With(Second, [.. Exit[1..], 0xF4]);
        image.Tables!.Map(First + 0x1000, Second);
        using VcpuHarness run = Start(image);
        VmExit exit = run.Expect(ExitReason.Hypercall);
        Assert.Equal((First + 0xFFF, Exit.Length), (exit.Rip, exit.InstructionLength));
        run.Complete(ExitCompletion.Retire);
        run.RunToEnd();
        Assert.Equal(First + 0xFFF + (ulong)Exit.Length + 1, run.Registers.Rip);
    }

    [Fact]
    public void When_its_second_page_is_missing_it_is_a_page_fault_and_no_exit()
    {
        const ulong First = 0x5_0000;
        ulong start = First + 0x1000 - (ulong)(Exit.Length - 1);
        GuestImage image = GuestImage.Of(CodeMode.Long64, c =>
        {
            c.GuardAt(start, () => c.jmp(start));
            c.Done();
        }).With(start, Exit[..^1]);
        image.Tables!.Map(First + 0x1000, 0, PageBits.None);
        using VcpuHarness run = Start(image, BackendCapabilities.GuestExceptions);
        run.RunToEnd();
        Assert.Equal((14, 0x10u, First + 0x1000), (Assert.Single(run.Exceptions).Vector, run.Exceptions[0].ErrorCode, run.Exceptions[0].Cr2));
    }
}
