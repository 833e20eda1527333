using Hv.Core.Registers;

namespace Hv.Cpu.State;

/// <summary>What kind of event goes through the IDT. The kinds differ in the DPL check, the return address, RF, and the EXT bit of faults met on the
/// way (SDM 3A 6.13).</summary>
public enum DeliveryKind : byte
{
    None,

    /// <summary>An external interrupt.</summary>
    Interrupt,
    Nmi,

    /// <summary>An exception raised by the processor; RIP is the address to return to.</summary>
    Exception,

    /// <summary>INT n: subject to the gate's DPL, returns past the instruction.</summary>
    SoftwareInterrupt,

    /// <summary>INT1: not subject to the gate's DPL, returns past the instruction.</summary>
    PrivilegedSoftwareException,

    /// <summary>INT3 and INTO: subject to the gate's DPL, return past the instruction.</summary>
    SoftwareException,
}

/// <summary>An event on its way through the IDT.</summary>
public struct EventDelivery
{
    public DeliveryKind Kind;
    public byte Vector;
    public bool HasErrorCode;

    /// <summary>Bytes of the instruction that raised it; 0 unless it is one of the software kinds.</summary>
    public byte Length;
    public uint ErrorCode;

    /// <summary>For #PF the linear address that goes to CR2; for #DB the DR6 bits to set.</summary>
    public ulong Address;

    /// <summary>The delivery of a pending event, which was raised by an instruction of <paramref name="length"/> bytes, or by none.</summary>
    public static EventDelivery From(in PendingEvent e, int length) => new()
    {
        Kind = e.Kind switch
        {
            PendingEventKind.Interrupt => DeliveryKind.Interrupt,
            PendingEventKind.Nmi => DeliveryKind.Nmi,
            PendingEventKind.SoftwareInterrupt => DeliveryKind.SoftwareInterrupt,
            PendingEventKind.Exception when length == 0 => DeliveryKind.Exception,
            PendingEventKind.Exception when e.Vector == ExceptionVector.Debug => DeliveryKind.PrivilegedSoftwareException,
            PendingEventKind.Exception => DeliveryKind.SoftwareException,
            _ => DeliveryKind.None,
        },
        Vector = e.Kind == PendingEventKind.Nmi ? ExceptionVector.Nmi : e.Vector,
        HasErrorCode = e.HasErrorCode,
        ErrorCode = e.ErrorCode,
        Address = e.Address,
        Length = (byte)length,
    };

    /// <summary>Whether the return address lies past an instruction that raised the event.</summary>
    public readonly bool IsSoftware =>
        Kind is DeliveryKind.SoftwareInterrupt or DeliveryKind.SoftwareException or DeliveryKind.PrivilegedSoftwareException;
}
