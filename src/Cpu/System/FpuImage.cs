using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Hv.Cpu.State;

namespace Hv.Cpu.System;

/// <summary>
/// The 512-byte FXSAVE image and the XSAVE area around it (SDM 1 10.5.1, tables 10-2 and 13-1, standard format) to and from <see cref="FpuState"/>.
/// Loading takes any bytes:
/// reserved bits are dropped.
/// </summary>
internal static class FpuImage
{
    public const int Size = 512, HeaderOffset = 512, AvxOffset = 576, AreaSize = AvxOffset + 16 * 16;

    private const int ControlOffset = 0, StatusOffset = 2, TagOffset = 4, OpcodeOffset = 6, InstructionOffset = 8, OperandOffset = 16,
        MxcsrOffset = 24,
        X87Offset = 32, XmmOffset = 160;

    private const int ExceptionMask = 0x3F;
    private const ushort SummaryBits = 0x8080;
    private const ulong AllParts = 7;

    /// <summary>FNINIT (SDM 2A FINIT): registers keep their contents and are empty.</summary>
    public static void Initialize(ref FpuState f)
    {
        f.Control = FpuState.ControlInit;
        f.Status = 0;
        f.Tags = 0;
        f.Opcode = 0;
        f.InstructionPointer = f.OperandPointer = 0;
    }

    /// <summary>FCW with bit 6 set and the reserved bits clear (SDM 1 8.1.5).</summary>
    public static ushort ControlWord(ushort value) => (ushort)(value & 0x1F7F | 0x40);

    /// <summary>ES and B follow from the exception flags and masks (SDM 1 8.1.3.3).</summary>
    public static void UpdateSummary(ref FpuState f)
    {
        bool unmasked = (f.Status & ~f.Control & ExceptionMask) != 0;
        f.Status = (ushort)(unmasked ? f.Status | SummaryBits : f.Status & ~SummaryBits);
    }

    /// <summary>MXCSR of an image.</summary>
    public static uint Mxcsr(ReadOnlySpan<byte> image) => BinaryPrimitives.ReadUInt32LittleEndian(image[MxcsrOffset..]);

    /// <summary>Writes the image; x87 registers go in stack order, ST(0) first.</summary>
    /// <param name="f">The state.</param>
    /// <param name="image">At least 416 bytes.</param>
    /// <param name="registers">XMM registers to include: 8 or 16.</param>
    /// <param name="wide">64-bit pointers in place of selector, which is 0, and 32-bit offset (REX.W).</param>
    /// <returns>The bytes that count; the rest of the 512 are the software's.</returns>
    public static int Save(in FpuState f, Span<byte> image, int registers, bool wide)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(image[ControlOffset..], f.Control);
        BinaryPrimitives.WriteUInt16LittleEndian(image[StatusOffset..], f.Status);
        image[TagOffset] = f.Tags;
        BinaryPrimitives.WriteUInt16LittleEndian(image[OpcodeOffset..], f.Opcode);
        BinaryPrimitives.WriteUInt64LittleEndian(image[InstructionOffset..], Pointer(f.InstructionPointer, wide));
        BinaryPrimitives.WriteUInt64LittleEndian(image[OperandOffset..], Pointer(f.OperandPointer, wide));
        BinaryPrimitives.WriteUInt32LittleEndian(image[MxcsrOffset..], f.Mxcsr);
        BinaryPrimitives.WriteUInt32LittleEndian(image[(MxcsrOffset + 4)..], FpuState.MxcsrMask);
        for (int i = 0; i < 8; i++)
        {
            X87Register register = f.X87[Physical(in f, i)];
            BinaryPrimitives.WriteUInt64LittleEndian(image[(X87Offset + 16 * i)..], register.Significand);
            BinaryPrimitives.WriteUInt64LittleEndian(image[(X87Offset + 16 * i + 8)..], register.SignExponent & 0xFFFF);
        }

        for (int i = 0; i < registers; i++)
            Lower(in f, i).CopyTo(image[(XmmOffset + 16 * i)..]);
        return XmmOffset + 16 * registers;
    }

    /// <summary>Takes an image.</summary>
    public static void Load(ref FpuState f, ReadOnlySpan<byte> image, int registers, bool wide)
    {
        f.Control = ControlWord(BinaryPrimitives.ReadUInt16LittleEndian(image[ControlOffset..]));
        f.Status = BinaryPrimitives.ReadUInt16LittleEndian(image[StatusOffset..]);
        f.Tags = image[TagOffset];
        f.Opcode = (ushort)(BinaryPrimitives.ReadUInt16LittleEndian(image[OpcodeOffset..]) & 0x7FF);
        f.InstructionPointer = Pointer(BinaryPrimitives.ReadUInt64LittleEndian(image[InstructionOffset..]), wide);
        f.OperandPointer = Pointer(BinaryPrimitives.ReadUInt64LittleEndian(image[OperandOffset..]), wide);
        f.Mxcsr = Mxcsr(image) & FpuState.MxcsrMask;
        for (int i = 0; i < 8; i++)
        {
            f.X87[Physical(in f, i)] = new X87Register
            {
                Significand = BinaryPrimitives.ReadUInt64LittleEndian(image[(X87Offset + 16 * i)..]),
                SignExponent = BinaryPrimitives.ReadUInt16LittleEndian(image[(X87Offset + 16 * i + 8)..]),
            };
        }

        for (int i = 0; i < registers; i++)
            SetHalf(ref f, i, 0, image.Slice(XmmOffset + 16 * i, 16));
        UpdateSummary(ref f);
    }

    /// <summary>Writes a whole XSAVE area: legacy image, header, upper halves of YMM. Always says that all parts are present.</summary>
    public static void SaveArea(in FpuState f, Span<byte> area)
    {
        area.Clear();
        Save(in f, area, 16, true);
        BinaryPrimitives.WriteUInt64LittleEndian(area[HeaderOffset..], AllParts);
        for (int i = 0; i < 16; i++)
            Upper(in f, i).CopyTo(area[(AvxOffset + 16 * i)..]);
    }

    /// <summary>Takes an XSAVE area in the standard format; parts that XSTATE_BV leaves out get their initial values (SDM 1 13.8).</summary>
    public static void LoadArea(ref FpuState f, ReadOnlySpan<byte> area)
    {
        ulong present = BinaryPrimitives.ReadUInt64LittleEndian(area[HeaderOffset..]);
        FpuState loaded = default;
        Load(ref loaded, area, 16, true);
        for (int i = 0; i < 16; i++)
            SetHalf(ref loaded, i, 1, area.Slice(AvxOffset + 16 * i, 16));
        f = loaded;
        if ((present & 1) == 0)
        {
            Initialize(ref f);
            f.X87 = default;
        }

        if ((present & 6) == 0)
            f.Mxcsr = FpuState.MxcsrDefault;
        for (int i = 0; i < 16; i++)
        {
            Vector256<byte> vector = f.Vectors[i];
            f.Vectors[i] = Vector256.Create((present & 2) != 0 ? vector.GetLower() : default, (present & 4) != 0 ? vector.GetUpper() : default);
        }
    }

    /// <summary>Writes the parts of an XSAVE area that hold registers: the legacy image and the upper halves of YMM. The header and the software's
    /// bytes are left.</summary>
    /// <param name="f">The state.</param>
    /// <param name="area"><see cref="AreaSize"/> bytes.</param>
    /// <param name="registers">Vector registers to include: 8 or 16.</param>
    /// <param name="wide">64-bit pointers.</param>
    public static void SaveParts(in FpuState f, Span<byte> area, int registers, bool wide)
    {
        area[..X87Offset].Clear();
        Save(in f, area, registers, wide);
        for (int i = 0; i < registers; i++)
            Upper(in f, i).CopyTo(area[(AvxOffset + 16 * i)..]);
    }

    /// <summary>Takes parts of an XSAVE area, as XRSTOR does in the standard format (SDM 1 13.8.1).</summary>
    /// <param name="f">The state.</param>
    /// <param name="area"><see cref="AreaSize"/> bytes, of which the parts in <paramref name="loaded"/> are valid, and MXCSR.</param>
    /// <param name="parts">Which parts are asked for: bit 0 x87, 1 SSE, 2 AVX.</param>
    /// <param name="loaded">Which of these the area holds; the others get their initial configuration.</param>
    /// <param name="registers">Vector registers that exist in this mode: 8 or 16.</param>
    /// <param name="wide">64-bit pointers.</param>
    public static void LoadParts(ref FpuState f, ReadOnlySpan<byte> area, ulong parts, ulong loaded, int registers, bool wide)
    {
        FpuState old = f;
        if ((parts & loaded & 1) != 0)
        {
            Load(ref f, area, 0, wide);
            f.Mxcsr = old.Mxcsr;
        }
        else if ((parts & 1) != 0)
        {
            Initialize(ref f);
            f.X87 = default;
        }

        if ((parts & 6) != 0)
            f.Mxcsr = Mxcsr(area);
        for (int i = 0; i < registers; i++)
        {
            if ((parts & 2) != 0)
                SetHalf(ref f, i, 0, (loaded & 2) != 0 ? area.Slice(XmmOffset + 16 * i, 16) : Zeros);
            if ((parts & 4) != 0)
                SetHalf(ref f, i, 1, (loaded & 4) != 0 ? area.Slice(AvxOffset + 16 * i, 16) : Zeros);
        }
    }

    /// <summary>Whether the x87 part is as XRSTOR initialises it (SDM 1 13.6).</summary>
    public static bool IsInitialX87(in FpuState f)
    {
        ulong registers = 0;
        for (int i = 0; i < 8; i++)
            registers |= f.X87[i].Significand | f.X87[i].SignExponent;
        return registers == 0 && f.Control == FpuState.ControlInit && f.Status == 0 && f.Tags == 0 && f.Opcode == 0
            && (f.InstructionPointer | f.OperandPointer) == 0;
    }

    private static ReadOnlySpan<byte> Zeros => [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

    /// <summary>A pointer's 64 bits, or 32 with the selector after them: 0 whatever is loaded (CPUID 07H.EBX[13]).</summary>
    private static ulong Pointer(ulong pointer, bool wide) => wide ? pointer : (uint)pointer;

    /// <summary>The physical register that is ST(<paramref name="index"/>): TOP is FSW bits 13:11.</summary>
    private static int Physical(in FpuState f, int index) => (f.Status >> 11) + index & 7;

    private static ReadOnlySpan<byte> Bytes(in FpuState f, int index) =>
        MemoryMarshal.AsBytes(MemoryMarshal.CreateReadOnlySpan(in f.Vectors[index], 1));

    private static ReadOnlySpan<byte> Lower(in FpuState f, int index) => Bytes(in f, index)[..16];

    private static ReadOnlySpan<byte> Upper(in FpuState f, int index) => Bytes(in f, index)[16..];

    private static void SetHalf(ref FpuState f, int index, int half, ReadOnlySpan<byte> bytes) =>
        bytes.CopyTo(MemoryMarshal.AsBytes(MemoryMarshal.CreateSpan(ref f.Vectors[index], 1))[(16 * half)..]);
}
