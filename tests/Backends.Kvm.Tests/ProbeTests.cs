using Hv.Backends.Emulated;
using Hv.Backends.Kvm.Probing;
using Hv.Core;
using Hv.Core.Exits;
using Hv.Core.Memory;
using Xunit;

namespace Hv.Backends.Kvm.Tests;

/// <summary>The probe guests themselves: on a processor that has what they try, each succeeds. One that fails on /dev/kvm then says something of the
/// host.</summary>
public class ProbeTests
{
    private const byte Port = 0xE4, Succeeded = 0x55;

    public static TheoryData<string> Names => [.. ProbeGuest.All.Select(p => p.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_probe_succeeds_on_a_processor_that_has_what_it_tries(string name)
    {
        ProbeGuest probe = ProbeGuest.All.Single(p => p.Name == name);
        // The I/O map of the probes' task forbids every port: OUT at CPL 3 is to reach the host all the same, which no processor without
        // virtualization does.
        bool expected = probe.Needs != BackendCapabilities.UserHypercalls;
        using var memory = GuestMemory.OfSize(ProbeMachine.MemorySize);
        using IPartition partition = new EmulatedBackend().CreatePartition(memory, new PartitionOptions { Cpuid = probe.Cpuid });
        using IVcpu vcpu = partition.CreateVcpu(0);
        ProbeMachine.Prepare(memory, vcpu, probe, Port);
        VmExit exit;
        while (true)
        {
            vcpu.Run(10_000, out exit);
            if (exit.Reason != ExitReason.Cpuid)
                break;
            Core.Cpuid.CpuidResult answer = probe.Cpuid.Query(exit.Cpuid.Leaf, exit.Cpuid.Subleaf);
            (vcpu.Registers.Rax, vcpu.Registers.Rbx, vcpu.Registers.Rcx, vcpu.Registers.Rdx) = (answer.Eax, answer.Ebx, answer.Ecx, answer.Edx);
            vcpu.Complete(ExitCompletion.Retire);
        }

        bool works = exit.Reason == ExitReason.PortIo && exit.PortIo is { Port: Port, Size: 1, IsWrite: true, Value: Succeeded };
        Assert.True(works == expected, $"{exit.Reason} at {exit.Rip:x} in {exit.Mode}, CPL {exit.Cpl}");
    }

    [Fact]
    public void No_capability_is_claimed_that_no_probe_tried()
    {
        BackendCapabilities tried = ProbeGuest.All.Aggregate(BackendCapabilities.None, (all, p) => all | p.Needs);
        KvmBackend kvm = Device.Require();
        Assert.Equal(BackendCapabilities.None, kvm.Capabilities & ~tried & ~(BackendCapabilities.ThreadPerVcpu | BackendCapabilities.NativeSpeed));
    }

    [Fact]
    public void Speed_is_native_where_ring_0_is_not_emulated_and_only_there()
    {
        KvmBackend kvm = Device.Require(BackendCapabilities.Long64);
        Assert.NotEqual(kvm.EmulatesRing0, kvm.Capabilities.HasFlag(BackendCapabilities.NativeSpeed));
    }
}
