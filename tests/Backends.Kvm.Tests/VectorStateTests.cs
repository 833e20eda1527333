using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Hv.Backends.Emulated;
using Hv.Backends.Svm.Hypervisor;
using Hv.Backends.Vmx;
using Hv.Contracts;
using Hv.Contracts.Guests;
using Hv.Core;
using Hv.Core.Exits;
using Hv.Core.Registers;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Backends.Kvm.Tests;

/// <summary>
/// x87, SSE and AVX state of a guest that moves between /dev/kvm and the software backends. It computes at CPL 3, where every KVM has vectors, and
/// is moved while its kernel handles the HLT that it may not execute.
/// </summary>
public class VectorStateTests
{
    private const ulong Osxsave = 1 << 18, UserVectors = 3 << 9, X87SseAvx = 7, Input = 0x5_0000, Output = 0x5_0100;
    private const ulong DoubleAgain = GuestLayout.SecondCode + 0x100, StoreAll = GuestLayout.SecondCode + 0x200;

    // The standard format (SDM 1 13.4): FCW, XMM and the AVX part, and XSTATE_BV.
    private const int Fcw = 0, Mxcsr = 24, FirstXmm = 160, XstateBv = 512, UpperHalves = 576;

    public static TheoryData<string> Others => ["Emulated", "Svm", "Vmx", "Kvm"];

    [Theory]
    [MemberData(nameof(Others))]
    public void Vectors_survive_the_way_there_and_back(string otherName)
    {
        KvmBackend kvm = RequireVectors();
        IBackend other = otherName switch { "Svm" => new SvmBackend(), "Vmx" => new VmxBackend(), "Emulated" => new EmulatedBackend(), _ => kvm };
        GuestImage image = Image();
        using var first = new VcpuHarness(kvm, image);
        Assert.Equal(ExitReason.Halt, first.Run().Reason);
        VcpuState state = first.Save();
        AssertState(state, times: 2);

        // There: the state is what it was, and the other processor goes on with it.
        using var second = new VcpuHarness(other, image);
        second.Vcpu.LoadState(ContinueAt(state, DoubleAgain));
        AssertState(second.Save(), times: 2);
        Assert.Equal(ExitReason.Halt, second.Run().Reason);
        AssertState(second.Save(), times: 4);

        // And back, where the guest stores what it has.
        using var third = new VcpuHarness(kvm, image);
        third.Vcpu.LoadState(ContinueAt(second.Save(), StoreAll));
        AssertState(third.Save(), times: 4);
        Assert.Equal(ExitReason.Halt, third.Run().Reason);
        Assert.Equal(Values(4, 8), Floats([.. Enumerable.Range(0, 32).Select(i => third.Read<byte>(Output + (ulong)i))]));
    }

    [Theory]
    [InlineData(0x4000_0000_0000_0007UL, 7UL, "KVM_SET_XCRS refuses the state: XCR0 0x4000000000000007")]
    [InlineData(7UL, 0x8000_0000UL, "KVM_SET_XSAVE refuses the state: XSTATE_BV 0x80000000")]
    public void State_of_parts_that_the_guests_model_lacks_is_refused_by_name(ulong xcr0, ulong xstateBv, string line)
    {
        KvmBackend kvm = RequireVectors();
        using var run = new VcpuHarness(kvm, Image());
        VcpuState state = run.Save();
        state.System.Xcr0 = xcr0;
        BinaryPrimitives.WriteUInt64LittleEndian(state.Extended.AsSpan(XstateBv), xstateBv);
        run.Vcpu.LoadState(state);
        Assert.Equal(ExitReason.EntryFailed, run.Run().Reason);
        Assert.StartsWith(line, run.Vcpu.LastFailure, StringComparison.Ordinal);
    }

    [Fact]
    public void A_reserved_bit_of_MXCSR_is_refused_by_name()
    {
        KvmBackend kvm = RequireVectors();
        using var run = new VcpuHarness(kvm, Image());
        VcpuState state = run.Save();
        BinaryPrimitives.WriteUInt32LittleEndian(state.Extended.AsSpan(Mxcsr), 0xFFFF_0000);
        state.Extended[XstateBv] |= 2;
        run.Vcpu.LoadState(state);
        Assert.Equal(ExitReason.EntryFailed, run.Run().Reason);
        Assert.Contains("MXCSR 0xffff0000", run.Vcpu.LastFailure, StringComparison.Ordinal);
    }

    private static KvmBackend RequireVectors()
    {
        KvmBackend kvm = Device.Require(BackendCapabilities.Long64 | BackendCapabilities.UserMode | BackendCapabilities.Long64Exceptions);
        BackendFinding avx = kvm.Probes.Single(f => f.Name == "AVX in user mode");
        Assert.SkipUnless(avx.Works, $"this host's KVM has no AVX in user mode: {avx.Detail}");
        return kvm;
    }

    /// <summary>Doubles eight floats in YMM3 and changes the x87 control word; behind that code that doubles them again, and that stores
    /// them.</summary>
    private static GuestImage Image()
    {
        byte[] input = new byte[32];
        for (int i = 0; i < 8; i++)
            BinaryPrimitives.WriteSingleLittleEndian(input.AsSpan(i * 4), i + 1.25f);
        return GuestImage.Of(CodeMode.Long64, c => c.EnterUser())
            .WithCode(GuestLayout.SecondCode, c =>
            {
                c.fninit();
                c.mov(__word_ptr[(long)Output], 0x27F);
                c.fldcw(__word_ptr[(long)Output]);
                c.vmovups(ymm3, __ymmword_ptr[(long)Input]);
                c.vaddps(ymm3, ymm3, ymm3);
                c.hlt();
            })
            .WithCode(DoubleAgain, c =>
            {
                c.vaddps(ymm3, ymm3, ymm3);
                c.hlt();
            })
            .WithCode(StoreAll, c =>
            {
                c.vmovups(__ymmword_ptr[(long)Output], ymm3);
                c.hlt();
            })
            .With(Input, input)
            .WithState(s =>
            {
                s.System.Cr4 |= Osxsave | UserVectors;
                s.System.Xcr0 = X87SseAvx;
            });
    }

    /// <summary>The state of a kernel that returns to CPL 3 at <paramref name="rip"/>.</summary>
    private static VcpuState ContinueAt(VcpuState state, ulong rip)
    {
        state.General.Rip = rip;
        state.General.Rsp = GuestLayout.UserStackTop;
        state.General.Rflags = 2;
        state.System.Cs.Selector = Descriptors.UserCode;
        state.System.Cs.Attributes |= 3 << 5;
        state.System.Ss = new SegmentRegister { Selector = Descriptors.UserData, Limit = uint.MaxValue, Attributes = 0xC0F3 };
        state.System.Cpl = 3;
        state.System.Activity = ActivityState.Running;
        return state;
    }

    private static void AssertState(VcpuState state, float times)
    {
        Assert.Equal((byte)X87SseAvx, state.Extended[XstateBv] & (byte)X87SseAvx);
        Assert.Equal(0x27F, BinaryPrimitives.ReadUInt16LittleEndian(state.Extended.AsSpan(Fcw)));
        Assert.Equal(Values(times, 8)[..4], Floats(state.Extended.AsSpan(FirstXmm + 3 * 16, 16)));
        Assert.Equal(Values(times, 8)[4..], Floats(state.Extended.AsSpan(UpperHalves + 3 * 16, 16)));
        Assert.Equal(X87SseAvx, state.System.Xcr0);
    }

    private static float[] Values(float times, int count) => [.. Enumerable.Range(0, count).Select(i => times * (i + 1.25f))];

    private static float[] Floats(ReadOnlySpan<byte> bytes) => MemoryMarshal.Cast<byte, float>(bytes).ToArray();
}
