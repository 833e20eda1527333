using Hv.Backends.Kvm.Abi;
using Hv.Core;
using Hv.Core.Exits;
using Xunit;

namespace Hv.Backends.Kvm.Tests;

/// <summary>Golden captures: contents of kvm_run in, neutral exit out (KVM API, "The kvm_run structure"). No device needed.</summary>
public class CaptureTests
{
    private const ushort Port = 0xE4;

    [Theory]
    [InlineData(0, 0x1000u)]
    [InlineData(2, 0x0FFEu)]
    public void The_ports_one_byte_OUT_is_a_hypercall_with_RIP_on_the_instruction(byte outLength, uint rip)
    {
        KvmRun run = At(0x1000);
        run.exit_reason = KvmExitReason.Io;
        run.io = new KvmRun.IoRecord { direction = 1, size = 1, port = Port, count = 1 };
        VmExit exit = Capture(run, 0x55, outLength);
        Assert.Equal(ExitReason.Hypercall, exit.Reason);
        Assert.Equal(rip, exit.Rip);
        Assert.Equal(2, exit.InstructionLength);
    }

    [Theory]
    [InlineData(1, 2, 1, 0xE4)]
    [InlineData(1, 4, 1, 0xE4)]
    [InlineData(0, 1, 1, 0xE4)]
    [InlineData(1, 1, 2, 0xE4)]
    [InlineData(1, 1, 1, 0xE5)]
    public void Any_other_access_to_ports_is_port_IO(byte direction, byte size, uint count, ushort port)
    {
        KvmRun run = At(0x1000);
        run.exit_reason = KvmExitReason.Io;
        run.io = new KvmRun.IoRecord { direction = direction, size = size, port = port, count = count };
        VmExit exit = Capture(run, 0x1234);
        Assert.Equal(ExitReason.PortIo, exit.Reason);
        Assert.Equal(new PortIoExit(port, size, direction == 1, 0x1234, count > 1), exit.PortIo);
    }

    [Theory]
    [InlineData(1, 0xF0u)]
    [InlineData(2, 0xDEF0u)]
    [InlineData(4, 0x9ABCDEF0u)]
    [InlineData(8, 0x123456789ABCDEF0u)]
    public void A_write_to_a_hole_carries_just_its_bytes(uint length, ulong value)
    {
        KvmRun run = At(0x2000);
        run.exit_reason = KvmExitReason.Mmio;
        run.mmio = new KvmRun.MmioRecord { phys_addr = 0xD000_0000, data = 0x123456789ABCDEF0, len = length, is_write = 1 };
        Assert.Equal(new MemoryExit(new Gpa(0xD000_0000), (byte)length, true, false, value), Capture(run).Memory);
    }

    [Fact]
    public void A_read_of_a_hole_carries_no_value()
    {
        KvmRun run = At(0x2000);
        run.exit_reason = KvmExitReason.Mmio;
        run.mmio = new KvmRun.MmioRecord { phys_addr = 0xD000_0004, data = 0xFFFF, len = 4 };
        Assert.Equal(new MemoryExit(new Gpa(0xD000_0004), 4, false, false, 0), Capture(run).Memory);
    }

    [Fact]
    public void MSR_accesses_carry_index_and_value()
    {
        KvmRun run = At(0x3000);
        run.exit_reason = KvmExitReason.X86Wrmsr;
        run.msr = new KvmRun.MsrRecord { index = 0x87655678, data = 0x5000, reason = 2 };
        VmExit write = Capture(run);
        Assert.Equal((ExitReason.MsrWrite, new MsrExit(0x87655678, 0x5000), (byte)2), (write.Reason, write.Msr, write.InstructionLength));
        run.exit_reason = KvmExitReason.X86Rdmsr;
        VmExit read = Capture(run);
        Assert.Equal((ExitReason.MsrRead, new MsrExit(0x87655678, 0)), (read.Reason, read.Msr));
    }

    [Theory]
    [InlineData(5u, ExitReason.Halt)]
    [InlineData(7u, ExitReason.InterruptWindow)]
    [InlineData(8u, ExitReason.Shutdown)]
    [InlineData(9u, ExitReason.EntryFailed)]
    [InlineData(10u, ExitReason.Cancelled)]
    [InlineData(17u, ExitReason.InternalError)]
    [InlineData(0x8000_0000u, ExitReason.InternalError)]
    [InlineData(0u, ExitReason.Unknown)]
    [InlineData(3u, ExitReason.Unknown)]
    [InlineData(24u, ExitReason.Unknown)]
    [InlineData(999u, ExitReason.Unknown)]
    public void Plain_reasons_and_unknown_ones_are_values(uint reason, ExitReason expected)
    {
        KvmRun run = At(0x4000);
        run.exit_reason = (KvmExitReason)reason;
        VmExit exit = Capture(run);
        Assert.Equal((expected, (ulong)reason), (exit.Reason, exit.Raw.Code));
    }

    [Theory]
    [InlineData(0x10u, 0u, 0, 0, 0u, GuestMode.Real)]
    [InlineData(0x11u, 0u, 0, 0, 0u, GuestMode.Protected)]
    [InlineData(0x11u, 0u, 0, 1, 0u, GuestMode.Protected | GuestMode.Code32)]
    [InlineData(0x11u, 0u, 0, 0, 0x20000u, GuestMode.Protected | GuestMode.Virtual8086)]
    [InlineData(0x80000011u, 0x500u, 1, 0, 0u, GuestMode.Protected | GuestMode.LongModeActive | GuestMode.Code64)]
    [InlineData(0x80000011u, 0x500u, 0, 1, 0u, GuestMode.Protected | GuestMode.LongModeActive | GuestMode.Code32)]
    public void The_mode_comes_from_the_synced_system_registers(uint cr0, uint efer, byte l, byte db, uint rflags, GuestMode expected)
    {
        KvmRun run = At(0);
        run.exit_reason = KvmExitReason.Hlt;
        (run.sregs.cr0, run.sregs.efer, run.sregs.cs.l, run.sregs.cs.db, run.regs.rflags, run.sregs.ss.dpl) = (cr0, efer, l, db, rflags | 2, 3);
        VmExit exit = Capture(run);
        Assert.Equal((expected, (byte)3), (exit.Mode, exit.Cpl));
    }

    private static KvmRun At(ulong rip) => new() { regs = new KvmRegs { rip = rip, rflags = 2 } };

    private static VmExit Capture(KvmRun run, ulong data = 0, byte outLength = 0)
    {
        KvmExitCapture.Capture(new KvmExitRecord(in run, data, Port, outLength), out VmExit exit);
        return exit;
    }
}
