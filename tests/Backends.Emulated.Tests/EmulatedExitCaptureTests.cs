using Hv.Core;
using Hv.Core.Exits;
using Hv.Core.Registers;
using Hv.Cpu;
using Hv.Cpu.Virtualization;
using Xunit;

namespace Hv.Backends.Emulated.Tests;

/// <summary>Capture alone: a raw record in, a neutral exit out, no guest.</summary>
public sealed class EmulatedExitCaptureTests
{
    private static readonly ExitSite Site = new(0x1234, 0, GuestMode.Protected, 2);

    [Theory]
    [InlineData(RunResult.Budget, ExitReason.BudgetExpired)]
    [InlineData(RunResult.Stopped, ExitReason.Cancelled)]
    [InlineData(RunResult.Halted, ExitReason.Halt)]
    [InlineData(RunResult.Shutdown, ExitReason.Shutdown)]
    [InlineData((RunResult)99, ExitReason.Unknown)]
    public void Ends_of_runs(RunResult result, ExitReason expected)
    {
        VmExit exit = Capture(default, result);
        Assert.Equal((expected, 0x1234UL, GuestMode.Protected, 2, 0), (exit.Reason, exit.Rip, exit.Mode, exit.Cpl, exit.InstructionLength));
    }

    [Fact]
    public void The_exit_instruction_is_a_hypercall_and_other_vendor_instructions_are_unknown()
    {
        Assert.Equal(ExitReason.Hypercall, Capture(Vendor(VendorInstruction.HvExit)).Reason);
        Assert.Equal(3, Capture(Vendor(VendorInstruction.HvExit)).InstructionLength);
        Assert.Equal(ExitReason.Unknown, Capture(Vendor(VendorInstruction.Vmcall)).Reason);
        Assert.Equal(ExitReason.Unknown, Capture(Vendor(VendorInstruction.Vmmcall)).Reason);

        static CpuEvent Vendor(VendorInstruction instruction) =>
            new() { Kind = CpuEventKind.VendorInstruction, Instruction = instruction, Length = 3 };
    }

    [Fact]
    public void Ports()
    {
        var write = new PortIoExit(0x3F8, 2, true, 0xABCD, false);
        Assert.Equal(write, Capture(new CpuEvent { Kind = CpuEventKind.PortIo, Port = write, Length = 2 }).PortIo);
        var read = new PortIoExit(0xFFFF, 4, false, 0, true);
        Assert.Equal(read, Capture(new CpuEvent { Kind = CpuEventKind.StringIo, Port = read, Length = 2, IsRep = true }).PortIo);
    }

    [Fact]
    public void Memory()
    {
        var write = new CpuEvent
        {
            Kind = CpuEventKind.GuestPhysicalAccess,
            Address = 0xFEE00000,
            Size = 4,
            IsWrite = true,
            Value = 7,
            Access = GuestAccess.Write
        };
        Assert.Equal(new MemoryExit(new Gpa(0xFEE00000), 4, true, false, 7), Capture(write).Memory);
        var fetch = new CpuEvent
        {
            Kind = CpuEventKind.GuestPhysicalAccess,
            Address = 0x5000,
            Size = 1,
            Access = GuestAccess.Execute | GuestAccess.User
        };
        Assert.Equal(new MemoryExit(new Gpa(0x5000), 1, false, true, 0), Capture(fetch).Memory);
    }

    [Fact]
    public void Msrs_and_cpuid()
    {
        Assert.Equal(new MsrExit(0x10, 0), Capture(new CpuEvent { Kind = CpuEventKind.Rdmsr, Index = 0x10, Value = 5 }).Msr);
        Assert.Equal(new MsrExit(0x10, 5), Capture(new CpuEvent { Kind = CpuEventKind.Wrmsr, Index = 0x10, Value = 5 }).Msr);
        var registers = new GeneralRegisters { Rax = 0xFFFF_FFFF_0000_0007, Rcx = 0xFFFF_FFFF_0000_0001 };
        Assert.Equal(new CpuidExit(7, 1), Capture(new CpuEvent { Kind = CpuEventKind.Cpuid }, RunResult.Event, registers).Cpuid);
    }

    [Fact]
    public void Exceptions_and_windows()
    {
        var fault = new CpuEvent { Kind = CpuEventKind.Exception, Index = 14, HasErrorCode = true, Value = 6, Address = 0xDEAD };
        Assert.Equal(new ExceptionExit(14, true, 6, 0xDEAD), Capture(fault).Exception);
        Assert.Equal(ExitReason.InterruptWindow, Capture(new CpuEvent { Kind = CpuEventKind.InterruptWindow }).Reason);
    }

    [Fact]
    public void Every_event_is_captured_and_described()
    {
        foreach (CpuEventKind kind in Enum.GetValues<CpuEventKind>())
        {
            VmExit exit = Capture(new CpuEvent { Kind = kind });
            Assert.Contains(kind.ToString(), new EmulatedBackend().Describe(exit.Raw), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(0UL, 0UL, 2UL, 0x009BU, GuestMode.Real)]
    [InlineData(1UL, 0UL, 2UL, 0x009BU, GuestMode.Protected)]
    [InlineData(1UL, 0UL, 2UL, 0xC09BU, GuestMode.Protected | GuestMode.Code32)]
    [InlineData(1UL, 0UL, 0x20002UL, 0x00F3U, GuestMode.Protected | GuestMode.Virtual8086)]
    [InlineData(0x80000001UL, 0x500UL, 2UL, 0xC09BU, GuestMode.Protected | GuestMode.LongModeActive | GuestMode.Code32)]
    [InlineData(0x80000001UL, 0x500UL, 2UL, 0xA09BU, GuestMode.Protected | GuestMode.LongModeActive | GuestMode.Code64)]
    public void Modes(ulong cr0, ulong efer, ulong rflags, uint attributes, GuestMode expected)
    {
        var system = new SystemRegisters { Cr0 = cr0, Efer = efer };
        system.Cs.Attributes = attributes;
        Assert.Equal(expected, EmulatedExitCapture.ModeOf(new GeneralRegisters { Rflags = rflags }, system));
    }

    private static VmExit Capture(in CpuEvent e, RunResult result = RunResult.Event, in GeneralRegisters registers = default)
    {
        EmulatedExitCapture.Capture(new EmulatedExit(result, in e, in registers, Site), out VmExit exit);
        return exit;
    }
}
