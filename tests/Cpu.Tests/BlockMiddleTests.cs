using static Iced.Intel.AssemblerRegisters;

namespace Hv.Cpu.Tests;

/// <summary>Instructions of the system half in the middle of straight code: each counts once and goes on with the next.</summary>
public sealed class BlockMiddleTests
{
    [Fact]
    public void A_segment_store_between_other_instructions_counts_once()
    {
        using Guest guest = Guest.Long().With(a =>
        {
            a.mov(eax, 1);
            a.mov(bx, ds);
            a.mov(ecx, 3);
            a.wait();
            a.mov(edx, 4);
            a.hlt();
        }).RunToHalt();
        Assert.Equal((1UL, 3UL, 4UL, 5UL), (guest.Gpr.Rax, guest.Gpr.Rcx, guest.Gpr.Rdx, guest.Cpu.InstructionsRetired));
    }
}
