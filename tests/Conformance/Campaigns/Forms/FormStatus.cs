namespace Hv.Conformance.Campaigns.Forms;

/// <summary>Whether a form's operand cases can be compared here.</summary>
public enum FormStatus : byte
{
    Compared,

    /// <summary>This machine's processor answers #UD: a machine without the extension skips it.</summary>
    NotOnThisProcessor,

    /// <summary>hv's processor answers #UD where silicon does not: hv's model does not have it.</summary>
    NotInModel,

    /// <summary>#UD on both sides: there is nothing to compare but that, and the encodings campaign does.</summary>
    UndefinedOnBoth,

    /// <summary>See <see cref="NotCompared"/>.</summary>
    HostDependent,

    /// <summary>No encoding of it could be made.</summary>
    NotEncodable,
}
