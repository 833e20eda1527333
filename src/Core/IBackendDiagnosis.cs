namespace Hv.Core;

/// <summary>
/// A backend that can look at its host for a person: an optional ability, found by a type test. What it reports was tried, not read from a list of
/// promises.
/// </summary>
public interface IBackendDiagnosis
{
    /// <summary>Tries everything; takes up to some seconds. Does not throw: what fails is a finding.</summary>
    IReadOnlyList<BackendFinding> Diagnose();
}

/// <summary>One thing that a backend tried on its host.</summary>
/// <param name="Name">What was tried, in a few words.</param>
/// <param name="Works">Whether it works.</param>
/// <param name="Detail">What was seen: a number with its unit, a version, an exit.</param>
/// <param name="Remedy">Where it does not work: one line on what to do. Else empty.</param>
public readonly record struct BackendFinding(string Name, bool Works, string Detail, string Remedy);
