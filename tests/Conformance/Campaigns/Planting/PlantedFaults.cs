using Hv.Conformance.Campaigns.Forms;
using Iced.Intel;

namespace Hv.Conformance.Campaigns.Planting;

/// <summary>Faults that emulators have had. Each must be caught by the campaigns, or the campaigns are not what they claim to be.</summary>
public static class PlantedFaults
{
    private const uint Cf = (uint)UndefinedFlags.Cf, Pf = (uint)UndefinedFlags.Pf, Af = (uint)UndefinedFlags.Af, Zf = (uint)UndefinedFlags.Zf,
        Sf = (uint)UndefinedFlags.Sf, Of = (uint)UndefinedFlags.Of;
    private const uint Rax = 0, Rcx = 1, Rdx = 2, Rsp = 4, Rbp = 5, Rsi = 6, Rdi = 7;
    private const uint Divide = 0, Breakpoint = 3, Undefined = 6, StackFault = 12, General = 13, Page = 14, Alignment = 17;

    /// <summary>The list.</summary>
    public static IReadOnlyList<PlantedFault> All { get; } =
    [
        new("ADD inverts OF", Mnemonic.Add, PlantedEffect.FlagInverted, Of),
        new("ADD leaves AF", Mnemonic.Add, PlantedEffect.FlagKept, Af),
        new("ADC forgets the carry it was given in CF", Mnemonic.Adc, PlantedEffect.FlagCleared, Cf, PlantedWhen.CarryWasSet),
        new("SBB's result with borrow is one off", Mnemonic.Sbb, PlantedEffect.TopBitLost, 0, PlantedWhen.CarryWasSet),
        new("SUB computes CF as a sum's", Mnemonic.Sub, PlantedEffect.FlagInverted, Cf),
        new("CMP writes its destination's top bit", Mnemonic.Cmp, PlantedEffect.TopBitLost),
        new("INC changes CF", Mnemonic.Inc, PlantedEffect.FlagCleared, Cf),
        new("DEC does not set OF", Mnemonic.Dec, PlantedEffect.FlagCleared, Of),
        new("NEG leaves CF", Mnemonic.Neg, PlantedEffect.FlagKept, Cf),
        new("NOT changes ZF", Mnemonic.Not, PlantedEffect.FlagInverted, Zf),
        new("XOR of 32 bits leaves the upper half", Mnemonic.Xor, PlantedEffect.UpperHalfKept),
        new("AND's parity counts all bits", Mnemonic.And, PlantedEffect.FlagInverted, Pf),
        new("OR leaves OF", Mnemonic.Or, PlantedEffect.FlagKept, Of),
        new("TEST leaves SF", Mnemonic.Test, PlantedEffect.FlagKept, Sf),
        new("MOV of 16 bits zero-extends", Mnemonic.Mov, PlantedEffect.NarrowResultZeroExtends),
        new("MOV with REX takes SPL for AH", Mnemonic.Mov, PlantedEffect.DestinationKept, 0, PlantedWhen.HasRex),
        new("MOVSX zero-extends", Mnemonic.Movsx, PlantedEffect.TopBitLost),
        new("MOVZX of 32 bits leaves the upper half", Mnemonic.Movzx, PlantedEffect.UpperHalfKept),
        new("MOVSXD zero-extends", Mnemonic.Movsxd, PlantedEffect.TopBitLost),
        new("CMOV of 32 bits leaves the upper half when the condition is false", Mnemonic.Cmovb, PlantedEffect.UpperHalfKept),
        new("XCHG writes one side only", Mnemonic.Xchg, PlantedEffect.DestinationKept),
        new("XADD loses its store", Mnemonic.Xadd, PlantedEffect.StoreLost),
        new("CMPXCHG leaves ZF", Mnemonic.Cmpxchg, PlantedEffect.FlagKept, Zf),
        new("CMPXCHG does not load RAX when it fails", Mnemonic.Cmpxchg, PlantedEffect.RegisterKept, Rax),
        new("CMPXCHG8B loses its store", Mnemonic.Cmpxchg8b, PlantedEffect.StoreLost),
        new("CMPXCHG16B accepts a misaligned operand", Mnemonic.Cmpxchg16b, PlantedEffect.FaultMissed, General),
        new("MUL writes the low half only", Mnemonic.Mul, PlantedEffect.RegisterKept, Rdx),
        new("IMUL inverts CF", Mnemonic.Imul, PlantedEffect.FlagInverted, Cf),
        new("DIV misses #DE", Mnemonic.Div, PlantedEffect.FaultMissed, Divide),
        new("DIV drops the remainder", Mnemonic.Div, PlantedEffect.RegisterKept, Rdx),
        new("IDIV's quotient rounds down", Mnemonic.Idiv, PlantedEffect.RegisterOffByOne, Rax),
        new("SHL with a masked count of 0 changes flags", Mnemonic.Shl, PlantedEffect.FlagInverted, Zf, PlantedWhen.CountIsZero),
        new("SHR masks 64-bit counts to 5 bits", Mnemonic.Shr, PlantedEffect.DestinationKept, 0, PlantedWhen.CountHasBit5),
        new("SAR loses the sign", Mnemonic.Sar, PlantedEffect.TopBitLost),
        new("ROL leaves CF", Mnemonic.Rol, PlantedEffect.FlagKept, Cf),
        new("RCR inverts CF", Mnemonic.Rcr, PlantedEffect.FlagInverted, Cf),
        new("SHLD leaves SF", Mnemonic.Shld, PlantedEffect.FlagKept, Sf),
        new("BT inverts CF", Mnemonic.Bt, PlantedEffect.FlagInverted, Cf),
        new("BTS loses its store", Mnemonic.Bts, PlantedEffect.StoreLost),
        new("BSF of 0 leaves ZF clear", Mnemonic.Bsf, PlantedEffect.FlagCleared, Zf),
        new("LZCNT leaves CF", Mnemonic.Lzcnt, PlantedEffect.FlagKept, Cf),
        new("POPCNT leaves CF", Mnemonic.Popcnt, PlantedEffect.FlagKept, Cf),
        new("BSWAP of 32 bits leaves the upper half", Mnemonic.Bswap, PlantedEffect.UpperHalfKept),
        new("PEXT loses the top bit", Mnemonic.Pext, PlantedEffect.TopBitLost),
        new("PUSH moves RSP and does not store", Mnemonic.Push, PlantedEffect.StoreLost),
        new("POP RSP adds after the load", Mnemonic.Pop, PlantedEffect.RegisterOffByOne, Rsp, PlantedWhen.UsesStackPointer),
        new("ENTER leaves RBP", Mnemonic.Enter, PlantedEffect.RegisterKept, Rbp),
        new("LEAVE leaves RBP", Mnemonic.Leave, PlantedEffect.RegisterKept, Rbp),
        new("MOVSB ignores DF for RSI", Mnemonic.Movsb, PlantedEffect.RegisterKept, Rsi, PlantedWhen.DirectionWasSet),
        new("STOSD stores three bytes", Mnemonic.Stosd, PlantedEffect.StoreTooNarrow),
        new("REP string leaves RCX", Mnemonic.Stosb, PlantedEffect.RegisterKept, Rcx),
        new("SCASB leaves RDI", Mnemonic.Scasb, PlantedEffect.RegisterKept, Rdi),
        new("LEA with an address-size prefix keeps 64 bits", Mnemonic.Lea, PlantedEffect.TopBitLost, 0, PlantedWhen.HasAddressPrefix),
        new("LAHF reads AF as 0", Mnemonic.Lahf, PlantedEffect.RegisterKept, Rax),
        new("CWDE/CDQE: CDQE leaves the upper half", Mnemonic.Cdqe, PlantedEffect.RegisterTruncated, Rax),
        new("SETcc writes nothing when false", Mnemonic.Setb, PlantedEffect.DestinationKept),
        new("JRCXZ with a prefix looks at 64 bits", Mnemonic.Jecxz, PlantedEffect.LengthTooLong, 0, PlantedWhen.HasAddressPrefix),
        new("LOOP changes ZF", Mnemonic.Loop, PlantedEffect.FlagInverted, Zf),
        new("CALL stores a return address one byte short", Mnemonic.Call, PlantedEffect.StoreTooNarrow),
        new("RET imm16 forgets the immediate", Mnemonic.Ret, PlantedEffect.RegisterOffByOne, Rsp),
        new("JMP lands a byte early", Mnemonic.Jmp, PlantedEffect.LengthTooShort),
        new("NOP with ModRM is a byte too long", Mnemonic.Nop, PlantedEffect.LengthTooLong),
        new("DAA leaves CF", Mnemonic.Daa, PlantedEffect.FlagKept, Cf),
        new("INT3 is a fault", Mnemonic.Int3, PlantedEffect.WrongVector, Breakpoint),
        new("LOCK on a register is accepted", Mnemonic.INVALID, PlantedEffect.FaultMissed, Undefined),
        new("page faults of stores report a read", Mnemonic.INVALID, PlantedEffect.ErrorCodeWrong, Page),
        new("page faults of split accesses report the wrong address", Mnemonic.INVALID, PlantedEffect.FaultAddressWrong),
        new("non-canonical stack accesses raise #GP, not #SS", Mnemonic.INVALID, PlantedEffect.WrongVector, StackFault),
        new("alignment checks are missing", Mnemonic.INVALID, PlantedEffect.FaultMissed, Alignment),
        new("non-canonical addresses are accepted", Mnemonic.INVALID, PlantedEffect.FaultMissed, General),
        new("a faulting instruction leaves its result", Mnemonic.INVALID, PlantedEffect.FaultLeavesTrace),
    ];
}
