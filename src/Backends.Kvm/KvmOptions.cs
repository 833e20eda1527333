namespace Hv.Backends.Kvm;

/// <summary>How the backend uses its host.</summary>
public sealed record KvmOptions
{
    /// <summary>Ports that a PC's firmware and kernels touch; an exit instruction there would be hit by chance.</summary>
    private static readonly byte[] s_usedByPcs =
        [0x20, 0x21, 0x40, 0x41, 0x42, 0x43, 0x60, 0x61, 0x64, 0x70, 0x71, 0x7E, 0x80, 0x92, 0xA0, 0xA1, 0xE9, 0xED, 0xF4];

    private readonly byte _hypercallPort = 0xE4;
    private readonly TimeSpan _watchdog = TimeSpan.FromSeconds(1);

    /// <summary>The device.</summary>
    public string DevicePath { get; init; } = "/dev/kvm";

    /// <summary>
    /// How long a vCPU may stay in the guest without an exit before it is kicked out: between this and twice this. The run then ends with
    /// <see cref="Core.Exits.ExitReason.BudgetExpired"/> and can go on (docs/adr/0074-kvm-watchdog.md). 1 s by default; 1 ms to a day.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">It is shorter or longer.</exception>
    public TimeSpan Watchdog
    {
        get => _watchdog;
        init
        {
            if (value < TimeSpan.FromMilliseconds(1) || value > TimeSpan.FromDays(1))
                throw new ArgumentOutOfRangeException(nameof(value), $"the watchdog's period is 1 ms to a day, not {value}");
            _watchdog = value;
        }
    }

    /// <summary>The port of the exit instruction OUT imm8, AL: 0..255, not one that a PC uses.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A PC uses that port.</exception>
    public byte HypercallPort
    {
        get => _hypercallPort;
        init
        {
            if (s_usedByPcs.Contains(value))
                throw new ArgumentOutOfRangeException(nameof(value),
                    $"port 0x{value:X2} is used by PCs; take another for hypercalls, for example 0xE4");
            _hypercallPort = value;
        }
    }
}
