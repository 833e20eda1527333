using Hv.Host.Running;
using Xunit;

namespace Hv.Host.Tests.Running;

public sealed class WarmUpTests
{
    [Theory]
    [InlineData("Emulated")]
    [InlineData("vmx")]
    [InlineData("SVM")]
    public void A_guest_starts_on_each_backend_in_software(string backend) => Assert.True(WarmUp.Run(backend));

    [Theory]
    [InlineData("Kvm")]
    [InlineData("auto")]
    [InlineData("")]
    public void Any_other_backend_is_left_alone(string backend) => Assert.False(WarmUp.Run(backend));
}
