using Hv.Conformance.Campaigns.Cases;
using Hv.Conformance.Oracle;
using Iced.Intel;
using static Hv.Conformance.Campaigns.Forms.CaseStates;
using static Hv.Conformance.Campaigns.Forms.CaseTraits;

namespace Hv.Conformance.Campaigns.Forms;

/// <summary>Encodings that AMD's processors have and hv, as Intel's, has not.</summary>
internal static class AmdEncodingDifferences
{
    private const byte OperandSize = 0x66, Lock = 0xF0, Vex2 = 0xC5, Vex3 = 0xC4, Evex = 0x62;

    // Stored inverted: VEX.R, the upper bit of VEX.vvvv (SDM 2A 2.3.5).
    private const byte VexR = 0x80, VexTopOfSource = 0x40, VexW = 0x80;

    /// <summary>The rows.</summary>
    public static IReadOnlyList<VendorDifference> All { get; } =
    [
        new(Maker.Amd, "opmask instructions of AVX-512 that name a register above k7 (VEX.R, VEX.vvvv)", "the number has three bits", "#UD",
            "SDM 2A 2.6.3: there are k0 to k7; no model of hv has AVX-512, and all its instructions are #UD in a guest",
            (CodeSlot slot, in CaseRecord _, in CaseRecord silicon, in CaseRecord ours) => Accepts(slot, in silicon, in ours)
                && IsOpmask(slot)),
        new(Maker.Amd, "EVEX encodings with reserved bits, EVEX.b of register operands for one", "the bits are ignored", "#UD",
            "SDM 2A 2.6.11, #UD equations for EVEX; no model of hv has AVX-512, and all EVEX encodings are #UD in a guest",
            (CodeSlot slot, in CaseRecord _, in CaseRecord silicon, in CaseRecord ours) => Accepts(slot, in silicon, in ours)
                && Vex(slot) is [Evex, var second, ..] && (slot.Mode == CodeMode.Bits64 || second >= 0xC0)),
        new(Maker.Amd, "VPERMQ and VPERMPD with an immediate and VEX.W0", "VEX.W is ignored", "#UD",
            "SDM 2C VPERMQ, VPERMPD: VEX.256.66.0F3A.W1, where W1 is required (2A 3.1.1.2); APM 4 VPERMQ, VPERMPD: W is 1",
            (CodeSlot slot, in CaseRecord _, in CaseRecord silicon, in CaseRecord ours) => Accepts(slot, in silicon, in ours)
                && Vex(slot) is [Vex3, _, var third, 0 or 1, ..] bytes && (third & VexW) == 0
                && Decode(slot, [Vex3, bytes[1], (byte)(third | VexW), .. bytes[3..]]).Mnemonic is Mnemonic.Vpermq or Mnemonic.Vpermpd),
        new(Maker.Amd, "LOCK VERW of memory", "LOCK is ignored", "#UD",
            "SDM 2A LOCK, APM 3 1.2.5: #UD with all instructions but those listed, of which VERW is none",
            (CodeSlot slot, in CaseRecord _, in CaseRecord silicon, in CaseRecord ours) => Accepts(slot, in silicon, in ours)
                && HasPrefix(slot, Lock)
                && Decode(slot, [.. slot.Bytes.Where((b, i) => b != Lock || i >= PrefixCount(slot))]) is { Mnemonic: Mnemonic.Verw, Op0Kind: OpKind.Memory }),
        new(Maker.Amd, "RDPRU with an operand-size prefix", "the prefix is ignored", "#UD",
            "APM 3 RDPRU: 0F 01 FD, of prefixes it says nothing; no model of hv has it (CPUID 8000_0008h EBX[4])",
            (CodeSlot slot, in CaseRecord input, in CaseRecord silicon, in CaseRecord ours) => slot.Instruction.IsInvalid
                && HasPrefix(slot, OperandSize) && slot.Bytes.AsSpan(PrefixCount(slot)).StartsWith((ReadOnlySpan<byte>)[0x0F, 0x01, 0xFD])
                && silicon.Vector == Outcome.Completed && silicon.Rip == slot.StartRip + (uint)PrefixCount(slot) + 3
                && Untouched(slot, in input, in ours) && ReadsProcessor(slot, in silicon, in ours)),
        new(Maker.Amd, "VMCALL with a prefix, under KVM", "the host's KVM takes it for the other maker's VMMCALL: #GP", "#UD",
            "SDM 3C VMCALL: NP 0F 01 C1; APM 3 has no such instruction; Linux arch/x86/kvm/x86.c, handle_ud",
            (CodeSlot slot, in CaseRecord _, in CaseRecord silicon, in CaseRecord ours) => slot.Instruction.IsInvalid
                && silicon.Vector == General && ours.Vector == Undefined
                && slot.Bytes.AsSpan(PrefixCount(slot)).StartsWith((ReadOnlySpan<byte>)[0x0F, 0x01, 0xC1])),
        new(Maker.Amd, "SYSRET outside 64-bit code", "the instruction is there: #GP at CPL 3", "#UD",
            "SDM 2B SYSRET: #UD outside 64-bit mode; APM 3 SYSRET: any mode that has EFER.SCE",
            (CodeSlot slot, in CaseRecord _, in CaseRecord silicon, in CaseRecord ours) => slot.Mode != CodeMode.Bits64
                && slot.Instruction.Mnemonic == Mnemonic.Sysret && silicon.Vector == General && ours.Vector == Undefined),
    ];

    /// <summary>Whether silicon executes what Iced and hv do not know: it may still fault on its operand.</summary>
    private static bool Accepts(CodeSlot slot, in CaseRecord silicon, in CaseRecord ours) =>
        slot.Instruction.IsInvalid && ours.Vector == Undefined && silicon.Vector is Outcome.Completed or StackFault or General or Page or Alignment;

    /// <summary>Whether only EDX:EAX have changed, to whatever the processor's registers hold.</summary>
    private static bool ReadsProcessor(CodeSlot slot, in CaseRecord silicon, in CaseRecord ours)
    {
        CaseRecord rest = silicon;
        (rest.Registers[0], rest.Registers[2]) = (ours.Registers[0], ours.Registers[2]);
        return Same(slot, in rest, in ours, Parts.Fault) && silicon.Registers[0] <= uint.MaxValue && silicon.Registers[2] <= uint.MaxValue;
    }

    private static bool IsOpmask(CodeSlot slot)
    {
        Instruction instruction = Vex(slot) switch
        {
            [Vex2, var second, .. var rest] => Decode(slot, [Vex2, (byte)(second | VexR | VexTopOfSource), .. rest]),
            [Vex3, var second, var third, .. var rest] => Decode(slot, [Vex3, (byte)(second | VexR), (byte)(third | VexTopOfSource), .. rest]),
            _ => default,
        };
        return instruction.Op0Register.IsK() || instruction.Op1Register.IsK();
    }

    /// <summary>The code from its VEX or EVEX prefix on; other code where there is none.</summary>
    private static byte[] Vex(CodeSlot slot) => slot.Bytes[PrefixCount(slot)..];

    private static Instruction Decode(CodeSlot slot, byte[] bytes) => FormBytes.Decode(bytes, slot.Mode, slot.StartRip);
}
