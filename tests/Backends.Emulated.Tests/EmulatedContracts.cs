using Hv.Backends.Svm.Hypervisor;
using Hv.Contracts;

// The contract suite on the Emulated backend.
namespace Hv.Backends.Emulated.Tests;

internal static class Subject
{
    public static BackendUnderTest Emulated { get; } = new(() => new EmulatedBackend())
    {
        CreateOther = () => new SvmBackend(),
        Deviations =
        [
            new(Rules.InvalidStateIsRefused,
                "the processor alone has no entry checks; a state that it could not be in is forced into one that it can run "
                + "(Hv.Cpu.System.StateTransfer)"),
        ],
    };
}

public sealed class EmulatedActivity() : ActivityContract(Subject.Emulated);

public sealed class EmulatedBudget() : BudgetContract(Subject.Emulated);

public sealed class EmulatedSink() : SinkContract(Subject.Emulated);

public sealed class EmulatedExitInstruction() : ExitInstructionContract(Subject.Emulated);

public sealed class EmulatedFaults() : FaultContract(Subject.Emulated);

public sealed class EmulatedHypercalls() : HypercallContract(Subject.Emulated);

public sealed class EmulatedMemory() : MemoryContract(Subject.Emulated);

public sealed class EmulatedMsrsAndCpuid() : MsrAndCpuidContract(Subject.Emulated);

public sealed class EmulatedModeSwitch() : ModeSwitchContract(Subject.Emulated);

public sealed class EmulatedMultiVcpu() : MultiVcpuContract(Subject.Emulated);

public sealed class EmulatedPaging() : PagingContract(Subject.Emulated);

public sealed class EmulatedPortIo() : PortIoContract(Subject.Emulated);

public sealed class EmulatedRegistration() : RegistrationContract(Subject.Emulated);

public sealed class EmulatedSnapshots() : SnapshotContract(Subject.Emulated);

public sealed class EmulatedStubs() : StubContract(Subject.Emulated);

public sealed class EmulatedUserExits() : UserExitContract(Subject.Emulated);

public sealed class EmulatedVcpuState() : VcpuStateContract(Subject.Emulated);
