using Hv.Backends.Emulated;
using Hv.Backends.Svm.Hypervisor;
using Hv.Contracts;

// The contract suite on the SVM backend.
namespace Hv.Backends.Svm.Tests;

internal static class Subject
{
    public static BackendUnderTest Svm { get; } = new(() => new SvmBackend()) { CreateOther = () => new EmulatedBackend() };
}

public sealed class SvmActivity() : ActivityContract(Subject.Svm);

public sealed class SvmBudget() : BudgetContract(Subject.Svm);

public sealed class SvmSink() : SinkContract(Subject.Svm);

public sealed class SvmExitInstruction() : ExitInstructionContract(Subject.Svm);

public sealed class SvmFault() : FaultContract(Subject.Svm);

public sealed class SvmHypercall() : HypercallContract(Subject.Svm);

public sealed class SvmMemory() : MemoryContract(Subject.Svm);

public sealed class SvmMsrAndCpuid() : MsrAndCpuidContract(Subject.Svm);

public sealed class SvmModeSwitch() : ModeSwitchContract(Subject.Svm);

public sealed class SvmMultiVcpu() : MultiVcpuContract(Subject.Svm);

public sealed class SvmPaging() : PagingContract(Subject.Svm);

public sealed class SvmPortIo() : PortIoContract(Subject.Svm);

public sealed class SvmRegistration() : RegistrationContract(Subject.Svm);

public sealed class SvmSnapshot() : SnapshotContract(Subject.Svm);

public sealed class SvmStub() : StubContract(Subject.Svm);

public sealed class SvmUserExit() : UserExitContract(Subject.Svm);

public sealed class SvmVcpuState() : VcpuStateContract(Subject.Svm);
