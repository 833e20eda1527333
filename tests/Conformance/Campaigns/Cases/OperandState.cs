using System.Numerics;
using System.Runtime.InteropServices;
using Hv.Conformance.Campaigns.Forms;
using Hv.Conformance.Oracle;
using Iced.Intel;

namespace Hv.Conformance.Campaigns.Cases;

/// <summary>Makes the states that a slot's instruction starts from: edge-biased registers and flags, address registers solved so that memory operands
/// meet the window.</summary>
public sealed class OperandState
{
    private const ulong FlagsAlways = 0x202, StatusFlags = 0x8D5, DirectionFlag = 0x400, AlignmentFlag = 0x4_0000, IdFlag = 0x20_0000,
        TrapFlag = 0x100;

    /// <summary>How rarely a locked access crosses a cache line: Linux lets a program that does so on an Intel processor sleep for 10 ms and more
    /// (Documentation/arch/x86/buslock.rst).</summary>
    private const int SplitLockOneIn = 4096;

    /// <summary>XCR0 bits above x87, SSE and AVX (SDM 1 13.1): MPX, AVX-512, PKRU and later ones.</summary>
    public const ulong HostComponents = 0xF_FFF8;
    private readonly ValuePools _pools;

    /// <summary>Makes the generator of one campaign; one per thread.</summary>
    public OperandState(ulong seed) => _pools = new ValuePools(seed);

    /// <summary>Prepares for a batch of the campaign.</summary>
    public void Renew(long batch) => _pools.Renew(batch);

    /// <summary>Fills <paramref name="record"/> with a state for <paramref name="slot"/>.</summary>
    public void Fill(ref CaseRecord record, CodeSlot slot, Prng random)
    {
        // The registers that matter are made anew; the others must only be something that a stray write would show in.
        _pools.Cut(ElementKind.Integer, MemoryMarshal.AsBytes((Span<ulong>)record.Registers), random);
        for (uint rest = slot.GeneralUsed; rest != 0; rest &= rest - 1)
            record.Registers[BitOperations.TrailingZeroCount(rest)] = EdgeValues.Next(random);
        if (random.OneIn(4))
            record.Registers[random.Below(16)] = record.Registers[random.Below(16)];
        record.Registers[4] = Target(random, 8);
        _pools.Cut(ElementKind.Integer, record.Memory, random);
        record.Rflags = Flags(random) | (slot.Way == EntryWay.Stepped ? TrapFlag : 0);
        slot.Enter(ref record);
        Shape(ref record, slot, random);
        if (slot.Mode == CodeMode.Bits32)
            for (int i = 0; i < 16; i++)
                record.Registers[i] = (uint)record.Registers[i];
        if (slot.Mode == CodeMode.Bits16)
            Narrow(ref record);
        if (slot.HasExtended)
            ExtendedShape.Fill(ref record, slot, _pools, random);
    }

    private static ulong Flags(Prng random)
    {
        ulong bits = random.Next();
        ulong flags = FlagsAlways | (bits & StatusFlags);
        if ((bits >> 56 & 7) == 0)
            flags |= DirectionFlag;
        if ((bits >> 48 & 127) == 0)
            flags |= AlignmentFlag;
        if ((bits >> 40 & 7) == 0)
            flags |= IdFlag;
        return flags;
    }

    /// <summary>Per instruction: counts, dividends, addresses.</summary>
    private static void Shape(ref CaseRecord record, CodeSlot slot, Prng random)
    {
        Instruction instruction = slot.Instruction;
        switch (instruction.Mnemonic)
        {
            case Mnemonic.Div or Mnemonic.Idiv when !random.OneIn(16):
                if (instruction.Op0Kind == OpKind.Register ? instruction.Op0Register.GetSize() == 1 : instruction.MemorySize.GetSize() == 1)
                    record.Registers[0] = (record.Registers[0] & ~0xFFFFUL) | (uint)random.Below(random.OneIn(4) ? 0x1000 : 0x80);
                else
                    record.Registers[2] = instruction.Mnemonic == Mnemonic.Idiv && random.OneIn(2) ? ulong.MaxValue : (ulong)(random.OneIn(4)
                        ? random.Below(64) : 0);
                break;
            case Mnemonic.Pcmpestri or Mnemonic.Pcmpestrm or Mnemonic.Vpcmpestri or Mnemonic.Vpcmpestrm
                or Mnemonic.Pcmpestri64 or Mnemonic.Pcmpestrm64 or Mnemonic.Vpcmpestri64 or Mnemonic.Vpcmpestrm64 when !random.OneIn(4):
                record.Registers[0] = (ulong)(random.Below(40) - 20);
                record.Registers[2] = (ulong)(random.Below(40) - 20);
                break;
            case Mnemonic.Xsave or Mnemonic.Xsave64 or Mnemonic.Xsaveopt or Mnemonic.Xsaveopt64 or Mnemonic.Xrstor or Mnemonic.Xrstor64:
                // The host may have enabled state that hv's models do not have.
                record.Registers[0] &= ~HostComponents;
                break;
            case Mnemonic.Enter:
                record.Registers[5] = Target(random, 8) & ~7UL;
                break;
        }

        if (instruction.HasRepPrefix || instruction.HasRepnePrefix)
        {
            record.Registers[1] = (uint)random.Below(random.OneIn(8) ? 40 : 9);
            // Above the counter's width stays noise, which must not matter.
            int width = slot.Memory.Length == 0 ? 64 : (int)slot.Memory[0].AddressSize switch { 1 => 16, 2 => 32, _ => 64 };
            if (width < 64 && random.OneIn(2))
                record.Registers[1] |= random.Next() << width;
        }

        if (IsBitString(in instruction) && !random.OneIn(32))
            record.Registers[instruction.Op1Register.GetNumber() & 15] = (ulong)(random.Below(512) - 256);

        if (Displacements.WritesUndefinedMemory(in instruction))
            record.Registers[1] &= ~0x10UL;

        for (int i = slot.Memory.Length - 1; i >= 0; i--)
            Solve(ref record, in slot.Memory[i], random, slot.IsLocked, Misaligned(in instruction));
        if (slot.NeedsSelectors)
            SelectorShape.Apply(ref record, slot, random);
        if (instruction.Mnemonic is Mnemonic.Cmpxchg or Mnemonic.Cmpxchg8b or Mnemonic.Cmpxchg16b && random.OneIn(2))
            Plant(ref record, slot, instruction.Mnemonic == Mnemonic.Cmpxchg8b ? 4 : 8);
    }

    private static bool IsBitString(in Instruction instruction) =>
        instruction.Mnemonic is Mnemonic.Bt or Mnemonic.Btc or Mnemonic.Btr or Mnemonic.Bts && instruction.Op0Kind == OpKind.Memory
            && instruction.Op1Kind == OpKind.Register;

    /// <summary>An address that a memory operand should meet: mostly inside the window, now and then at one of the borders, or anywhere.</summary>
    private static ulong Target(Prng random, int size)
    {
        switch (random.Below(128))
        {
            case 0:
                return OracleMap.Data + OracleMap.DataSize - (uint)random.Below(size + 1);   // across the border to nothing, or just before it
            case 1:
                return OracleMap.ReadOnly + (uint)random.Below(OracleMap.ReadOnlySize);
            case 2:
                return random.OneIn(4) ? EdgeValues.Next(random) : OracleMap.Data + OracleMap.DataSize - (uint)random.Below(size);
            case 3 or 4 or 5 or 6:
                return OracleMap.Window + OracleMap.WindowSize / 2 - (uint)random.Below(size + 1);   // across the page boundary
            case < 16:
                return OracleMap.Edge + (uint)random.Below(OracleMap.EdgeSize - size);
            case < 64:
                return OracleMap.Window + 72 + (uint)random.Below(OracleMap.WindowSize - 144) / 8 * 8;
            default:
                return OracleMap.Window + 72 + (uint)random.Below(OracleMap.WindowSize - 144);
        }
    }

    /// <summary>How rarely a wide operand is misaligned: where that faults, it costs as much as a hundred cases.</summary>
    private static int Misaligned(in Instruction instruction) => instruction.Encoding == EncodingKind.VEX ? 3 : 40;

    /// <summary>Chooses a target and sets base or index so that the operand's linear address is it.</summary>
    private static void Solve(ref CaseRecord record, in UsedMemory memory, Prng random, bool locked, int misalignedOneIn)
    {
        int size = Math.Clamp(memory.MemorySize.GetSize(), 1, 32);
        ulong target = Target(random, size);
        if (locked ? !random.OneIn(SplitLockOneIn) : size >= 16 && !random.OneIn(misalignedOneIn))
            target &= ~((ulong)size - 1);
        target -= memory.Segment switch { Register.FS => OracleMap.FsBase, Register.GS => OracleMap.GsBase, _ => 0 };
        target -= memory.Displacement;
        int baseNumber = Number(memory.Base);
        int indexNumber = Number(memory.Index);
        if (baseNumber >= 0 && indexNumber != baseNumber)
        {
            if (indexNumber >= 0)
                target -= record.Registers[indexNumber] * (ulong)memory.Scale;
            Set(ref record, memory.Base, target);
        }
        else if (baseNumber >= 0)
        {
            // base + index * scale of the same register: an odd factor has an inverse; for 2 the target must be even.
            ulong factor = (ulong)memory.Scale + 1;
            Set(ref record, memory.Base, factor == 2 ? (target & ~1UL) >> 1 : target * Inverse(factor));
        }
        else if (indexNumber >= 0)
        {
            Set(ref record, memory.Index, (ulong)((long)target >> BitOperations.Log2((uint)memory.Scale)));
        }
    }

    /// <summary>Newton's iteration for the inverse modulo 2^64.</summary>
    private static ulong Inverse(ulong odd)
    {
        ulong x = odd;
        for (int i = 0; i < 5; i++)
            x *= 2 - odd * x;
        return x;
    }

    private static int Number(Register register) =>
        register is Register.None or Register.RIP or Register.EIP || register.GetFullRegister() is < Register.RAX or > Register.R15 ? -1
            : register.GetFullRegister() - Register.RAX;

    /// <summary>Sets an address register; above its width stays noise, which must not matter.</summary>
    private static void Set(ref CaseRecord record, Register register, ulong value)
    {
        ref ulong full = ref record.Registers[Number(register)];
        full = register.GetSize() switch
        {
            8 => value,
            4 => (full & 0xFFFF_FFFF_0000_0000) | (uint)value,
            2 => (full & ~0xFFFFUL) | (ushort)value,
            _ => value,
        };
    }

    /// <summary>Copies RAX (and RDX above it) to where the first memory operand lies, so that comparisons with it succeed.</summary>
    private static void Plant(ref CaseRecord record, CodeSlot slot, int half)
    {
        if (slot.Memory.Length == 0)
            return;
        int offset = slot.OffsetInWindow(in record, in slot.Memory[0]);
        if (offset is < 0 or > OracleMap.WindowSize - 16)
            return;
        BitConverter.TryWriteBytes(((Span<byte>)record.Memory)[offset..], record.Registers[0]);
        BitConverter.TryWriteBytes(((Span<byte>)record.Memory)[(offset + half)..], half == 4 ? (uint)record.Registers[2] : record.Registers[2]);
    }

    /// <summary>16-bit code: addresses are offsets in the data segment, and RSP above 16 bits is what the worker's own stack pointer has there
    /// (IRETQ to a 16-bit stack leaves it, SDM 2A IRET).</summary>
    private static void Narrow(ref CaseRecord record)
    {
        for (int i = 0; i < 16; i++)
            record.Registers[i] = (uint)record.Registers[i] - (record.Registers[i] - OracleMap.Data < 0x1_0000 ? OracleMap.Data : 0);
        record.Registers[4] = (ushort)record.Registers[4];
    }
}
