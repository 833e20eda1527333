using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Hv.Core.Paravirt;

namespace Hv.Core.Tests.Paravirt;

public sealed class ParaStateTests
{
    /// <summary>Offsets of struct kvm_vcpu_para_state, KVM 2007, include/linux/kvm_para.h.</summary>
    [Theory]
    [InlineData(nameof(ParaState.GuestVersion), 0)]
    [InlineData(nameof(ParaState.HostVersion), 4)]
    [InlineData(nameof(ParaState.Size), 8)]
    [InlineData(nameof(ParaState.Ret), 12)]
    [InlineData(nameof(ParaState.HypercallGpa), 16)]
    public void Fields_are_where_the_header_has_them(string field, int offset) => Assert.Equal(offset, (int)Marshal.OffsetOf<ParaState>(field));

    [Fact]
    public void The_fields_take_24_bytes() => Assert.Equal(24, Unsafe.SizeOf<ParaState>());

    [Fact]
    public void Constants_are_the_headers()
    {
        Assert.Equal(1u, ParaAbi.KVM_PARA_API_VERSION);
        Assert.Equal(0x87655678u, ParaAbi.MSR_KVM_API_MAGIC);
        Assert.Equal(1, ParaAbi.KVM_EINVAL);
    }
}
