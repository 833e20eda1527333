namespace Hv.Core.Paravirt;

/// <summary>One vCPU's registration: first-class, so that it can be listed, saved, restored and dropped. The guest's record is never read
/// again.</summary>
/// <param name="ParaStateAddress">The guest-physical address of the para state, as written to the MSR.</param>
/// <param name="GuestVersion">The version that the guest speaks.</param>
/// <param name="Stub">The stub that was patched.</param>
public readonly record struct ParaRegistration(Gpa ParaStateAddress, uint GuestVersion, PatchedStub Stub);
