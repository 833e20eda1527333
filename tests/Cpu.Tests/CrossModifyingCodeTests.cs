using Hv.Core;

namespace Hv.Cpu.Tests;

/// <summary>Two processors that share decoded code: what one writes, the other executes (SDM 3A 9.1.3, cross-modifying code).</summary>
public sealed class CrossModifyingCodeTests
{
    private static readonly byte[] s_load = [0xB8, 1, 0, 0, 0, 0xF4];

    [Fact]
    public void Code_that_the_other_processor_changed_runs_changed()
    {
        using Guest first = Guest.Long().With(s_load);
        using Guest second = first.Second();
        Assert.Equal(1UL, Halt(first));
        Assert.Equal(1UL, Halt(second));
        Store(second, 2);
        Assert.Equal(2UL, Halt(first));
        Assert.Equal(2UL, Halt(second));
    }

    [Fact]
    public void A_store_is_seen_whose_page_held_no_code_when_it_was_first_written()
    {
        using Guest first = Guest.Long().With(s_load);
        using Guest second = first.Second();
        Store(second, 3);
        Assert.Equal(3UL, Halt(first));
        Store(second, 4);
        Assert.Equal(4UL, Halt(first));
    }

    private static ulong Halt(Guest guest)
    {
        guest.Gpr.Rip = Guest.Code;
        return guest.RunToHalt().Gpr.Rax;
    }

    /// <summary>MOV [RBX], CL, executed elsewhere.</summary>
    private static void Store(Guest guest, byte value)
    {
        guest.Memory.TryWrite(new Gpa(Guest.Data), [0x88, 0x0B]);
        (guest.Gpr.Rip, guest.Gpr.Rbx, guest.Gpr.Rcx) = (Guest.Data, Guest.Code + 1, value);
        Assert.Equal(RunResult.Budget, guest.Cpu.Run(1));
    }
}
