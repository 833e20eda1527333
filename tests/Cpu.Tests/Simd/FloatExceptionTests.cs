using System.Runtime.Intrinsics;
using Hv.Core;
using Hv.Cpu.State;
using Hv.Cpu.Virtualization;

namespace Hv.Cpu.Tests.Simd;

/// <summary>How floating-point instructions fault, and what they read and leave (SDM 1 11.5, SDM 3A 6.15 interrupt 19, SDM 2A tables 2-18 to
/// 2-21).</summary>
public sealed class FloatExceptionTests : IDisposable
{
    private const byte Undefined = 6, GeneralProtection = 13, PageFault = 14, SimdFloatingPoint = 19;
    private const uint AllMasked = 0x1F80, InvalidMask = 0x80, ZeroMask = 0x200, InexactMask = 0x1000;
    private const uint Invalid = 1, Denormal = 2, DivideByZero = 4, Inexact = 32;

    private readonly Guest _guest = VectorGuest.Create();

    public void Dispose() => _guest.Dispose();

    private ref Vector256<byte> Ymm(int n) => ref _guest.Cpu.State.Fpu.Vectors[n];

    private ref uint Mxcsr => ref _guest.Cpu.State.Fpu.Mxcsr;

    private void Run(params ReadOnlySpan<byte> code) => Assert.Equal(RunResult.Budget, _guest.Execute(1, code));

    private CpuEvent Fault(params ReadOnlySpan<byte> code)
    {
        Assert.Equal(RunResult.Event, _guest.Execute(1, code));
        Assert.Equal(CpuEventKind.Exception, _guest.Cpu.Event.Kind);
        Assert.Equal(Guest.Code, _guest.Gpr.Rip);
        return _guest.Cpu.Event;
    }

    [Theory]
    [InlineData(true, SimdFloatingPoint)]
    [InlineData(false, Undefined)]
    public void An_unmasked_exception_is_XM_where_the_system_knows_it_else_UD(bool known, byte vector)
    {
        if (!known)
            _guest.Cpu.State.Sys.Cr4 &= ~VectorGuest.Osxmmexcpt;
        Mxcsr = AllMasked & ~ZeroMask;
        Ymm(0) = Vector256.Create(1.0).AsByte();
        Ymm(1) = Vector256.Create(0.0).AsByte();
        Assert.Equal(vector, (byte)Fault(0xF2, 0x0F, 0x5E, 0xC1).Index);   // divsd xmm0, xmm1
        Assert.Equal(AllMasked & ~ZeroMask | DivideByZero, Mxcsr);
        Assert.Equal(Vector256.Create(1.0).AsByte(), Ymm(0));
    }

    [Fact]
    public void An_unmasked_exception_of_one_lane_hides_the_roundings_of_all()
    {
        Mxcsr = AllMasked & ~InvalidMask;
        Ymm(0) = Vector256.Create(1f, 1, float.PositiveInfinity, 1, 1, 1, 1, 1).AsByte();
        Ymm(1) = Vector256.Create(3f, 3, float.PositiveInfinity, 3, 3, 3, 3, 3).AsByte();
        Assert.Equal(SimdFloatingPoint, (byte)Fault(0x0F, 0x5E, 0xC1).Index);   // divps xmm0, xmm1: 1/3 is inexact
        Assert.Equal(AllMasked & ~InvalidMask | Invalid, Mxcsr);
    }

    [Fact]
    public void Masked_exceptions_found_before_computing_are_kept_with_an_unmasked_one()
    {
        Mxcsr = AllMasked & ~ZeroMask;
        Ymm(0) = Vector256.Create(1f, float.Epsilon, float.PositiveInfinity, 1, 0, 0, 0, 0).AsByte();
        Ymm(1) = Vector256.Create(0f, 3, float.PositiveInfinity, 3, 0, 0, 0, 0).AsByte();
        Assert.Equal(SimdFloatingPoint, (byte)Fault(0x0F, 0x5E, 0xC1).Index);   // divps
        Assert.Equal(AllMasked & ~ZeroMask | DivideByZero | Denormal | Invalid, Mxcsr);
    }

    [Fact]
    public void An_exact_result_raises_nothing_and_a_rounded_one_inexact()
    {
        Ymm(0) = Vector256.Create(1.5).AsByte();
        Ymm(1) = Vector256.Create(0.25).AsByte();
        Run(0xF2, 0x0F, 0x58, 0xC1);   // addsd xmm0, xmm1
        Assert.Equal((AllMasked, 1.75), (Mxcsr, Ymm(0).AsDouble()[0]));
        Ymm(1) = Vector256.Create(3.0).AsByte();
        Run(0xF2, 0x0F, 0x5E, 0xC1);   // divsd xmm0, xmm1
        Assert.Equal((AllMasked | Inexact, 1.75 / 3), (Mxcsr, Ymm(0).AsDouble()[0]));
    }

    [Fact]
    public void An_unmasked_inexact_result_is_not_delivered()
    {
        Mxcsr = AllMasked & ~InexactMask | Inexact;
        Ymm(0) = Vector256.Create(1.0).AsByte();
        Ymm(1) = Vector256.Create(3.0).AsByte();
        Assert.Equal(SimdFloatingPoint, (byte)Fault(0xF2, 0x0F, 0x5E, 0xC1).Index);   // divsd: the sticky flag does not hide it
        Assert.Equal(1.0, Ymm(0).AsDouble()[0]);
    }

    [Fact]
    public void A_scalar_operand_is_as_long_as_it_says_and_needs_no_alignment()
    {
        _guest.Memory.TryWrite(new Gpa(Guest.Tables + 0x2008), 0UL);   // nothing above 2 MiB
        _guest.Changed();
        ulong at = 0x20_0000 - 4;
        _guest.Memory.TryWrite(new Gpa(at), BitConverter.SingleToUInt32Bits(2));
        _guest.Gpr.Rbx = at;
        Ymm(0) = Vector256.Create(1f).AsByte();
        Run(0xF3, 0x0F, 0x58, 0x03);   // addss xmm0, [rbx]
        Assert.Equal(Vector256.Create(3f, 1, 1, 1, 1, 1, 1, 1).AsByte(), Ymm(0));
        CpuEvent e = Fault(0xF2, 0x0F, 0x58, 0x03);   // addsd xmm0, [rbx]
        Assert.Equal((PageFault, 0x20_0000UL), ((byte)e.Index, e.Address));
        _guest.Gpr.Rbx = Guest.Data + 3;
        _guest.Memory.TryWrite(new Gpa(Guest.Data + 3), BitConverter.SingleToUInt32Bits(4));
        Run(0xF3, 0x0F, 0x5A, 0x0B);   // cvtss2sd xmm1, [rbx]
        Assert.Equal(4.0, Ymm(1).AsDouble()[0]);
    }

    [Theory]
    [InlineData("0F5803", 16)]   // addps xmm0, [rbx]
    [InlineData("0F5A03", 0)]    // cvtps2pd xmm0, [rbx]: 8 bytes
    [InlineData("660F5A03", 16)] // cvtpd2ps xmm0, [rbx]
    [InlineData("660F2F03", 0)]  // comisd xmm0, [rbx]
    [InlineData("C5F85803", 0)]  // vaddps xmm0, xmm0, [rbx]
    [InlineData("C5FC5803", 0)]  // vaddps ymm0, ymm0, [rbx]
    [InlineData("C4E27913A300000000", 0)]   // vcvtph2ps xmm4, [rbx+0]
    public void Only_whole_vectors_of_SSE_must_be_aligned(string code, int alignment)
    {
        _guest.Gpr.Rbx = Guest.Data + 8;
        if (alignment == 16)
            Assert.Equal((GeneralProtection, 0UL), ((byte)Fault(Convert.FromHexString(code)).Index, _guest.Cpu.Event.Value));
        else
            Run(Convert.FromHexString(code));
        _guest.Gpr.Rbx = Guest.Data + 16;
        Run(Convert.FromHexString(code));
    }

    [Fact]
    public void Legacy_scalars_keep_the_register_and_VEX_scalars_merge_the_first_source()
    {
        Ymm(0) = Ymm(1) = Vector256.Create(1.0, 2, 3, 4).AsByte();
        Ymm(2) = Vector256.Create(10.0, 20, 30, 40).AsByte();
        Run(0xF2, 0x0F, 0x58, 0xC2);   // addsd xmm0, xmm2
        Assert.Equal(Vector256.Create(11.0, 2, 3, 4), Ymm(0).AsDouble());
        Run(0xC5, 0xEB, 0x58, 0xC1);   // vaddsd xmm0, xmm2, xmm1
        Assert.Equal(Vector256.Create(11.0, 20, 0, 0), Ymm(0).AsDouble());
        Ymm(0) = Ymm(1);
        Run(0xC5, 0xEB, 0x51, 0xC1);   // vsqrtsd xmm0, xmm2, xmm1
        Assert.Equal(Vector256.Create(1.0, 20, 0, 0), Ymm(0).AsDouble());
        Ymm(0) = Ymm(1);
        Run(0x66, 0x0F, 0x5A, 0xC2);   // cvtpd2ps xmm0, xmm2
        Assert.Equal(Vector256.Create(Vector128.Create(10f, 20, 0, 0), Ymm(1).AsSingle().GetUpper()), Ymm(0).AsSingle());
    }

    [Fact]
    public void A_comparison_that_faults_leaves_the_flags()
    {
        Mxcsr = AllMasked & ~InvalidMask;
        Ymm(0) = Ymm(1) = Vector256.Create(double.NaN).AsByte();
        _guest.Gpr.Rflags = 0x8D7;
        Assert.Equal(SimdFloatingPoint, (byte)Fault(0x66, 0x0F, 0x2F, 0xC1).Index);   // comisd xmm0, xmm1
        Assert.Equal(0x8D7UL, _guest.Gpr.Rflags & 0x8D7);
        Run(0x66, 0x0F, 0x2E, 0xC1);   // ucomisd: a quiet NaN raises nothing
        Assert.Equal(0x47UL, _guest.Gpr.Rflags & 0x8D7);
    }

    [Fact]
    public void A_half_store_writes_half_a_vector_and_sets_flags_before_it_faults()
    {
        Ymm(1) = Vector256.Create(1.1f, 2, 3, 4, 5, 6, 7, 8).AsByte();
        _guest.Gpr.Rbx = Guest.Data + 8;
        _guest.Memory.TryWrite(new Gpa(Guest.Data + 16), ulong.MaxValue);
        Run(0xC4, 0xE3, 0x79, 0x1D, 0x0B, 0x00);   // vcvtps2ph [rbx], xmm1, 0
        Assert.Equal((0x4400_4200_4000_3C66UL, ulong.MaxValue), (_guest.Read(Guest.Data + 8), _guest.Read(Guest.Data + 16)));
        Mxcsr = AllMasked;
        _guest.Memory.TryWrite(new Gpa(Guest.Tables + 0x2008), 0UL);
        _guest.Changed();
        _guest.Gpr.Rbx = 0x20_0000;
        Assert.Equal(PageFault, (byte)Fault(0xC4, 0xE3, 0x7D, 0x1D, 0x0B, 0x00).Index);   // vcvtps2ph [rbx], ymm1, 0
        Assert.Equal(AllMasked | Inexact, Mxcsr);   // as silicon does
    }
}
