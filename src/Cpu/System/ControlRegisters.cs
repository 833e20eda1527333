using Hv.Core.Registers;
using Hv.Cpu.State;

namespace Hv.Cpu.System;

/// <summary>
/// Writes to CR0, CR3, CR4, CR8, EFER and XCR0 with their validity rules and effects (SDM 2B MOV, control registers; SDM 3A 2.5, 4.1.2, 4.4.1,
/// 4.10.4; APM 2 14.6.1).
/// A refused value is #GP(0) and nothing changes. Public for backends, which complete intercepted writes the same way.
/// </summary>
public static class ControlRegisters
{
    private const ulong Cr0Writable = ControlBits.Pe | ControlBits.Mp | ControlBits.Em | ControlBits.Ts | ControlBits.Ne | ControlBits.Wp
        | ControlBits.Am
        | ControlBits.Nw | ControlBits.Cd | ControlBits.Pg;

    private const ulong Cr0Translation = ControlBits.Pg | ControlBits.Pe | ControlBits.Wp;
    private const ulong Cr4Translation = ControlBits.Pse | ControlBits.Pae | ControlBits.Pge | ControlBits.Pcide | ControlBits.Smep
        | ControlBits.Smap;
    private const ulong Cr3PcidMask = 0xFFF, NoFlushBit = 1UL << 63;

    /// <summary>Writes CR0. Sets or clears EFER.LMA as paging is switched under LME.</summary>
    public static bool TryWriteCr0(ref CpuState s, Processor p, ulong value)
    {
        bool pg = (value & ControlBits.Pg) != 0, pe = (value & ControlBits.Pe) != 0, wasPg = (s.Sys.Cr0 & ControlBits.Pg) != 0;
        if (value >> 32 != 0 || (pg && !pe) || (value & (ControlBits.Nw | ControlBits.Cd)) == ControlBits.Nw)
            return Faults.GeneralProtection(ref s);
        bool lme = (s.Sys.Efer & ControlBits.Lme) != 0, pae = (s.Sys.Cr4 & ControlBits.Pae) != 0;
        if (pg && !wasPg && lme && (!pae || s.Sys.Cs.Long || (s.Sys.Tr.Type & SystemType.WideBit) == 0))
            return Faults.GeneralProtection(ref s);
        if (!pg && wasPg && (Modes.Is64(ref s) || (s.Sys.Cr4 & ControlBits.Pcide) != 0))
            return Faults.GeneralProtection(ref s);

        ulong next = value & Cr0Writable | ControlBits.Et, changed = next ^ s.Sys.Cr0;
        bool reloads = (changed & (ControlBits.Cd | ControlBits.Nw | ControlBits.Pg)) != 0;
        if (pg && pae && !lme && reloads && !TryCheckPdptes(ref s, p, s.Sys.Cr3))
            return false;

        s.Sys.Cr0 = next;
        s.Sys.Efer = pg && lme ? s.Sys.Efer | ControlBits.Lma : s.Sys.Efer & ~ControlBits.Lma;
        if ((changed & ControlBits.Pe) != 0)
            s.Sys.Cpl = 0;
        Changed(ref s, p, (changed & Cr0Translation) != 0);
        return true;
    }

    /// <summary>Writes CR3 as MOV does. The flush hint of bit 63 is obeyed by flushing too much, which is always allowed (SDM 3A 4.10.4.1).</summary>
    public static bool TryWriteCr3(ref CpuState s, Processor p, ulong value)
    {
        if ((s.Sys.Cr4 & ControlBits.Pcide) != 0)
            value &= ~NoFlushBit;
        return TryLoadCr3(ref s, p, value);
    }

    /// <summary>Puts a CR3 value in force: reserved bits, PAE's entries, flush of all that is not global.</summary>
    internal static bool TryLoadCr3(ref CpuState s, Processor p, ulong value)
    {
        if (Modes.IsLong(ref s) && (value & p.PhysicalReserved) != 0)
            return Faults.GeneralProtection(ref s);
        if (IsPaePaging(ref s) && !TryCheckPdptes(ref s, p, value))
            return false;
        s.Sys.Cr3 = value;
        p.FlushTlb(true);
        return true;
    }

    /// <summary>Writes CR4. Bits whose feature CPUID does not report are reserved.</summary>
    public static bool TryWriteCr4(ref CpuState s, Processor p, ulong value)
    {
        ulong changed = value ^ s.Sys.Cr4;
        bool clearsPae = (changed & ~value & ControlBits.Pae) != 0, setsPcide = (changed & value & ControlBits.Pcide) != 0;
        if ((value & ~ProcessorFeatures.Cr4Mask(p.Cpuid)) != 0 || (Modes.IsLong(ref s) && clearsPae)
            || (setsPcide && (!Modes.IsLong(ref s) || (s.Sys.Cr3 & Cr3PcidMask) != 0)))
            return Faults.GeneralProtection(ref s);
        const ulong Reloads = ControlBits.Pae | ControlBits.Pge | ControlBits.Pse | ControlBits.Smep;
        bool paePaging = (s.Sys.Cr0 & ControlBits.Pg) != 0 && (value & ControlBits.Pae) != 0 && !Modes.IsLong(ref s);
        if (paePaging && (changed & Reloads) != 0 && !TryCheckPdptes(ref s, p, s.Sys.Cr3))
            return false;
        s.Sys.Cr4 = value;
        Changed(ref s, p, (changed & Cr4Translation) != 0);
        return true;
    }

    /// <summary>Writes CR8, the task priority: four bits.</summary>
    public static bool TryWriteCr8(ref CpuState s, ulong value)
    {
        if (value > 15)
            return Faults.GeneralProtection(ref s);
        s.Sys.Cr8 = value;
        return true;
    }

    /// <summary>Writes the control register <paramref name="number"/> (0, 2, 3, 4 or 8).</summary>
    public static bool TryWrite(ref CpuState s, Processor p, int number, ulong value)
    {
        switch (number)
        {
            case 0: return TryWriteCr0(ref s, p, value);
            case 2: s.Sys.Cr2 = value; return true;
            case 3: return TryWriteCr3(ref s, p, value);
            case 4: return TryWriteCr4(ref s, p, value);
            default: return TryWriteCr8(ref s, value);
        }
    }

    /// <summary>Reads the control register <paramref name="number"/> (0, 2, 3, 4 or 8).</summary>
    public static ulong Read(ref CpuState s, int number) => number switch
    {
        0 => s.Sys.Cr0,
        2 => s.Sys.Cr2,
        3 => s.Sys.Cr3,
        4 => s.Sys.Cr4,
        _ => s.Sys.Cr8,
    };

    /// <summary>Writes EFER: LME is locked while paging is on, LMA is read-only (SDM 3A 2.2.1).</summary>
    public static bool TryWriteEfer(ref CpuState s, Processor p, ulong value)
    {
        value &= ~ControlBits.Lma;
        ulong changed = value ^ s.Sys.Efer;
        if ((value & ~ProcessorFeatures.EferMask(p.Cpuid)) != 0 || ((changed & ControlBits.Lme) != 0 && (s.Sys.Cr0 & ControlBits.Pg) != 0))
            return Faults.GeneralProtection(ref s);
        s.Sys.Efer = value | s.Sys.Efer & ControlBits.Lma;
        Changed(ref s, p, (changed & ControlBits.Nxe) != 0);
        return true;
    }

    /// <summary>Writes XCR0: x87 always on, AVX only with SSE, nothing that CPUID does not list (SDM 2C XSETBV).</summary>
    public static bool TryWriteXcr0(ref CpuState s, Processor p, ulong value)
    {
        bool avxWithoutSse = (value & 6) == 4;
        if ((value & 1) == 0 || avxWithoutSse || (value & ~ProcessorFeatures.Xcr0Mask(p.Cpuid)) != 0)
            return Faults.GeneralProtection(ref s);
        s.Sys.Xcr0 = value;
        Changed(ref s, p, false);
        return true;
    }

    /// <summary>PAE paging: 32-bit with 8-byte entries.</summary>
    internal static bool IsPaePaging(ref CpuState s) =>
        (s.Sys.Cr0 & ControlBits.Pg) != 0 && (s.Sys.Cr4 & ControlBits.Pae) != 0 && !Modes.IsLong(ref s);

    /// <summary>
    /// Checks the four page-directory-pointer entries at a CR3 value. One that is present with a reserved bit set is #GP(0) (SDM 3A 4.4.1). The
    /// first page walk after the write keeps them (<see cref="Processor.DirectoryPointer"/>).
    /// </summary>
    internal static bool TryCheckPdptes(ref CpuState s, Processor p, ulong cr3)
    {
        ulong reserved = p.PhysicalReserved | 0x1E6;
        for (uint i = 0; i < 4; i++)
        {
            ulong entry = p.ReadTable((cr3 & 0xFFFF_FFE0) + 8 * i, 8);
            if (s.Attention != 0)
                return false;
            if ((entry & 1) != 0 && (entry & reserved) != 0)
                return Faults.GeneralProtection(ref s);
        }

        return true;
    }

    private static void Changed(ref CpuState s, Processor p, bool translation)
    {
        if (translation)
            p.FlushTlb(false);
        p.ModeChanged(ref s);
    }
}
