using System.Runtime.Intrinsics;
using Hv.Core;
using Hv.Cpu.State;
using Hv.Cpu.Virtualization;

namespace Hv.Cpu.Tests.System;

/// <summary>XSAVE, XSAVEOPT and XRSTOR against SDM 1 13.7 to 13.9.</summary>
public sealed class ExtendedStateTests : IDisposable
{
    private const ulong Area = Guest.Data, Header = Area + 512;
    private const ulong Osfxsr = 1 << 9, Osxsave = 1 << 18;
    private readonly Guest _guest = Guest.Long();

    public ExtendedStateTests()
    {
        _guest.Cpu.State.Sys.Cr4 |= Osfxsr | Osxsave;
        _guest.Cpu.State.Sys.Xcr0 = 7;
        _guest.Changed();
        ref FpuState f = ref _guest.Cpu.State.Fpu;
        f.Control = FpuState.ControlInit;
        f.Mxcsr = FpuState.MxcsrDefault;
        _guest.Gpr.Rbx = Area;
        _guest.Gpr.Rax = 7;
    }

    public void Dispose() => _guest.Dispose();

    private ref FpuState Fpu => ref _guest.Cpu.State.Fpu;

    private ulong Read(ulong at)
    {
        Assert.True(_guest.Memory.TryRead(new Gpa(at), out ulong value));
        return value;
    }

    private void Xsave() => Assert.Equal(RunResult.Budget, _guest.Execute(1, 0x0F, 0xAE, 0x23));

    private void Xsaveopt() => Assert.Equal(RunResult.Budget, _guest.Execute(1, 0x0F, 0xAE, 0x33));

    private RunResult Xrstor() => _guest.Execute(1, 0x0F, 0xAE, 0x2B);

    [Fact]
    public void Saved_state_comes_back_part_by_part()
    {
        Fpu.Vectors[5] = Vector256.Create(0x11UL, 0x22, 0x33, 0x44).AsByte();
        Fpu.X87[2] = new X87Register { Significand = 0x8000_0000_0000_0000, SignExponent = 0x3FFF };
        Fpu.Tags = 4;
        Fpu.Mxcsr = 0x1FA0;
        Xsave();
        Assert.Equal(7UL, Read(Header) & 0xFF);
        Assert.Equal((0x11UL, 0x33UL), (Read(Area + 160 + 5 * 16), Read(Area + 576 + 5 * 16)));

        Fpu = default;
        _guest.Gpr.Rax = 4;   // the upper halves, and with them MXCSR
        Assert.Equal(RunResult.Budget, Xrstor());
        Assert.Equal(Vector256.Create(0UL, 0, 0x33, 0x44).AsByte(), Fpu.Vectors[5]);
        Assert.Equal((0x1FA0u, (byte)0), (Fpu.Mxcsr, Fpu.Tags));

        _guest.Gpr.Rax = 3;
        Assert.Equal(RunResult.Budget, Xrstor());
        Assert.Equal(Vector256.Create(0x11UL, 0x22, 0x33, 0x44).AsByte(), Fpu.Vectors[5]);
        Assert.Equal((4, (ushort)0x3FFF), (Fpu.Tags, (ushort)Fpu.X87[2].SignExponent));
    }

    [Fact]
    public void Parts_in_their_initial_configuration_are_left_out_of_the_header()
    {
        _guest.Memory.TryWrite(new Gpa(Header), 0xFF00UL);
        Fpu.Vectors[1] = Vector256.Create(0UL, 0, 1, 0).AsByte();
        Xsave();
        Assert.Equal(0xFF04UL, Read(Header));   // bits outside the request stay
    }

    [Fact]
    public void Xsaveopt_does_not_write_what_is_initial()
    {
        _guest.Memory.TryWrite(new Gpa(Area + 160), 0xABCDUL);
        Xsaveopt();
        Assert.Equal(0xABCDUL, Read(Area + 160));
        Xsave();
        Assert.Equal(0UL, Read(Area + 160));
    }

    [Fact]
    public void Xrstor_initialises_what_the_header_leaves_out()
    {
        Fpu.Vectors[3] = Vector256<byte>.AllBitsSet;
        Fpu.Control = 0x40;
        _guest.Memory.TryWrite(new Gpa(Area + 24), 0x1F80UL);
        Assert.Equal(RunResult.Budget, Xrstor());
        Assert.Equal(Vector256<byte>.Zero, Fpu.Vectors[3]);
        Assert.Equal(FpuState.ControlInit, Fpu.Control);
    }

    [Theory]
    [InlineData(Header, 8UL)]            // a part that XCR0 does not enable
    [InlineData(Header + 8, 1UL << 63)]  // the compacted format
    [InlineData(Header + 16, 1UL)]
    [InlineData(Area + 24, 0x1_0000UL)]  // a reserved bit of MXCSR
    public void Xrstor_refuses_what_it_does_not_know_and_changes_nothing(ulong at, ulong value)
    {
        Fpu.Vectors[3] = Vector256<byte>.AllBitsSet;
        _guest.Memory.TryWrite(new Gpa(at), value);
        Assert.Equal(RunResult.Event, Xrstor());
        Assert.Equal((CpuEventKind.Exception, 13u), (_guest.Cpu.Event.Kind, (uint)_guest.Cpu.Event.Index));
        Assert.Equal(Vector256<byte>.AllBitsSet, Fpu.Vectors[3]);
    }

    [Theory]
    [InlineData(Area + 16, Osxsave, 0UL, 13u)]   // 64-byte alignment
    [InlineData(Area, 0UL, 0UL, 6u)]
    [InlineData(Area, Osxsave, 8UL, 7u)]         // CR0.TS
    public void Faults_follow_the_manual(ulong area, ulong cr4, ulong cr0, uint vector)
    {
        _guest.Cpu.State.Sys.Cr4 = (1 << 5) | Osfxsr | cr4;
        _guest.Cpu.State.Sys.Cr0 |= cr0;
        _guest.Changed();
        _guest.Gpr.Rbx = area;
        Assert.Equal(RunResult.Event, _guest.Execute(1, 0x0F, 0xAE, 0x23));
        Assert.Equal(vector, (uint)_guest.Cpu.Event.Index);
    }
}
