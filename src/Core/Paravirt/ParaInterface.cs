using Hv.Core.Exits;
using Hv.Core.Machine;
using Hv.Core.Memory;
using Hv.Core.Msr;

namespace Hv.Core.Paravirt;

/// <summary>
/// MSR_KVM_API_MAGIC: the probe and the registration. The order of effects is that of 2007 (docs/abi.md), what was wrong then is
/// right here: the record is read once, the stub may cross a page, is all or nothing and may not cover the record's fields.
/// </summary>
public sealed class ParaInterface : IMsrHandler
{
    private const int Refused = -ParaAbi.KVM_EINVAL;

    /// <inheritdoc/>
    public MsrRange Range => MsrRange.Of(ParaAbi.MSR_KVM_API_MAGIC);

    /// <summary>The probe: always succeeds, and gives what the vCPU registered last, 0 before.</summary>
    public bool Read(VirtualCpu vcpu, uint index, out ulong value)
    {
        value = vcpu.Registration?.ParaStateAddress.Value ?? 0;
        return true;
    }

    /// <summary>Registers the vCPU. A bad pointer is #GP(0) and leaves memory alone; bad contents are reported in <c>ret</c>.</summary>
    public bool Write(VirtualCpu vcpu, uint index, ulong value)
    {
        GuestMemory memory = vcpu.Machine.Memory;
        var address = new Gpa(value);
        // A read-only page cannot take host_version and ret, so it is no para state: docs/adr/0012-para-state-in-rom.md.
        if (!address.IsPageAligned || !memory.IsBacked(address, Gpa.PageSize, writable: true))
            return false;
        if (!memory.TryRead(address, out ParaState record) || !memory.TryWrite(address + ParaState.HostVersionOffset, ParaAbi.KVM_PARA_API_VERSION))
            return false;
        int ret = Register(vcpu, address, in record);
        memory.TryWrite(address + ParaState.RetOffset, ret);
        vcpu.Machine.Log.Registration(vcpu.Index, address, record.GuestVersion, new Gpa(record.HypercallGpa), ret);
        return true;
    }

    private static int Register(VirtualCpu vcpu, Gpa address, in ParaState record)
    {
        // Any host serves every older guest; only a newer one is refused.
        if (record.GuestVersion > ParaAbi.KVM_PARA_API_VERSION)
            return Refused;
        VirtualMachine machine = vcpu.Machine;
        var stub = new Gpa(record.HypercallGpa);
        PatchedStub? earlier = machine.FindStub(stub);
        if (StubPatcher.Patch(machine.Memory, stub, address, machine.Backend.Encoding, earlier, out PatchedStub patch) != StubOutcome.Patched)
            return Refused;
        vcpu.Registration = new ParaRegistration(address, record.GuestVersion, patch);
        return 0;
    }
}
