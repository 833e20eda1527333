namespace Hv.Backends.Kvm;

/// <summary>What a device must be, in the order in which it is looked at.</summary>
internal enum KvmRequirement : byte
{
    /// <summary>There is a file of that name, with a driver behind it.</summary>
    Present,

    /// <summary>This process may open it.</summary>
    Permitted,

    /// <summary>It answers KVM's ioctls, in the version and with the extensions that this backend is written for.</summary>
    Kvm,
}

/// <summary>Why a device cannot be used.</summary>
/// <param name="Missing">What it is not; what comes before that it is.</param>
/// <param name="Cause">What was found.</param>
/// <param name="Remedy">What a person can do.</param>
internal sealed record KvmRefusal(KvmRequirement Missing, string Cause, string Remedy)
{
    /// <summary>Both in one line.</summary>
    public string Line => $"{Cause}; {Remedy}";
}
