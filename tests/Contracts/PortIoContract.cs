using Hv.Contracts.Guests;
using Hv.Core;
using Hv.Core.Exits;
using Hv.Core.Registers;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Contracts;

/// <summary>IN, OUT, INS and OUTS: what exits, with what, and what completion does (SDM 2A IN, INS; 2B OUT, OUTS; 1 19.5).</summary>
public abstract class PortIoContract(BackendUnderTest subject) : ContractTest(subject)
{
    private const int Data = 0x7800;

    [Theory]
    [MemberData(nameof(Modes.Sizes), MemberType = typeof(Modes))]
    public void Out_exits_with_port_size_and_value(CodeMode mode)
    {
        using VcpuHarness run = Start(GuestImage.Of(mode, c =>
        {
            c.mov(eax, 0xA1B2C3D4);
            c.@out(0x80, al);
            c.@out(0x80, ax);
            c.@out(0x80, eax);
            c.mov(dx, 0xFFF0);
            c.@out(dx, al);
            c.@out(dx, ax);
            c.@out(dx, eax);
            c.Done();
        }));
        foreach ((ushort port, byte size) in ((ushort, byte)[])[(0x80, 1), (0x80, 2), (0x80, 4), (0xFFF0, 1), (0xFFF0, 2), (0xFFF0, 4)])
        {
            VmExit exit = run.Expect(ExitReason.PortIo);
            uint expected = 0xA1B2C3D4 & (uint)((1UL << (size * 8)) - 1);
            Assert.Equal(new PortIoExit(port, size, true, expected, false), exit.PortIo);
            Assert.Equal(exit.Rip, run.Registers.Rip);
            run.Complete(ExitCompletion.Retire);
        }

        run.RunToEnd();
        Assert.Equal(0xA1B2C3D4, run.Registers.Rax);
    }

    [Theory]
    [InlineData(1, 0xFFFFFFFFFFFFFF5AUL)]
    [InlineData(2, 0xFFFFFFFFFFFFA55AUL)]
    [InlineData(4, 0x00000000C33CA55AUL)]
    public void In_changes_al_ax_or_eax_as_a_move_of_that_size_does(int size, ulong expected)
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c =>
        {
            c.mov(rax, -1);
            if (size == 1)
                c.@in(al, 0x71);
            else if (size == 2)
                c.@in(ax, 0x71);
            else
                c.@in(eax, 0x71);
            c.Done();
        }));
        VmExit exit = run.Expect(ExitReason.PortIo);
        Assert.Equal(new PortIoExit(0x71, (byte)size, false, 0, false), exit.PortIo);
        run.Complete(ExitCompletion.RetireWith(0xC33CA55A & ((1UL << (size * 8)) - 1)));
        run.RunToEnd();
        Assert.Equal(expected, run.Registers.Rax);
    }

    [Theory]
    [MemberData(nameof(Modes.Sizes), MemberType = typeof(Modes))]
    public void In_reads_through_dx_in_each_mode(CodeMode mode)
    {
        using VcpuHarness run = Start(GuestImage.Of(mode, c =>
        {
            c.mov(edx, 0x12_03F8);
            c.@in(al, dx);
            c.movzx(eax, al);
            c.Store(0, eax);
            c.Done();
        }));
        Assert.Equal(0x3F8, run.Expect(ExitReason.PortIo).PortIo.Port);
        run.Complete(ExitCompletion.RetireWith(0x7E));
        run.RunToEnd();
        Assert.Equal(0x7EUL, run.Result(0));
    }

    [Fact]
    public void An_exit_leaves_every_register_as_it_was()
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c =>
        {
            c.@out(0x10, al);
            c.Done();
        }).WithState(s =>
        {
            for (int i = 0; i < 16; i++)
                s.General[i] = 0x1111_1111_1111_1111UL * (ulong)i;
            s.General.Rflags = 0xCD7; // all arithmetic flags and DF
        }));
        GeneralRegisters before = run.Registers;
        VmExit exit = run.Expect(ExitReason.PortIo);
        GeneralRegisters shown = run.Registers;
        shown.Rip = before.Rip; // held by the rule below
        AssertSame(before, shown);
        Holds(Rules.PortExitNamesInstruction, () =>
        {
            AssertSame(before, run.Registers);
            run.Complete(ExitCompletion.Retire);
            before.Rip += exit.InstructionLength;
            AssertSame(before, run.Registers);
        });
    }

    [Fact]
    public void An_exit_names_mode_privilege_and_length()
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c =>
        {
            c.nop();
            c.@out(0x10, ax);
            c.Done();
        }));
        VmExit exit = run.Expect(ExitReason.PortIo);
        Assert.Equal(GuestMode.Protected | GuestMode.LongModeActive | GuestMode.Code64, exit.Mode);
        Assert.Equal(0, exit.Cpl);
        Holds(Rules.PortExitNamesInstruction, () =>
        {
            Assert.Equal(GuestLayout.Code + 1, exit.Rip);
            Assert.Equal(3, exit.InstructionLength); // 66 E7 10
        });
    }

    [Fact]
    public void Without_completion_the_instruction_exits_again()
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c =>
        {
            c.@out(0x10, al);
            c.Done();
        }));
        ulong rip = run.Expect(ExitReason.PortIo).Rip;
        Assert.Equal(rip, run.Expect(ExitReason.PortIo).Rip);
        run.Complete(ExitCompletion.Retire);
        run.RunToEnd();
    }

    [Theory]
    [InlineData(CodeMode.Real16, false)]
    [InlineData(CodeMode.Protected32, false)]
    [InlineData(CodeMode.Long64, false)]
    [InlineData(CodeMode.Long64, true)]
    public void Rep_outs_exits_once_per_element_in_order(CodeMode mode, bool down)
    {
        using VcpuHarness run = Start(GuestImage.Of(mode, c =>
        {
            if (down)
                c.std();
            c.mov(esi, down ? Data + 4 : Data);
            c.mov(ecx, 3);
            c.mov(dx, 0x2F8);
            c.rep.outsw();
            c.Done();
        }).With(Data, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66));
        uint[] expected = down ? [0x6655, 0x4433, 0x2211] : [0x2211, 0x4433, 0x6655];
        bool marked = true;
        foreach (uint value in expected)
        {
            PortIoExit port = run.Expect(ExitReason.PortIo).PortIo;
            marked &= port.IsString;
            Assert.Equal(new PortIoExit(0x2F8, 2, true, value, port.IsString), port);
            run.Complete(ExitCompletion.Retire);
        }

        run.RunToEnd();
        Assert.Equal(0UL, run.Registers.Rcx);
        Assert.Equal(down ? Data - 2UL : Data + 6UL, run.Registers.Rsi);
        Holds(Rules.StringPortExitIsMarked, () => Assert.True(marked));
    }

    [Theory]
    [InlineData(CodeMode.Real16)]
    [InlineData(CodeMode.Protected32)]
    [InlineData(CodeMode.Paged32)]
    [InlineData(CodeMode.Long64)]
    public void Rep_ins_stores_each_element(CodeMode mode)
    {
        using VcpuHarness run = Start(GuestImage.Of(mode, c =>
        {
            c.mov(edi, Data);
            c.mov(ecx, 2);
            c.mov(dx, 0x1F0);
            c.rep.insd();
            c.Done();
        }));
        foreach (uint value in (uint[])[0xDEADBEEF, 0x01020304])
        {
            Assert.Equal(new PortIoExit(0x1F0, 4, false, 0, true), run.Expect(ExitReason.PortIo).PortIo);
            run.Complete(ExitCompletion.RetireWith(value));
        }

        run.RunToEnd();
        Assert.Equal(0x01020304_DEADBEEFUL, run.Read<ulong>(Data));
        Assert.Equal(0UL, run.Registers.Rcx);
        Assert.Equal(Data + 8UL, run.Registers.Rdi);
    }

    [Fact]
    public void A_rep_with_count_zero_does_nothing()
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c =>
        {
            c.mov(esi, Data);
            c.xor(ecx, ecx);
            c.rep.outsb();
            c.Done();
        }));
        run.RunToEnd();
        Assert.Equal((ulong)Data, run.Registers.Rsi);
    }

    [Fact]
    public void Single_ins_and_outs_step_once()
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c =>
        {
            c.mov(esi, Data);
            c.mov(edi, Data + 8);
            c.mov(ecx, 77);
            c.insb();
            c.outsb();
            c.Done();
        }).With(Data, 0x42));
        Assert.False(run.Expect(ExitReason.PortIo).PortIo.IsWrite);
        run.Complete(ExitCompletion.RetireWith(0x24));
        Assert.Equal(0x42u, run.Expect(ExitReason.PortIo).PortIo.Value);
        run.Complete(ExitCompletion.Retire);
        run.RunToEnd();
        Assert.Equal((byte)0x24, run.Read<byte>(Data + 8));
        Assert.Equal((Data + 1UL, Data + 9UL, 77UL), (run.Registers.Rsi, run.Registers.Rdi, run.Registers.Rcx));
    }

    [Fact]
    public void A_refused_access_faults_in_the_guest_with_rip_on_the_instruction()
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c =>
        {
            c.mov(eax, 0x5A);
            c.Guard(() => c.@in(eax, 0x10));
            c.Done();
        }), BackendCapabilities.GuestExceptions);
        VmExit exit = run.Expect(ExitReason.PortIo);
        run.Complete(ExitCompletion.GeneralProtection);
        run.RunToEnd();
        ExceptionRecord fault = Assert.Single(run.Exceptions);
        Assert.Equal((13, 0u, exit.Rip), (fault.Vector, fault.ErrorCode, fault.Rip));
        Assert.Equal(0x5AUL, run.Registers.Rax);
    }

    [Theory]
    [InlineData(CodeMode.Protected32)]
    [InlineData(CodeMode.Long64)]
    public void At_cpl_3_a_port_that_neither_iopl_nor_the_map_opens_is_gp_without_exit(CodeMode mode)
    {
        using VcpuHarness run = Start(GuestImage.Of(mode, c => c.EnterUser()).WithCode(GuestLayout.SecondCode, c =>
        {
            c.Guard(() => c.@out(0x80, al));
            c.hlt();
        }, mode), BackendCapabilities.UserMode | BackendCapabilities.GuestExceptions);
        run.RunToEnd();
        Assert.Equal([(13, 0u, GuestLayout.SecondCode), (13, 0u, GuestLayout.SecondCode + 2)],
            run.Exceptions.Select(e => ((int)e.Vector, e.ErrorCode, e.Rip)));
    }

    [Theory]
    [InlineData(CodeMode.Protected32, true)]
    [InlineData(CodeMode.Long64, true)]
    [InlineData(CodeMode.Protected32, false)]
    [InlineData(CodeMode.Long64, false)]
    public void At_cpl_3_iopl_or_the_map_opens_a_port(CodeMode mode, bool byIopl)
    {
        GuestImage image = GuestImage.Of(mode, c => c.EnterUser(byIopl ? 0x3002u : 2u)).WithCode(GuestLayout.SecondCode, c =>
        {
            c.@out(0x80, ax);
            c.hlt();
        }, mode);
        if (!byIopl)
            image.With(GuestLayout.Tss + 104 + 0x80 / 8, 0xFC); // ports 80 and 81: SDM 1 19.5.2
        using VcpuHarness run = Start(image, BackendCapabilities.UserMode | BackendCapabilities.GuestExceptions);
        if (byIopl)
            Holds(Rules.IoplOpensPorts, () => Check(run));
        else
            Check(run);

        static void Check(VcpuHarness run)
        {
            VmExit exit = run.Expect(ExitReason.PortIo);
            Assert.Equal((3, (ushort)0x80, (byte)2), (exit.Cpl, exit.PortIo.Port, exit.PortIo.Size));
            run.Complete(ExitCompletion.Retire);
            run.RunToEnd();
            Assert.Equal(13, Assert.Single(run.Exceptions).Vector); // the HLT that ends user code
        }
    }

    private static void AssertSame(in GeneralRegisters expected, in GeneralRegisters actual)
    {
        GeneralRegisters left = expected, right = actual;
        for (int i = 0; i < 16; i++)
            Assert.True(left[i] == right[i], $"register {i}: expected {left[i]:x}, got {right[i]:x}");
        Assert.Equal((left.Rip, left.Rflags), (right.Rip, right.Rflags));
    }
}
