namespace Hv.Backends.Svm.Silicon;

/// <summary>Says whether a VMCB breaks a rule on a processor model.</summary>
public delegate bool ConsistencyViolation(in Vmcb vmcb, SiliconModel model);

/// <summary>One of VMRUN's consistency checks: a broken one is a #VMEXIT with code VMEXIT_INVALID.</summary>
/// <param name="Section">Where the manual states it.</param>
/// <param name="Name">The manual's own sentence, shortened.</param>
/// <param name="Field">The field that a message shows.</param>
/// <param name="Groups">The clean groups that it reads: with all of them clean the check is not repeated. <see cref="CleanBits.None"/>: repeated
/// at each VMRUN.</param>
/// <param name="IsBroken">The check.</param>
public sealed record ConsistencyRule(string Section, string Name, VmcbField Field, CleanBits Groups, ConsistencyViolation IsBroken)
{
    /// <summary>For example <c>EFER (VMCB 4D0H) = 0x0: APM 2 15.5.1 "EFER.SVME is zero"</c>.</summary>
    public string Explain(in Vmcb vmcb) => $"{Field.Show(vmcb)}: {Section} \"{Name}\"";
}
