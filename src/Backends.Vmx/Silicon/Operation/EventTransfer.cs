using Hv.Backends.Vmx.Silicon.Fields;
using Hv.Core.Registers;
using Hv.Cpu;
using Hv.Cpu.Virtualization;

namespace Hv.Backends.Vmx.Silicon.Operation;

/// <summary>Events between the VMCS and the processor's own delivery.</summary>
public static class EventTransfer
{
    private const byte Debug = 1, PageFault = 14;

    // DR6 bits that a #DB has set by the time it is injected again; injection itself sets none (SDM 3C 27.6.1.1).
    private const ulong DebugCauses = 0xE00F;

    /// <summary>Makes an event the first thing that the processor does (SDM 3C 27.6).</summary>
    /// <param name="processor">The processor.</param>
    /// <param name="e">Valid interruption information.</param>
    /// <param name="errorCode">The error code, when it is delivered.</param>
    /// <param name="length">The instruction length of a software event.</param>
    public static void Inject(Processor processor, InterruptionInfo e, uint errorCode, byte length)
    {
        PendingEventKind kind = e.Type switch
        {
            InterruptionType.ExternalInterrupt => PendingEventKind.Interrupt,
            InterruptionType.Nmi => PendingEventKind.Nmi,
            InterruptionType.SoftwareInterrupt => PendingEventKind.SoftwareInterrupt,
            _ => PendingEventKind.Exception,
        };
        // Injection leaves CR2 and DR6 alone; the processor's delivery writes them, so that it is given what they hold.
        ulong address = kind != PendingEventKind.Exception ? 0 : e.Vector switch
        {
            PageFault => processor.State.Sys.Cr2,
            Debug => processor.State.Sys.Dr6 & DebugCauses,
            _ => 0,
        };
        processor.Pending = new PendingEvent(kind, e.Vector, e.HasErrorCode, errorCode, address);
        processor.PendingLength = e.IsSoftware ? length : 0;
    }

    /// <summary>Makes pending debug exceptions the first thing that the processor meets (SDM 3C 27.7.3): unlike an injected event they may
    /// exit.</summary>
    /// <param name="processor">The processor.</param>
    /// <param name="causes">DR6 bits.</param>
    public static void RaiseDebug(Processor processor, ulong causes)
    {
        processor.RaiseAt(Debug);
        processor.State.Fault.Address = causes;
    }

    /// <summary>Takes the event whose delivery an exit cut off (SDM 3C 28.2.4). False: there was none.</summary>
    public static bool TryCut(Processor processor, out InterruptionInfo e, out uint errorCode, out byte length)
    {
        e = default;
        // An exception that exits may have befallen another event's delivery; any other exit happened in the delivery of the pending one.
        bool nested = processor.Event.Kind == CpuEventKind.Exception;
        PendingEvent cut = nested ? processor.Interrupted : processor.Pending;
        length = nested ? (byte)0 : (byte)processor.PendingLength;
        processor.Pending = default;
        processor.Interrupted = default;
        processor.PendingLength = 0;
        errorCode = cut.ErrorCode;
        if (cut.Kind == PendingEventKind.None)
            return false;
        InterruptionType type = cut.Kind switch
        {
            PendingEventKind.Interrupt => InterruptionType.ExternalInterrupt,
            PendingEventKind.Nmi => InterruptionType.Nmi,
            PendingEventKind.SoftwareInterrupt => InterruptionType.SoftwareInterrupt,
            _ when length == 0 => InterruptionType.HardwareException,
            _ => cut.Vector == Debug ? InterruptionType.PrivilegedSoftwareException : InterruptionType.SoftwareException,
        };
        e = InterruptionInfo.Of(type, cut.Vector, cut.HasErrorCode);
        return true;
    }
}
