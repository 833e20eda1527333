using System.Runtime.InteropServices;
using Hv.Conformance.Oracle;
using Iced.Intel;

namespace Hv.Conformance.Campaigns.Cases;

/// <summary>Makes the x87, SSE and AVX state of a case: random control words, edge-biased values in what the instruction uses, noise
/// elsewhere.</summary>
public static class ExtendedShape
{
    private const ushort MaskedControl = 0x7F, ExceptionBits = 0x3F, SummaryBits = 0x8080;
    private const uint MaskedMxcsr = 0x1F80;

    /// <summary>Fills the state and the memory operands' contents.</summary>
    public static void Fill(ref CaseRecord record, CodeSlot slot, ValuePools pools, Prng random)
    {
        ref ExtendedState state = ref record.Extended;
        Control(ref state, slot, random);
        state.Parts = ExtendedState.AllParts;
        pools.Cut(ElementKind.Integer, MemoryMarshal.AsBytes((Span<System.Runtime.Intrinsics.Vector128<byte>>)state.Xmm), random);
        pools.Cut(ElementKind.Integer, MemoryMarshal.AsBytes((Span<System.Runtime.Intrinsics.Vector128<byte>>)state.Upper), random);
        Stack(ref state, slot, pools, random);
        Vectors(ref state, slot, pools, random);
        Memory(ref record, slot, pools, random);
        Special(ref record, slot, random);
    }

    private static void Control(ref ExtendedState state, CodeSlot slot, Prng random)
    {
        ulong bits = random.Next();
        // Rounding always; masks and precision often as programs leave them.
        uint mxcsr = MaskedMxcsr | (uint)(bits & 0x6000);
        if ((bits >> 16 & 7) == 0)
            mxcsr &= ~(uint)(bits >> 20 & MaskedMxcsr);
        if ((bits >> 32 & 3) == 0)
            mxcsr |= (uint)(bits >> 34 & 0x8040);
        if ((bits >> 50 & 1) == 0)
            mxcsr |= (uint)(bits >> 51 & ExceptionBits);
        state.Mxcsr = mxcsr;

        bits = random.Next();
        ushort control = (ushort)(MaskedControl | (bits & 0xC00) | 0x300);
        if ((bits >> 16 & 3) == 0)
            control = (ushort)(control & ~0x300 | (int)(bits >> 18 & 0x300));
        if ((bits >> 32 & 7) == 0)
            control &= (ushort)~(bits >> 36 & ExceptionBits);
        if ((bits >> 60 & 15) == 0)
            control |= 0x1000;
        state.Control = control;

        bits = random.Next();
        ushort status = (ushort)(bits & 0x4700 | (bits >> 16 & 3) switch { 0 => bits >> 18 & 0x3800, 1 => 0x3800, _ => 0 });
        if ((bits >> 32 & 3) == 0)
            status |= (ushort)(bits >> 34 & 0x7F);
        // An unmasked exception that waits is #MF at the next instruction: seldom enough.
        if ((status & ~control & ExceptionBits) != 0 && (bits >> 48 & 7) != 0)
            status &= (ushort)(control | ~ExceptionBits);
        if ((status & ~control & ExceptionBits) != 0)
            status |= SummaryBits;
        state.Status = status;
        state.Opcode = (ushort)(bits >> 53);
        state.InstructionPointer = random.Next() >> 20;
        state.OperandPointer = random.Next() >> 20;
    }

    private static void Stack(ref ExtendedState state, CodeSlot slot, ValuePools pools, Prng random)
    {
        for (int i = 0; i < 8; i++)
            state.Stack[i] = pools.Extended(random);
        ulong bits = random.Next();
        int top = state.Top;
        byte tags = (bits & 7) switch { 0 => (byte)(bits >> 8), 1 => 0, _ => 0xFF };
        // ST(7) must be empty for a push, and mostly is in programs.
        if ((bits >> 16 & 3) != 0)
            tags &= (byte)~(1 << (top - 1 & 7));
        state.Tags = tags;
        if (!UsesMmx(slot.Instruction))
            return;
        for (int i = 0; i < 8; i++)
            state.Stack[i].Significand = EdgeValues.Next(random);
    }

    private static bool UsesMmx(in Instruction instruction)
    {
        for (int i = 0; i < instruction.OpCount; i++)
            if (instruction.GetOpKind(i) == OpKind.Register && instruction.GetOpRegister(i).IsMM())
                return true;
        return false;
    }

    private static void Vectors(ref ExtendedState state, CodeSlot slot, ValuePools pools, Prng random)
    {
        Span<byte> low = MemoryMarshal.AsBytes((Span<System.Runtime.Intrinsics.Vector128<byte>>)state.Xmm);
        Span<byte> high = MemoryMarshal.AsBytes((Span<System.Runtime.Intrinsics.Vector128<byte>>)state.Upper);
        int previous = -1;
        for (uint rest = slot.VectorsUsed; rest != 0; rest &= rest - 1)
        {
            int number = System.Numerics.BitOperations.TrailingZeroCount(rest);
            Span<byte> register = low.Slice(16 * number, 16);
            ulong bits = random.Next();
            ElementKind kind = (bits & 31) == 0 ? ElementKind.Integer : slot.RegisterKind;
            pools.Cut(kind, register, random);
            pools.Cut(kind, high.Slice(16 * number, 16), random);
            if (previous >= 0 && (bits >> 8 & 7) == 0)
            {
                // Equal operands, or ones that differ a little: comparisons, cancellation.
                low.Slice(16 * previous, 16).CopyTo(register);
                if ((bits >> 16 & 1) != 0)
                    register[(int)(bits >> 20 & 15)] ^= (byte)(bits >> 24);
            }

            previous = number;
        }
    }

    /// <summary>Memory operands hold what the instruction takes them for.</summary>
    private static void Memory(ref CaseRecord record, CodeSlot slot, ValuePools pools, Prng random)
    {
        foreach (ref readonly UsedMemory memory in slot.Memory.AsSpan())
        {
            ElementKind kind = ElementKinds.Of(memory.MemorySize);
            if (kind == ElementKind.Integer)
                continue;
            int at = slot.OffsetInWindow(in record, in memory);
            int size = memory.MemorySize.GetSize();
            if (at >= 0 && at + size <= OracleMap.WindowSize)
                pools.Cut(kind, ((Span<byte>)record.Memory).Slice(at, size), random);
        }
    }

    private static void Special(ref CaseRecord record, CodeSlot slot, Prng random)
    {
        Instruction instruction = slot.Instruction;
        switch (instruction.Mnemonic)
        {
            case Mnemonic.Ldmxcsr or Mnemonic.Vldmxcsr when !random.OneIn(16):
                Put(ref record, slot, 0, (uint)random.Next() & 0xFFFF);
                break;
            case Mnemonic.Fxrstor or Mnemonic.Fxrstor64:
                // FIP stays canonical: how far a processor's pointers reach decides what it loads otherwise.
                Put(ref record, slot, 12, (uint)random.Below(0x8000));
                if (!random.OneIn(16))
                    Put(ref record, slot, 24, (uint)random.Next() & 0xFFFF);
                break;
            case Mnemonic.Xrstor or Mnemonic.Xrstor64:
                Put(ref record, slot, 12, (uint)random.Below(0x8000));
                break;
        }

        if (instruction.IsVsib && !random.OneIn(16))
            Indices(ref record.Extended, in instruction, random);
    }

    /// <summary>A gather's indices stay near, so that most elements lie in the window.</summary>
    private static void Indices(ref ExtendedState state, in Instruction instruction, Prng random)
    {
        int number = instruction.MemoryIndex.GetNumber();
        Span<byte> low = MemoryMarshal.AsBytes((Span<System.Runtime.Intrinsics.Vector128<byte>>)state.Xmm).Slice(16 * number, 16);
        Span<byte> high = MemoryMarshal.AsBytes((Span<System.Runtime.Intrinsics.Vector128<byte>>)state.Upper).Slice(16 * number, 16);
        for (int i = 0; i < 16; i += instruction.IsVsib64 ? 8 : 4)
        {
            Put(low[i..], instruction.IsVsib64, random.Below(17) - 8);
            Put(high[i..], instruction.IsVsib64, random.Below(17) - 8);
        }
    }

    private static void Put(Span<byte> at, bool wide, int value)
    {
        if (wide)
            BitConverter.TryWriteBytes(at, (long)value);
        else
            BitConverter.TryWriteBytes(at, value);
    }

    private static void Put(ref CaseRecord record, CodeSlot slot, int displacement, uint value)
    {
        if (slot.Memory.Length == 0)
            return;
        int at = slot.OffsetInWindow(in record, in slot.Memory[0]);
        if (at >= 0 && at + displacement + 4 <= OracleMap.WindowSize)
            BitConverter.TryWriteBytes(((Span<byte>)record.Memory)[(at + displacement)..], value);
    }
}
