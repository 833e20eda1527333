using Hv.Core.Registers;
using Hv.Cpu.State;

namespace Hv.Backends.Svm.Silicon;

/// <summary>Between an event on its way through the IDT, in the engine's neutral form, and the records EVENTINJ and EXITINTINFO (APM 2 15.20,
/// 15.7.2).</summary>
public static class EventTranslation
{
    /// <summary>The record of an event. An address of a #PF and the DR6 bits of a #DB have no place in it.</summary>
    public static EventRecord ToRecord(in PendingEvent e) => e.Kind switch
    {
        PendingEventKind.Interrupt => EventRecord.Of(EventType.Interrupt, e.Vector),
        PendingEventKind.Nmi => EventRecord.Of(EventType.Nmi, ExceptionVectors.Nmi),
        PendingEventKind.Exception => EventRecord.Of(EventType.Exception, e.Vector, e.HasErrorCode, e.ErrorCode),
        PendingEventKind.SoftwareInterrupt => EventRecord.Of(EventType.SoftwareInterrupt, e.Vector),
        _ => default,
    };

    /// <summary>The event of a record. CR2 of a #PF and DR6 of a #DB are what the hypervisor has put into the save area, since injection does not
    /// change them.</summary>
    /// <param name="record">The record.</param>
    /// <param name="cr2">The guest's CR2.</param>
    /// <param name="dr6">The guest's DR6.</param>
    public static PendingEvent ToEvent(EventRecord record, ulong cr2, ulong dr6)
    {
        if (!record.Valid)
            return default;
        PendingEventKind kind = record.Type switch
        {
            EventType.Interrupt => PendingEventKind.Interrupt,
            EventType.Nmi => PendingEventKind.Nmi,
            EventType.SoftwareInterrupt => PendingEventKind.SoftwareInterrupt,
            _ => PendingEventKind.Exception,
        };
        if (kind != PendingEventKind.Exception)
            return new PendingEvent(kind, kind == PendingEventKind.Nmi ? ExceptionVectors.Nmi : record.Vector, false, 0, 0);
        ulong address = record.Vector switch { ExceptionVectors.PageFault => cr2, ExceptionVectors.Debug => dr6, _ => 0 };
        return new PendingEvent(kind, record.Vector, record.HasErrorCode, record.ErrorCode, address);
    }

    /// <summary>Whether an event returns past the instruction that raised it: INT n, INT3 and INTO. Their return address is nRIP
    /// (docs/adr/0053-svm-event-injection.md).</summary>
    public static bool IsSoftware(EventRecord record) => record is { Valid: true, Type: EventType.SoftwareInterrupt }
        or { Valid: true, Type: EventType.Exception, Vector: ExceptionVectors.Breakpoint or ExceptionVectors.Overflow };
}
