using Hv.Core;
using Hv.Core.Cpuid;
using Hv.Core.Exits;
using Hv.Core.Memory;
using Hv.Core.Registers;

namespace Hv.Backends.Kvm.Probing;

/// <summary>
/// Runs one probe in a virtual machine of its own, under a time limit: tables for its mode in the first pages, code at <see cref="CodeAddress"/>.
/// </summary>
internal static class ProbeMachine
{
    public const ulong CodeAddress = 0x1000, HandlerAddress = 0x1800, GdtAddress = 0x2000, IdtAddress = 0x3000, TssAddress = 0x4000,
        SecondTssAddress = 0x4800, TableAddress = 0x5000;
    public const ulong StackTop = 0xF000, KernelStackTop = 0xE000, MemorySize = 0x20_0000;

    // Selector 56 is the second task.
    private const ushort Code32 = 8, Data = 16, Code64 = 24, UserData = 32 | 3, UserCode64 = 40 | 3, Task = 48;
    private const byte Succeeded = 0x55;

    /// <summary>Runs a probe.</summary>
    /// <returns>Whether it succeeded; what was seen; RIP as KVM reports it at the exit instruction's exit.</returns>
    public static (bool Works, string Detail, ulong Rip) Run(KvmDevice device, ProbeGuest probe, byte port, TimeSpan limit)
    {
        using var memory = GuestMemory.OfSize(MemorySize);
        using var partition = new KvmPartition(device, memory, probe.Cpuid, port, outLength: 0);
        using IVcpu vcpu = partition.CreateVcpu(0);
        Prepare(memory, vcpu, probe, port);
        using var watchdog = new Timer(_ => vcpu.RequestExit(), null, limit, Timeout.InfiniteTimeSpan);
        vcpu.Run(long.MaxValue, out VmExit exit);
        bool works = exit.Reason == ExitReason.Hypercall && (byte)vcpu.Registers.Rax == Succeeded;
        string detail = works ? "" : exit.Reason == ExitReason.Cancelled ? $"no exit within {limit.TotalMilliseconds} ms"
            : vcpu.LastFailure ?? exit.Reason.ToString();
        return (works, detail, exit.Rip);
    }

    /// <summary>Lays out tables and code, and loads the vCPU with the probe's mode.</summary>
    public static void Prepare(GuestMemory memory, IVcpu vcpu, ProbeGuest probe, byte port)
    {
        Must(memory.TryLoad(new Gpa(CodeAddress), ProbeGuest.WithPort(probe.Code, port)));
        Must(memory.TryLoad(new Gpa(HandlerAddress), ProbeGuest.WithPort(probe.Handler, port)));
        WriteTables(memory, probe.Mode);
        var state = new VcpuState();
        vcpu.SaveState(state);
        Enter(state, probe.Mode);
        vcpu.LoadState(state);
    }

    private static void WriteTables(GuestMemory memory, ProbeMode mode)
    {
        ReadOnlySpan<ulong> gdt =
        [
            0, 0x00CF9B000000FFFF, 0x00CF93000000FFFF, 0x00AF9B000000FFFF, 0x00CFF3000000FFFF, 0x00AFFB000000FFFF,
            0x00008B000000FFFF | (TssAddress << 16), 0x0000890000000067 | (SecondTssAddress << 16),
        ];
        for (int i = 0; i < gdt.Length; i++)
            Must(memory.TryWrite(new Gpa(GdtAddress + (ulong)i * 8), gdt[i]));
        bool real = mode == ProbeMode.Real, wide = IsWide(mode);
        // RSP0, or ESP0 and SS0 (SDM 3A figures 8-11 and 8-2). Offset 66h is the I/O map's place: beyond the limit it forbids every port.
        Must(memory.TryWrite(new Gpa(TssAddress + 4), KernelStackTop | (wide ? 0 : (ulong)Data << 32)));
        Must(memory.TryWrite(new Gpa(TssAddress + 0x66), ushort.MaxValue));
        WriteSecondTask(memory);
        for (uint vector = 0; vector < 256; vector++)
        {
            if (real)
            {
                Must(memory.TryWrite(new Gpa(vector * 4), (uint)HandlerAddress));
                continue;
            }

            ulong gate = HandlerAddress | (ulong)(wide ? Code64 : Code32) << 16 | 0xEE00UL << 32;
            Must(memory.TryWrite(new Gpa(IdtAddress + vector * (wide ? 16u : 8u)), gate));
        }

        // One page-directory entry of a large page maps all of a probe's memory, at the level that the mode has.
        (ulong first, ulong second) = (TableAddress + 0x1000, TableAddress + 0x2000);
        switch (mode)
        {
            case ProbeMode.Paged32:
                Must(memory.TryWrite(new Gpa(TableAddress), 0x83UL));
                break;
            case ProbeMode.Pae32:
                Must(memory.TryWrite(new Gpa(TableAddress), first | 1));
                Must(memory.TryWrite(new Gpa(first), 0x83UL));
                break;
            case ProbeMode.Long0 or ProbeMode.Long3 or ProbeMode.Vector3:
                Must(memory.TryWrite(new Gpa(TableAddress), first | 7));
                Must(memory.TryWrite(new Gpa(first), second | 7));
                Must(memory.TryWrite(new Gpa(second), 0x87UL));
                break;
        }
    }

    /// <summary>A 32-bit task that begins at the handler, its segments flat (SDM 3A figure 8-2).</summary>
    private static void WriteSecondTask(GuestMemory memory)
    {
        ReadOnlySpan<(uint Offset, uint Value)> fields =
        [
            (0x20, (uint)HandlerAddress), (0x24, 2), (0x38, (uint)StackTop), (0x48, Data), (0x4C, Code32), (0x50, Data), (0x54, Data), (0x58, Data),
            (0x5C, Data), (0x64, 0xFFFF_0000),
        ];
        foreach ((uint offset, uint value) in fields)
            Must(memory.TryWrite(new Gpa(SecondTssAddress + offset), value));
    }

    private static bool IsWide(ProbeMode mode) => mode is ProbeMode.Long0 or ProbeMode.Long3 or ProbeMode.Vector3;

    private static void Enter(VcpuState state, ProbeMode mode)
    {
        ref SystemRegisters s = ref state.System;
        state.General.Rip = CodeAddress;
        state.General.Rsp = StackTop;
        state.General.Rflags = 2;
        if (mode == ProbeMode.Real)
        {
            (s.Cs.Selector, s.Cs.Base) = (0, 0);
            s.Idtr = new TableRegister { Base = 0, Limit = 0x3FF };
            return;
        }

        bool wide = IsWide(mode);
        s.Gdtr = new TableRegister { Base = GdtAddress, Limit = 8 * 8 - 1 };
        s.Idtr = new TableRegister { Base = IdtAddress, Limit = (ushort)(256 * (wide ? 16 : 8) - 1) };
        s.Tr = new SegmentRegister { Selector = Task, Base = TssAddress, Limit = 0xFFFF, Attributes = 0x8B };
        s.Ldtr.Attributes |= SegmentRegister.UnusableBit;
        s.Cs = Flat(Code32, 0xC09B);
        s.Ds = s.Es = s.Fs = s.Gs = s.Ss = Flat(Data, 0xC093);
        s.Cr0 = 0x31;
        s.Cr4 = 0x600;
        switch (mode)
        {
            case ProbeMode.Paged32:
                (s.Cr3, s.Cr4, s.Cr0) = (TableAddress, s.Cr4 | 0x10, s.Cr0 | 0x80000000);
                break;
            case ProbeMode.Pae32:
                (s.Cr3, s.Cr4, s.Cr0) = (TableAddress, s.Cr4 | 0x20, s.Cr0 | 0x80000000);
                break;
            case ProbeMode.Long0 or ProbeMode.Long3 or ProbeMode.Vector3:
                (s.Cr3, s.Cr4, s.Cr0, s.Efer) = (TableAddress, s.Cr4 | 0x20, s.Cr0 | 0x80000000, 0x501);
                s.Cs = Flat(Code64, 0xA09B);
                (s.Lstar, s.Star) = (HandlerAddress, (ulong)Code64 << 32 | (ulong)(UserData - 8) << 48);
                break;
        }

        if (mode == ProbeMode.Vector3)
            (s.Cr4, s.Xcr0) = (s.Cr4 | 1 << 18, 7);
        if (mode is ProbeMode.Long3 or ProbeMode.Vector3)
        {
            s.Cs = Flat(UserCode64, 0xA0FB);
            s.Ds = s.Es = s.Ss = Flat(UserData, 0xC0F3);
            s.Cpl = 3;
        }
    }

    private static SegmentRegister Flat(ushort selector, uint attributes) =>
        new() { Selector = selector, Limit = uint.MaxValue, Attributes = attributes };

    private static void Must(bool done) => System.Diagnostics.Debug.Assert(done, "a probe's tables lie in its memory");
}
