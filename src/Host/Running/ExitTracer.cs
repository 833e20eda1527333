using Hv.Core;
using Hv.Core.Exits;
using Hv.Core.Machine;
using Hv.Core.Registers;
using Microsoft.Extensions.Logging;

namespace Hv.Host.Running;

/// <summary>Logs each exit as one line at level Verbose: where, the neutral exit, the backend's own words for it, and the instruction. It exists only
/// when that level is on, so that without it an exit pays nothing.</summary>
internal sealed partial class ExitTracer : IExitObserver
{
    private readonly IBackend _backend;
    private readonly ILogger<ExitTracer> _logger;
    private readonly GuestCode _code = new();
    private readonly VcpuState _state = new();
    private readonly Lock _lock = new();

    /// <summary>Traces the exits of <paramref name="backend"/>.</summary>
    public ExitTracer(IBackend backend, ILogger<ExitTracer> logger)
    {
        _backend = backend;
        _logger = logger;
    }

    /// <inheritdoc/>
    public void OnExit(VirtualCpu vcpu, in VmExit exit)
    {
        if (exit.Reason is ExitReason.BudgetExpired)
            return;
        lock (_lock)
        {
            vcpu.Processor.SaveState(_state);
            ulong segment = (exit.Mode & GuestMode.Code64) != 0 ? 0 : _state.System.Cs.Base;
            string instruction = _code.Disassemble(vcpu.Processor, vcpu.Machine.Memory, segment + exit.Rip, exit.Mode);
            string neutral = ExitText.Of(exit), raw = _backend.Describe(exit.Raw);
            Exit(vcpu.Index, exit.Rip, neutral, _backend.Name, raw, instruction);
        }
    }

    [LoggerMessage(Level = LogLevel.Trace, Message = "vcpu {Vcpu} rip {Rip:x} exit {Exit} | {Backend} {Raw} | {Instruction}")]
    private partial void Exit(int vcpu, ulong rip, string exit, string backend, string raw, string instruction);
}
