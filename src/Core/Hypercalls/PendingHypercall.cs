namespace Hv.Core.Hypercalls;

/// <summary>
/// A hypercall that waits for its result from user level. The exit instruction has retired; only RAX is owed (docs/adr/0010-pending-hypercall.md),
/// so that register writes, a snapshot or a move to another backend in between cannot lose it.
/// </summary>
/// <param name="Id">Tells this call from every other one of its vCPU.</param>
/// <param name="Arguments">Number and arguments.</param>
public readonly record struct PendingHypercall(ulong Id, HypercallArguments Arguments);

/// <summary>What became of a completion.</summary>
public enum CompletionOutcome : byte
{
    /// <summary>The result is in RAX; the vCPU can run on.</summary>
    Completed,

    /// <summary>The vCPU was reset, or restored to a state without this call: nobody waits for the result, nothing was written.</summary>
    VcpuWasReset,

    /// <summary>The call was completed before, or there never was one; nothing was written.</summary>
    NotPending,
}
