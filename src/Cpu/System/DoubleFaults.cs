using Hv.Core.Registers;
using Hv.Cpu.State;

namespace Hv.Cpu.System;

/// <summary>What becomes of an exception met while another event is being delivered.</summary>
public enum NestedOutcome
{
    /// <summary>The new exception is delivered in the first one's place.</summary>
    Serial,
    DoubleFault,
    TripleFault,
}

/// <summary>The conditions for a double fault and for shutdown (SDM 3A 6.15, tables 6-4 and 6-5; APM 2 8.2.9).</summary>
public static class DoubleFaults
{
    private enum EventClass
    {
        Benign,
        Contributory,
        PageFault,
        DoubleFault,
    }

    /// <summary>Classifies <paramref name="second"/>, raised while <paramref name="first"/> was being delivered.</summary>
    public static NestedOutcome Combine(in PendingEvent first, byte second)
    {
        // Only hardware exceptions count: INT 13 is an interrupt, and interrupts are benign (table 6-4).
        EventClass one = first.Kind == PendingEventKind.Exception ? Classify(first.Vector) : EventClass.Benign, two = Classify(second);
        return (one, two) switch
        {
            (EventClass.DoubleFault, not EventClass.Benign) => NestedOutcome.TripleFault,
            (EventClass.Contributory, EventClass.Contributory) => NestedOutcome.DoubleFault,
            (EventClass.PageFault, EventClass.Contributory or EventClass.PageFault) => NestedOutcome.DoubleFault,
            _ => NestedOutcome.Serial,
        };
    }

    private static EventClass Classify(byte vector) => vector switch
    {
        ExceptionVector.DoubleFault => EventClass.DoubleFault,
        ExceptionVector.PageFault or ExceptionVector.Virtualization => EventClass.PageFault,
        ExceptionVector.DivideError or ExceptionVector.InvalidTss or ExceptionVector.SegmentNotPresent or ExceptionVector.StackFault
            or ExceptionVector.GeneralProtection or ExceptionVector.ControlProtection => EventClass.Contributory,
        _ => EventClass.Benign,
    };
}
