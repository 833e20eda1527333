using Hv.Conformance.Campaigns.Forms;
using Hv.Conformance.Campaigns.Reporting;
using Hv.Conformance.Oracle;

namespace Hv.Conformance.Campaigns.Execution;

/// <summary>What the x87's pointers look like in a state that silicon has saved. AMD's XSAVE, with which the worker looks, saves zeros for them
/// unless an unmasked exception is pending (APM 2 11.4.4.1; docs/adr/0027-x87-pointers.md).</summary>
public static class SavedPointers
{
    private const ushort ErrorSummary = 0x80;
    private static readonly Maker _here = HostProcessor.Maker();

    /// <summary>Gives a state of hv's the pointers that this machine's XSAVE would have saved.</summary>
    public static void Normalise(ref ExtendedState ours) => Normalise(ref ours, _here);

    /// <summary>Gives a state of hv's the pointers that a maker's XSAVE would have saved.</summary>
    public static void Normalise(ref ExtendedState ours, Maker maker)
    {
        if (maker != Maker.Amd || (ours.Status & ErrorSummary) != 0)
            return;
        ours.Opcode = 0;
        ours.InstructionPointer = ours.OperandPointer = 0;
    }
}
