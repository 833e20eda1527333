using Iced.Intel;

namespace Hv.Conformance.Campaigns.Forms;

/// <summary>Chooses the cheapest entry that does an instruction justice.</summary>
public static class EntryWays
{
    /// <summary>How the cases of <paramref name="form"/> are entered.</summary>
    public static EntryWay Of(Form form)
    {
        // Whatever moves RIP ends anywhere; POPF and IRET may set TF themselves.
        if (form.Code.FlowControl() is not (FlowControl.Next or FlowControl.Exception)
            || form.OpCode.Mnemonic is Mnemonic.Popf or Mnemonic.Popfd or Mnemonic.Popfq)
            return EntryWay.Stepped;
        return form.Mode != CodeMode.Bits64 || TouchesSegments(form.OpCode) ? EntryWay.Selectors : EntryWay.Quick;
    }

    /// <summary>Whether the instruction reads or writes a segment register or base, so that the selectors must be set before each case.</summary>
    public static bool TouchesSegments(OpCodeInfo opcode)
    {
        if (opcode.Mnemonic is Mnemonic.Rdfsbase or Mnemonic.Rdgsbase or Mnemonic.Wrfsbase or Mnemonic.Wrgsbase
            or Mnemonic.Lds or Mnemonic.Les or Mnemonic.Lfs or Mnemonic.Lgs or Mnemonic.Lss
            or Mnemonic.Lar or Mnemonic.Lsl or Mnemonic.Verr or Mnemonic.Verw)
            return true;
        for (int i = 0; i < opcode.OpCount; i++)
            if (opcode.GetOpKind(i) is OpCodeOperandKind.seg_reg or OpCodeOperandKind.es or OpCodeOperandKind.cs or OpCodeOperandKind.ss
                or OpCodeOperandKind.ds or OpCodeOperandKind.fs or OpCodeOperandKind.gs)
                return true;
        return false;
    }
}
