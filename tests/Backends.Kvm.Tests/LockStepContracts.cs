using Hv.Contracts;

// Every contract guest on /dev/kvm and on the software processor at once: see LockStepBackend.
namespace Hv.Backends.Kvm.Tests;

public sealed class LockStepActivity() : ActivityContract(Subject.LockStep);

public sealed class LockStepBudget() : BudgetContract(Subject.LockStep);

public sealed class LockStepSink() : SinkContract(Subject.LockStep);

public sealed class LockStepExitInstruction() : ExitInstructionContract(Subject.LockStep);

public sealed class LockStepFault() : FaultContract(Subject.LockStep);

public sealed class LockStepHypercall() : HypercallContract(Subject.LockStep);

public sealed class LockStepMemory() : MemoryContract(Subject.LockStep);

public sealed class LockStepModeSwitch() : ModeSwitchContract(Subject.LockStep);

public sealed class LockStepMsrAndCpuid() : MsrAndCpuidContract(Subject.LockStep);

public sealed class LockStepMultiVcpu() : MultiVcpuContract(Subject.LockStep);

public sealed class LockStepPaging() : PagingContract(Subject.LockStep);

public sealed class LockStepPortIo() : PortIoContract(Subject.LockStep);

public sealed class LockStepRegistration() : RegistrationContract(Subject.LockStep);

public sealed class LockStepSnapshot() : SnapshotContract(Subject.LockStep);

public sealed class LockStepStub() : StubContract(Subject.LockStep);

public sealed class LockStepUserExit() : UserExitContract(Subject.LockStep);

public sealed class LockStepVcpuState() : VcpuStateContract(Subject.LockStep);
