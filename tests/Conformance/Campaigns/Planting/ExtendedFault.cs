using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Hv.Conformance.Campaigns.Cases;
using Hv.Conformance.Oracle;
using Iced.Intel;

namespace Hv.Conformance.Campaigns.Planting;

/// <summary>What a planted fault does to hv's x87, SSE and AVX result.</summary>
public enum ExtendedEffect : byte
{
    /// <summary>Bits 255:128 of the destination stay what they were.</summary>
    UpperKept,

    /// <summary>Bits 255:128 of the destination are cleared.</summary>
    UpperCleared,

    /// <summary>The destination is not written.</summary>
    DestinationKept,

    /// <summary>The destination's lowest bit is wrong where the result was inexact: a wrong rounding.</summary>
    RoundedWrongly,

    /// <summary>As <see cref="RoundedWrongly"/>, only where MXCSR does not round to nearest.</summary>
    RoundingIgnored,

    /// <summary>Byte <c>Argument</c> of the destination's low half is the complement.</summary>
    ByteInverted,

    /// <summary>A NaN result of the lowest single-precision element is the default NaN instead of an operand.</summary>
    PayloadLost,

    /// <summary>MXCSR bits <c>Argument</c> are not set.</summary>
    MxcsrMissed,

    /// <summary>MXCSR bits <c>Argument</c> are set.</summary>
    MxcsrExtra,

    /// <summary>FSW bits <c>Argument</c> stay what they were.</summary>
    StatusKept,

    /// <summary>FSW bits <c>Argument</c> are inverted.</summary>
    StatusInverted,

    /// <summary>The tags stay what they were.</summary>
    TagsKept,

    /// <summary>ST(0)'s lowest significand bit is inverted where the result was inexact.</summary>
    StackRoundedWrongly,

    /// <summary>ST(0)'s lowest significand bit is inverted where the precision control is not 11b.</summary>
    PrecisionIgnored,

    /// <summary>ST(0)'s sign is inverted.</summary>
    SignInverted,

    /// <summary>The last instruction's address stays what it was.</summary>
    PointerKept,

    /// <summary>The exponent bits of the MMX destination do not become ones.</summary>
    ExponentKept,
}

/// <summary>One known kind of emulator fault in x87 or vector instructions.</summary>
/// <param name="Name">What is wrong, in words.</param>
/// <param name="Instruction">The instruction it is in.</param>
/// <param name="Effect">What it does.</param>
/// <param name="Argument">As the effect demands.</param>
public sealed record ExtendedFault(string Name, Mnemonic Instruction, ExtendedEffect Effect, uint Argument = 0) : Planted(Name, Instruction)
{
    private const uint Inexact = 0x20, RoundingControl = 0x6000, DefaultNan = 0xFFC0_0000;

    /// <inheritdoc/>
    public override void Apply(CodeSlot slot, in CaseRecord input, ref CaseRecord ours)
    {
        if (slot.Instruction.Mnemonic != Instruction || ours.Vector != Outcome.Completed || !slot.HasExtended)
            return;
        ref ExtendedState state = ref ours.Extended;
        ref readonly ExtendedState before = ref input.Extended;
        if (Destination(slot.Instruction) is var d and >= 0)
            ApplyToVector(d, in before, ref state);
        switch (Effect)
        {
            case ExtendedEffect.MxcsrMissed:
                state.Mxcsr = (state.Mxcsr & ~Argument) | (before.Mxcsr & Argument);
                break;
            case ExtendedEffect.MxcsrExtra:
                state.Mxcsr |= Argument;
                break;
            case ExtendedEffect.StatusKept:
                state.Status = (ushort)((state.Status & ~Argument) | (before.Status & Argument));
                break;
            case ExtendedEffect.StatusInverted:
                state.Status ^= (ushort)Argument;
                break;
            case ExtendedEffect.TagsKept:
                state.Tags = before.Tags;
                break;
            case ExtendedEffect.StackRoundedWrongly when (state.Status & ~before.Status & Inexact) != 0:
            case ExtendedEffect.PrecisionIgnored when (before.Control & 0x300) != 0x300:
                state.Stack[0].Significand ^= 1;
                break;
            case ExtendedEffect.SignInverted:
                state.Stack[0].SignExponent ^= 0x8000;
                break;
            case ExtendedEffect.PointerKept:
                state.InstructionPointer = before.InstructionPointer;
                break;
            case ExtendedEffect.ExponentKept when slot.Instruction.Op0Register.IsMM():
                state.Stack[slot.Instruction.Op0Register.GetNumber()].SignExponent = 0;
                break;
        }
    }

    private void ApplyToVector(int number, in ExtendedState before, ref ExtendedState state)
    {
        ref Vector128<byte> low = ref state.Xmm[number];
        Span<byte> bytes = MemoryMarshal.AsBytes(new Span<Vector128<byte>>(ref low));
        bool inexact = (state.Mxcsr & ~before.Mxcsr & Inexact) != 0;
        switch (Effect)
        {
            case ExtendedEffect.UpperKept:
                state.Upper[number] = before.Upper[number];
                break;
            case ExtendedEffect.UpperCleared:
                state.Upper[number] = default;
                break;
            case ExtendedEffect.DestinationKept:
                (low, state.Upper[number]) = (before.Xmm[number], before.Upper[number]);
                break;
            case ExtendedEffect.RoundedWrongly when inexact:
            case ExtendedEffect.RoundingIgnored when inexact && (before.Mxcsr & RoundingControl) != 0:
                bytes[0] ^= 1;
                break;
            case ExtendedEffect.ByteInverted:
                bytes[(int)Argument] ^= 0xFF;
                break;
            case ExtendedEffect.PayloadLost when float.IsNaN(low.AsSingle().ToScalar()):
                low = low.AsUInt32().WithElement(0, DefaultNan).AsByte();
                break;
        }
    }

    private static int Destination(in Instruction instruction) =>
        instruction.Op0Kind == OpKind.Register && (instruction.Op0Register.IsXMM() || instruction.Op0Register.IsYMM())
            ? instruction.Op0Register.GetNumber() : -1;
}
