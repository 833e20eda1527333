using System.Runtime.Intrinsics;
using Hv.Cpu.Virtualization;

namespace Hv.Cpu.Tests.Simd;

/// <summary>Gathers, which may stop in the middle. What a fault leaves is as an Intel Xeon (family 6, model CFh) does it and SDM 2C VPGATHERDD says:
/// the mask first has each sign spread and its upper half cleared, then elements complete from the lowest.</summary>
public sealed class GatherTests : VectorInstructionTest
{
    private static readonly byte[] s_gather = [0xC4, 0xE2, 0x71, 0x90, 0x04, 0x11];   // vpgatherdd xmm0, [rcx+xmm2], xmm1

    private void Start(string destination, string mask, string indices)
    {
        Guest.Gpr.Rcx = Boundary - 0x1000;
        (Ymm(0), Ymm(1), Ymm(2)) = (Number(destination), Number(mask), Number(indices));
    }

    [Fact]
    public void Elements_whose_mask_is_negative_are_loaded_and_the_mask_is_cleared()
    {
        Write(Boundary - 0x1000, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88);
        Start("AA00000000000000000000000000000000DDDDDDDDCCCCCCCCBBBBBBBBAAAAAAAA", "FF0000008000000000000000000000007FFFFFFF80000000",
            "00000000000000000000000000000004");
        Run(s_gather);
        Assert.Equal((Number("DDDDDDDDCCCCCCCCBBBBBBBB88776655"), default), (Ymm(0), Ymm(1)));
        Assert.Equal(Number("00000000000000000000000000000004"), Ymm(2));
    }

    [Fact]
    public void A_fault_keeps_what_is_done_and_the_instruction_goes_on_there()
    {
        MapSecond(0);
        Write(Boundary - 0x1000, 0x11, 0x22, 0x33, 0x44);
        Start("5511111111222222223333333344444444", "80000000800000008000000080000000FFFFFFFF80000000", "00000004000000030000100000000000");
        CpuEvent e = Fault(s_gather);
        Assert.Equal((PageFault, Boundary), ((byte)e.Index, e.Address));
        Assert.Equal((Number("11111111222222223333333344332211"), Number("FFFFFFFFFFFFFFFFFFFFFFFF00000000")), (Ymm(0), Ymm(1)));

        MapSecond(0x87 | Boundary);
        Write(Boundary - 0x1000, 0xFF);   // not read again
        Write(Boundary, 0xA0, 0xA1, 0xA2, 0xA3);
        Run(s_gather);
        Assert.Equal((0x44332211u, 0xA3A2A1A0u), (Ymm(0).AsUInt32()[0], Ymm(0).AsUInt32()[1]));
        Assert.Equal(default, Ymm(1));
    }

    [Fact]
    public void A_fault_before_the_first_load_spreads_the_mask_alone()
    {
        MapSecond(0);
        Start("5511111111222222223333333344444444", "80000000800000008000000080000000FFFFFFFF00000000", "00000004000000030000100000000000");
        Fault(s_gather);
        Assert.Equal((Number("5511111111222222223333333344444444"), Number("FFFFFFFFFFFFFFFFFFFFFFFF00000000")), (Ymm(0), Ymm(1)));
    }

    [Fact]
    public void A_devices_answers_are_taken_in_order()
    {
        MapSecond(0x1000_0087);   // no memory there
        Guest.Cpu.Virtualization.TakeMemory = true;
        Write(Boundary - 0x1000, 0x11, 0x22, 0x33, 0x44);
        Start("", "80000000800000000000000080000000", "00001004000010000000000000000000");
        Guest.Execute(1, s_gather);
        Assert.Equal((CpuEventKind.GuestPhysicalAccess, 0x1000_0000UL), (Guest.Cpu.Event.Kind, Guest.Cpu.Event.Address));
        Assert.Equal(Number("80000000800000000000000080000000"), Ymm(1));
        Guest.Cpu.CompleteDeviceAccess(0xD0D0_D0D0);
        Assert.Equal(RunResult.Event, Guest.Cpu.Run(1));
        Assert.Equal(0x1000_0004UL, Guest.Cpu.Event.Address);
        Guest.Cpu.CompleteDeviceAccess(0xD4D4_D4D4);
        Assert.Equal(RunResult.Budget, Guest.Cpu.Run(1));
        Assert.Equal((Number("D4D4D4D4D0D0D0D00000000044332211"), default), (Ymm(0), Ymm(1)));
    }

    [Theory]
    [InlineData("C4E279900411")]   // vpgatherdd xmm0, [rcx+xmm2], xmm0
    [InlineData("C4E269900411")]   // the mask is the index
    [InlineData("C4E271901411")]   // the destination is the index
    public void The_three_registers_must_differ(string code) => Assert.Equal(Undefined, (byte)Fault(Convert.FromHexString(code)).Index);
}
