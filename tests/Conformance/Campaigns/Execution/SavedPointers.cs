using Hv.Conformance.Campaigns.Forms;
using Hv.Conformance.Campaigns.Reporting;
using Hv.Conformance.Oracle;

namespace Hv.Conformance.Campaigns.Execution;

/// <summary>What the x87's pointers look like in a state that silicon has saved. AMD's XSAVE, with which the worker looks, saves zeros for them
/// unless an unmasked exception is pending (APM 2 11.4.4.1; docs/adr/0027-x87-pointers.md).</summary>
public static class SavedPointers
{
    /// <summary>FSW.ES: an unmasked exception is pending (SDM 1 8.1.3.3).</summary>
    public const ushort ErrorSummary = 0x80;

    private static readonly Maker _here = HostProcessor.Maker();

    /// <summary>Gives silicon's state whole pointers of before the instruction where it has their low 32 bits and hv has kept them: some hypervisors
    /// save and load no more when they switch (XSAVE without REX.W, SDM 1 10.5.1.1), and an exception that is pending lets it be seen.</summary>
    /// <returns>Whether there was such a pointer.</returns>
    public static bool MendCut(ref ExtendedState silicon, in ExtendedState input, in ExtendedState ours)
    {
        if ((input.Status & ErrorSummary) == 0)
            return false;
        ulong instruction = Whole(silicon.InstructionPointer, input.InstructionPointer, ours.InstructionPointer);
        ulong operand = Whole(silicon.OperandPointer, input.OperandPointer, ours.OperandPointer);
        bool cut = instruction != silicon.InstructionPointer || operand != silicon.OperandPointer;
        (silicon.InstructionPointer, silicon.OperandPointer) = (instruction, operand);
        return cut;
    }

    private static ulong Whole(ulong silicon, ulong before, ulong ours) => ours == before && silicon == (uint)before ? before : silicon;

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
