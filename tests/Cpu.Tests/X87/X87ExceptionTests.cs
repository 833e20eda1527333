using Hv.Cpu.State;

namespace Hv.Cpu.Tests.X87;

/// <summary>Who raises #NM and #MF: SDM 3A 2.5 and table 2-2, SDM 1 8.3.11 and 8.7. That FNENI, FNDISI and FNSETPM do not wait, and what a page fault
/// leaves, was seen on an Intel Xeon (family 6, model CFh) on 2026-11-29.</summary>
public sealed class X87ExceptionTests
{
    private const ulong Mp = 1 << 1, Em = 1 << 2, Ts = 1 << 3, Ne = 1 << 5;
    private const byte DeviceNotAvailable = 7, GeneralProtection = 13, PageFault = 14, FloatingPoint = 16, Fine = 0xFF;
    private const ulong EndOfMemory = 0x40_0000;
    private const ushort PendingDivideByZero = 0x8084;
    private const string Fwait = "9B", Fadd = "D8C1", Fninit = "DBE3", Fnstsw = "DFE0", Fnsave = "DD36", Fldcw = "D92E";

    [Theory]
    [InlineData(0, Fine, Fine)]
    [InlineData(Mp, Fine, Fine)]
    [InlineData(Ts, Fine, DeviceNotAvailable)]
    [InlineData(Ts | Mp, DeviceNotAvailable, DeviceNotAvailable)]
    [InlineData(Em, Fine, DeviceNotAvailable)]
    [InlineData(Em | Mp, Fine, DeviceNotAvailable)]
    [InlineData(Em | Ts, Fine, DeviceNotAvailable)]
    [InlineData(Em | Ts | Mp, DeviceNotAvailable, DeviceNotAvailable)]
    public void Device_not_available(ulong cr0, byte ofFwait, byte ofOthers)
    {
        Assert.Equal(ofFwait, Outcome(Fwait, cr0, 0));
        foreach (string code in new[] { Fadd, Fninit, Fnstsw, Fnsave, Fldcw, "D9FE", "D9D0", "DBE2", "D936", "D93E", "DD3E" })
            Assert.Equal(ofOthers, Outcome(code, cr0, 0));
    }

    [Theory]
    [InlineData(Fwait, true)]
    [InlineData(Fadd, true)]
    [InlineData("D9D0", true)] // FNOP
    [InlineData("D9FE", true)] // FSIN
    [InlineData("D9F7", true)] // FINCSTP
    [InlineData("DDC0", true)] // FFREE
    [InlineData(Fldcw, true)]
    [InlineData("D926", true)] // FLDENV
    [InlineData("DD26", true)] // FRSTOR
    [InlineData(Fninit, false)]
    [InlineData("DBE2", false)] // FNCLEX
    [InlineData(Fnstsw, false)]
    [InlineData("DD3E", false)] // FNSTSW m16
    [InlineData("D93E", false)] // FNSTCW
    [InlineData("D936", false)] // FNSTENV
    [InlineData(Fnsave, false)]
    [InlineData("DBE0", false)] // FNENI
    [InlineData("DBE1", false)] // FNDISI
    [InlineData("DBE4", false)] // FNSETPM
    public void A_pending_exception_is_reported_by_waiting_instructions(string code, bool waits)
    {
        Assert.Equal(waits ? FloatingPoint : Fine, Outcome(code, Ne, PendingDivideByZero));
        // Without NE it goes to a pin that nothing here is connected to.
        Assert.Equal(Fine, Outcome(code, 0, PendingDivideByZero));
    }

    [Fact]
    public void A_pending_exception_comes_before_the_operands_page_fault()
    {
        using Guest guest = Prepared("D836", Ne, PendingDivideByZero);
        guest.Gpr.Rsi = 0x4000_0000;
        Assert.Equal(FloatingPoint, guest.RunToException());
        Assert.Equal(PendingDivideByZero, guest.Cpu.State.Fpu.Status);
    }

    [Theory]
    [InlineData("D9D1")]
    [InlineData("D9E2")]
    [InlineData("D9EF")]
    [InlineData("DAE0")]
    [InlineData("DBE5")]
    [InlineData("D90E")]
    [InlineData("DB26")]
    public void Undefined_encodings_stay_undefined_without_a_device(string code)
    {
        using Guest guest = Prepared(code, Ts, 0);
        Assert.Equal(6, guest.RunToException());
    }

    [Fact]
    public void Real_mode_environments_have_linear_pointers()
    {
        // SDM 1 figures 8-10 and 8-12: 16 low bits, then 4 or 16 high bits beside the opcode.
        using Guest guest = Guest.Real().With(0xD9, 0x36, 0x00, 0x20, 0x66, 0xD9, 0x36, 0x20, 0x20, 0xF4);
        ref FpuState fpu = ref guest.Cpu.State.Fpu;
        (fpu.Control, fpu.InstructionPointer, fpu.OperandPointer, fpu.Opcode) = (0x37F, 0x5ABCD, 0x61234, 0x5A5);
        guest.RunToHalt();
        Assert.Equal((0xABCDUL, 0x55A5UL, 0x1234UL, 0x6000UL), (guest.Read(0x2006) & 0xFFFF, guest.Read(0x2008) & 0xFFFF,
            guest.Read(0x200A) & 0xFFFF, guest.Read(0x200C) & 0xFFFF));
        Assert.Equal((0xABCDUL, 0x55A5UL, 0x1234UL, 0x6000UL), (guest.Read(0x202C) & 0xFFFF, guest.Read(0x2030) & 0xFFFF_FFFF,
            guest.Read(0x2034) & 0xFFFF, guest.Read(0x2038) & 0xFFFF_FFFF));
    }

    [Theory]
    [InlineData("DB3E")] // FSTP m80fp
    [InlineData("DF36")] // FBSTP
    public void A_store_of_ten_bytes_that_faults_has_stored_eight(string code)
    {
        const ulong At = EndOfMemory - 9;
        using Guest guest = Prepared(code, 0, 0);
        guest.Memory.TryWrite(new Core.Gpa(At), 0x1122334455667788);
        guest.Gpr.Rsi = At;
        guest.Cpu.State.Fpu.X87[0] = new X87Register { SignExponent = 0x3FFF, Significand = 1UL << 63 };
        Assert.Equal(PageFault, guest.RunToException());
        Assert.Equal(EndOfMemory, guest.Cpu.Event.Address);
        Assert.Equal(code == "DB3E" ? 1UL << 63 : 1UL, guest.Read(At));
        Assert.Equal((0, 0xFF), (guest.Cpu.State.Fpu.Status, guest.Cpu.State.Fpu.Tags));
    }

    [Fact]
    public void The_limit_of_ten_bytes_is_checked_in_two_parts()
    {
        // FSTP m80fp at FFF7H: eight bytes are inside a segment of 64 KiB, the ninth and tenth are not.
        using Guest guest = Guest.Real().With(0xDB, 0x3C, 0xF4);
        guest.Gpr.Rsi = 0xFFF7;
        ref FpuState fpu = ref guest.Cpu.State.Fpu;
        (fpu.Control, fpu.Tags, fpu.X87[0]) = (0x37F, 0xFF, new X87Register { SignExponent = 0x3FFF, Significand = 1UL << 63 });
        Assert.Equal(GeneralProtection, guest.RunToException());
        Assert.Equal((1UL << 63, 0xFF), (guest.Read(0xFFF7), fpu.Tags));
    }

    [Theory]
    [InlineData("D936", 28)] // FNSTENV
    [InlineData("D926", 28)] // FLDENV
    [InlineData("66D936", 14)]
    [InlineData("DD36", 108)] // FNSAVE
    [InlineData("DD26", 108)] // FRSTOR
    [InlineData("66DD26", 94)]
    public void An_image_that_crosses_into_nowhere_faults_at_its_last_byte_and_changes_nothing(string code, int size)
    {
        const ulong At = EndOfMemory - 8;
        using Guest guest = Prepared(code, 0, 0);
        guest.Memory.TryWrite(new Core.Gpa(At), 0x1122334455667788);
        guest.Gpr.Rsi = At;
        Assert.Equal(PageFault, guest.RunToException());
        Assert.Equal(At + (ulong)size - 1, guest.Cpu.Event.Address);
        Assert.Equal(0x1122334455667788UL, guest.Read(At));
        Assert.Equal((0x37F, 0, 0xFF), (guest.Cpu.State.Fpu.Control, guest.Cpu.State.Fpu.Status, guest.Cpu.State.Fpu.Tags));
    }

    /// <summary>The vector that one instruction raises.</summary>
    private static byte Outcome(string code, ulong cr0, ushort status)
    {
        using Guest guest = Prepared(code, cr0, status);
        RunResult result = guest.Cpu.Run(1);
        return result == RunResult.Event ? (byte)guest.Cpu.Event.Index : Fine;
    }

    private static Guest Prepared(string code, ulong cr0, ushort status)
    {
        Guest guest = Guest.Long().With([.. Convert.FromHexString(code), 0xF4]);
        guest.Cpu.State.Sys.Cr0 |= cr0;
        guest.Changed();
        guest.Gpr.Rsi = Guest.Data;
        ref FpuState fpu = ref guest.Cpu.State.Fpu;
        (fpu.Control, fpu.Status, fpu.Tags) = ((ushort)((status & 0x80) != 0 ? 0x37B : 0x37F), status, 0xFF);
        return guest;
    }
}
