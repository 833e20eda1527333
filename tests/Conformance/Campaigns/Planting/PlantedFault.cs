using Hv.Conformance.Campaigns.Cases;
using Hv.Conformance.Campaigns.Forms;
using Hv.Conformance.Oracle;
using Iced.Intel;

namespace Hv.Conformance.Campaigns.Planting;

/// <summary>What a planted fault does to hv's result.</summary>
public enum PlantedEffect : byte
{
    /// <summary>The flag is the complement of what it should be.</summary>
    FlagInverted,

    /// <summary>The flag stays what it was before.</summary>
    FlagKept,

    /// <summary>The flag is always clear.</summary>
    FlagCleared,

    /// <summary>A 32-bit result leaves bits 63:32 of the destination.</summary>
    UpperHalfKept,

    /// <summary>A 16-bit or 8-bit result clears the bits above it.</summary>
    NarrowResultZeroExtends,

    /// <summary>The destination register is not written.</summary>
    DestinationKept,

    /// <summary>The destination's top bit is lost.</summary>
    TopBitLost,

    /// <summary>Register <c>Argument</c> is not written.</summary>
    RegisterKept,

    /// <summary>Register <c>Argument</c> comes out one too large.</summary>
    RegisterOffByOne,

    /// <summary>Register <c>Argument</c> is truncated to 32 bits.</summary>
    RegisterTruncated,

    /// <summary>What was stored to memory is lost.</summary>
    StoreLost,

    /// <summary>The last byte stored is lost.</summary>
    StoreTooNarrow,

    /// <summary>RIP ends one byte too far.</summary>
    LengthTooLong,

    /// <summary>RIP ends one byte too early.</summary>
    LengthTooShort,

    /// <summary>Exception <c>Argument</c> does not happen.</summary>
    FaultMissed,

    /// <summary>Exception <c>Argument</c> comes with bit 1 of its error code inverted.</summary>
    ErrorCodeWrong,

    /// <summary>#PF reports an address 4 too large, as for a split access.</summary>
    FaultAddressWrong,

    /// <summary>A fault leaves RAX changed.</summary>
    FaultLeavesTrace,

    /// <summary>Exception <c>Argument</c> is reported as #GP(0).</summary>
    WrongVector,
}

/// <summary>When a planted fault shows.</summary>
public enum PlantedWhen : byte
{
    Always,

    /// <summary>RFLAGS.CF was set.</summary>
    CarryWasSet,

    /// <summary>RFLAGS.DF was set.</summary>
    DirectionWasSet,

    /// <summary>CL has bit 5 set.</summary>
    CountHasBit5,

    /// <summary>CL masked to 5 bits is 0.</summary>
    CountIsZero,

    /// <summary>The result in the destination register is 0.</summary>
    ResultIsZero,

    /// <summary>There is a REX prefix.</summary>
    HasRex,

    /// <summary>There is a LOCK prefix.</summary>
    HasLock,

    /// <summary>There is an address-size prefix.</summary>
    HasAddressPrefix,

    /// <summary>RSP is a base or operand.</summary>
    UsesStackPointer,
}

/// <summary>One known kind of emulator fault.</summary>
/// <param name="Name">What is wrong, in words.</param>
/// <param name="Instruction">The instruction it is in; <see cref="Mnemonic.INVALID"/> for all.</param>
/// <param name="Effect">What it does.</param>
/// <param name="Argument">A flag bit, register number or vector, as the effect demands.</param>
/// <param name="When">When it shows.</param>
public sealed record PlantedFault(string Name, Mnemonic Instruction, PlantedEffect Effect, uint Argument = 0,
    PlantedWhen When = PlantedWhen.Always) : Planted(Name, Instruction)
{
    /// <inheritdoc/>
    public override void Apply(CodeSlot slot, in CaseRecord input, ref CaseRecord ours)
    {
        Instruction instruction = slot.Instruction;
        if ((Instruction != Mnemonic.INVALID && instruction.Mnemonic != Instruction) || !Shows(slot, in instruction, in input, in ours))
            return;
        if (ours.Vector == Outcome.Completed)
            ApplyToResult(in instruction, in input, ref ours);
        else
            ApplyToFault(slot, in input, ref ours);
    }

    private bool Shows(CodeSlot slot, in Instruction instruction, in CaseRecord input, in CaseRecord ours) => When switch
    {
        PlantedWhen.CarryWasSet => (input.Rflags & UndefinedFlags.Cf) != 0,
        PlantedWhen.DirectionWasSet => (input.Rflags & 0x400) != 0,
        PlantedWhen.CountHasBit5 => (input.Registers[1] & 0x20) != 0,
        PlantedWhen.CountIsZero => (input.Registers[1] & 0x1F) == 0,
        PlantedWhen.ResultIsZero => Destination(in instruction) is var d and >= 0 && ours.Registers[d] == 0,
        PlantedWhen.HasRex => slot.Mode == CodeMode.Bits64 && slot.Bytes.AsSpan().IndexOfAnyInRange((byte)0x40, (byte)0x4F) is >= 0 and < 3,
        PlantedWhen.HasLock => instruction.HasLockPrefix,
        PlantedWhen.HasAddressPrefix => slot.Bytes.AsSpan(0, Math.Min(3, slot.Bytes.Length)).Contains((byte)0x67),
        PlantedWhen.UsesStackPointer => instruction.MemoryBase == Register.RSP || (instruction.Op0Kind == OpKind.Register
            && instruction.Op0Register == Register.RSP),
        _ => true,
    };

    private void ApplyToResult(in Instruction instruction, in CaseRecord input, ref CaseRecord ours)
    {
        int destination = Destination(in instruction);
        int size = instruction.Op0Kind == OpKind.Register ? instruction.Op0Register.GetSize() : 0;
        switch (Effect)
        {
            case PlantedEffect.FlagInverted:
                ours.Rflags ^= Argument;
                break;
            case PlantedEffect.FlagKept:
                ours.Rflags = (ours.Rflags & ~(ulong)Argument) | (input.Rflags & Argument);
                break;
            case PlantedEffect.FlagCleared:
                ours.Rflags &= ~(ulong)Argument;
                break;
            case PlantedEffect.UpperHalfKept when destination >= 0 && size == 4:
                ours.Registers[destination] = (uint)ours.Registers[destination] | (input.Registers[destination] & ~0xFFFF_FFFFUL);
                break;
            case PlantedEffect.NarrowResultZeroExtends when destination >= 0 && size is 1 or 2:
                ours.Registers[destination] &= size == 1 ? 0xFFUL : 0xFFFF;
                break;
            case PlantedEffect.DestinationKept when destination >= 0:
                ours.Registers[destination] = input.Registers[destination];
                break;
            case PlantedEffect.TopBitLost when destination >= 0:
                ours.Registers[destination] &= ~(1UL << (8 * size - 1));
                break;
            case PlantedEffect.RegisterKept:
                ours.Registers[(int)Argument] = input.Registers[(int)Argument];
                break;
            case PlantedEffect.RegisterOffByOne:
                ours.Registers[(int)Argument]++;
                break;
            case PlantedEffect.RegisterTruncated:
                ours.Registers[(int)Argument] = (uint)ours.Registers[(int)Argument];
                break;
            case PlantedEffect.StoreLost:
                ours.Memory = input.Memory;
                break;
            case PlantedEffect.StoreTooNarrow:
                int last = LastChange(in input, in ours);
                if (last >= 0)
                    ours.Memory[last] = input.Memory[last];
                break;
            case PlantedEffect.LengthTooLong:
                ours.Rip++;
                break;
            case PlantedEffect.LengthTooShort:
                ours.Rip--;
                break;
        }
    }

    private void ApplyToFault(CodeSlot slot, in CaseRecord input, ref CaseRecord ours)
    {
        switch (Effect)
        {
            case PlantedEffect.FaultMissed when ours.Vector == Argument:
                ours.Vector = Outcome.Completed;
                ours.Rip = input.Rip + (uint)slot.Bytes.Length;
                break;
            case PlantedEffect.ErrorCodeWrong when ours.Vector == Argument:
                ours.ErrorCode ^= 2;
                break;
            case PlantedEffect.FaultAddressWrong when ours.Vector == 14:
                ours.Address += 4;
                break;
            case PlantedEffect.FaultLeavesTrace:
                ours.Registers[0]++;
                break;
            case PlantedEffect.WrongVector when ours.Vector == Argument:
                ours.Vector = 13;
                break;
        }
    }

    private static int Destination(in Instruction instruction) =>
        instruction.Op0Kind == OpKind.Register && instruction.Op0Register.GetFullRegister() is >= Register.RAX and <= Register.R15 and var r
            ? r - Register.RAX : -1;

    private static int LastChange(in CaseRecord input, in CaseRecord ours)
    {
        for (int i = CaseMemory.Length - 1; i >= 0; i--)
            if (input.Memory[i] != ours.Memory[i])
                return i;
        return -1;
    }
}
