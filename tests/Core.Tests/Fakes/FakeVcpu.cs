using Hv.Core.Exits;
using Hv.Core.Registers;

namespace Hv.Core.Tests.Fakes;

/// <summary>One step of a script.</summary>
/// <param name="Plain">Instructions that retire without an exit, before <paramref name="Exit"/>.</param>
/// <param name="Exit">The exit that follows, or null. The instruction retires when the exit is completed.</param>
/// <param name="JumpTo">The next step, or −1 for the one after this.</param>
public readonly record struct Step(long Plain, VmExit? Exit = null, int JumpTo = -1);

/// <summary>
/// A vCPU that plays a script, with the protocol of <see cref="IVcpu"/> held to by assertion: one completion for each exit that needs one, none for
/// the
/// others. Past its script it halts.
/// </summary>
public sealed class FakeVcpu(int index) : IVcpu
{
    private const uint PositionMsr = 0xFA4E_0000;

    private GeneralRegisters _registers;
    private SystemRegisters _system;
    private Step[] _script = [];
    private int _position;
    private long _plainDone;
    private bool _needsCompletion;
    private ExitReason _lastReason;
    private int _kicks;
    private volatile bool _inside;

    public int Index => index;

    public ref GeneralRegisters Registers => ref _registers;

    public ref SystemRegisters System => ref _system;

    public ulong Cr4 => _system.Cr4;

    public ulong Xcr0 => _system.Xcr0;

    public ulong InstructionsRetired { get; private set; }

    public string? LastFailure { get; init; } = "field X breaks rule Y";

    /// <summary>Completions seen, newest last; a ring, so that recording allocates nothing.</summary>
    public ExitCompletion LastCompletion { get; private set; }

    public int Completions { get; private set; }

    public int Resets { get; private set; }

    public bool Disposed { get; private set; }

    public bool InterruptsEnabled { get; set; } = true;

    public bool WindowRequested { get; private set; }

    public List<byte> Delivered { get; } = [];

    public List<string> Threads { get; } = [];

    /// <summary>Called with each exit, as guest code that acts on its registers would.</summary>
    public Action<FakeVcpu>? BeforeExit { get; set; }

    public Func<Gva, Gpa?> Translation { get; set; } = a => new Gpa(a.Value);

    public void Play(params Step[] script)
    {
        _script = script;
        _position = 0;
        _plainDone = 0;
    }

    public void Run(long budget, out VmExit exit)
    {
        Assert.False(_inside, "one thread at a time");
        _inside = true;
        try
        {
            Assert.True(budget >= 1, "a budget is at least 1");
            Assert.False(Disposed);
            if (_lastReason is not ExitReason.BudgetExpired)
                Threads.Add(Thread.CurrentThread.Name ?? "");
            exit = Next(budget);
            _lastReason = exit.Reason;
        }
        finally
        {
            _inside = false;
        }
    }

    public void Complete(ExitCompletion completion)
    {
        if (!_needsCompletion)
            Assert.Fail($"an exit by {_lastReason} needs no completion");
        _needsCompletion = false;
        LastCompletion = completion;
        Completions++;
        InstructionsRetired++;
        if (completion.Kind == CompletionKind.RetireWith)
            _registers.Rax = completion.Value;
        Advance();
    }

    public void RequestExit() => Interlocked.Exchange(ref _kicks, 1);

    public void SaveState(VcpuState state)
    {
        state.General = _registers;
        state.System = _system;
        state.Msrs[PositionMsr] = (ulong)_position;
        state.Msrs[PositionMsr + 1] = (ulong)_plainDone;
    }

    public void LoadState(VcpuState state)
    {
        _registers = state.General;
        _system = state.System;
        _position = (int)state.Msrs.GetValueOrDefault(PositionMsr);
        _plainDone = (long)state.Msrs.GetValueOrDefault(PositionMsr + 1);
        _needsCompletion = false;
    }

    public void Reset()
    {
        _registers = new GeneralRegisters { Rip = 0xFFF0, Rflags = 2 };
        _position = 0;
        _plainDone = 0;
        _needsCompletion = false;
        InstructionsRetired = 0;
        Resets++;
    }

    public bool TryTranslate(Gva address, out Gpa physical)
    {
        Gpa? found = Translation(address);
        physical = found ?? default;
        return found is not null;
    }

    public bool TryInterrupt(byte vector)
    {
        if (!InterruptsEnabled)
            return false;
        Delivered.Add(vector);
        return true;
    }

    public void RequestInterruptWindow(bool wanted) => WindowRequested = wanted;

    public void InterceptExceptions(uint vectors)
    {
    }

    public void Dispose() => Disposed = true;

    private VmExit Next(long budget)
    {
        // Running again without a completion executes the instruction again.
        _needsCompletion = false;
        var site = new ExitSite(_registers.Rip, 3, GuestMode.Protected | GuestMode.LongModeActive | GuestMode.Code64, 0);
        while (true)
        {
            if (Interlocked.Exchange(ref _kicks, 0) != 0)
                return MadeExit.Plain(ExitReason.Cancelled, site, default);
            if (_position >= _script.Length)
            {
                if (budget == 0)
                    return MadeExit.Plain(ExitReason.BudgetExpired, site, default);
                InstructionsRetired++;
                return MadeExit.Plain(ExitReason.Halt, site, default);
            }

            Step step = _script[_position];
            long plain = Math.Min(budget, step.Plain - _plainDone);
            InstructionsRetired += (ulong)plain;
            _plainDone += plain;
            budget -= plain;
            if (_plainDone < step.Plain)
                return MadeExit.Plain(ExitReason.BudgetExpired, site, default);
            if (step.Exit is not { } exit)
            {
                Advance();
                continue;
            }

            if (budget == 0)
                return MadeExit.Plain(ExitReason.BudgetExpired, site, default);
            BeforeExit?.Invoke(this);
            _needsCompletion = exit.Reason is not (ExitReason.Halt or ExitReason.Shutdown or ExitReason.InterruptWindow or ExitReason.EntryFailed
                or ExitReason.InternalError or ExitReason.Unknown or ExitReason.Cancelled);
            if (!_needsCompletion)
                Advance();
            return exit;
        }
    }

    private void Advance()
    {
        int jump = _position < _script.Length ? _script[_position].JumpTo : -1;
        _position = jump >= 0 ? jump : _position + 1;
        _plainDone = 0;
    }
}
