using System.Buffers.Binary;
using Hv.Conformance.Campaigns.Cases;
using Hv.Conformance.Campaigns.Execution;
using Hv.Conformance.Oracle;

namespace Hv.Conformance.Campaigns.Forms;

/// <summary>Parts of a result that a row of <see cref="VendorDifferences"/> lets differ.</summary>
[Flags]
internal enum Parts : ushort
{
    None = 0,

    /// <summary>The outcome with RIP, error code and CR2.</summary>
    Fault = 1,
    Flags = 2,
    Registers = 4,
    Memory = 8,

    /// <summary>FSW.</summary>
    Status = 16,

    /// <summary>FOP, FIP and FDP.</summary>
    Pointers = 32,
    Mxcsr = 64,

    /// <summary>YMM0 to YMM15.</summary>
    Vectors = 128,

    /// <summary>All of the x87, MXCSR and the vectors.</summary>
    Extended = 256,
}

/// <summary>Compares whole states for rows of <see cref="VendorDifferences"/>, which excuse one part and nothing else.</summary>
internal static class CaseStates
{
    /// <summary>RFLAGS.TF and RF, which belong to the method.</summary>
    public const ulong TrapAndResume = 0x1_0100;

    /// <summary>Whether two results are the same outside <paramref name="except"/>.</summary>
    public static bool Same(CodeSlot slot, in CaseRecord a, in CaseRecord b, Parts except)
    {
        if ((except & Parts.Fault) == 0
            && (a.Vector != b.Vector || a.Rip != b.Rip || a.ErrorCode != b.ErrorCode || a.Address != b.Address))
            return false;
        if (((except & Parts.Flags) == 0 && a.Rflags != b.Rflags)
            || ((except & Parts.Registers) == 0 && !CaseTraits.SameRegisters(in a, in b, ulong.MaxValue))
            || ((except & Parts.Memory) == 0 && !((ReadOnlySpan<byte>)a.Memory).SequenceEqual(b.Memory)))
            return false;
        if (!slot.HasExtended || (except & Parts.Extended) != 0)
            return true;
        ExtendedState state = a.Extended;
        if ((except & Parts.Status) != 0)
            state.SetStatus(b.Extended.Status);
        if ((except & Parts.Pointers) != 0)
            state.SetPointers(in b.Extended);
        if ((except & Parts.Mxcsr) != 0)
            state.Mxcsr = b.Extended.Mxcsr;
        if ((except & Parts.Vectors) != 0)
            (state.Xmm, state.Upper) = (b.Extended.Xmm, b.Extended.Upper);
        return ExtendedComparison.Same(in state, in b.Extended);
    }

    /// <summary>Whether a result is a fault that left everything as it was, outside <paramref name="except"/>.</summary>
    public static bool Untouched(CodeSlot slot, in CaseRecord input, in CaseRecord result, Parts except = Parts.None)
    {
        if (result.Vector >= 32 || result.Rip != slot.StartRip)
            return false;
        CaseRecord before = input;
        before.Rflags = input.Rflags & ~TrapAndResume | result.Rflags & TrapAndResume;
        if (slot.Mode == CodeMode.Bits16)
            before.Registers[4] = (uint)before.Registers[4];
        if (slot.HasExtended)
            SavedPointers.Normalise(ref before.Extended);
        return Same(slot, in before, in result, except | Parts.Fault);
    }

    /// <summary>The linear address of a byte of <see cref="CaseRecord.Memory"/>.</summary>
    public static uint MemoryAddress(int index) =>
        index < OracleMap.WindowSize ? OracleMap.Window + (uint)index : OracleMap.Edge + (uint)(index - OracleMap.WindowSize);

    /// <summary>What a case's memory holds at a linear address, little-endian; null where it is not all in the record.</summary>
    public static ulong? Read(in CaseRecord record, uint address, int size)
    {
        ReadOnlySpan<byte> memory = record.Memory;
        int at = address - OracleMap.Window <= (uint)(OracleMap.WindowSize - size) ? (int)(address - OracleMap.Window)
            : address - OracleMap.Edge <= (uint)(OracleMap.EdgeSize - size) ? (int)(address - OracleMap.Edge) + OracleMap.WindowSize : -1;
        if (at < 0)
            return null;
        Span<byte> bytes = stackalloc byte[8];
        bytes.Clear();
        memory.Slice(at, size).CopyTo(bytes);
        return BinaryPrimitives.ReadUInt64LittleEndian(bytes);
    }

    /// <summary>Whether the memories differ only from <paramref name="start"/> to <paramref name="end"/>, and there, if asked for, only where
    /// <paramref name="a"/> has zeros.</summary>
    public static bool DifferWithin(in CaseRecord a, in CaseRecord b, uint start, uint end, bool byZeros)
    {
        for (int i = 0; i < CaseMemory.Length; i++)
            if (a.Memory[i] != b.Memory[i] && ((byZeros && a.Memory[i] != 0) || MemoryAddress(i) - start >= end - start))
                return false;
        return true;
    }

    /// <summary>Whether the vector registers are the same but for one.</summary>
    public static bool SameVectors(in ExtendedState a, in ExtendedState b, int except)
    {
        for (int i = 0; i < 16; i++)
            if (i != except && (a.Xmm[i] != b.Xmm[i] || a.Upper[i] != b.Upper[i]))
                return false;
        return true;
    }
}
