namespace Hv.Conformance.Oracle;

/// <summary>What an oracle's machine can run beside 64-bit code with the kernel's own segments, which every one can. A kernel without IA-32 emulation has
/// no 32-bit code segment, and under some hypervisors modify_ldt(2) succeeds and the processor never sees its descriptors.</summary>
public sealed record OracleCapabilities
{
    /// <summary>All of it, as on the machines that the recorded cases come from.</summary>
    public static OracleCapabilities All { get; } = new();

    /// <summary>Why there is no code segment at <see cref="OracleMap.Code32"/>, or null.</summary>
    public string? NoCode32 { get; init; }

    /// <summary>Why there are no 16-bit segments at <see cref="OracleMap.Code16"/> and <see cref="OracleMap.Data16"/>, or null.</summary>
    public string? NoCode16 { get; init; }

    /// <summary>Why there are no data segments at <see cref="OracleMap.Extra32"/> and <see cref="OracleMap.Other32"/>, or null. ES and DS are then
    /// <see cref="OracleMap.Data32"/>.</summary>
    public string? NoLocalData { get; init; }

    /// <summary>Whether the LDT has anything in it.</summary>
    public bool HasLdt => NoCode16 is null || NoLocalData is null;

    /// <summary>Why code of a width cannot run, or null.</summary>
    /// <param name="bits">64, 32 or 16.</param>
    public string? WhyNot(int bits) => bits switch { 32 => NoCode32, 16 => NoCode16, _ => null };
}
