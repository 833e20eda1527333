using Hv.Core.Exits;
using Hv.Core.Registers;

namespace Hv.Core;

/// <summary>Answers a vCPU's exits while it runs.</summary>
public interface IExitSink
{
    /// <summary>Answers an exit, through <see cref="IVcpu.Complete"/> where it needs that.</summary>
    /// <returns>Whether the vCPU runs on; if not, <see cref="IVcpu.Run"/> returns <see cref="ExitReason.Answered"/>.</returns>
    bool OnExit(in VmExit exit);
}

/// <summary>
/// One virtual processor of a backend. Used from one thread at a time; only <see cref="RequestExit"/> may come from another.
/// The protocol is: <see cref="Run"/> gives an exit; the host may read and write <see cref="Registers"/>; it answers with
/// <see cref="Complete"/> (not after <see cref="ExitReason.BudgetExpired"/>, <see cref="ExitReason.Cancelled"/>, <see cref="ExitReason.Halt"/>,
/// <see cref="ExitReason.InterruptWindow"/> or an exit that ends the guest); then it runs again. Running without a completion executes the
/// instruction again.
/// </summary>
public interface IVcpu : IDisposable
{
    /// <summary>Its index in the partition, from 0.</summary>
    int Index { get; }

    /// <summary>
    /// The general registers, RIP and RFLAGS. After an exit that needs completion RIP is on the instruction. Valid between two calls of
    /// <see cref="Run"/>; writes take effect at the next one.
    /// </summary>
    ref GeneralRegisters Registers { get; }

    /// <summary><see cref="Registers"/>, where the arithmetic bits of RFLAGS may be stale and are not to be written: for answers that look at none,
    /// which most are.</summary>
    ref GeneralRegisters RegistersButFlags => ref Registers;

    /// <summary>CR4 as the guest reads it, and XCR0: what CPUID follows. Valid between two calls of <see cref="Run"/>.</summary>
    ulong Cr4 { get; }

    /// <inheritdoc cref="Cr4"/>
    ulong Xcr0 { get; }

    /// <summary>Instructions retired since creation or reset; a delivered exception and an iteration chunk of a REP count as one each.
    /// 0 where the backend cannot count.</summary>
    ulong InstructionsRetired { get; }

    /// <summary>Runs the guest until an exit.</summary>
    /// <param name="budget">The most instructions to retire, at least 1; exact where the backend is deterministic.</param>
    /// <param name="exit">Why it stopped.</param>
    void Run(long budget, out VmExit exit);

    /// <summary>
    /// Who answers exits from inside <see cref="Run"/>, or null. A backend that can gives it an exit instead of returning, and goes on with the guest
    /// where <see cref="IExitSink.OnExit"/> says so; one that cannot returns as without. Set while the vCPU does not run
    /// (docs/adr/0005-exits-answered-in-place.md).
    /// </summary>
    IExitSink? Sink
    {
        get => null;
        set { }
    }

    /// <summary>Answers the last exit.</summary>
    void Complete(ExitCompletion completion);

    /// <summary>Makes a running or the next <see cref="Run"/> return <see cref="ExitReason.Cancelled"/> soon. May be called from any
    /// thread.</summary>
    void RequestExit();

    /// <summary>Copies all state out. Legal at any exit: an exit that is not completed yet is saved as not yet executed.</summary>
    void SaveState(VcpuState state);

    /// <summary>Replaces all state. An exit that was not completed is forgotten.</summary>
    void LoadState(VcpuState state);

    /// <summary>Puts the vCPU into the state after RESET (SDM 3A 9.1.1, table 9-1). An exit that was not completed is forgotten.</summary>
    void Reset();

    /// <summary>Translates a linear address with the guest's present paging, without side effects on the guest (no accessed bits).</summary>
    bool TryTranslate(Gva address, out Gpa physical);

    /// <summary>Queues an external interrupt. False when the guest cannot take one now; then ask for an interrupt window.</summary>
    bool TryInterrupt(byte vector);

    /// <summary>Asks for an <see cref="ExitReason.InterruptWindow"/> exit as soon as the guest can take an interrupt.</summary>
    void RequestInterruptWindow(bool wanted);

    /// <summary>Chooses the exceptions that exit instead of being delivered: bit n is vector n. 0 by default.</summary>
    void InterceptExceptions(uint vectors);

    /// <summary>After <see cref="ExitReason.EntryFailed"/> or <see cref="ExitReason.InternalError"/>: what was wrong, naming the field and the rule.
    /// Else null.</summary>
    string? LastFailure { get; }
}
