using System.Diagnostics;
using Hv.Contracts.Guests;
using Hv.Core;
using Hv.Core.Cpuid;
using Hv.Core.Exits;
using Hv.Core.Registers;
using Xunit;

namespace Hv.Backends.Kvm.Tests.LockStep;

/// <summary>One vCPU on both halves. Each call of the host goes to both; after each exit they are compared.</summary>
internal sealed class LockStepVcpu(
    IVcpu subject, IVcpu reference, MemoryMirror mirror, Func<int, CpuidExit, CpuidResult> cpuid, byte hypercallPort) : IVcpu
{
    private const long MostInstructions = 50_000_000;
    private const byte DoubleFault = 8;
    private static readonly TimeSpan s_longestFollow = TimeSpan.FromSeconds(2);

    private readonly VcpuState _of = new();
    private GeneralRegisters _known = subject.Registers;
    private VmExit _exit;

    public int Index => subject.Index;

    public ref GeneralRegisters Registers => ref subject.Registers;

    public ulong Cr4 => subject.Cr4;

    public ulong Xcr0 => subject.Xcr0;

    public ulong InstructionsRetired => subject.InstructionsRetired;

    public string? LastFailure => subject.LastFailure;

    public void Run(long budget, out VmExit exit)
    {
        lock (mirror.Turn)
        {
            PassOnChanges();
            subject.Run(budget, out exit);
            switch (exit.Reason)
            {
                case ExitReason.InternalError or ExitReason.EntryFailed:
                    // The host's kernel has given up: there is nothing to compare. The software processor has no entry that could fail.
                    break;
                case ExitReason.Cancelled or ExitReason.InterruptWindow or ExitReason.BudgetExpired:
                    Follow();
                    break;
                default:
                    RunReference(out VmExit other);
                    Compare(in exit, in other);
                    break;
            }

            _exit = exit;
            _known = subject.Registers;
        }
    }

    public void Complete(ExitCompletion completion)
    {
        PassOnChanges();
        subject.Complete(completion);
        if (_exit.Reason == ExitReason.Hypercall && completion.Kind == CompletionKind.RetireWith)
        {
            // To the software processor Kvm's exit instruction is an OUT, which has no result.
            reference.Registers.Rax = completion.Value;
            reference.Complete(ExitCompletion.Retire);
        }
        else
        {
            reference.Complete(completion);
        }

        _known = subject.Registers;
    }

    public void RequestExit() => subject.RequestExit();

    public void SaveState(VcpuState state)
    {
        PassOnChanges();
        subject.SaveState(state);
    }

    public void LoadState(VcpuState state)
    {
        subject.LoadState(state);
        reference.LoadState(state);
        _known = subject.Registers;
    }

    public void Reset()
    {
        subject.Reset();
        reference.Reset();
        _known = subject.Registers;
    }

    public bool TryTranslate(Gva address, out Gpa physical)
    {
        bool mapped = subject.TryTranslate(address, out physical), also = reference.TryTranslate(address, out Gpa other);
        Assert.Equal((also, also ? other : default), (mapped, mapped ? physical : default));
        return mapped;
    }

    public bool TryInterrupt(byte vector)
    {
        PassOnChanges();
        bool taken = subject.TryInterrupt(vector);
        if (taken)
            Assert.True(reference.TryInterrupt(vector), $"Kvm takes the interrupt {vector} where Emulated cannot");
        return taken;
    }

    /// <summary>Only Kvm is asked: where it finds the window late, the software processor follows it there.</summary>
    public void RequestInterruptWindow(bool wanted) => subject.RequestInterruptWindow(wanted);

    public void InterceptExceptions(uint vectors) => subject.InterceptExceptions(vectors);

    public void Dispose()
    {
        subject.Dispose();
        reference.Dispose();
    }

    /// <summary>Registers that the host has changed since the halves were last seen together.</summary>
    private void PassOnChanges()
    {
        ref GeneralRegisters now = ref subject.Registers, other = ref reference.Registers;
        for (int i = 0; i < 16; i++)
        {
            if (now[i] != _known[i])
                other[i] = now[i];
        }

        if (now.Rip != _known.Rip)
            other.Rip = now.Rip;
        if (now.Rflags != _known.Rflags)
            other.Rflags = now.Rflags;
        _known = now;
    }

    /// <summary>Runs to the next exit that Kvm has too. It answers CPUID itself, and its exit instruction is an OUT.</summary>
    private void RunReference(out VmExit exit)
    {
        while (true)
        {
            reference.Run(MostInstructions, out exit);
            if (exit.Reason == ExitReason.Cpuid)
            {
                AnswerCpuid(exit.Cpuid);
                continue;
            }

            if (exit is { Reason: ExitReason.PortIo, PortIo: { IsWrite: true, Size: 1, IsString: false } } && exit.PortIo.Port == hypercallPort)
                VmExit.Plain(ExitReason.Hypercall, new ExitSite(exit.Rip, exit.InstructionLength, exit.Mode, exit.Cpl), exit.Raw, out exit);
            return;
        }
    }

    private void AnswerCpuid(CpuidExit query)
    {
        CpuidResult answer = cpuid(Index, query);
        ref GeneralRegisters r = ref reference.Registers;
        (r.Rax, r.Rbx, r.Rcx, r.Rdx) = (answer.Eax, answer.Ebx, answer.Ecx, answer.Edx);
        reference.Complete(ExitCompletion.Retire);
    }

    private void Compare(in VmExit one, in VmExit other)
    {
        Agreement.OfExits(in one, in other, subject.LastFailure);
        // Elements of a string are handed out in batches, and a write to a hole has been executed when it exits: registers and memory agree again
        // at the next exit. After a triple fault there is no state to agree on. Which accessed and dirty bits an access to a hole has set before
        // its answer is the processor's own (SDM 3A 4.8).
        bool between = (other.Reason == ExitReason.PortIo && other.PortIo.IsString) || (one.Reason == ExitReason.MemoryAccess && one.Memory.IsWrite);
        if (between || one.Reason == ExitReason.Shutdown)
            return;
        // Where the kernel emulates ring 0 it has stepped over an OUT at its exit, which changes nothing but RIP.
        Agreement.OfRegisters(in subject.Registers, in reference.Registers, withRip: !(one.Reason == ExitReason.PortIo && one.PortIo.IsWrite));
        bool differs = one.Reason != ExitReason.MemoryAccess && mirror.FindDifference(0, out ulong _);
        if (differs && mirror.FindDifference(OpenInMemory(), out ulong address))
            FailMemory(address, one.Rip);
        if (one.Reason == ExitReason.Halt)
            CompareSystems();
    }

    private void CompareSystems()
    {
        var other = new VcpuState();
        subject.SaveState(_of);
        reference.SaveState(other);
        Agreement.OfSystems(in _of.System, in other.System);
    }

    /// <summary>
    /// Kvm was stopped at a place of its own choice. The software processor goes there one instruction at a time; where that would take too long,
    /// it is put there.
    /// </summary>
    private void Follow()
    {
        long start = Stopwatch.GetTimestamp();
        while (!Agreement.IsSamePlace(in subject.Registers, in reference.Registers))
        {
            reference.Run(1, out VmExit exit);
            if (exit.Reason == ExitReason.Cpuid)
                AnswerCpuid(exit.Cpuid);
            else if (exit.Reason != ExitReason.BudgetExpired)
                Assert.Fail($"Emulated leaves with {exit.Reason} at {exit.Rip:x} and does not come by {subject.Registers.Rip:x}, where Kvm was stopped");
            if (Stopwatch.GetElapsedTime(start) < s_longestFollow)
                continue;
            subject.SaveState(_of);
            reference.LoadState(_of);
            mirror.CopyAll();
            return;
        }
    }

    /// <summary>The manuals do not say whether a double fault saves RF (SDM 3B 18.3.1.1): the bit is open once there was one.</summary>
    private ulong OpenInMemory() => ExceptionHandlers.ReadLog(mirror.Copy).Any(e => e.Vector == DoubleFault) ? Agreement.ResumeFlag : 0;

    private void FailMemory(ulong address, ulong rip)
    {
        _ = mirror.Original.TryRead(new Gpa(address), out ulong one) & mirror.Copy.TryRead(new Gpa(address), out ulong other);
        Assert.Fail($"memory at {address:x} at RIP {rip:x}: Kvm {one:x}, Emulated {other:x}");
    }
}
