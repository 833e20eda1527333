using Hv.Core.Paravirt;
using Hv.Core.Registers;

namespace Hv.Core.Machine;

/// <summary>
/// Brings the stubs of a restored machine over to its backend: each is rewritten with the backend's exit instruction, and a vCPU that stands
/// behind the old one, on the RET, is moved behind the new one where the two differ in length (docs/adr/0013-stub-room.md).
/// </summary>
internal static class StubMigration
{
    private const ulong EferLma = 1 << 10;

    /// <summary>Rewrites the stubs of all registrations.</summary>
    public static IReadOnlyList<StubRestoration> Apply(VirtualMachine machine)
    {
        var results = new List<StubRestoration>();
        foreach (VirtualCpu vcpu in machine.Vcpus)
        {
            if (vcpu.Registration is { } registration)
                results.Add(new StubRestoration(vcpu.Index, registration.Stub.Address, Apply(vcpu, registration)));
        }

        return results;
    }

    /// <summary>Gives a vCPU a saved registration and rewrites its stub. vCPUs may share one: the second finds it rewritten.</summary>
    public static StubOutcome Apply(VirtualCpu vcpu, in ParaRegistration saved)
    {
        VirtualMachine machine = vcpu.Machine;
        PatchedStub now = saved.Stub;
        StubOutcome outcome = StubPatcher.Rewrite(machine.Memory, ref now, machine.Backend.Encoding);
        if (outcome == StubOutcome.Patched)
            MoveBehindExit(machine, saved.Stub, now);
        vcpu.Registration = saved with { Stub = now };
        machine.Log.StubRewritten(vcpu.Index, now.Address, outcome);
        return outcome;
    }

    private static void MoveBehindExit(VirtualMachine machine, in PatchedStub before, in PatchedStub now)
    {
        int shift = now.Encoding.Length - before.Encoding.Length;
        if (shift == 0)
            return;
        var state = new VcpuState();
        foreach (VirtualCpu vcpu in machine.Vcpus)
        {
            IVcpu processor = vcpu.Processor;
            processor.SaveState(state);
            ref readonly SegmentRegister code = ref state.System.Cs;
            bool code64 = (state.System.Efer & EferLma) != 0 && code.Long;
            ulong linear = code64 ? state.General.Rip : (uint)(code.Base + state.General.Rip);
            if (processor.TryTranslate(new Gva(linear), out Gpa at) && at == before.Address + (ulong)before.Encoding.Length)
                processor.Registers.Rip += (ulong)shift;
        }
    }
}
