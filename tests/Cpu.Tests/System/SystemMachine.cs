using System.Buffers.Binary;
using Hv.Core;
using Hv.Core.Cpuid;
using Hv.Core.Memory;
using Hv.Core.Registers;
using Hv.Cpu.State;
using Hv.Cpu.System;
using Hv.Cpu.Virtualization;

namespace Hv.Cpu.Tests.SystemHalf;

public enum CpuMode
{
    Real,
    Vm86,
    Protected16,
    Protected32,
    Compatibility,
    Long,
}

/// <summary>What a guest ended with: shutdown, its own HLT (vector -1), or a handler of the vector with the frame that it found.</summary>
public sealed record Outcome(bool Shutdown, int Vector, ulong ErrorCode, ulong Rip, ushort Cs, ulong Flags, ulong Rsp, ushort Ss)
{
    /// <summary>The form that table rows use: "ok", "shutdown", or the vector and, where there is one, the error code.</summary>
    public override string ToString() =>
        Shutdown ? "shutdown" : Vector < 0 ? "ok" : HasErrorCode(Vector) ? $"{Vector}({ErrorCode:x})" : $"{Vector}";

    public static bool HasErrorCode(int vector) => vector is 8 or 10 or 11 or 12 or 13 or 14 or 17;
}

/// <summary>A layer that intercepts nothing.</summary>
public readonly struct NoLayer : IVirtualization
{
    public bool Intercepts(Processor processor, ref CpuEvent e) => false;

    public bool Answers(Processor processor) => false;

    public bool TranslateGuestPhysical(ulong address, GuestAccess access, out Gpa host, out bool writable)
    {
        host = new Gpa(address);
        writable = true;
        return true;
    }
}

/// <summary>
/// A processor in a chosen mode over fixed tables: each vector's handler is a HLT of its own, so that where the guest halts says what was delivered,
/// and the stack
/// holds the frame.
/// </summary>
public sealed class SystemMachine : IDisposable
{
    public const ulong Gdt = 0x1000, Idt = 0x2000, Tss = 0x3000, Tss2 = 0x4000, Ldt = 0x5000, Handlers = 0x8000, Code = 0x1_0000, Data = 0x1_8000,
        Tables = 0x4_0000;
    public const ulong Stack0 = 0x2_0000, Stack1 = 0x2_2000, Stack2 = 0x2_4000, Stack3 = 0x2_6000, Ist1 = 0x2_8000;

    public const ushort Code32 = 0x08, Data32 = 0x10, UserCode32 = 0x1B, UserData32 = 0x23, TssSelector = 0x28, Code64 = 0x38, UserCode64 = 0x43,
        Code16 = 0x48,
        Data16 = 0x50, Conforming32 = 0x58, Code32Ring1 = 0x61, Data32Ring1 = 0x69, LdtSelector = 0x70, Slot = 0x80, Slot2 = 0x90,
        TaskSelector = 0xA0, TaskGate = 0xB0;

    public const int ExitVector = 0x80;

    public GuestMemory Memory { get; } = GuestMemory.OfSize(16 << 20);

    public Processor<NoLayer> Processor { get; }

    public CpuMode Mode { get; }

    public SystemMachine(CpuMode mode, int cpl = 0, CpuidTable? cpuid = null)
    {
        Mode = mode;
        Processor = new Processor<NoLayer>(Memory, cpuid ?? CpuidTables.Default, default);
        ResetState.Reset(Processor);
        BuildGdt();
        BuildIdt();
        BuildTss();
        BuildPageTables();
        Load(mode == CpuMode.Vm86 ? 3 : cpl);
    }

    private bool IsLong => Mode is CpuMode.Long or CpuMode.Compatibility;

    public ref CpuState State => ref Processor.State;

    public void Dispose()
    {
        (Processor as object as IDisposable)?.Dispose();
        Memory.Dispose();
    }

    public void Write(ulong address, params ReadOnlySpan<byte> bytes) => Assert.True(Memory.TryWrite(new Gpa(address), bytes));

    public void Write64(ulong address, ulong value) => Assert.True(Memory.TryWrite(new Gpa(address), value));

    public void Write32(ulong address, uint value) => Assert.True(Memory.TryWrite(new Gpa(address), value));

    public void Write16(ulong address, ushort value) => Assert.True(Memory.TryWrite(new Gpa(address), value));

    public ulong Read(ulong address, int size)
    {
        Span<byte> bytes = stackalloc byte[8];
        bytes.Clear();
        Assert.True(Memory.TryRead(new Gpa(address), bytes[..size]));
        return BinaryPrimitives.ReadUInt64LittleEndian(bytes);
    }

    /// <summary>A code, data or system descriptor. <paramref name="access"/> is byte 5; <paramref name="flags"/> the upper nibble of byte 6 (G D L
    /// AVL).</summary>
    public static ulong Descriptor(uint @base, uint limit, uint access, uint flags) =>
        (limit & 0xFFFF) | (ulong)(@base & 0xFF_FFFF) << 16 | (ulong)access << 40 | (ulong)(limit >> 16 & 0xF) << 48 | (ulong)flags << 52
            | (ulong)(@base >> 24) << 56;

    public static ulong Gate(ushort selector, uint offset, uint access, uint parameters = 0) =>
        (offset & 0xFFFF) | (ulong)selector << 16 | (ulong)parameters << 32 | (ulong)access << 40 | (ulong)(offset >> 16) << 48;

    public void SetDescriptor(ushort selector, ulong low, ulong high = 0, bool wide = false)
    {
        Write64(Gdt + (selector & 0xFFF8u), low);
        if (wide)
            Write64(Gdt + (selector & 0xFFF8u) + 8, high);
    }

    /// <summary>Replaces an IDT gate of protected or IA-32e mode.</summary>
    public void SetGate(int vector, ushort selector, ulong offset, uint access, uint ist = 0)
    {
        ulong at = Idt + (ulong)(vector * (IsLong ? 16 : 8));
        Write64(at, Gate(selector, (uint)offset, access, ist));
        if (IsLong)
            Write64(at + 8, offset >> 32);
    }

    /// <summary>Runs code from <see cref="Code"/> until something halts.</summary>
    public Outcome Run(params ReadOnlySpan<byte> code)
    {
        Write(Code, code);
        Write(Code + (ulong)code.Length, 0xF4);
        return Continue();
    }

    public Outcome Continue(long budget = 10_000)
    {
        RunResult result = Processor.Run(budget);
        if (result == RunResult.Shutdown)
            return new Outcome(true, 0, 0, 0, 0, 0, 0, 0);
        Assert.Equal(RunResult.Halted, result);
        ref CpuState s = ref State;
        ulong rip = s.Sys.Cs.Base + s.Gpr.Rip - 1;
        if (rip is < Handlers or >= Handlers + 0x1000)
            return new Outcome(false, -1, 0, s.Gpr.Rip, s.Sys.Cs.Selector, s.Gpr.Rflags, s.Gpr.Rsp, s.Sys.Ss.Selector);
        return Frame((int)(rip - Handlers) / 16);
    }

    /// <summary>The frame on the stack that the handler runs on.</summary>
    private Outcome Frame(int vector)
    {
        ref CpuState s = ref State;
        bool real = (s.Sys.Cr0 & 1) == 0;
        int size = real ? 2 : IsLong ? 8 : 4;
        ulong mask = IsLong ? ulong.MaxValue : s.Sys.Ss.Default ? uint.MaxValue : 0xFFFF;
        ulong at = s.Sys.Ss.Base + (s.Gpr.Rsp & mask), error = 0;
        if (!real && Outcome.HasErrorCode(vector))
        {
            error = Read(at, size);
            at += (ulong)size;
        }

        ulong Slot(int index) => Read(at + (ulong)(index * size), size);
        return new Outcome(false, vector, error, Slot(0), (ushort)Slot(1), Slot(2), Slot(3), (ushort)Slot(4));
    }

    private void BuildGdt()
    {
        SetDescriptor(Code32, Descriptor(0, 0xFFFFF, 0x9B, 0xC));
        SetDescriptor(Data32, Descriptor(0, 0xFFFFF, 0x93, 0xC));
        SetDescriptor(UserCode32, Descriptor(0, 0xFFFFF, 0xFB, 0xC));
        SetDescriptor(UserData32, Descriptor(0, 0xFFFFF, 0xF3, 0xC));
        SetDescriptor(TssSelector, Descriptor((uint)Tss, 0xFFF, 0x8B, 0), 0, true);
        SetDescriptor(Code64, Descriptor(0, 0xFFFFF, 0x9B, 0xA));
        SetDescriptor(UserCode64, Descriptor(0, 0xFFFFF, 0xFB, 0xA));
        SetDescriptor(Code16, Descriptor(0, 0xFFFFF, 0x9B, 0x8));
        SetDescriptor(Data16, Descriptor(0, 0xFFFF, 0x93, 0));
        SetDescriptor(Conforming32, Descriptor(0, 0xFFFFF, 0x9F, 0xC));
        SetDescriptor(Code32Ring1, Descriptor(0, 0xFFFFF, 0xBB, 0xC));
        SetDescriptor(Data32Ring1, Descriptor(0, 0xFFFFF, 0xB3, 0xC));
        SetDescriptor(LdtSelector, Descriptor((uint)Ldt, 0xFF, 0x82, 0), 0, true);
        SetDescriptor(TaskSelector, Descriptor((uint)Tss2, 0x67, 0x89, 0));
        SetDescriptor(TaskGate, Gate(TaskSelector, 0, 0xE5));
    }

    private void BuildIdt()
    {
        for (int vector = 0; vector < 256; vector++)
        {
            ulong handler = Handlers + (ulong)vector * 16;
            Write(handler, 0xF4, 0xEB, 0xFD); // HLT; JMP back
            if (Mode == CpuMode.Real)
                Write32((ulong)vector * 4, (uint)handler);
            else
                SetGate(vector, IsLong ? Code64 : Code32, handler, vector == ExitVector ? 0xEEu : 0x8E);
        }
    }

    private void BuildTss()
    {
        if (IsLong)
        {
            Write64(Tss + 4, Stack0);
            Write64(Tss + 12, Stack1);
            Write64(Tss + 20, Stack2);
            Write64(Tss + 0x24, Ist1);
        }
        else
        {
            Write32(Tss + 4, (uint)Stack0);
            Write16(Tss + 8, Data32);
            Write32(Tss + 12, (uint)Stack1);
            Write16(Tss + 16, Data32Ring1);
        }

        Write16(Tss + 0x66, 0x68);
        Span<byte> closed = new byte[0x400];
        closed.Fill(0xFF);
        Write(Tss + 0x68, closed);
    }

    /// <summary>The first GiB, identity-mapped by 2 MiB pages that all may use.</summary>
    private void BuildPageTables()
    {
        Write64(Tables, Tables + 0x1000 | 7);
        Write64(Tables + 0x1000, Tables + 0x2000 | 7);
        for (ulong i = 0; i < 512; i++)
            Write64(Tables + 0x2000 + i * 8, i << 21 | 0x87);
    }

    private void Load(int cpl)
    {
        var state = new VcpuState();
        StateTransfer.Save(Processor, state);
        ref SystemRegisters sys = ref state.System;
        ulong stack = cpl switch { 0 => Stack0, 1 => Stack1, 2 => Stack2, _ => Stack3 };
        state.General = new GeneralRegisters { Rip = Code, Rsp = stack - 0x100, Rflags = 2 };
        if (Mode == CpuMode.Real)
        {
            sys.Cs = Segment(0, 0x9B, 0, 0xFFFF) with { Base = Code, Selector = (ushort)(Code >> 4) };
            sys.Ss = sys.Ds = sys.Es = sys.Fs = sys.Gs = Segment(0, 0x93, 0, 0xFFFF);
            sys.Idtr = new TableRegister { Limit = 0x3FF };
            state.General.Rip = 0;
            state.General.Rsp = 0x7000;
        }
        else
        {
            sys.Cr0 = 0x11;
            sys.Gdtr = new TableRegister { Base = Gdt, Limit = 0xFF };
            sys.Idtr = new TableRegister { Base = Idt, Limit = IsLong ? (ushort)0xFFF : (ushort)0x7FF };
            sys.Tr = new SegmentRegister { Selector = TssSelector, Base = Tss, Limit = 0xFFF, Attributes = 0x8B };
            sys.Ldtr = new SegmentRegister { Attributes = SegmentRegister.UnusableBit };
            uint level = (uint)cpl << 5;
            ushort code = (Mode, cpl) switch
            {
                (CpuMode.Long, 0) => Code64,
                (CpuMode.Long, _) => UserCode64,
                (CpuMode.Protected16, _) => Code16,
                (_, 0) => Code32,
                (_, 1) => Code32Ring1,
                _ => UserCode32,
            };
            ushort data = (Mode, cpl) switch { (CpuMode.Protected16, _) => Data16, (_, 0) => Data32, (_, 1) => Data32Ring1, _ => UserData32 };
            uint size = Mode switch { CpuMode.Long => 0xA000u, CpuMode.Protected16 => 0x8000, _ => 0xC000 };
            sys.Cs = Segment(code, 0x9B | level | size, 0, uint.MaxValue);
            sys.Ss = sys.Ds = sys.Es = sys.Fs = sys.Gs = Mode == CpuMode.Protected16
                ? Segment(data, 0x93 | level, 0, 0xFFFF) : Segment(data, 0xC093 | level, 0, uint.MaxValue);
            sys.Cpl = (byte)cpl;
            if (Mode == CpuMode.Protected16)
                state.General.Rsp = 0x7000;
        }

        if (Mode == CpuMode.Vm86)
        {
            state.General.Rflags |= 1 << 17;
            sys.Cs = Segment((ushort)(Code >> 4), 0xF3, Code, 0xFFFF);
            sys.Ss = sys.Ds = sys.Es = sys.Fs = sys.Gs = Segment(0, 0xF3, 0, 0xFFFF);
            state.General.Rip = 0;
            state.General.Rsp = 0x7000;
        }

        if (IsLong)
        {
            sys.Cr0 = 0x8000_0011;
            sys.Cr4 = 0x20;
            sys.Cr3 = Tables;
            sys.Efer = 0x501;
        }

        StateTransfer.Load(Processor, state);
    }

    public static SegmentRegister Segment(ushort selector, uint attributes, ulong @base, uint limit) =>
        new() { Selector = selector, Attributes = attributes, Base = @base, Limit = limit };
}
