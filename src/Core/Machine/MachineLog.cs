using Hv.Core.Paravirt;
using Microsoft.Extensions.Logging;

namespace Hv.Core.Machine;

/// <summary>What a machine tells the log: rare events only. Exits are for <see cref="IExitObserver"/>.</summary>
internal sealed partial class MachineLog(ILogger logger)
{
    [LoggerMessage(Level = LogLevel.Debug, Message = "vCPU {Vcpu}: para state {Address}, version {GuestVersion}, stub {Stub}: ret {Ret}")]
    public partial void Registration(int vcpu, Gpa address, uint guestVersion, Gpa stub, int ret);

    [LoggerMessage(Level = LogLevel.Debug, Message = "restored stub {Stub} of vCPU {Vcpu} for this backend: {Outcome}")]
    public partial void StubRewritten(int vcpu, Gpa stub, StubOutcome outcome);
}
