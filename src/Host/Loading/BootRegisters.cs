using Hv.Core.Machine;
using Hv.Core.Registers;

namespace Hv.Host.Loading;

/// <summary>Everything that a vCPU must hold to enter a loaded guest; docs/guests.md documents it for guest writers.</summary>
/// <param name="Mode">The mode.</param>
/// <param name="Entry">The guest-physical address of the first instruction.</param>
/// <param name="StackTop">The first byte above the stack.</param>
/// <param name="Gdt">The guest-physical address of the descriptor table; unused in real mode.</param>
/// <param name="PageTables">CR3 for long mode; else 0.</param>
/// <param name="Information">The guest-physical address of the multiboot information; unused in real mode.</param>
internal readonly record struct BootRegisters(EntryMode Mode, ulong Entry, ulong StackTop, ulong Gdt, ulong PageTables, uint Information)
{
    /// <summary>Selectors in the descriptor table: 32-bit code, flat data, 64-bit code, TSS.</summary>
    public const ushort Code32 = 0x08, Data = 0x10, Code64 = 0x18, Task = 0x20;

    // Attributes as in a descriptor (SDM 3A 3.4.5): present, and 32-bit or 64-bit code, data, LDT, busy TSS.
    private const uint Code32Attributes = 0xC09B, Code64Attributes = 0xA09B, DataAttributes = 0xC093, RealCodeAttributes = 0x9B,
        RealDataAttributes = 0x93;
    private const uint BusyTaskAttributes = 0x8B, LdtAttributes = 0x82;
    private const uint TaskLimit = 0x67;

    private const ulong ProtectionEnable = 1 << 0, ExtensionType = 1 << 4, Paging = 1UL << 31, PhysicalAddressExtension = 1 << 5;
    private const ulong LongModeEnable = 1 << 8, LongModeActive = 1 << 10;

    /// <summary>The descriptor table: null, 32-bit code, flat data, 64-bit code, and a 16-byte TSS of which only the descriptor exists.</summary>
    public static byte[] DescriptorTable { get; } =
    [
        0, 0, 0, 0, 0, 0, 0, 0,
        0xFF, 0xFF, 0, 0, 0, 0x9B, 0xCF, 0,
        0xFF, 0xFF, 0, 0, 0, 0x93, 0xCF, 0,
        0xFF, 0xFF, 0, 0, 0, 0x9B, 0xAF, 0,
        0x67, 0x00, 0, 0, 0, 0x8B, 0x00, 0,
        0, 0, 0, 0, 0, 0, 0, 0,
    ];

    /// <summary>Puts a vCPU that was just made into the entry state.</summary>
    public void Enter(VirtualCpu vcpu)
    {
        var state = new VcpuState();
        vcpu.Processor.SaveState(state);
        Apply(state);
        vcpu.Processor.LoadState(state);
    }

    /// <summary>Turns a reset state into the entry state. What is not named here stays as RESET leaves it (SDM 3A table 9-1).</summary>
    public void Apply(VcpuState state)
    {
        ref SystemRegisters s = ref state.System;
        ref GeneralRegisters g = ref state.General;
        g = default;
        g.Rflags = 2;
        s.Activity = ActivityState.Running;
        s.Cpl = 0;
        s.Cr0 = ExtensionType;
        s.Ldtr = Segment(0, 0, 0xFFFF, LdtAttributes | SegmentRegister.UnusableBit);
        s.Tr = Segment(0, 0, 0xFFFF, BusyTaskAttributes);
        if (Mode == EntryMode.Real)
        {
            ApplyReal(ref s, ref g);
            return;
        }

        g.Rip = Entry;
        g.Rsp = StackTop;
        g.Rax = MultibootInformation.BootMagic;
        g.Rbx = Information;
        s.Cr0 |= ProtectionEnable;
        s.Gdtr = new TableRegister { Base = Gdt, Limit = (ushort)(DescriptorTable.Length - 1) };
        s.Idtr = default;
        s.Tr = Segment(Task, 0, TaskLimit, BusyTaskAttributes);
        s.Cs = Segment(Code32, 0, uint.MaxValue, Code32Attributes);
        s.Ds = s.Es = s.Ss = s.Fs = s.Gs = Segment(Data, 0, uint.MaxValue, DataAttributes);
        if (Mode != EntryMode.Long)
            return;
        // A C function finds its argument in RDI and the return address that CALL would have pushed below a 16-byte boundary (AMD64 psABI 3.2.2).
        g.Rdi = Information;
        g.Rsp -= 8;
        s.Cs = Segment(Code64, 0, uint.MaxValue, Code64Attributes);
        s.Cr3 = PageTables;
        s.Cr4 = PhysicalAddressExtension;
        s.Efer = LongModeEnable | LongModeActive;
        s.Cr0 |= Paging;
    }

    private void ApplyReal(ref SystemRegisters s, ref GeneralRegisters g)
    {
        // Below 64 KiB the code runs in segment 0 with IP = address, as a boot sector at 0x7C00 expects; above, at offset 0..15 of its own segment.
        ushort selector = Entry <= 0xFFFF ? (ushort)0 : (ushort)(Entry >> 4);
        ulong segmentBase = (ulong)selector << 4;
        g.Rip = Entry - segmentBase;
        g.Rsp = StackTop;
        s.Cs = Segment(selector, segmentBase, 0xFFFF, RealCodeAttributes);
        s.Ds = s.Es = s.Fs = s.Gs = Segment(selector, segmentBase, 0xFFFF, RealDataAttributes);
        s.Ss = Segment(0, 0, 0xFFFF, RealDataAttributes);
        s.Gdtr = new TableRegister { Limit = 0xFFFF };
        s.Idtr = new TableRegister { Limit = 0x3FF };
    }

    private static SegmentRegister Segment(ushort selector, ulong segmentBase, uint limit, uint attributes) =>
        new() { Selector = selector, Base = segmentBase, Limit = limit, Attributes = attributes };
}
