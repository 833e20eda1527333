using Hv.Cpu.State;

namespace Hv.Cpu.System;

/// <summary>Where a call gate leads.</summary>
internal struct GateTarget
{
    public Descriptor Code;
    public ushort Selector;
    public ulong Offset;

    /// <summary>Bytes of each stack slot: 2, 4 or 8.</summary>
    public int Size;
    public int Parameters;
}

/// <summary>Call gates (SDM 3A 5.8.3, 5.8.3.1, 5.8.4).</summary>
internal static class CallGates
{
    private const ulong UpperTypeMask = 0x1FUL << 40;

    /// <summary>Checks the gate itself and reads the code descriptor that it names; privilege and presence of the code are the caller's, as JMP and
    /// CALL differ there.</summary>
    public static bool TryResolve(ref CpuState s, Processor p, ushort selector, in Descriptor narrow, out GateTarget target)
    {
        target = default;
        Descriptor gate = narrow;
        bool wide = Modes.IsLong(ref s);
        if (wide)
        {
            // In IA-32e mode gates have 16 bytes, 16-bit gates do not exist, and the type field of the upper half must be 0 (SDM 3A 5.8.3.1).
            if (!DescriptorTables.TryFetchSystem(ref s, p, selector, ExceptionVector.GeneralProtection, out gate))
                return false;
            if (!gate.IsSystem || gate.Type != SystemType.CallGate32 || (gate.High & UpperTypeMask) != 0)
                return Faults.GeneralProtection(ref s, selector);
        }

        if (gate.Dpl < s.Sys.Cpl || (selector & 3) > gate.Dpl)
            return Faults.GeneralProtection(ref s, selector);
        if (!gate.Present)
            return Faults.Raise(ref s, ExceptionVector.SegmentNotPresent, selector);
        target.Selector = gate.GateSelector;
        if (!FarJump.TryTarget(ref s, p, target.Selector, out target.Code))
            return false;
        if (!target.Code.IsCode || target.Code.Dpl > s.Sys.Cpl || (wide && (!target.Code.Long || target.Code.Default)))
            return Faults.GeneralProtection(ref s, target.Selector);

        bool narrow16 = gate.Type == SystemType.CallGate16;
        target.Size = wide ? 8 : narrow16 ? 2 : 4;
        target.Offset = wide ? gate.GateOffset64 : narrow16 ? gate.GateOffset16 : gate.GateOffset32;
        target.Parameters = wide ? 0 : gate.GateParameters;
        return true;
    }
}
