using Hv.Core.Exits;
using Hv.Core.Paravirt;
using Hv.Core.Registers;

namespace Hv.Core.Machine;

/// <summary>
/// Brings the stubs of a restored machine over to its backend: each is rewritten with the backend's exit instruction, and a vCPU that stands
/// behind the old one, on the RET, is moved behind the new one where the two differ in length (docs/adr/0013-stub-room.md).
/// </summary>
internal static class StubMigration
{
    /// <summary>Rewrites the stubs of all registrations.</summary>
    public static IReadOnlyList<StubRestoration> Apply(VirtualMachine machine)
    {
        ExitEncoding encoding = machine.Backend.Encoding;
        var results = new List<StubRestoration>();
        var done = new Dictionary<PatchedStub, (StubOutcome Outcome, PatchedStub Now)>();
        foreach (VirtualCpu vcpu in machine.Vcpus)
        {
            if (vcpu.Registration is not { } registration)
                continue;
            // vCPUs may share a stub; it is rewritten once.
            PatchedStub before = registration.Stub;
            if (!done.TryGetValue(before, out (StubOutcome Outcome, PatchedStub Now) result))
            {
                PatchedStub now = before;
                result = (StubPatcher.Rewrite(machine.Memory, ref now, encoding), now);
                done.Add(before, result);
                if (result.Outcome == StubOutcome.Patched)
                    MoveBehindExit(machine, before, now);
            }

            vcpu.Registration = registration with { Stub = result.Now };
            results.Add(new StubRestoration(vcpu.Index, before.Address, result.Outcome));
            machine.Log.StubRewritten(vcpu.Index, before.Address, result.Outcome);
        }

        return results;
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

    private const ulong EferLma = 1 << 10;
}
