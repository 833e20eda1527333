using Hv.Backends.Emulated;
using Hv.Contracts;

// The contract suite once more, with every entry check run at every entry: proof that the checks which are otherwise skipped would pass, because a
// refused entry ends a guest (docs/adr/0042-entry-checks-run-when-written.md).
namespace Hv.Backends.Vmx.Tests.Contracts;

internal static class CheckedSubject
{
    public static BackendUnderTest Vmx { get; } = new(() => new VmxBackend { ChecksEverything = true }) { CreateOther = () => new EmulatedBackend() };
}

public sealed class CheckedVmxActivity() : ActivityContract(CheckedSubject.Vmx);

public sealed class CheckedVmxBudget() : BudgetContract(CheckedSubject.Vmx);

public sealed class CheckedVmxSink() : SinkContract(CheckedSubject.Vmx);

public sealed class CheckedVmxExitInstruction() : ExitInstructionContract(CheckedSubject.Vmx);

public sealed class CheckedVmxFaults() : FaultContract(CheckedSubject.Vmx);

public sealed class CheckedVmxHypercalls() : HypercallContract(CheckedSubject.Vmx);

public sealed class CheckedVmxMemory() : MemoryContract(CheckedSubject.Vmx);

public sealed class CheckedVmxMsrsAndCpuid() : MsrAndCpuidContract(CheckedSubject.Vmx);

public sealed class CheckedVmxMultiVcpu() : MultiVcpuContract(CheckedSubject.Vmx);

public sealed class CheckedVmxPaging() : PagingContract(CheckedSubject.Vmx);

public sealed class CheckedVmxPortIo() : PortIoContract(CheckedSubject.Vmx);

public sealed class CheckedVmxRegistration() : RegistrationContract(CheckedSubject.Vmx);

public sealed class CheckedVmxSnapshots() : SnapshotContract(CheckedSubject.Vmx);

public sealed class CheckedVmxStubs() : StubContract(CheckedSubject.Vmx);

public sealed class CheckedVmxUserExits() : UserExitContract(CheckedSubject.Vmx);

public sealed class CheckedVmxVcpuState() : VcpuStateContract(CheckedSubject.Vmx);
