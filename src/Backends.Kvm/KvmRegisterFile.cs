using System.Runtime.InteropServices;
using Hv.Backends.Kvm.Abi;
using Hv.Backends.Kvm.Native;
using Hv.Core.Registers;

namespace Hv.Backends.Kvm;

/// <summary>
/// The general registers as the host sees them, and as it was shown them at the last exit. They travel in the synced part of the shared page, so
/// that an exit costs one ioctl.
/// </summary>
internal struct KvmRegisterFile
{
    private const int Words = 18;

    /// <summary>What the host reads and writes.</summary>
    public GeneralRegisters Now;

    private GeneralRegisters _shown;

    /// <summary>Whether the host has changed any since they were fetched.</summary>
    public readonly bool IsChanged => !WordsOf(in Now).SequenceEqual(WordsOf(in _shown));

    /// <summary>Whether RIP is where KVM put it.</summary>
    public readonly bool HasShownRip => Now.Rip == _shown.Rip;

    /// <summary>Takes the registers of an exit.</summary>
    public void Fetch(in KvmRun run)
    {
        KvmStateTransfer.ToNeutral(in run.regs, ref Now);
        _shown = Now;
    }

    /// <summary>Shows another RIP than KVM's, which a write-back must not take for the host's wish.</summary>
    public void ShowRip(ulong rip) => Now.Rip = _shown.Rip = rip;

    /// <summary>
    /// Hands them to the next KVM_RUN. RIP is left alone unless the host changed it: at an OUT exit some hosts skip the instruction only then, and
    /// compare RIP to decide.
    /// </summary>
    public readonly void WriteBack(ref KvmRun run)
    {
        ulong rip = run.regs.rip;
        KvmStateTransfer.FromNeutral(in Now, ref run.regs);
        if (HasShownRip)
            run.regs.rip = rip;
        run.kvm_dirty_regs = KvmRun.SyncRegs;
    }

    /// <summary>Gives them to KVM now, RIP included.</summary>
    public void Set(int vcpu, ref KvmRun run)
    {
        KvmStateTransfer.FromNeutral(in Now, ref run.regs);
        KvmIoctl.Call(vcpu, KvmIoctl.SetRegs, "KVM_SET_REGS", ref run.regs);
        run.kvm_dirty_regs = 0;
        _shown = Now;
    }

    /// <summary>Fetches what an instruction has written since, and puts what the host changed before over it.</summary>
    public void FetchUnder(in KvmRun run)
    {
        GeneralRegisters wanted = Now, shown = _shown;
        Fetch(in run);
        ReadOnlySpan<ulong> to = WordsOf(in wanted), from = WordsOf(in shown);
        Span<ulong> now = MemoryMarshal.CreateSpan(ref Now.Rax, Words);
        for (int i = 0; i < now.Length; i++)
        {
            if (to[i] != from[i])
                now[i] = to[i];
        }
    }

    private static ReadOnlySpan<ulong> WordsOf(in GeneralRegisters registers) => MemoryMarshal.CreateReadOnlySpan(in registers.Rax, Words);
}
