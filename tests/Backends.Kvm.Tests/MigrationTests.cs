using Hv.Backends.Emulated;
using Hv.Backends.Svm.Hypervisor;
using Hv.Backends.Vmx;
using Hv.Contracts;
using Hv.Contracts.Guests;
using Hv.Core;
using Hv.Core.Hypercalls;
using Hv.Core.Machine;
using Hv.Core.Paravirt;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Backends.Kvm.Tests;

/// <summary>A guest that moves between /dev/kvm and the software backends, and back, in the middle of its hypercalls.</summary>
public class MigrationTests
{
    private const uint Number = 0x1001;

    public static TheoryData<CodeMode, string> Ways => new(
        from mode in new[] { CodeMode.Real16, CodeMode.Protected32, CodeMode.Long64 }
        from other in new[] { "Emulated", "Svm", "Vmx" }
        select new TheoryDataRow<CodeMode, string>(mode, other));

    [Theory]
    [MemberData(nameof(Ways))]
    public void A_guest_goes_there_and_back_with_its_stub_patched_anew(CodeMode mode, string otherName)
    {
        IBackend kvm = Device.Require(mode.Needs());
        IBackend other = otherName switch { "Svm" => new SvmBackend(), "Vmx" => new VmxBackend(), _ => new EmulatedBackend() };
        GuestImage image = GuestImage.Of(mode, c =>
        {
            c.Wrmsr(GuestCode.ApiMagic, GuestLayout.ParaState);
            for (int i = 0; i < 4; i++)
            {
                c.Hypercall(Number, (uint)(70 + i));
                c.Store(i, eax);
            }

            c.Done();
        }).WithParaState();
        MachineSnapshot? snapshot = null;
        for (int i = 0; i < 4; i++)
        {
            IBackend here = i % 2 == 0 ? kvm : other;
            using var run = new MachineHarness(here, image,
                new VirtualMachineOptions { Hypercalls = [new RecordingHypercall(Number, HypercallOutcome.ExitToUser)] });
            if (snapshot is not null)
            {
                Assert.Equal(StubOutcome.Patched, Assert.Single(run.Machine.Restore(snapshot)).Outcome);
                Assert.Equal(MachineHarness.StubOf(here), run.ReadBytes(GuestLayout.Stub, here.Encoding.Length + 1));
                run.Vcpu.CompleteHypercall((ulong)(0x100 + i));
            }

            run.Expect(StopReason.UserExit);
            Assert.Equal((ulong)(70 + i), run.Vcpu.Pending?.Arguments.A0);
            snapshot = run.Machine.Save();
            if (i < 3)
                continue;
            run.Vcpu.CompleteHypercall(0x104);
            run.RunToEnd();
            for (int slot = 0; slot < 4; slot++)
                Assert.Equal(0x101UL + (ulong)slot, run.Result(slot) & 0xFFFF_FFFF);
        }
    }
}
