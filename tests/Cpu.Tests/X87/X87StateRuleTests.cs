using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Cpu.Tests.X87;

/// <summary>What x87 instructions do to the status word, the stack and the pointers beside their result. Expected values are what FXSAVE64 showed of
/// such cases on an Intel Xeon (family 6, model CFh, stepping 2) on 2026-11-29; the manuals leave most of them open.</summary>
public sealed class X87StateRuleTests
{
    private const ulong Out = Guest.Data;
    private const ushort AllMasked = 0x37F, NoneMasked = 0x340;
    private const ulong Denormal = 0x4000_0000_0000_0000;

    [Fact]
    public void A_masked_instruction_leaves_the_opcode_and_the_operands_pointer()
    {
        using Guest guest = Guest.Long().With(a =>
        {
            a.fld(__dword_ptr[Out]);
            a.hlt();
        });
        ref var fpu = ref guest.Cpu.State.Fpu;
        (fpu.Control, fpu.Opcode, fpu.OperandPointer, fpu.InstructionPointer) = (AllMasked, 0x123, 0x4567, 0x89);
        guest.RunToHalt();
        Assert.Equal((0x123, 0x4567UL, Guest.Code), (fpu.Opcode, fpu.OperandPointer, fpu.InstructionPointer));
    }

    [Fact]
    public void An_unmasked_exception_records_opcode_and_operand()
    {
        using Guest guest = Guest.Long().With(a =>
        {
            a.mov(ecx, (int)Out);
            a.fadd(__dword_ptr[rcx + 4]);
            a.hlt();
        });
        ref var fpu = ref guest.Cpu.State.Fpu;
        (fpu.Control, fpu.Opcode, fpu.OperandPointer) = (NoneMasked, 0x123, 0x4567);
        guest.RunToHalt();
        // A stack underflow; D8 /0 with mod 1 and rm 1 is 041H.
        Assert.Equal((0x80C1, 0x041, Out + 4), (fpu.Status, fpu.Opcode, fpu.OperandPointer));
    }

    [Fact]
    public void A_faulting_operand_leaves_status_and_pointers()
    {
        using Guest guest = Guest.Long().With(a => a.fadd(__qword_ptr[rcx]));
        guest.Gpr.Rcx = 0x4000_0000;
        ref var fpu = ref guest.Cpu.State.Fpu;
        (fpu.Control, fpu.Status, fpu.Tags, fpu.InstructionPointer) = (AllMasked, 0x0200, 0xFF, 0x89);
        Assert.Equal(14, guest.RunToException());
        Assert.Equal((0x0200, 0x89UL), (fpu.Status, fpu.InstructionPointer));
    }

    [Theory]
    [InlineData("D9 D0", 0x0200, true)] // FNOP
    [InlineData("DB E0", 0x0200, false)] // FNENI
    [InlineData("DA C1", 0x0200, true)] // FCMOVB
    [InlineData("DB F1", 0x0200, true)] // FCOMI
    [InlineData("D9 C9", 0, true)] // FXCH
    [InlineData("D9 F6", 0x3800, true)] // FDECSTP
    [InlineData("D9 FC", 0, true)] // FRNDINT
    public void C1_and_FIP_afterwards(string code, int status, bool recorded)
    {
        using Guest guest = Two(code, AllMasked, (0x3FFF, 1UL << 63), (0x3FFF, 1UL << 63), status: 0x0200);
        Assert.Equal((status, recorded), (guest.Cpu.State.Fpu.Status, guest.Cpu.State.Fpu.InstructionPointer == Guest.Code));
    }

    [Theory]
    [InlineData("D8 D1", NoneMasked, 0x7FFF, 0x8000000000000001, 0xC581)] // FCOM, a signaling NaN: unordered
    [InlineData("D8 D1", NoneMasked, 0x0000, Denormal, 0x8082)] // FCOM, a denormal: greater
    [InlineData("D8 D9", NoneMasked, 0x0000, Denormal, 0x8082)] // FCOMP does not pop
    [InlineData("DD E1", NoneMasked, 0x7FFF, 0xC000000000000000, 0x4500)] // FUCOM, a quiet NaN raises nothing
    public void An_unmasked_comparison_reports_its_relation_and_does_not_pop(string code, int control, int exponent, ulong significand, int status)
    {
        using Guest guest = Two(code, (ushort)control, (0x3FFF, 1UL << 63), ((ushort)exponent, significand));
        Assert.Equal((status, 0xFF), (guest.Cpu.State.Fpu.Status, guest.Cpu.State.Fpu.Tags));
    }

    [Fact]
    public void An_unmasked_FCOMI_sets_the_flags()
    {
        using Guest guest = Two("DB F1", NoneMasked, (0x3FFF, 1UL << 63), (0x7FFF, 0x8000000000000001));
        Assert.Equal(0x45UL, guest.Gpr.Rflags & 0x8D5);
    }

    [Fact]
    public void An_unmasked_denormal_is_loaded_all_the_same()
    {
        using Guest guest = Guest.Long().With(a =>
        {
            a.fld(__dword_ptr[Out]);
            a.hlt();
        });
        guest.Memory.TryWrite(new Core.Gpa(Out), 0x80285FB2U);
        ref var fpu = ref guest.Cpu.State.Fpu;
        (fpu.Control, fpu.Status, fpu.Tags) = (NoneMasked, 0x3000, 0xDF);
        guest.RunToHalt();
        Assert.Equal((0xA882, 0xFF, 0xA17EC80000000000UL, 0xBF7FUL), (fpu.Status, fpu.Tags, fpu.X87[5].Significand, fpu.X87[5].SignExponent));
    }

    [Fact]
    public void FLD_of_an_empty_register_is_an_underflow_even_when_the_stack_is_full()
    {
        using Guest guest = Two("D9 C1", AllMasked, (0x3FFF, 1UL << 63), (0x3FFF, 1UL << 63), tags: 0xFD);
        Assert.Equal((0x3841, 0xFD, 0xC000000000000000UL), (guest.Cpu.State.Fpu.Status, guest.Cpu.State.Fpu.Tags,
            guest.Cpu.State.Fpu.X87[7].Significand));
    }

    [Fact]
    public void FSTP_at_D9_D8_pops_an_empty_register_silently()
    {
        using Guest guest = Two("D9 D9", AllMasked, (0x4006, 0xDB916121B434EBFE), (0xFFC9, 1UL << 63), tags: 0xFE);
        Assert.Equal((0x0800, 0xFE, 0xFFC9UL), (guest.Cpu.State.Fpu.Status, guest.Cpu.State.Fpu.Tags, guest.Cpu.State.Fpu.X87[1].SignExponent));
    }

    [Theory]
    [InlineData("D9 F8", 0x7FFF, 0xDFDD365B061F8AC7, 0x4100)] // FPREM, a NaN: C2 and C1 are cleared, C3 and C0 stay
    [InlineData("D9 F5", 0x8000, 0UL, 0x4101)] // FPREM1 by zero
    [InlineData("D9 F8", 0x7FFF, 0x8000000000000000, 0)] // FPREM by infinity: quotient 0
    public void FPREM_without_a_quotient_keeps_C3_and_C0(string code, int exponent, ulong significand, int status)
    {
        using Guest guest = Two(code, AllMasked, (0x3FCE, 0x940F2FD9320B7400), ((ushort)exponent, significand), status: 0x4700);
        Assert.Equal(status, guest.Cpu.State.Fpu.Status);
    }

    [Theory]
    [InlineData(0x7748, 0x800000000000000A, 0x7747, 0xFFF0000000000000, 0x82A8, 0x7FFF, 0x8000000000000000)]
    [InlineData(0xADBE, 0x8000000000080000, 0xE7E1, 0xFFFFFC0000000000, 0x80B0, 0x8000, 0)]
    [InlineData(0x8000, 0x4000400000000000, 0x0000, 0, 0x0002, 0x8000, 0x4000400000000000)]
    public void FSCALE_beyond_what_an_unmasked_range_exception_can_express(int exponent, ulong significand, int byExponent, ulong by, int status,
        int resultExponent, ulong result)
    {
        // Only denormal operands are masked.
        using Guest guest = Two("D9 FD", 0x342, ((ushort)exponent, significand), ((ushort)byExponent, by));
        ref var fpu = ref guest.Cpu.State.Fpu;
        Assert.Equal((status, (ulong)resultExponent, result), (fpu.Status, fpu.X87[0].SignExponent, fpu.X87[0].Significand));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Environments_hold_no_selectors(bool narrow)
    {
        using Guest guest = Guest.Long().With(a =>
        {
            a.fnop();
            if (narrow)
                a.db(0x66);
            a.fnstenv(__[Out]);
            a.hlt();
        });
        guest.RunToHalt();
        int step = narrow ? 2 : 4;
        Assert.Equal(Guest.Code, guest.Read(Out + (ulong)(3 * step)) & 0xFFFF);
        Assert.Equal(0UL, guest.Read(Out + (ulong)(4 * step)) & 0xFFFF);
        Assert.Equal(0UL, guest.Read(Out + (ulong)(6 * step)) & 0xFFFF);
    }

    /// <summary>Runs one instruction with ST(0) and ST(1) in registers 0 and 1, all others zero.</summary>
    private static Guest Two(string code, ushort control, (ushort SignExponent, ulong Significand) top,
        (ushort SignExponent, ulong Significand) second, int status = 0, byte tags = 0xFF)
    {
        Guest guest = Guest.Long().With([.. Convert.FromHexString(code.Replace(" ", "", StringComparison.Ordinal)), 0xF4]);
        ref var fpu = ref guest.Cpu.State.Fpu;
        (fpu.Control, fpu.Status, fpu.Tags) = (control, (ushort)status, tags);
        fpu.X87[0] = new() { Significand = top.Significand, SignExponent = top.SignExponent };
        fpu.X87[1] = new() { Significand = second.Significand, SignExponent = second.SignExponent };
        return guest.RunToHalt();
    }
}
