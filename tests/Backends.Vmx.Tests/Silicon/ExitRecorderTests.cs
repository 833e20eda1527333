using Hv.Backends.Vmx.Silicon;
using Hv.Backends.Vmx.Silicon.Exit;
using Hv.Backends.Vmx.Silicon.Fields;
using Hv.Backends.Vmx.Silicon.Translation;
using Hv.Cpu.Virtualization;
using static Hv.Backends.Vmx.Silicon.Fields.VmcsField;
using PortIoExit = Hv.Core.Exits.PortIoExit;

namespace Hv.Backends.Vmx.Tests.Silicon;

/// <summary>VM-exit information fields against SDM 3C 28.2's tables.</summary>
public sealed class ExitRecorderTests
{
    private readonly Vmcs _vmcs = new(new GuestRegisters());

    private (ulong Reason, ulong Qualification, ulong Length) Record(VmxExitReason reason, in CpuEvent e)
    {
        ExitRecorder.Event(_vmcs, reason, e);
        return (_vmcs[ExitReason], _vmcs[ExitQualification], _vmcs[ExitInstructionLength]);
    }

    [Fact]
    public void VMCALL_has_a_length_and_nothing_else()
    {
        _vmcs.Record(ExitQualification, 0x55);
        Assert.Equal((18UL, 0UL, 3UL), Record(VmxExitReason.Vmcall, new CpuEvent { Kind = CpuEventKind.VendorInstruction, Length = 3 }));
    }

    [Fact]
    public void Every_exit_ends_an_injection_and_clears_the_event_fields()
    {
        _vmcs.Write(EntryInterruptionInfo, 0x8000_0B0D);
        _vmcs.Record(ExitInterruptionInfo, 0x8000_0B0E);
        _vmcs.Record(IdtVectoringInfo, 0x8000_0020);
        Record(VmxExitReason.Cpuid, new CpuEvent { Kind = CpuEventKind.Cpuid, Length = 2 });
        Assert.Equal((0x0000_0B0DUL, 0UL, 0UL), (_vmcs[EntryInterruptionInfo], _vmcs[ExitInterruptionInfo], _vmcs[IdtVectoringInfo]));
    }

    [Theory]
    [InlineData(0x3F8u, 1, true, false, false, true, 0x03F8_0040UL)]
    [InlineData(0x60u, 1, false, false, false, false, 0x0060_0008UL)]
    [InlineData(0xCF8u, 4, true, false, false, false, 0x0CF8_0003UL)]
    [InlineData(0x1F0u, 2, false, true, true, false, 0x01F0_0039UL)]
    public void IO_qualification(uint port, int size, bool isWrite, bool isString, bool isRep, bool isImmediate, ulong qualification)
    {
        var e = new CpuEvent
        {
            Kind = isString ? CpuEventKind.StringIo : CpuEventKind.PortIo,
            Port = new PortIoExit((ushort)port, (byte)size, isWrite, 0, isString),
            IsRep = isRep,
            IsImmediate = isImmediate,
            AddressSize = 8,
            Length = 2,
        };
        Assert.Equal((30UL, qualification, 2UL), Record(VmxExitReason.IoInstruction, e));
    }

    [Theory]
    [InlineData(2, 0, 0x0_0000UL)]
    [InlineData(4, 3, 0x1_8080UL)]
    [InlineData(8, 5, 0x2_8100UL)]
    public void String_IO_reports_address_size_segment_and_linear_address(int addressSize, int segment, ulong info)
    {
        Record(VmxExitReason.IoInstruction, new CpuEvent
        {
            Kind = CpuEventKind.StringIo,
            Port = new PortIoExit(0, 1, false, 0, true),
            AddressSize = (byte)addressSize,
            Segment = (byte)segment,
            Address = 0x1234
        });
        Assert.Equal((info, 0x1234UL), (_vmcs[ExitInstructionInfo], _vmcs[GuestLinearAddress]));
    }

    [Theory]
    [InlineData(CpuEventKind.CrWrite, 4u, 3, 0x304UL)]
    [InlineData(CpuEventKind.CrRead, 3u, 9, 0x913UL)]
    [InlineData(CpuEventKind.CrWrite, 8u, 15, 0xF08UL)]
    [InlineData(CpuEventKind.Clts, 0u, 0, 0x20UL)]
    public void Control_register_qualification(CpuEventKind kind, uint register, int general, ulong qualification) =>
        Assert.Equal(qualification, Record(VmxExitReason.ControlRegisterAccess, new CpuEvent
        {
            Kind = kind,
            Index = register,
            Register = (byte)general
        }).Qualification);

    [Theory]
    [InlineData(0, 0x1234_0030UL)]
    [InlineData(4, 0x1234_0070UL)]
    public void LMSW_reports_its_source_and_whether_it_was_memory(int addressSize, ulong qualification) =>
        Assert.Equal(qualification, Record(VmxExitReason.ControlRegisterAccess,
            new CpuEvent { Kind = CpuEventKind.Lmsw, Value = 0x1234, AddressSize = (byte)addressSize }).Qualification);

    [Theory]
    [InlineData(CpuEventKind.DrWrite, 7u, 2, 0x207UL)]
    [InlineData(CpuEventKind.DrRead, 6u, 8, 0x816UL)]
    public void Debug_register_qualification(CpuEventKind kind, uint register, int general, ulong qualification) =>
        Assert.Equal(qualification, Record(VmxExitReason.MovDr, new CpuEvent
        {
            Kind = kind,
            Index = register,
            Register = (byte)general
        }).Qualification);

    [Theory]
    [InlineData(0u, 0x28UL)]
    [InlineData(1u, 0x4000_0028UL)]
    [InlineData(2u, 0x8000_0028UL)]
    [InlineData(3u, 0xC000_0028UL)]
    public void Task_switch_qualification(uint source, ulong qualification) =>
        Assert.Equal(qualification, Record(VmxExitReason.TaskSwitch, new CpuEvent
        {
            Kind = CpuEventKind.TaskSwitch,
            Index = 0x28,
            Value = source
        }).Qualification);

    [Theory]
    [InlineData(14u, 0, true, 6UL, 0x1234UL, 0x8000_0B0EUL, 0x1234UL)]
    [InlineData(13u, 0, true, 0UL, 0UL, 0x8000_0B0DUL, 0UL)]
    [InlineData(6u, 0, false, 0UL, 0UL, 0x8000_0306UL, 0UL)]
    [InlineData(3u, 1, false, 0UL, 0UL, 0x8000_0603UL, 0UL)]
    [InlineData(4u, 1, false, 0UL, 0UL, 0x8000_0604UL, 0UL)]
    [InlineData(1u, 1, false, 0UL, 0UL, 0x8000_0501UL, 0UL)]
    [InlineData(1u, 0, false, 0UL, 0xFFFF_FFFFUL, 0x8000_0301UL, 0x600FUL)]
    public void Exceptions_have_interruption_information(uint vector, int length, bool hasCode, ulong code, ulong address, ulong info,
        ulong qualification)
    {
        var e = new CpuEvent
        {
            Kind = CpuEventKind.Exception,
            Index = vector,
            Length = (byte)length,
            HasErrorCode = hasCode,
            Value = code,
            Address = address
        };
        Assert.Equal((0UL, qualification, (ulong)length), Record(VmxExitReason.ExceptionOrNmi, e));
        Assert.Equal((info, code), (_vmcs[ExitInterruptionInfo], _vmcs[ExitInterruptionErrorCode]));
    }

    [Fact]
    public void A_cut_off_event_is_in_the_IDT_vectoring_fields_with_its_instructions_length()
    {
        ExitRecorder.Ept(_vmcs, new EptWalk(EptOutcome.Violation, 0, 0), new CpuEvent
        {
            Kind = CpuEventKind.GuestPhysicalAccess,
            Access = GuestAccess.Write,
            Address = 0x5000,
            LinearAddress = 0x6000
        });
        ExitRecorder.Vectoring(_vmcs, InterruptionInfo.Of(InterruptionType.SoftwareInterrupt, 0x80, false), 0, 2);
        Assert.Equal((48UL, 0x182UL, 0x5000UL, 0x6000UL), (_vmcs[ExitReason], _vmcs[ExitQualification], _vmcs[GuestPhysicalAddress],
            _vmcs[GuestLinearAddress]));
        Assert.Equal((0x8000_0480UL, 2UL), (_vmcs[IdtVectoringInfo], _vmcs[ExitInstructionLength]));
        ExitRecorder.Vectoring(_vmcs, InterruptionInfo.Of(InterruptionType.HardwareException, 13, true), 0x18, 0);
        Assert.Equal((0x8000_0B0DUL, 0x18UL), (_vmcs[IdtVectoringInfo], _vmcs[IdtVectoringErrorCode]));
    }

    [Fact]
    public void A_failed_entry_changes_reason_and_qualification_alone()
    {
        _vmcs.Write(EntryInterruptionInfo, 0x8000_0B0D);
        _vmcs.Record(ExitInstructionLength, 9);
        ExitRecorder.EntryFailure(_vmcs, VmxExitReason.EntryFailureGuestState, 4);
        Assert.Equal((0x8000_0021UL, 4UL, 9UL, 0x8000_0B0DUL),
            (_vmcs[ExitReason], _vmcs[ExitQualification], _vmcs[ExitInstructionLength], _vmcs[EntryInterruptionInfo]));
    }
}
