using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Hv.Backends.Kvm.Abi;
using Hv.Backends.Kvm.Native;
using Hv.Core.Registers;

namespace Hv.Backends.Kvm;

/// <summary>
/// The general registers as the host sees them. They travel in the synced part of the shared page, so that an exit costs one ioctl; the page keeps
/// what the host was shown, so that a change of the host's is seen.
/// </summary>
internal struct KvmRegisterFile
{
    private const int Words = 18;

    /// <summary>What the host reads and writes.</summary>
    public GeneralRegisters Now;

    /// <summary>RIP as it was shown: at an exit instruction not KVM's.</summary>
    private ulong _shownRip;

    /// <summary>Whether RIP is where the host was shown it.</summary>
    public readonly bool HasShownRip => Now.Rip == _shownRip;

    /// <summary>Whether the host has changed any since they were fetched.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly bool IsChangedFrom(in KvmRun run)
    {
        ref readonly KvmRegs k = ref run.regs;
        return (k.rax ^ Now.Rax | k.rbx ^ Now.Rbx | k.rcx ^ Now.Rcx | k.rdx ^ Now.Rdx | k.rsi ^ Now.Rsi | k.rdi ^ Now.Rdi | k.rsp ^ Now.Rsp
            | k.rbp ^ Now.Rbp | k.r8 ^ Now.R8 | k.r9 ^ Now.R9 | k.r10 ^ Now.R10 | k.r11 ^ Now.R11 | k.r12 ^ Now.R12 | k.r13 ^ Now.R13
            | k.r14 ^ Now.R14 | k.r15 ^ Now.R15 | k.rflags ^ Now.Rflags | _shownRip ^ Now.Rip) != 0;
    }

    /// <summary>Takes the registers of an exit.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Fetch(in KvmRun run)
    {
        KvmStateTransfer.ToNeutral(in run.regs, ref Now);
        _shownRip = run.regs.rip;
    }

    /// <summary>Shows another RIP than KVM's, which a write-back must not take for the host's wish.</summary>
    public void ShowRip(ulong rip) => Now.Rip = _shownRip = rip;

    /// <summary>
    /// Hands them to the next KVM_RUN. RIP is left alone unless the host changed it: at an OUT exit some hosts skip the instruction only then, and
    /// compare RIP to decide.
    /// </summary>
    public void WriteBack(ref KvmRun run)
    {
        ulong rip = HasShownRip ? run.regs.rip : Now.Rip;
        KvmStateTransfer.FromNeutral(in Now, ref run.regs);
        run.regs.rip = rip;
        _shownRip = Now.Rip;
        run.kvm_dirty_regs = KvmRun.SyncRegs;
    }

    /// <summary>Gives them to KVM now, RIP included.</summary>
    public void Set(int vcpu, ref KvmRun run)
    {
        KvmStateTransfer.FromNeutral(in Now, ref run.regs);
        KvmIoctl.Call(vcpu, KvmIoctl.SetRegs, "KVM_SET_REGS", ref run.regs);
        run.kvm_dirty_regs = 0;
        _shownRip = Now.Rip;
    }

    /// <summary>Fetches what an instruction has written since the host was shown <paramref name="shown"/>, and puts what the host changed over
    /// it.</summary>
    public void FetchUnder(in KvmRegs shown, in KvmRun run)
    {
        GeneralRegisters wanted = Now, before = default;
        KvmStateTransfer.ToNeutral(in shown, ref before);
        before.Rip = _shownRip;
        Fetch(in run);
        ReadOnlySpan<ulong> to = WordsOf(in wanted), from = WordsOf(in before);
        Span<ulong> now = MemoryMarshal.CreateSpan(ref Now.Rax, Words);
        for (int i = 0; i < now.Length; i++)
        {
            if (to[i] != from[i])
                now[i] = to[i];
        }
    }

    private static ReadOnlySpan<ulong> WordsOf(in GeneralRegisters registers) => MemoryMarshal.CreateReadOnlySpan(in registers.Rax, Words);
}
