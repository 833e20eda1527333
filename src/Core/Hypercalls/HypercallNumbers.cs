namespace Hv.Core.Hypercalls;

/// <summary>Hypercall numbers (docs/abi.md). hv's own are "HV" in the upper half of 32 bits, so that both conventions can name them.</summary>
public static class HypercallNumbers
{
    /// <summary>The test call of 2007: returns <see cref="TestResult"/>.</summary>
    public const ulong Test = 0;

    /// <summary>What <see cref="Test"/> returns.</summary>
    public const ulong TestResult = 0x5A5A;

    /// <summary>The first number of hv's own range, which ends at <see cref="LastOwn"/>.</summary>
    public const ulong FirstOwn = 0x4856_0000;

    /// <summary>(gpa, length): writes guest memory to the console; 0, or −KVM_EINVAL with nothing written.</summary>
    public const ulong ConsoleWrite = 0x4856_0000;

    /// <summary>(code): stops the machine with an exit code.</summary>
    public const ulong Exit = 0x4856_0001;

    /// <summary>(): nanoseconds since the machine was made; never goes back.</summary>
    public const ulong Clock = 0x4856_0002;

    /// <summary>(index, entry, argument): starts a vCPU that waits; 0, or −KVM_EINVAL.</summary>
    public const ulong StartVcpu = 0x4856_0003;

    /// <summary>The last number of hv's own range.</summary>
    public const ulong LastOwn = 0x4856_FFFF;
}
