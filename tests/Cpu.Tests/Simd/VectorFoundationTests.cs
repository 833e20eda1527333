using System.Runtime.Intrinsics;
using Hv.Core;
using Hv.Core.Cpuid;
using Hv.Cpu.Decode;
using Hv.Cpu.State;
using Hv.Cpu.Virtualization;

namespace Hv.Cpu.Tests.Simd;

/// <summary>What all vector instructions share: when they exist, which registers they reach, and how their memory operands behave. PXOR and its VEX
/// forms stand for all; results of XOR are known without a processor.</summary>
public sealed class VectorFoundationTests : IDisposable
{
    private const ulong Osfxsr = 1 << 9, Osxsave = 1 << 18, Ts = 1 << 3, Em = 1 << 2;
    private const byte Undefined = 6, NotAvailable = 7, GeneralProtection = 13, PageFault = 14;
    private static readonly Vector128<byte> s_a = Vector128.Create(0x0123456789ABCDEFUL, 0xFEDCBA9876543210).AsByte(),
        s_b = Vector128.Create(0x1111111111111111UL, 0x2222222222222222).AsByte(), s_ones = Vector128<byte>.AllBitsSet;

    private readonly Guest _guest = Guest.Long();

    public VectorFoundationTests()
    {
        _guest.Cpu.State.Sys.Cr4 |= Osfxsr | Osxsave;
        _guest.Cpu.State.Sys.Xcr0 = 7;
        _guest.Changed();
    }

    public void Dispose() => _guest.Dispose();

    private ref Vector256<byte> Ymm(int n) => ref _guest.Cpu.State.Fpu.Vectors[n];

    private void Run(params ReadOnlySpan<byte> code) => Assert.Equal(RunResult.Budget, _guest.Execute(1, code));

    private CpuEvent Fault(params ReadOnlySpan<byte> code)
    {
        Assert.Equal(RunResult.Event, _guest.Execute(1, code));
        Assert.Equal(CpuEventKind.Exception, _guest.Cpu.Event.Kind);
        return _guest.Cpu.Event;
    }

    [Fact]
    public void Legacy_forms_keep_the_upper_half()
    {
        Ymm(9) = Vector256.Create(s_a, s_ones);
        Ymm(3) = Vector256.Create(s_b, s_ones);
        Run(0x66, 0x44, 0x0F, 0xEF, 0xCB);   // pxor xmm9, xmm3
        Assert.Equal(Vector256.Create(s_a ^ s_b, s_ones), Ymm(9));
    }

    [Fact]
    public void Vex_128_forms_have_three_operands_and_zero_the_upper_half()
    {
        Ymm(1) = Vector256.Create(s_ones, s_ones);
        Ymm(14) = Vector256.Create(s_a, s_ones);
        Ymm(3) = Vector256.Create(s_b, s_ones);
        Run(0xC5, 0x89, 0xEF, 0xCB);   // vpxor xmm1, xmm14, xmm3
        Assert.Equal(Vector256.Create(s_a ^ s_b, Vector128<byte>.Zero), Ymm(1));
    }

    [Fact]
    public void Vex_256_forms_write_all()
    {
        Ymm(14) = Vector256.Create(s_a, s_ones);
        Ymm(3) = Vector256.Create(s_b, s_a);
        Run(0xC5, 0x8D, 0xEF, 0xCB);   // vpxor ymm1, ymm14, ymm3
        Assert.Equal(Vector256.Create(s_a ^ s_b, s_ones ^ s_a), Ymm(1));
    }

    [Theory]
    [InlineData(0UL, true)]
    [InlineData(1UL, false)]
    [InlineData(8UL, false)]
    public void A_legacy_memory_operand_must_be_aligned(ulong misalignment, bool works)
    {
        _guest.Memory.TryWrite(new Gpa(Guest.Data + misalignment), s_b.AsUInt64()[0]);
        _guest.Memory.TryWrite(new Gpa(Guest.Data + misalignment + 8), s_b.AsUInt64()[1]);
        _guest.Gpr.Rbx = Guest.Data + misalignment;
        Ymm(0) = s_a.ToVector256();
        ReadOnlySpan<byte> code = [0x66, 0x0F, 0xEF, 0x03];   // pxor xmm0, [rbx]
        if (works)
        {
            Run(code);
            Assert.Equal(s_a ^ s_b, Ymm(0).GetLower());
        }
        else
        {
            CpuEvent e = Fault(code);
            Assert.Equal((GeneralProtection, 0UL), ((byte)e.Index, e.Value));
            Assert.Equal(s_a, Ymm(0).GetLower());
        }

        Run(0xC5, 0xF9, 0xEF, 0x0B);   // vpxor xmm1, xmm0, [rbx]: any alignment
        Assert.Equal(works ? s_a : s_a ^ s_b, Ymm(1).GetLower());
    }

    [Fact]
    public void An_operand_may_cross_pages_that_are_not_neighbours()
    {
        const ulong Linear = 0x20_0000 - 16;   // the last 16 bytes of the first 2 MiB page, and the first 16 of the second
        _guest.Memory.TryWrite(new Gpa(Guest.Tables + 0x2008), 0x87UL);   // the second maps the first's memory too
        _guest.Changed();
        for (int i = 0; i < 4; i++)
            _guest.Memory.TryWrite(new Gpa(i < 2 ? Linear + (ulong)i * 8 : (ulong)(i - 2) * 8), 0x0101010101010101UL * (ulong)(i + 1));
        _guest.Gpr.Rbx = Linear;
        Ymm(0) = default;
        Run(0xC5, 0xFD, 0xEF, 0x0B);   // vpxor ymm1, ymm0, [rbx]
        Assert.Equal(Vector256.Create(0x0101010101010101UL, 0x0202020202020202, 0x0303030303030303, 0x0404040404040404).AsByte(), Ymm(1));
    }

    [Fact]
    public void A_page_fault_names_the_first_byte_that_is_missing_and_changes_nothing()
    {
        _guest.Memory.TryWrite(new Gpa(Guest.Tables + 0x2008), 0UL);
        _guest.Changed();
        _guest.Gpr.Rbx = 0x20_0000 - 8;
        Ymm(1) = Vector256.Create(s_a, s_b);
        CpuEvent e = Fault(0xC5, 0xFD, 0xEF, 0x0B);
        Assert.Equal((PageFault, 0UL, 0x20_0000UL), ((byte)e.Index, e.Value, e.Address));
        Assert.Equal(Vector256.Create(s_a, s_b), Ymm(1));
    }

    [Theory]
    [InlineData("660FEFC1", 0UL, 0UL, Undefined)]             // no OSFXSR
    [InlineData("660FEFC1", Osfxsr, Em, Undefined)]
    [InlineData("660FEFC1", Osfxsr, Ts, NotAvailable)]
    [InlineData("660FEFC1", 0UL, Ts, Undefined)]              // #UD comes before #NM
    [InlineData("C5F9EFC1", Osfxsr, 0UL, Undefined)]          // no OSXSAVE
    [InlineData("C5F9EFC1", Osxsave, Ts, NotAvailable)]
    [InlineData("C5F9EFC1", Osxsave, Em, null)]               // EM does not count for VEX (SDM 2A table 2-21)
    [InlineData("660FEFC1", Osfxsr, 0UL, null)]
    [InlineData("F0660FEFC1", Osfxsr, 0UL, Undefined)]        // LOCK
    [InlineData("C4E279", Osxsave, 0UL, Undefined)]           // an opcode that no row has: VEX.66.0F38 C1
    public void Control_registers_decide_whether_vector_instructions_exist(string code, ulong cr4, ulong cr0, byte? vector)
    {
        byte[] bytes = [.. Convert.FromHexString(code), 0xC1, 0xC1];
        _guest.Cpu.State.Sys.Cr4 = (1 << 5) | cr4;
        _guest.Cpu.State.Sys.Cr0 |= cr0;
        _guest.Changed();
        if (vector is { } v)
            Assert.Equal(v, (byte)Fault(bytes).Index);
        else
            Run(bytes);
    }

    [Fact]
    public void Avx_needs_its_state_enabled()
    {
        _guest.Cpu.State.Sys.Xcr0 = 3;
        _guest.Changed();
        Assert.Equal(Undefined, (byte)Fault(0xC5, 0xF9, 0xEF, 0xC1).Index);
    }

    [Theory]
    [InlineData("660FEFC1", "x86-64-v1", true)]
    [InlineData("C5F9EFC1", "x86-64-v2", false)]
    [InlineData("C5FDEFC1", "x86-64-v3", true)]
    [InlineData("F30FB8C1", "x86-64-v1", false)]     // POPCNT
    [InlineData("F30FB8C1", "x86-64-v2", true)]
    [InlineData("F30FBCC1", "x86-64-v2", true)]      // TZCNT is BSF there
    [InlineData("C4E278F7C1", "x86-64-v2", false)]   // BEXTR
    [InlineData("0FC7F0", "x86-64-v3", false)]       // RDRAND
    [InlineData("0FC7F0", "max", true)]
    public void A_model_has_what_its_name_says_and_no_more(string code, string model, bool exists)
    {
        var op = default(Op);
        FeatureSet features = FeatureSet.Of(CpuidModel.Find(model)!.Table);
        DecodeStatus status = Decoder.Decode(Convert.FromHexString(code), new ModeKey(ModeKey.Code64), features, ref op);
        Assert.Equal(exists ? DecodeStatus.Ok : DecodeStatus.Undefined, status);
    }

    [Fact]
    public void Tzcnt_is_bsf_where_it_does_not_exist()
    {
        var op = default(Op);
        Decoder.Decode([0xF3, 0x0F, 0xBC, 0xC1], new ModeKey(ModeKey.Code64), FeatureSet.Of(CpuidTables.Level2), ref op);
        Assert.Equal(OpKind.Bsf, op.Kind);
        Decoder.Decode([0xF3, 0x0F, 0xBC, 0xC1], new ModeKey(ModeKey.Code64), FeatureSet.Of(CpuidTables.Level3), ref op);
        Assert.Equal(OpKind.Tzcnt, op.Kind);
    }
}
