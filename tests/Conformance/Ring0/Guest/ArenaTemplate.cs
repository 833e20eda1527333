using System.Buffers.Binary;
using D = Hv.Conformance.Ring0.Guest.Descriptors;

namespace Hv.Conformance.Ring0.Guest;

/// <summary>The mode in which a case begins.</summary>
public enum BootMode
{
    /// <summary>Real mode, CS = DS = ES = SS = <see cref="Layout.RealSegment"/>.</summary>
    Real,

    /// <summary>32-bit protected mode at CPL 0, flat, without paging.</summary>
    Protected,

    /// <summary>64-bit mode at CPL 0; <see cref="Layout.UserCode"/>, the user's data and stack are user pages.</summary>
    Long,
}

/// <summary>The arena's contents at the start of a case, before the case's own changes.</summary>
public static class ArenaTemplate
{
    private const uint InterruptGate = 0x8E, UserInterruptGate = 0xEE;

    private static readonly byte[][] _byMode = [Build(BootMode.Real), Build(BootMode.Protected), Build(BootMode.Long)];

    /// <summary>The arena of a mode.</summary>
    public static ReadOnlySpan<byte> Of(BootMode mode) => _byMode[(int)mode];

    private static byte[] Build(BootMode mode)
    {
        byte[] arena = new byte[Layout.ArenaSize];
        Gdt(arena, mode);
        Interrupts(arena, mode);
        TaskSegments(arena, mode);
        if (mode != BootMode.Real)
            PageTables(arena);
        // Nothing in a case's memory is zero by accident: data and stacks have a pattern.
        for (uint at = Layout.Data; at < Layout.Ist2; at += 4)
            Put32(arena, at, at * 0x0101_0001);
        for (uint at = Layout.Frame; at < Layout.Frame + 0x2000; at += 4)
            Put32(arena, at, at * 0x0101_0001);
        return arena;
    }

    private static void Gdt(byte[] arena, BootMode mode)
    {
        void Set(ushort selector, ulong value) => Put64(arena, Layout.Gdt + (selector & 0xFFF8u), value);
        void SetCode(ushort selector, uint access) => Set(selector, D.Segment(0, 0xFFFFF, access, D.G | D.D));
        SetCode(Selectors.Code32, 0x9B);
        SetCode(Selectors.Data, 0x93);
        Set(Selectors.Code64, D.Segment(0, 0xFFFFF, 0x9B, D.G | D.L));
        SetCode(Selectors.UserCode32, 0xFB);
        SetCode(Selectors.UserData, 0xF3);
        Set(Selectors.UserCode64, D.Segment(0, 0xFFFFF, 0xFB, D.G | D.L));
        Set(Selectors.Tss, D.Segment(Layout.Tss, Layout.TssLimit, 0x89));
        Set(Selectors.Ldt, D.Segment(Layout.Ldt, Layout.LdtLimit, 0x82));
        Set(Selectors.Code16, D.Segment(Layout.Arena, 0xFFFF, 0x9B));
        Set(Selectors.Data16, D.Segment(Layout.Arena, 0xFFFF, 0x93));
        SetCode(Selectors.Ring1Code, 0xBB);
        SetCode(Selectors.Ring1Data, 0xB3);
        SetCode(Selectors.Ring2Code, 0xDB);
        SetCode(Selectors.Ring2Data, 0xD3);
        SetCode(Selectors.Conforming, 0x9F);
        if (mode != BootMode.Long)
        {
            Set(Selectors.Task2, D.Segment(Layout.Task2, 0x67, 0x89));
            Set(Selectors.Task16, D.Segment(Layout.Task16, 0x2B, 0x81));
            Set(Selectors.TaskGate, D.Gate(Selectors.Task2, 0, 0xE5));
        }

        Set(Selectors.UserCode16, D.Segment(Layout.Arena, 0xFFFF, 0xFB));
    }

    private static void Interrupts(byte[] arena, BootMode mode)
    {
        for (uint vector = 0; vector < 256; vector++)
        {
            uint access = vector is 3 or 4 or >= 32 ? UserInterruptGate : InterruptGate, stub = vector * Layout.StubSize;
            switch (mode)
            {
                case BootMode.Real:
                    Put32(arena, Layout.Idt + vector * 4, Layout.Low16 + stub);
                    break;
                case BootMode.Protected:
                    Put64(arena, Layout.Idt + vector * 8, D.Gate(Selectors.Code32, Layout.Low32 + stub, access));
                    break;
                default:
                    Put64(arena, Layout.Idt + vector * 16, D.Gate(Selectors.Code64, Layout.Low64 + stub, access));
                    break;
            }
        }
    }

    private static void TaskSegments(byte[] arena, BootMode mode)
    {
        if (mode == BootMode.Long)
        {
            Put64(arena, Layout.Tss + 4, Layout.Stack0);
            Put64(arena, Layout.Tss + 12, Layout.Stack1);
            Put64(arena, Layout.Tss + 20, Layout.Stack2);
            Put64(arena, Layout.Tss + 0x24, Layout.Ist1);
            Put64(arena, Layout.Tss + 0x2C, Layout.Ist2);
        }
        else
        {
            (uint Stack, uint Segment)[] stacks =
                [(Layout.Stack0, Selectors.Data), (Layout.Stack1, Selectors.Ring1Data), (Layout.Stack2, Selectors.Ring2Data)];
            for (uint ring = 0; ring < 3; ring++)
            {
                Put32(arena, Layout.Tss + 4 + ring * 8, stacks[ring].Stack);
                Put32(arena, Layout.Tss + 8 + ring * 8, stacks[ring].Segment);
            }
        }

        // The I/O map begins right behind the fixed part; its last byte is all ones, as SDM 1 19.5.2 asks.
        Put32(arena, Layout.Tss + 0x64, 0x68 << 16);
        arena[Layout.Tss + Layout.TssLimit - Layout.Arena] = 0xFF;
    }

    private static void PageTables(byte[] arena)
    {
        const ulong UserTable = 0x67, Supervisor = 0x63, Large = 0xE3;
        Put64(arena, Layout.Pml4, Layout.Pdpt | UserTable);
        Put64(arena, Layout.Pdpt, Layout.Directory | UserTable);
        Put64(arena, Layout.Pml4 + 8, Layout.WindowPdpt | UserTable);
        Put64(arena, Layout.WindowPdpt + 8, Layout.WindowDirectory | UserTable);
        Put64(arena, Layout.PaePointers, Layout.Directory | 1);
        Put64(arena, Layout.PaePointers + 8, Layout.WindowDirectory | 1);
        Put64(arena, Layout.Directory, Layout.LowTable | UserTable);
        for (uint i = 1; i < 512; i++)
            Put64(arena, Layout.Directory + i * 8, i << 21 | Large);
        Put64(arena, Layout.WindowDirectory, Layout.WindowTable | UserTable);
        Put32(arena, Layout.Directory32, (uint)(Layout.LowTable32 | UserTable));
        Put32(arena, Layout.Directory32 + 0x400, (uint)(Layout.WindowTable32 | UserTable));
        for (uint page = 0; page < 256; page++)
        {
            uint address = page << 12;
            ulong entry = address | (IsUser(address) ? UserTable : Supervisor);
            Put64(arena, Layout.LowTable + page * 8, entry);
            Put32(arena, Layout.LowTable32 + page * 4, (uint)entry);
        }

        Put64(arena, Layout.WindowTable, Layout.Frame | UserTable);
        Put32(arena, Layout.WindowTable32, (uint)(Layout.Frame | UserTable));
    }

    private static bool IsUser(uint page) => page is Layout.UserCode or Layout.UserData or Layout.Stack3 - 0x1000;

    private static void Put32(byte[] arena, uint address, uint value) =>
        BinaryPrimitives.WriteUInt32LittleEndian(arena.AsSpan((int)(address - Layout.Arena)), value);

    private static void Put64(byte[] arena, uint address, ulong value) =>
        BinaryPrimitives.WriteUInt64LittleEndian(arena.AsSpan((int)(address - Layout.Arena)), value);
}
