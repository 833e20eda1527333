using Hv.Core.Registers;

namespace Hv.Contracts.Guests;

/// <summary>The segments of a contract guest: selectors, descriptors and their hidden parts (SDM 3A 3.4.5 and 3.5).</summary>
public static class Descriptors
{
    public const ushort KernelCode = 0x08, KernelData = 0x10, UserCode = 0x18 | 3, UserData = 0x20 | 3, Task = 0x28;

    /// <summary>32-bit code in a 64-bit guest, at CPL 0 and 3.</summary>
    public const ushort CompatibilityCode = 0x38, CompatibilityUserCode = 0x40 | 3;

    /// <summary>16-bit code at CPL 0.</summary>
    public const ushort Code16 = 0x48, SecondTask = 0x50;

    public const ushort GdtLimit = 0x60 - 1;

    private const uint Flat = 0xC093, FlatCode = 0xC09B, Code64 = 0xA09B, Small = 0x0093, SmallCode = 0x009B, User = 0x60;

    /// <summary>The descriptor table's words for <paramref name="mode"/>.</summary>
    public static ulong[] Table(CodeMode mode)
    {
        uint code = mode == CodeMode.Long64 ? Code64 : FlatCode;
        return
        [
            0,
            Segment(0, 0xFFFFF, code),
            Segment(0, 0xFFFFF, Flat),
            Segment(0, 0xFFFFF, code | User),
            Segment(0, 0xFFFFF, Flat | User),
            Segment((uint)GuestLayout.Tss, TssLimit, 0x89),
            0, // the upper half of the 64-bit task descriptor
            Segment(0, 0xFFFFF, FlatCode),
            Segment(0, 0xFFFFF, FlatCode | User),
            Segment(0, 0xFFFF, SmallCode),
            Segment((uint)GuestLayout.SecondTss, 0x67, 0x89),
            0,
        ];
    }

    /// <summary>The limit of the task-state segment: 104 bytes and an I/O map of all ports with its closing byte.</summary>
    public const uint TssLimit = 104 + 0x2000;

    /// <summary>Sets segments, tables, control registers and RFLAGS for the first instruction at CPL 0.</summary>
    public static void Enter(CodeMode mode, ulong cr3, VcpuState state)
    {
        ref SystemRegisters s = ref state.System;
        bool real = mode == CodeMode.Real16;
        SegmentRegister data = real
            ? new SegmentRegister { Limit = 0xFFFF, Attributes = Small }
            : new SegmentRegister { Limit = 0xFFFFFFFF, Attributes = Flat, Selector = KernelData };
        s.Es = s.Ss = s.Ds = s.Fs = s.Gs = data;
        s.Cs = real
            ? new SegmentRegister { Limit = 0xFFFF, Attributes = SmallCode }
            : new SegmentRegister { Limit = 0xFFFFFFFF, Attributes = mode == CodeMode.Long64 ? Code64 : FlatCode, Selector = KernelCode };
        s.Ldtr = new SegmentRegister { Limit = 0xFFFF, Attributes = 0x82 | (real ? 0 : SegmentRegister.UnusableBit) };
        s.Tr = real
            ? new SegmentRegister { Limit = 0xFFFF, Attributes = 0x8B }
            : new SegmentRegister { Base = GuestLayout.Tss, Limit = TssLimit, Attributes = 0x8B, Selector = Task };
        s.Gdtr = new TableRegister { Base = GuestLayout.Gdt, Limit = GdtLimit };
        s.Idtr = real
            ? new TableRegister { Base = 0, Limit = 0x3FF }
            : new TableRegister { Base = GuestLayout.Idt, Limit = (ushort)(GuestLayout.Vectors * (mode == CodeMode.Long64 ? 16 : 8) - 1) };
        const ulong Pe = 1, Et = 1 << 4, Ne = 1 << 5, Wp = 1 << 16, Pg = 1UL << 31, Pae = 1 << 5, OsFxsr = 1 << 9, OsXmmExcpt = 1 << 10;
        s.Cr0 = Et | (mode switch
        {
            CodeMode.Real16 => 0,
            CodeMode.Protected32 => Pe | Ne,
            _ => Pe | Ne | Wp | Pg,
        });
        s.Cr3 = cr3;
        s.Cr4 = mode is CodeMode.Pae32 or CodeMode.Long64 ? Pae | OsFxsr | OsXmmExcpt : 0;
        s.Efer = mode == CodeMode.Long64 ? 0xD01UL : 0; // SCE, LME, LMA, NXE
        s.Cpl = 0;
        s.Activity = ActivityState.Running;
        s.Shadow = InterruptShadow.None;
        state.General = new GeneralRegisters { Rip = GuestLayout.Code, Rsp = GuestLayout.StackTop, Rflags = 2 };
    }

    private static ulong Segment(uint start, uint limit, uint attributes) =>
        (limit & 0xFFFF) | ((ulong)(start & 0xFFFFFF) << 16) | ((ulong)(attributes & 0xFF) << 40) | ((ulong)(limit >> 16 & 0xF) << 48)
        | ((ulong)(attributes >> 12 & 0xF) << 52) | ((ulong)(start >> 24) << 56);
}
