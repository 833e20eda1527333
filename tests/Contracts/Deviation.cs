namespace Hv.Contracts;

/// <summary>A rule of the contract that a backend does not keep, declared by its test project.</summary>
/// <param name="Rule">One of <see cref="Rules"/>.</param>
/// <param name="Reason">Why it cannot keep it, with the source.</param>
public sealed record Deviation(string Rule, string Reason);

/// <summary>Rules that a backend might have a reason to break: those about what real silicon, or a kernel under the backend, decides.</summary>
public static class Rules
{
    public const string OtherExitInstructionsAreUndefined = "another backend's exit instruction is #UD";
    public const string SingleStepOverExit = "a single-stepped exit instruction raises #DB behind it";
    public const string ExitEndsStiShadow = "the exit instruction ends the STI shadow";
    public const string PrefixedExit = "prefix bytes before the exit instruction count to its length";
    public const string ExitBelowCanonicalHole = "the exit instruction may be the last bytes of the lower half";
    public const string InvalidStateIsRefused = "an impossible state fails its entry and is named";
    public const string CpuidExits = "CPUID exits, and the host answers it";
    public const string CpuidKeepsToTheTable = "CPUID offers no feature that the machine's table does not";
    public const string PortExitNamesInstruction = "at an OUT exit RIP and length are the instruction's";
    public const string StringPortExitIsMarked = "an OUTS exit says that it is one of a string";
    public const string IdtLimitInRealMode = "a vector beyond the table's limit is a fault in real mode too";
    public const string SplitWriteIsWhole = "a write across pages that faults writes nothing";
    public const string WindowIsExact = "an interrupt window exits before the first instruction that can be interrupted";
    public const string IoplOpensPorts = "IOPL opens all ports to CPL 3";
    public const string MemoryExitCarriesValue = "an access to a hole exits with size and value";
}
