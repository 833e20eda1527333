using System.Runtime.CompilerServices;
using Hv.Core.Registers;
using Hv.Cpu.State;

namespace Hv.Backends.Svm.Silicon;

/// <summary>
/// Moves guest state between a VMCB's save area and the processor, group by group (APM 2 15.5.1, 15.6; groups 15.15.3), and what VMLOAD and VMSAVE
/// move (APM 2 15.5.2).
/// </summary>
[SkipLocalsInit]
public static class GuestStateTransfer
{
    private const ushort AccessMask = 0x00FF;
    private const int HighShift = 4;
    private const ulong VirtualMode = 1ul << 17;
    private const ulong Pe = 1, Pg = 1ul << 31, Lme = 1ul << 8, Lma = 1ul << 10;

    /// <summary>Puts the groups in <paramref name="groups"/> into the processor. Bases are made canonical, EFER.LMA follows LME and PG (APM 2
    /// 15.5.1).</summary>
    public static void Load(ref CpuState s, in Vmcb vmcb, CleanBits groups)
    {
        ref readonly VmcbSave save = ref vmcb.Save;
        ref SystemRegisters sys = ref s.Sys;
        if ((groups & CleanBits.Crx) != 0)
        {
            sys.Cr0 = save.Cr0;
            sys.Cr3 = save.Cr3;
            sys.Cr4 = save.Cr4;
            bool longMode = (save.Efer & Lme) != 0 && (save.Cr0 & Pg) != 0;
            sys.Efer = longMode ? save.Efer | Lma : save.Efer & ~Lma;
        }

        if ((groups & CleanBits.Drx) != 0)
        {
            sys.Dr6 = save.Dr6;
            sys.Dr7 = save.Dr7;
        }

        if ((groups & CleanBits.DescriptorTables) != 0)
        {
            sys.Gdtr = new TableRegister { Base = Canonical(save.Gdtr.Base), Limit = (ushort)save.Gdtr.Limit };
            sys.Idtr = new TableRegister { Base = Canonical(save.Idtr.Base), Limit = (ushort)save.Idtr.Limit };
        }

        if ((groups & CleanBits.Segments) != 0)
        {
            LoadSegment(ref sys.Es, save.Es);
            LoadSegment(ref sys.Cs, save.Cs);
            LoadSegment(ref sys.Ss, save.Ss);
            LoadSegment(ref sys.Ds, save.Ds);
            // CPL and the present bits count in protected mode alone (APM 2 15.5.1): CPL is 0 in real mode and 3 in virtual-8086 mode.
            bool isReal = (save.Cr0 & Pe) == 0;
            bool isVirtual = !isReal && (save.Rflags & VirtualMode) != 0;
            sys.Cpl = isReal ? (byte)0 : isVirtual ? (byte)3 : (byte)(save.Cpl & 3);
            if (isReal || isVirtual)
            {
                MakePresent(ref sys.Es);
                MakePresent(ref sys.Cs);
                MakePresent(ref sys.Ss);
                MakePresent(ref sys.Ds);
            }
        }

        if ((groups & CleanBits.Cr2) != 0)
            sys.Cr2 = save.Cr2;
        if ((groups & CleanBits.Nested) != 0 && (vmcb.Control.NestedControl & NestedControl.NestedPaging) != 0)
            sys.Pat = save.GuestPat;
    }

    /// <summary>Puts the guest state that #VMEXIT saves into a save area (APM 2 15.6), all groups; G_PAT with nested paging only.</summary>
    /// <param name="s">The processor.</param>
    /// <param name="registers">Its general registers, with RFLAGS exact.</param>
    /// <param name="segments">What <see cref="Pack"/> gives for it.</param>
    /// <param name="save">The save area.</param>
    /// <param name="nestedPaging">Whether nested paging is on.</param>
    public static void Save(in CpuState s, in GeneralRegisters registers, in VmcbSegments segments, ref VmcbSave save, bool nestedPaging)
    {
        ref readonly SystemRegisters sys = ref s.Sys;
        save.Segments = segments;
        save.Gdtr.Base = sys.Gdtr.Base;
        save.Gdtr.Limit = sys.Gdtr.Limit;
        save.Idtr.Base = sys.Idtr.Base;
        save.Idtr.Limit = sys.Idtr.Limit;
        save.Cpl = sys.Cpl;
        save.Efer = sys.Efer;
        save.Cr0 = sys.Cr0;
        save.Cr2 = sys.Cr2;
        save.Cr3 = sys.Cr3;
        save.Cr4 = sys.Cr4;
        save.Dr6 = sys.Dr6;
        save.Dr7 = sys.Dr7;
        if (nestedPaging)
            save.GuestPat = sys.Pat;
        save.Rflags = registers.Rflags;
        save.Rip = registers.Rip;
        save.Rsp = registers.Rsp;
        save.Rax = registers.Rax;
    }

    /// <summary>Packs ES, CS, SS and DS.</summary>
    public static void Pack(in SystemRegisters sys, out VmcbSegments segments)
    {
        segments = default;
        SaveSegment(ref segments.Es, sys.Es);
        SaveSegment(ref segments.Cs, sys.Cs);
        SaveSegment(ref segments.Ss, sys.Ss);
        SaveSegment(ref segments.Ds, sys.Ds);
    }

    /// <summary>What VMLOAD loads: FS, GS, TR, LDTR with their hidden parts, KernelGsBase, the SYSCALL and the SYSENTER registers.</summary>
    public static void LoadExtra(ref CpuState s, in VmcbSave save)
    {
        ref SystemRegisters sys = ref s.Sys;
        LoadSegment(ref sys.Fs, save.Fs);
        LoadSegment(ref sys.Gs, save.Gs);
        LoadSegment(ref sys.Tr, save.Tr);
        LoadSegment(ref sys.Ldtr, save.Ldtr);
        sys.KernelGsBase = Canonical(save.KernelGsBase);
        sys.Star = save.Star;
        sys.Lstar = Canonical(save.Lstar);
        sys.Cstar = Canonical(save.Cstar);
        sys.Sfmask = save.Sfmask;
        sys.SysenterCs = save.SysenterCs;
        sys.SysenterEsp = Canonical(save.SysenterEsp);
        sys.SysenterEip = Canonical(save.SysenterEip);
    }

    /// <summary>What VMSAVE stores.</summary>
    public static void SaveExtra(in CpuState s, ref VmcbSave save)
    {
        ref readonly SystemRegisters sys = ref s.Sys;
        SaveSegment(ref save.Fs, sys.Fs);
        SaveSegment(ref save.Gs, sys.Gs);
        SaveSegment(ref save.Tr, sys.Tr);
        SaveSegment(ref save.Ldtr, sys.Ldtr);
        save.KernelGsBase = sys.KernelGsBase;
        save.Star = sys.Star;
        save.Lstar = sys.Lstar;
        save.Cstar = sys.Cstar;
        save.Sfmask = sys.Sfmask;
        save.SysenterCs = sys.SysenterCs;
        save.SysenterEsp = sys.SysenterEsp;
        save.SysenterEip = sys.SysenterEip;
    }

    /// <summary>Unpacks a segment register. The VMCB has no unusable bit: a null segment has P clear.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadSegment(ref SegmentRegister to, in VmcbSegment from)
    {
        uint attributes = from.Attributes;
        to.Selector = from.Selector;
        to.Base = Canonical(from.Base);
        to.Limit = from.Limit;
        to.Attributes = (attributes & AccessMask) | (attributes & 0xF00) << HighShift
            | ((attributes & VmcbSegment.PresentBit) != 0 ? 0 : SegmentRegister.UnusableBit);
    }

    /// <summary>Packs a segment register.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SaveSegment(ref VmcbSegment to, in SegmentRegister from)
    {
        uint attributes = from.Attributes;
        uint packed = (attributes & AccessMask) | attributes >> HighShift & 0xF00;
        to.Selector = from.Selector;
        to.Attributes = (ushort)((attributes & SegmentRegister.UnusableBit) != 0 ? packed & ~(uint)VmcbSegment.PresentBit : packed);
        to.Limit = from.Limit;
        to.Base = from.Base;
    }

    private static void MakePresent(ref SegmentRegister segment) =>
        segment.Attributes = (segment.Attributes | SegmentRegister.PresentBit) & ~SegmentRegister.UnusableBit;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Canonical(ulong address) => (ulong)((long)(address << 16) >> 16);
}
