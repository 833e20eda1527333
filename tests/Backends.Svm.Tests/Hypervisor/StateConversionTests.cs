using System.Reflection;
using Hv.Backends.Svm.Hypervisor;
using Hv.Backends.Svm.Silicon;
using Hv.Core.Registers;
using Xunit;

namespace Hv.Backends.Svm.Tests.Hypervisor;

public class StateConversionTests
{
    /// <summary>Neutral registers that a VMCB does not hold; the hypervisor keeps them in the processor.</summary>
    private static readonly string[] s_notInVmcb =
        [nameof(SystemRegisters.Dr0), nameof(SystemRegisters.Dr1), nameof(SystemRegisters.Dr2), nameof(SystemRegisters.Dr3),
            nameof(SystemRegisters.Cr8),
            nameof(SystemRegisters.Xcr0), nameof(SystemRegisters.ApicBase), nameof(SystemRegisters.TscAux), nameof(SystemRegisters.Tsc),
            nameof(SystemRegisters.Activity), nameof(SystemRegisters.Shadow)];

    [Fact]
    public void Every_register_goes_to_the_VMCB_and_back_or_is_listed_as_not_in_it()
    {
        object filled = default(SystemRegisters);
        ulong next = 0x1111;
        foreach (FieldInfo field in typeof(SystemRegisters).GetFields(BindingFlags.Public | BindingFlags.Instance))
        {
            next += 0x1111;
            object value = field.FieldType switch
            {
                var t when t == typeof(SegmentRegister) =>
                    new SegmentRegister { Base = next, Limit = (uint)next * 3, Attributes = 0xA09B ^ (uint)(next & 0x5000), Selector = (ushort)next },
                var t when t == typeof(TableRegister) => new TableRegister { Base = next, Limit = (ushort)next },
                var t when t == typeof(byte) => (byte)3,
                var t when t.IsEnum => Enum.ToObject(t, 1),
                _ => next & ~(1ul << 12),
            };
            field.SetValue(filled, value);
        }

        var from = (SystemRegisters)filled;
        var save = default(VmcbSave);
        StateConversion.ToVmcb(from, ref save);
        var to = default(SystemRegisters);
        StateConversion.FromVmcb(save, ref to);
        foreach (FieldInfo field in typeof(SystemRegisters).GetFields(BindingFlags.Public | BindingFlags.Instance))
        {
            object expected = s_notInVmcb.Contains(field.Name) ? Activator.CreateInstance(field.FieldType)! : field.GetValue(from)!;
            Assert.True(expected.Equals(field.GetValue(to)), field.Name);
        }
    }

    [Theory]
    [InlineData(0xA09Bu, 0xA9B)]
    [InlineData(0xC093u, 0xC93)]
    [InlineData(0x0082u, 0x082)]
    [InlineData(0x10000u, 0x000)] // unusable: P is clear
    [InlineData(0x10060u, 0x060)] // the null SS of a ring-3 task in 64-bit mode keeps its DPL
    public void Attributes_are_drawn_together_and_apart(uint neutral, ushort vmcb)
    {
        var packed = default(VmcbSegment);
        GuestStateTransfer.SaveSegment(ref packed, new SegmentRegister { Attributes = neutral });
        Assert.Equal(vmcb, packed.Attributes);
        var unpacked = default(SegmentRegister);
        GuestStateTransfer.LoadSegment(ref unpacked, packed);
        Assert.Equal(neutral, unpacked.Attributes);
    }

    [Fact]
    public void The_guest_never_sees_SVME()
    {
        var save = default(VmcbSave);
        StateConversion.ToVmcb(new SystemRegisters { Efer = 0x500 }, ref save);
        Assert.Equal(0x1500ul, save.Efer);
        var back = default(SystemRegisters);
        StateConversion.FromVmcb(save, ref back);
        Assert.Equal(0x500ul, back.Efer);
    }

    [Theory]
    [InlineData(PendingEventKind.Interrupt, 0x21, false, 0u, 0x8000_0021ul)]
    [InlineData(PendingEventKind.Nmi, 2, false, 0u, 0x8000_0202ul)]
    [InlineData(PendingEventKind.Exception, 13, true, 0x10u, 0x10_8000_0B0Dul)]
    [InlineData(PendingEventKind.Exception, 6, false, 0u, 0x8000_0306ul)]
    [InlineData(PendingEventKind.SoftwareInterrupt, 0x80, false, 0u, 0x8000_0480ul)]
    [InlineData(PendingEventKind.None, 0, false, 0u, 0ul)]
    public void Pending_events_have_the_format_of_EVENTINJ(PendingEventKind kind, byte vector, bool hasErrorCode, uint errorCode, ulong record)
    {
        var pending = new PendingEvent(kind, vector, hasErrorCode, errorCode, 0);
        Assert.Equal(record, EventTranslation.ToRecord(pending).Value);
        Assert.Equal(pending, EventTranslation.ToEvent(new EventRecord(record), 0x5000, 0));
    }

    [Fact]
    public void A_pending_page_fault_takes_its_address_from_CR2() =>
        Assert.Equal(new PendingEvent(PendingEventKind.Exception, 14, true, 6, 0x5000),
            EventTranslation.ToEvent(EventRecord.Of(EventType.Exception, 14, true, 6), 0x5000, 0));
}
