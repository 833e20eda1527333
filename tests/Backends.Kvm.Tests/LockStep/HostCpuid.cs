using Hv.Core;
using Hv.Core.Cpuid;
using Hv.Core.Exits;
using Hv.Core.Memory;
using Hv.Core.Registers;
using Xunit;

namespace Hv.Backends.Kvm.Tests.LockStep;

/// <summary>
/// What CPUID answers on /dev/kvm, found by executing it there: not every kernel keeps to the table that it was given. Lock-step gives the same
/// answer to the other half; that the answers are the table's is a test of its own.
/// </summary>
internal static class HostCpuid
{
    private const ulong Code = 0x1000, MemorySize = 0x10000;

    /// <summary>Asks on a vCPU of a machine of its own.</summary>
    public static CpuidResult Ask(IBackend kvm, PartitionOptions options, int vcpuIndex, CpuidExit query)
    {
        using var memory = GuestMemory.OfSize(MemorySize);
        using IPartition partition = kvm.CreatePartition(memory, options);
        using IVcpu vcpu = partition.CreateVcpu(vcpuIndex);
        Assert.True(memory.TryLoad(new Gpa(Code), [0x0F, 0xA2, 0xF4])); // cpuid; hlt
        var state = new VcpuState();
        vcpu.SaveState(state);
        (state.General.Rip, state.General.Rax, state.General.Rcx) = (Code, query.Leaf, query.Subleaf);
        (state.System.Cs.Selector, state.System.Cs.Base) = (0, 0);
        state.System.Activity = ActivityState.Running;
        vcpu.LoadState(state);
        vcpu.Run(long.MaxValue, out VmExit exit);
        Assert.Equal(ExitReason.Halt, exit.Reason);
        ref GeneralRegisters r = ref vcpu.Registers;
        return new CpuidResult((uint)r.Rax, (uint)r.Rbx, (uint)r.Rcx, (uint)r.Rdx);
    }
}
