namespace Hv.Backends.Svm.Silicon;

/// <summary>EXITINFO1 of VMEXIT_NPF (APM 2 15.25.6): a page-fault error code, and above it which walk faulted.</summary>
[Flags]
public enum NestedFault : ulong
{
    None = 0,

    /// <summary>The nested page was present.</summary>
    Present = 1ul << 0,
    Write = 1ul << 1,

    /// <summary>Set for every access: the nested level sees the guest as a user (APM 2 15.25.5).</summary>
    User = 1ul << 2,

    /// <summary>A reserved bit was set in a nested entry.</summary>
    Reserved = 1ul << 3,

    /// <summary>An instruction fetch.</summary>
    Fetch = 1ul << 4,

    /// <summary>While translating the guest's final physical address.</summary>
    FinalAddress = 1ul << 32,

    /// <summary>While translating the guest-physical address of a guest page-table entry.</summary>
    GuestTable = 1ul << 33,
}
