namespace Hv.Conformance.Campaigns.Execution;

/// <summary>A difference between hv and silicon, minimised to one line.</summary>
/// <param name="Instruction">The instruction as Iced shows it.</param>
/// <param name="Mnemonic">Its mnemonic.</param>
/// <param name="Line">The case with silicon's result, in <see cref="Cases.CaseText"/> format.</param>
/// <param name="Difference">What differs: silicon's value, then hv's.</param>
public sealed record Finding(string Instruction, string Mnemonic, string Line, string Difference)
{
    /// <summary>The lines of a file of recorded cases: a comment and the case.</summary>
    public string[] AsRecorded() => [$"% {Instruction}: {Difference}", Line];
}
