using Hv.Core.Registers;
using Hv.Cpu.Decode;
using Hv.Cpu.State;
using Hv.Cpu.Virtualization;

namespace Hv.Cpu.System;

/// <summary>LGDT, LIDT, SGDT, SIDT, LLDT, LTR, SLDT, STR. Privilege and mode are checked before the layer is asked, operands after (SDM 3C
/// 26.1.1).</summary>
internal static class DescriptorTableInstructions
{
    private const ulong UpperTypeMask = 0x1FUL << 40;

    public static void Sgdt(ref CpuState s, ref Op op, Processor p) => OfferStore(ref s, ref op, p, CpuEventKind.GdtrIdtr, 0);

    public static void Sidt(ref CpuState s, ref Op op, Processor p) => OfferStore(ref s, ref op, p, CpuEventKind.GdtrIdtr, 1);

    public static void Lgdt(ref CpuState s, ref Op op, Processor p) => OfferLoad(ref s, ref op, p, CpuEventKind.GdtrIdtr, 2);

    public static void Lidt(ref CpuState s, ref Op op, Processor p) => OfferLoad(ref s, ref op, p, CpuEventKind.GdtrIdtr, 3);

    public static void Sldt(ref CpuState s, ref Op op, Processor p) => OfferStore(ref s, ref op, p, CpuEventKind.LdtrTr, 0);

    public static void Str(ref CpuState s, ref Op op, Processor p) => OfferStore(ref s, ref op, p, CpuEventKind.LdtrTr, 1);

    public static void Lldt(ref CpuState s, ref Op op, Processor p) => OfferLoad(ref s, ref op, p, CpuEventKind.LdtrTr, 2);

    public static void Ltr(ref CpuState s, ref Op op, Processor p) => OfferLoad(ref s, ref op, p, CpuEventKind.LdtrTr, 3);

    /// <summary>The native effect of a <see cref="CpuEventKind.GdtrIdtr"/> event.</summary>
    public static bool TryTableRegister(ref CpuState s, Processor p, in CpuEvent e)
    {
        ref TableRegister register = ref (e.Index & 1) == 0 ? ref s.Sys.Gdtr : ref s.Sys.Idtr;
        int baseSize = Modes.Is64(ref s) ? 8 : 4;
        if (e.Index < 2)
        {
            // With a 16-bit operand SGDT still stores all 32 bits on processors after the 80286 (SDM 2B SGDT).
            if (!OperandEvents.TryWrite(ref s, p, in e, 2, baseSize, register.Base & OpAccess.Mask(baseSize))
                || !OperandEvents.TryWrite(ref s, p, in e, 0, 2, register.Limit))
                return false;
        }
        else
        {
            if (!OperandEvents.TryRead(ref s, p, in e, 0, 2, out ulong limit)
                || !OperandEvents.TryRead(ref s, p, in e, 2, baseSize, out ulong address))
                return false;
            if (e.Size == 2 && baseSize == 4)
                address &= 0xFF_FFFF;
            if (!Modes.IsCanonical(address) && baseSize == 8)
                return Faults.GeneralProtection(ref s);
            register = new TableRegister { Base = address, Limit = (ushort)limit };
        }

        p.Retire();
        return true;
    }

    /// <summary>The native effect of a <see cref="CpuEventKind.LdtrTr"/> event.</summary>
    public static bool TrySystemSegment(ref CpuState s, Processor p, in CpuEvent e)
    {
        bool done;
        if (e.Index < 2)
        {
            done = OperandEvents.TryStore(ref s, p, in e, e.Index == 0 ? s.Sys.Ldtr.Selector : s.Sys.Tr.Selector);
        }
        else
        {
            if (!OperandEvents.TryLoad16(ref s, p, in e, out ushort selector))
                return false;
            done = e.Index == 2 ? TryLoadLdtr(ref s, p, selector) : TryLoadTr(ref s, p, selector);
        }

        if (done)
            p.Retire();
        return done;
    }

    private static void OfferStore(ref CpuState s, ref Op op, Processor p, CpuEventKind kind, uint index)
    {
        Faults.Begin(ref s, ref op);
        if (!TryMode(ref s, kind) || !ControlRegisterInstructions.UserModeAllowed(ref s))
            return;
        OperandEvents.Leave(ref s, ref op, p, kind);
        p.Event.Index = index;
        p.Event.IsWrite = true;
    }

    private static void OfferLoad(ref CpuState s, ref Op op, Processor p, CpuEventKind kind, uint index)
    {
        Faults.Begin(ref s, ref op);
        if (!TryMode(ref s, kind) || !ControlRegisterInstructions.Privileged(ref s))
            return;
        OperandEvents.Leave(ref s, ref op, p, kind);
        p.Event.Index = index;
    }

    /// <summary>The LDTR and TR instructions exist in protected mode only.</summary>
    private static bool TryMode(ref CpuState s, CpuEventKind kind) =>
        kind != CpuEventKind.LdtrTr || Modes.IsProtected(ref s) || Faults.Undefined(ref s);

    private static bool TryLoadLdtr(ref CpuState s, Processor p, ushort selector)
    {
        if (DescriptorTables.IsNull(selector))
        {
            Segments.LoadNull(ref s.Sys.Ldtr, selector);
            return true;
        }

        if (!TryFetch(ref s, p, selector, out Descriptor descriptor))
            return false;
        if (!descriptor.IsSystem || descriptor.Type != SystemType.Ldt)
            return Faults.GeneralProtection(ref s, selector);
        if (!descriptor.Present)
            return Faults.Raise(ref s, ExceptionVector.SegmentNotPresent, selector);
        s.Sys.Ldtr = Load(ref s, selector, in descriptor);
        return true;
    }

    private static bool TryLoadTr(ref CpuState s, Processor p, ushort selector)
    {
        if (DescriptorTables.IsNull(selector))
            return Faults.GeneralProtection(ref s);
        if (!TryFetch(ref s, p, selector, out Descriptor descriptor))
            return false;
        bool usable = descriptor.IsAvailableTss && (!Modes.IsLong(ref s) || descriptor.Type == SystemType.Tss32Available);
        if (!usable)
            return Faults.GeneralProtection(ref s, selector);
        if (!descriptor.Present)
            return Faults.Raise(ref s, ExceptionVector.SegmentNotPresent, selector);
        if (!DescriptorTables.TrySetType(ref s, p, selector, ref descriptor, descriptor.Type | SystemType.BusyBit))
            return false;
        s.Sys.Tr = Load(ref s, selector, in descriptor);
        return true;
    }

    /// <summary>A descriptor from the GDT; 16 bytes in IA-32e mode, where the upper type field must be 0 and the base canonical (SDM 3A 8.2.3; APM 2
    /// 4.8.3).</summary>
    private static bool TryFetch(ref CpuState s, Processor p, ushort selector, out Descriptor descriptor)
    {
        descriptor = default;
        if ((selector & 4) != 0)
            return Faults.GeneralProtection(ref s, selector);
        if (!DescriptorTables.TryFetchSystem(ref s, p, selector, ExceptionVector.GeneralProtection, out descriptor))
            return false;
        return ((descriptor.High & UpperTypeMask) == 0 && Modes.IsCanonical(descriptor.Base64)) || Faults.GeneralProtection(ref s, selector);
    }

    private static SegmentRegister Load(ref CpuState s, ushort selector, in Descriptor descriptor)
    {
        SegmentRegister register = descriptor.ToRegister(selector);
        if (Modes.IsLong(ref s))
            register.Base = descriptor.Base64;
        return register;
    }
}
