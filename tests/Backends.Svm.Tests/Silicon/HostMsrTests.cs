using Hv.Backends.Svm.Silicon;
using Xunit;

namespace Hv.Backends.Svm.Tests.Silicon;

/// <summary>EFER.SVME, VM_CR and VM_HSAVE_PA (APM 2 15.4, 15.30).</summary>
public class HostMsrTests
{
    private const ulong Svme = 1 << 12, Lock = 1 << 3, SvmDisable = 1 << 4;

    private readonly HostMsrs _msrs = new(SiliconModel.Default);

    [Fact]
    public void SVME_switches_SVM_on()
    {
        Assert.False(_msrs.SvmEnabled);
        Assert.True(_msrs.TryWrite(0xC000_0080, Svme));
        Assert.True(_msrs.SvmEnabled);
        Assert.True(_msrs.TryRead(0xC000_0080, out ulong efer));
        Assert.Equal(Svme, efer);
        Assert.False(_msrs.TryWrite(0xC000_0080, 1 << 9));
    }

    [Fact]
    public void SVMDIS_makes_SVME_a_bit_that_must_be_zero()
    {
        Assert.True(_msrs.TryWrite(0xC001_0114, SvmDisable));
        Assert.False(_msrs.TryWrite(0xC000_0080, Svme));
        Assert.False(_msrs.SvmEnabled);
    }

    [Fact]
    public void SVMDIS_cannot_be_set_while_SVM_is_on()
    {
        Assert.True(_msrs.TryWrite(0xC000_0080, Svme));
        Assert.False(_msrs.TryWrite(0xC001_0114, SvmDisable));
    }

    [Fact]
    public void LOCK_freezes_itself_and_SVMDIS()
    {
        Assert.True(_msrs.TryWrite(0xC001_0114, Lock | SvmDisable));
        Assert.True(_msrs.TryWrite(0xC001_0114, 2));
        Assert.True(_msrs.TryRead(0xC001_0114, out ulong value));
        Assert.Equal(Lock | SvmDisable | 2, value);
    }

    [Theory]
    [InlineData(0xC001_0114u, 1ul << 5, false)]
    [InlineData(0xC001_0117u, 0x1000ul, true)]
    [InlineData(0xC001_0117u, 0x1001ul, false)]
    [InlineData(0xC001_0117u, (1ul << 52) - 0x1000, true)]
    [InlineData(0xC001_0117u, 1ul << 52, false)]
    [InlineData(0x1Bu, 0ul, false)]
    public void Reserved_bits_misaligned_and_unreachable_pages_and_other_registers_fault(uint index, ulong value, bool accepted) =>
        Assert.Equal(accepted, _msrs.TryWrite(index, value));
}
