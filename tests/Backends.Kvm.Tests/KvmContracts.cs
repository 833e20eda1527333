using Hv.Backends.Emulated;
using Hv.Backends.Kvm.Tests.LockStep;
using Hv.Contracts;

// The contract suite on the kernel's /dev/kvm.
namespace Hv.Backends.Kvm.Tests;

internal static class Subject
{
    // One for all tests: the first use runs the probe guests.
    private static readonly KvmOptions s_options = new() { DevicePath = Device.Path };
    private static readonly KvmBackend s_kvm = new(s_options);

    public static byte HypercallPort => s_options.HypercallPort;

    public static BackendUnderTest Kvm { get; } = new(() => s_kvm)
    {
        CreateOther = () => new EmulatedBackend(),
        HostCannot = failure => failure.Contains("the kernel cannot emulate", StringComparison.Ordinal) ? failure : null,
        Deviations = s_kvm.Availability.IsAvailable ? [.. OfKvm, .. s_kvm.EmulatesRing0 ? OfAnEmulatedRing0 : [], .. OfAHostsCpuid] : [],
    };

    /// <summary>Every guest on both at once; see <see cref="LockStepBackend"/>.</summary>
    public static BackendUnderTest LockStep { get; } = Kvm with
    {
        Create = () => new LockStepBackend(s_kvm, HypercallPort),
        Tally = new ContractTally(),
    };

    /// <summary>On every host.</summary>
    private static IEnumerable<Deviation> OfKvm =>
    [
        new(Rules.CpuidExits, "KVM answers CPUID itself, from the table that KVM_SET_CPUID2 gave it, without an exit"),
        new(Rules.PrefixedExit, "KVM reports a port access, not its instruction: prefixes do not show in it, and a stub has none"),
        new(Rules.StringPortExitIsMarked, "KVM hands out the elements of OUTS as single accesses of its emulator"),
    ];

    /// <summary>Where the probe has found that the kernel does not keep to its table.</summary>
    private static IEnumerable<Deviation> OfAHostsCpuid => s_kvm.Probes.Any(p => p.Name.StartsWith("CPUID", StringComparison.Ordinal) && !p.Works)
        ? [new(Rules.CpuidKeepsToTheTable,
            "this host's kernel answers the leaves 1, 7 and Dh with the processor's own features, which user code has natively")]
        : [];

    /// <summary>Where the kernel emulates guest ring 0 one instruction at a time, an OUT has been executed when its exit is seen.</summary>
    private static IEnumerable<Deviation> OfAnEmulatedRing0 =>
    [
        new(Rules.PortExitNamesInstruction, "the kernel's emulator has stepped over an OUT when it reports it, and does not say how long it was"),
        new(Rules.ExitEndsStiShadow, "the kernel's emulator has stepped over the OUT, and so out of the shadow, when it reports it"),
        new(Rules.SingleStepOverExit, "the kernel's emulator does not trap behind an OUT that left for user space, only behind the next instruction"),
        new(Rules.SplitWriteIsWhole, "the kernel's emulator writes page by page, and has written the first when the second faults"),
        new(Rules.WindowIsExact, "the kernel looks for an open window between entries, and emulates many instructions in one"),
        new(Rules.IoplOpensPorts, "guest user code runs in the host's user mode, where only the TSS's I/O map can open a port"),
        new(Rules.IdtLimitInRealMode,
            "the kernel's emulator reads a real-mode vector without a look at the table's limit (emulate.c, __emulate_int_real)"),
    ];
}

public sealed class KvmActivity() : ActivityContract(Subject.Kvm);

public sealed class KvmBudget() : BudgetContract(Subject.Kvm);

public sealed class KvmSink() : SinkContract(Subject.Kvm);

public sealed class KvmExitInstruction() : ExitInstructionContract(Subject.Kvm);

public sealed class KvmFault() : FaultContract(Subject.Kvm);

public sealed class KvmHypercall() : HypercallContract(Subject.Kvm);

public sealed class KvmMemory() : MemoryContract(Subject.Kvm);

public sealed class KvmMsrAndCpuid() : MsrAndCpuidContract(Subject.Kvm);

public sealed class KvmModeSwitch() : ModeSwitchContract(Subject.Kvm);

public sealed class KvmMultiVcpu() : MultiVcpuContract(Subject.Kvm);

public sealed class KvmPaging() : PagingContract(Subject.Kvm);

public sealed class KvmPortIo() : PortIoContract(Subject.Kvm);

public sealed class KvmRegistration() : RegistrationContract(Subject.Kvm);

public sealed class KvmSnapshot() : SnapshotContract(Subject.Kvm);

public sealed class KvmStub() : StubContract(Subject.Kvm);

public sealed class KvmUserExit() : UserExitContract(Subject.Kvm);

public sealed class KvmVcpuState() : VcpuStateContract(Subject.Kvm);
