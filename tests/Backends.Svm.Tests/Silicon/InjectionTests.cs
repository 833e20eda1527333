using Hv.Backends.Svm.Silicon;
using Xunit;

namespace Hv.Backends.Svm.Tests.Silicon;

/// <summary>EVENTINJ, EXITINTINFO and virtual interrupts (APM 2 15.20, 15.7.2, 15.21), through a real-mode IVT.</summary>
public class InjectionTests
{
    private const ushort Handler = 0x2000;

    [Theory]
    [InlineData(EventType.Interrupt, 0x21)]
    [InlineData(EventType.Nmi, 2)]
    [InlineData(EventType.Exception, 6)]
    [InlineData(EventType.Exception, 0)]
    public void An_injected_event_is_delivered_before_the_first_instruction(EventType type, byte vector)
    {
        using var machine = new TestMachine([0xF4]);
        machine.Handler(vector, Handler);
        machine.Vmcb.Control.EventInj = EventRecord.Of(type, vector);
        machine.Expect(0x78);
        Assert.Equal(Handler, machine.Vmcb.Save.Rip);
        Assert.Equal((TestMachine.Stack - 6, (ushort)TestMachine.Code), (machine.Vmcb.Save.Rsp, machine.Read16(TestMachine.Stack - 6)));
        Assert.False(machine.Vmcb.Control.EventInj.Valid);
        Assert.False(machine.Vmcb.Control.ExitIntInfo.Valid);
    }

    [Fact]
    public void An_interrupt_is_injected_even_with_IF_clear_and_in_a_shadow()
    {
        using var machine = new TestMachine([0xF4]);
        machine.Handler(0x30, Handler);
        machine.Vmcb.Control.InterruptState = 1;
        machine.Vmcb.Control.EventInj = EventRecord.Of(EventType.Interrupt, 0x30);
        machine.Expect(0x78);
        Assert.Equal(Handler, machine.Vmcb.Save.Rip);
    }

    [Theory]
    [InlineData(EventType.SoftwareInterrupt, 0x80)]
    [InlineData(EventType.Exception, 3)]
    [InlineData(EventType.Exception, 4)]
    public void A_software_event_returns_to_nRIP(EventType type, byte vector)
    {
        using var machine = new TestMachine([0xCD, 0x80, 0xF4]);
        machine.Handler(vector, Handler);
        machine.Vmcb.Control.EventInj = EventRecord.Of(type, vector);
        machine.Vmcb.Control.NextRip = TestMachine.Code + 2;
        machine.Expect(0x78);
        Assert.Equal((ushort)(TestMachine.Code + 2), machine.Read16(TestMachine.Stack - 6));
    }

    [Fact]
    public void Injection_leaves_CR2_to_the_hypervisor()
    {
        using var machine = new TestMachine([0xF4]);
        machine.Handler(14, Handler);
        machine.Vmcb.Save.Cr2 = 0x5678;
        machine.Vmcb.Control.EventInj = EventRecord.Of(EventType.Exception, 14);
        machine.Expect(0x78);
        Assert.Equal(0x5678ul, machine.Vmcb.Save.Cr2);
    }

    [Fact]
    public void An_exit_in_the_middle_of_a_delivery_says_which_event_it_was()
    {
        using var machine = new TestMachine([0xCD, 0x80, 0xF4]); // int 80h with the stack in a hole
        machine.Handler(0x80, Handler);
        machine.Vmcb.Save.Ss.Base = TestMachine.Hole;
        machine.Expect(0x400);
        Assert.Equal(EventRecord.Of(EventType.SoftwareInterrupt, 0x80), machine.Vmcb.Control.ExitIntInfo);
        Assert.Equal((TestMachine.Code, TestMachine.Code + 2), (machine.Vmcb.Save.Rip, machine.Vmcb.Control.NextRip));
        // Repaired, and injected again as it says there.
        machine.Core.Engine.ForgetEvent();
        machine.Vmcb.Control.EventInj = machine.Vmcb.Control.ExitIntInfo;
        machine.Vmcb.Save.Ss.Base = 0;
        machine.Clean(CleanBits.Segments);
        machine.Expect(0x78);
        Assert.Equal((Handler, (ushort)(TestMachine.Code + 2)), ((ushort)machine.Vmcb.Save.Rip, machine.Read16(TestMachine.Stack - 6)));
    }

    [Fact]
    public void An_intercepted_exception_in_a_delivery_has_the_first_event_in_EXITINTINFO()
    {
        using var machine = new TestMachine([0x0F, 0x0B]); // ud2 with an IVT that ends before vector 6
        machine.Vmcb.Save.Idtr.Limit = 4 * 6 - 1;
        machine.Vmcb.Control.InterceptExceptions = 1 << 13;
        machine.Expect(0x4D);
        Assert.Equal(EventRecord.Of(EventType.Exception, 6), machine.Vmcb.Control.ExitIntInfo);
    }

    [Fact]
    public void A_virtual_interrupt_waits_for_IF_and_is_then_delivered_without_an_exit()
    {
        using var machine = new TestMachine([0x40, 0xFB, 0x40, 0x40, 0xF4]); // inc ax; sti; inc ax; inc ax
        machine.Handler(0x40, Handler);
        machine.Vmcb.Control.VirtualInterrupt = machine.Vmcb.Control.VirtualInterrupt.WithIrq(true, 0x40);
        machine.Expect(0x78);
        Assert.Equal((Handler, (ushort)(TestMachine.Code + 3)), ((ushort)machine.Vmcb.Save.Rip, machine.Read16(TestMachine.Stack - 6)));
        Assert.False(machine.Vmcb.Control.VirtualInterrupt.Irq);
    }

    [Fact]
    public void An_intercepted_virtual_interrupt_exits_when_it_could_be_taken()
    {
        using var machine = new TestMachine([0x40, 0xFB, 0x40, 0x40, 0xF4]);
        machine.Vmcb.Control.VirtualInterrupt = machine.Vmcb.Control.VirtualInterrupt.WithIrq(true, 0x40);
        machine.Vmcb.Control.Intercepts1 |= Intercepts1.Vintr;
        machine.Expect(0x64);
        Assert.Equal(TestMachine.Code + 3, machine.Vmcb.Save.Rip);
        Assert.True(machine.Vmcb.Control.VirtualInterrupt.Irq);
    }

    [Theory]
    [InlineData(4, 5, false, false)]
    [InlineData(5, 5, false, false)]
    [InlineData(6, 5, false, true)]
    [InlineData(1, 5, true, true)]
    public void A_virtual_interrupt_needs_more_priority_than_V_TPR(uint priority, byte tpr, bool ignore, bool taken)
    {
        using var machine = new TestMachine([0xF4]);
        machine.Handler(0x40, Handler);
        machine.Vmcb.Save.Rflags |= 0x200;
        ulong word = tpr | 1ul << 8 | priority << 16 | (ignore ? 1ul << 20 : 0) | 1ul << 24 | 0x40ul << 32;
        machine.Vmcb.Control.VirtualInterrupt = new VirtualInterrupt(word);
        machine.Expect(0x78);
        Assert.Equal(taken ? Handler : TestMachine.Code, machine.Vmcb.Save.Rip);
        Assert.Equal(!taken, machine.Vmcb.Control.VirtualInterrupt.Irq);
    }
}
