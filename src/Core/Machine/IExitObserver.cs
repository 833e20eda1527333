using Hv.Core.Exits;

namespace Hv.Core.Machine;

/// <summary>Sees each exit before it is handled: for traces. A machine without one pays one test an exit.</summary>
public interface IExitObserver
{
    /// <summary>An exit happened. Called on the thread that runs the vCPU; must not change it.</summary>
    void OnExit(VirtualCpu vcpu, in VmExit exit);
}
