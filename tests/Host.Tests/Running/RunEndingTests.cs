using Hv.Core.Machine;
using Hv.Host.Running;
using Xunit;

namespace Hv.Host.Tests.Running;

public class RunEndingTests
{
    private static int Code(StopReason reason, int code = 0, uint? exitPort = null) =>
        RunEnding.Of(new StopInfo { Reason = reason, ExitCode = code }, exitPort).Code;

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 3)]
    [InlineData(7, 15)]
    [InlineData(127, 255)]
    [InlineData(128, 1)]
    [InlineData(-1, 255)]
    public void The_exit_hypercall_gives_0_or_an_odd_code(int value, int expected) => Assert.Equal(expected, Code(StopReason.Exited, value));

    [Theory]
    [InlineData(0, 1)]
    [InlineData(0x10, 0x21)]
    [InlineData(0xFF, 0xFF)]
    [InlineData(int.MaxValue, 0xFF)]
    public void The_exit_port_always_gives_an_odd_code(int value, int expected) =>
        Assert.Equal(expected, Code(StopReason.Exited, value, (uint)value));

    [Fact]
    public void Every_other_ending_is_ours_and_even_and_says_something()
    {
        foreach (StopReason reason in Enum.GetValues<StopReason>())
        {
            if (reason == StopReason.Exited)
                continue;
            RunEnding ending = RunEnding.Of(new StopInfo { Reason = reason }, null);
            Assert.True(ending.Code != 0 && ending.Code % 2 == 0, reason.ToString());
            Assert.True(Enum.IsDefined((ExitCode)ending.Code), reason.ToString());
            Assert.False(string.IsNullOrEmpty(ending.Message), reason.ToString());
        }
    }

    [Theory]
    [InlineData(StopReason.GuestShutdown, (int)ExitCode.GuestFault, true)]
    [InlineData(StopReason.TimeLimit, (int)ExitCode.LimitReached, true)]
    [InlineData(StopReason.InstructionLimit, (int)ExitCode.LimitReached, true)]
    [InlineData(StopReason.AllHalted, (int)ExitCode.GuestHalted, true)]
    [InlineData(StopReason.Cancelled, (int)ExitCode.Interrupted, false)]
    public void A_guest_that_did_not_end_itself_is_shown_with_its_registers(StopReason reason, int code, bool dump)
    {
        RunEnding ending = RunEnding.Of(new StopInfo { Reason = reason }, null);
        Assert.Equal((code, dump), (ending.Code, ending.WantsDump));
    }
}
