using Hv.Contracts.Guests;
using Hv.Core;
using Hv.Core.Exits;
using Hv.Core.Memory;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Contracts;

/// <summary>Exits that are answered from inside a run (docs/adr/0005-exits-answered-in-place.md): the same as those that come back, whatever the host
/// does while it answers.</summary>
public abstract class SinkContract(BackendUnderTest subject) : ContractTest(subject)
{
    /// <summary>A sink that ends the run at the third exit, and a host that takes what comes back: between them every exit once, in order, with the
    /// arithmetic flags and the count of instructions exact at each (docs/adr/0005-exits-answered-in-place.md).</summary>
    [Fact]
    public void Exits_answered_in_place_are_those_that_would_have_returned()
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c =>
        {
            for (int i = 1; i <= 5; i++)
            {
                c.mov(eax, i);
                c.cmp(eax, 3);   // CF below 3, ZF at 3, neither above
                c.@out(0x80, al);
            }

            c.Done();
        }));
        bool counts = Backend.Capabilities.HasFlag(BackendCapabilities.Deterministic);
        ulong start = run.Vcpu.InstructionsRetired;
        var seen = new List<(uint Value, ulong Flags, ulong Retired)>();
        var sink = new Sink(exit =>
        {
            Assert.Equal(ExitReason.PortIo, exit.Reason);
            Assert.Equal(exit.Rip, run.Registers.Rip);
            seen.Add((exit.PortIo.Value, run.Registers.Rflags & 0x41, counts ? run.Vcpu.InstructionsRetired - start : 0));
            run.Complete(ExitCompletion.Retire);
            return seen.Count != 3;
        });
        run.Vcpu.Sink = sink;
        VmExit exit;
        while ((exit = run.Run()).Reason is ExitReason.PortIo or ExitReason.Answered)
        {
            if (exit.Reason == ExitReason.PortIo)
                sink.OnExit(in exit);
            else
                Assert.Equal(3, seen.Count);
        }

        run.Vcpu.Sink = null;
        Assert.Equal(ExitReason.Halt, exit.Reason);
        Assert.Equal([1u, 2, 3, 4, 5], seen.Select(s => s.Value));
        Assert.Equal([1UL, 1, 0x40, 0, 0], seen.Select(s => s.Flags));
        if (counts)
            Assert.Equal([2UL, 5, 8, 11, 14], seen.Select(s => s.Retired));
    }

    /// <summary>A processor that goes on where it went after the last exit at this place must look whether the host has moved RIP.</summary>
    [Fact]
    public void The_guest_goes_on_where_the_host_that_answers_on_the_spot_puts_it()
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c =>
        {
            var top = c.CreateLabel();
            c.mov(ecx, 8);
            c.Label(ref top);
            c.@out(0x80, al);
            c.dec(ecx);
            c.jnz(top);
            c.hlt();
        }).WithCode(GuestLayout.SecondCode, c =>
        {
            c.@out(0x81, al);
            c.hlt();
        }), BackendCapabilities.Deterministic);
        var ports = new List<ushort>();
        var sink = new Sink(exit =>
        {
            ports.Add(exit.PortIo.Port);
            run.Complete(ExitCompletion.Retire);
            if (ports.Count == 5)
                run.Registers.Rip = GuestLayout.SecondCode;
            return true;
        });
        run.Vcpu.Sink = sink;
        VmExit exit;
        while ((exit = run.Run()).Reason == ExitReason.PortIo)
            sink.OnExit(in exit);
        run.Vcpu.Sink = null;
        Assert.Equal(ExitReason.Halt, exit.Reason);
        Assert.Equal(new ushort[] { 0x80, 0x80, 0x80, 0x80, 0x80, 0x81 }, ports);
    }

    /// <summary>A handler that throws leaves the vCPU at the exit, with nothing of it done: the host can look, and the run that follows meets it
    /// again.</summary>
    [Fact]
    public void A_sink_that_throws_leaves_the_vcpu_at_its_exit()
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c =>
        {
            c.mov(eax, 0x5A);
            c.cmp(eax, 0x5A);
            c.@out(0x80, al);
            c.@out(0x81, al);
            c.Done();
        }));
        bool counts = Backend.Capabilities.HasFlag(BackendCapabilities.Deterministic);
        ulong start = run.Vcpu.InstructionsRetired;
        var sink = new Sink(_ => throw new InvalidOperationException("the handler's own"));
        run.Vcpu.Sink = sink;
        string message = Assert.Throws<InvalidOperationException>(() =>
        {
            VmExit returned = run.Run();
            sink.OnExit(in returned);
        }).Message;
        Assert.Equal("the handler's own", message);
        run.Vcpu.Sink = null;
        if (counts)
            Assert.Equal(start + 2, run.Vcpu.InstructionsRetired);
        foreach (ushort port in new ushort[] { 0x80, 0x81 })
        {
            PortIoExit exit = run.Expect(ExitReason.PortIo).PortIo;
            Assert.Equal(new PortIoExit(port, 1, true, 0x5A, false), exit);
            Assert.Equal(0x40UL, run.Registers.Rflags & 0x41);
            run.Complete(ExitCompletion.Retire);
        }

        if (counts)
            Assert.Equal(start + 4, run.Vcpu.InstructionsRetired);
        Assert.Equal(ExitReason.Halt, run.Run().Reason);
    }

    /// <summary>Host memory that comes or goes voids all decoded code, also that of the instruction which is being answered. The code behind it is such
    /// that its second operation, where it lay over what the first block had kept for its way on, would be taken for it.</summary>
    [Fact]
    public void Memory_that_comes_while_an_exit_is_answered_voids_the_code_that_exited()
    {
        const ulong Hole = 0x4000_0000;
        const int OutLength = 2;
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c =>
        {
            c.@out(0x80, al);
            c.xor(eax, eax);
            c.mov(rax, __qword_ptr[rax + rax + (int)GuestLayout.Code + OutLength]);
            c.@out(0x81, al);
            c.hlt();
        }), BackendCapabilities.Deterministic);
        var ports = new List<(ushort Port, uint Value)>();
        var sink = new Sink(exit =>
        {
            ports.Add((exit.PortIo.Port, exit.PortIo.Value));
            if (ports.Count == 1)
                run.Memory.AddSlot(new Gpa(Hole), Gpa.PageSize, SlotKind.Ram);
            run.Complete(ExitCompletion.Retire);
            return true;
        });
        run.Vcpu.Sink = sink;
        VmExit exit;
        while ((exit = run.Run()).Reason == ExitReason.PortIo)
            sink.OnExit(in exit);
        run.Vcpu.Sink = null;
        Assert.Equal(ExitReason.Halt, exit.Reason);
        // XOR EAX, EAX as Iced encodes it.
        Assert.Equal([(0x80, 0u), (0x81, 0x31u)], ports);
    }

    private sealed class Sink(Func<VmExit, bool> answer) : IExitSink
    {
        public bool OnExit(in VmExit exit) => answer(exit);
    }
}
