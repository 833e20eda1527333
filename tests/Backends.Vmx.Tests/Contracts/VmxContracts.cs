using Hv.Backends.Emulated;
using Hv.Contracts;

// The contract suite on the Vmx backend.
namespace Hv.Backends.Vmx.Tests.Contracts;

internal static class Subject
{
    public static BackendUnderTest Vmx { get; } = new(() => new VmxBackend()) { CreateOther = () => new EmulatedBackend() };
}

public sealed class VmxActivity() : ActivityContract(Subject.Vmx);

public sealed class VmxBudget() : BudgetContract(Subject.Vmx);

public sealed class VmxSink() : SinkContract(Subject.Vmx);

public sealed class VmxExitInstruction() : ExitInstructionContract(Subject.Vmx);

public sealed class VmxFaults() : FaultContract(Subject.Vmx);

public sealed class VmxHypercalls() : HypercallContract(Subject.Vmx);

public sealed class VmxMemory() : MemoryContract(Subject.Vmx);

public sealed class VmxMsrsAndCpuid() : MsrAndCpuidContract(Subject.Vmx);

public sealed class VmxModeSwitch() : ModeSwitchContract(Subject.Vmx);

public sealed class VmxMultiVcpu() : MultiVcpuContract(Subject.Vmx);

public sealed class VmxPaging() : PagingContract(Subject.Vmx);

public sealed class VmxPortIo() : PortIoContract(Subject.Vmx);

public sealed class VmxRegistration() : RegistrationContract(Subject.Vmx);

public sealed class VmxSnapshots() : SnapshotContract(Subject.Vmx);

public sealed class VmxStubs() : StubContract(Subject.Vmx);

public sealed class VmxUserExits() : UserExitContract(Subject.Vmx);

public sealed class VmxVcpuState() : VcpuStateContract(Subject.Vmx);
