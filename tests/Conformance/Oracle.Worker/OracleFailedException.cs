namespace Hv.Conformance.Oracle;

/// <summary>The oracle's workers die of cases that should not end them: what it says is worth nothing, and to go on would take for ever. The message is one
/// line: what happened, what was expected, how to mend it.</summary>
public sealed class OracleFailedException(string message) : Exception(message);
