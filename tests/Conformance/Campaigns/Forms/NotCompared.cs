using Hv.Conformance.Oracle;
using Iced.Intel;

namespace Hv.Conformance.Campaigns.Forms;

/// <summary>Instructions whose result on this machine says nothing about a guest, each with its reason. Their decoding (length, #UD) is still
/// compared.</summary>
public static class NotCompared
{
    private const string HostValue = "answers with the host's own value";
    private const string KernelEmulates = "UMIP: the host's kernel emulates it for user programs (arch/x86/kernel/umip.c)";
    private const string SystemCall = "enters the host's kernel";
    private const string Hypervisor = "goes to the host's hypervisor";
    private const string Random = "answers with random numbers";
    private const string Transaction = "transactional memory: the host may abort at will";
    private const string HostTask = "depends on the host's TSS and I/O permissions";

    private static readonly Dictionary<Mnemonic, string> _reasons = new()
    {
        [Mnemonic.Cpuid] = HostValue,
        [Mnemonic.Rdtsc] = HostValue,
        [Mnemonic.Rdtscp] = HostValue,
        [Mnemonic.Rdpid] = HostValue,
        [Mnemonic.Rdpmc] = HostValue,
        [Mnemonic.Rdpru] = HostValue,
        [Mnemonic.Xgetbv] = HostValue,
        [Mnemonic.Rdpkru] = HostValue,
        [Mnemonic.Wrpkru] = HostValue,
        [Mnemonic.Sgdt] = KernelEmulates,
        [Mnemonic.Sidt] = KernelEmulates,
        [Mnemonic.Sldt] = KernelEmulates,
        [Mnemonic.Str] = KernelEmulates,
        [Mnemonic.Smsw] = KernelEmulates,
        [Mnemonic.Syscall] = SystemCall,
        [Mnemonic.Sysenter] = "SDM: enters the kernel; APM: #UD under long mode",
        [Mnemonic.Vmcall] = Hypervisor,
        [Mnemonic.Vmmcall] = Hypervisor,
        [Mnemonic.Vmgexit] = Hypervisor,
        [Mnemonic.Vmfunc] = Hypervisor,
        [Mnemonic.Rdrand] = Random,
        [Mnemonic.Rdseed] = Random,
        [Mnemonic.Xbegin] = Transaction,
        [Mnemonic.Xabort] = Transaction,
        [Mnemonic.Xend] = Transaction,
        [Mnemonic.Xtest] = Transaction,
        [Mnemonic.Monitorx] = "the host's hypervisor decides whether it exists",
        [Mnemonic.Mwaitx] = "the host's hypervisor decides whether it exists",
        [Mnemonic.Clzero] = "vendor extension that hv does not offer",
        [Mnemonic.In] = HostTask,
        [Mnemonic.Out] = HostTask,
        [Mnemonic.Insb] = HostTask,
        [Mnemonic.Insw] = HostTask,
        [Mnemonic.Insd] = HostTask,
        [Mnemonic.Outsb] = HostTask,
        [Mnemonic.Outsw] = HostTask,
        [Mnemonic.Outsd] = HostTask,
    };

    /// <summary>The reason, or null when the instruction is compared.</summary>
    public static string? Reason(Mnemonic mnemonic) => _reasons.GetValueOrDefault(mnemonic);

    /// <summary>Whether an encoding is an INT whose end is not the processor's alone: of a vector that Linux opens to programs, since hv's side has no
    /// IDT, or of one that something below this machine's kernel takes (<see cref="InterruptProbe"/>).</summary>
    public static bool LeavesOut(in Instruction instruction) => instruction.Mnemonic == Mnemonic.Int
        && (InterruptProbe.Open.Contains(instruction.Immediate8) || InterruptProbe.Diverted.Contains(instruction.Immediate8));

    /// <summary>All of them.</summary>
    public static IEnumerable<(string Instruction, string Reason)> All => _reasons.Select(r => (r.Key.ToString(), r.Value));
}
