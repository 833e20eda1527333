namespace Hv.Conformance.Campaigns.Forms;

/// <summary>Whether a form's operand cases can be compared here.</summary>
public enum FormStatus : byte
{
    Compared,

    /// <summary>Compared, but every case tried faults on silicon (privileged instructions, say): a fault costs as much as a hundred cases, so few are
    /// run.</summary>
    ComparedFaulting,

    /// <summary>This machine's processor answers #UD: a machine without the extension skips it.</summary>
    NotOnThisProcessor,

    /// <summary>This machine's kernel has no code segment of the form's width (<see cref="Oracle.OracleCapabilities"/>).</summary>
    ModeNotOnThisMachine,

    /// <summary>hv's processor answers #UD where silicon does not: hv's model does not have it.</summary>
    NotInModel,

    /// <summary>#UD on both sides: there is nothing to compare but that, and the encodings campaign does.</summary>
    UndefinedOnBoth,

    /// <summary>See <see cref="NotCompared"/>.</summary>
    HostDependent,

    /// <summary>No encoding of it could be made.</summary>
    NotEncodable,
}

/// <summary>Questions about a <see cref="FormStatus"/>.</summary>
public static class FormStatusExtensions
{
    /// <summary>Why a form of this status is not compared, for people.</summary>
    public static string Reason(this FormStatus status, Form form) => status switch
    {
        FormStatus.HostDependent => form.NotComparedBecause!,
        FormStatus.NotOnThisProcessor => $"this processor has not {form.Feature}",
        FormStatus.ModeNotOnThisMachine => $"this machine runs no {(int)form.Mode}-bit code",
        FormStatus.NotInModel => $"hv's processor has not {form.Feature}",
        FormStatus.UndefinedOnBoth => "#UD on both sides",
        FormStatus.NotEncodable => "no encoding could be made",
        _ => throw new ArgumentOutOfRangeException(nameof(status), status, "forms of this status are compared"),
    };

    /// <summary>Whether operand cases of the form are compared.</summary>
    public static bool IsCompared(this FormStatus status) => status is FormStatus.Compared or FormStatus.ComparedFaulting;
}
