using System.Diagnostics;
using Hv.Core;
using Hv.Core.Cpuid;
using Hv.Core.Machine;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;

namespace Hv.Host.Configuration;

/// <summary><see cref="HypervisorOptions"/> after its texts were read.</summary>
/// <param name="MemorySize">Bytes.</param>
/// <param name="MaxInstructions"><see cref="long.MaxValue"/> for no limit.</param>
/// <param name="Timeout"><see cref="System.Threading.Timeout.InfiniteTimeSpan"/> for no limit.</param>
/// <param name="Cpuid">What CPUID answers.</param>
internal readonly record struct GuestSettings(ulong MemorySize, long MaxInstructions, TimeSpan Timeout, CpuidTable Cpuid)
{
    /// <summary>Reads options that <see cref="HypervisorOptionsValidator"/> has accepted.</summary>
    public static GuestSettings From(HypervisorOptions options)
    {
        bool valid = ByteSize.TryParse(options.Memory, out ulong memory);
        TimeSpan timeout = System.Threading.Timeout.InfiniteTimeSpan;
        if (!string.IsNullOrEmpty(options.Timeout))
            valid &= TimeSpanText.TryParse(options.Timeout, out timeout);
        CpuidModel? model = CpuidModel.Find(options.Cpu);
        Debug.Assert(valid && model is not null, "the validator has read the same texts");
        return new GuestSettings(memory, options.MaxInstructions ?? long.MaxValue, timeout, model.Table);
    }
}

/// <summary>Checks <see cref="HypervisorOptions"/> at start; each message names the key and says what would be right.</summary>
internal sealed class HypervisorOptionsValidator : IValidateOptions<HypervisorOptions>
{
    /// <summary>The least and the most guest RAM, in bytes.</summary>
    public const ulong LeastMemory = 64 << 10, MostMemory = 512UL << 30;

    /// <summary>The most vCPUs.</summary>
    public const int MostVcpus = 64;

    private static readonly string[] Known =
    [
        nameof(HypervisorOptions.Backend), nameof(HypervisorOptions.Memory), nameof(HypervisorOptions.Vcpus),
        nameof(HypervisorOptions.MaxInstructions),
        nameof(HypervisorOptions.Timeout), nameof(HypervisorOptions.ParaInterface), nameof(HypervisorOptions.AllowUserModeHypercalls),
        nameof(HypervisorOptions.Clock), nameof(HypervisorOptions.Cpu), nameof(HypervisorOptions.KvmDevice),
        nameof(HypervisorOptions.RandomSeed),
    ];

    private readonly IConfiguration _configuration;

    /// <summary>Looks for misspelt keys in <paramref name="configuration"/> too.</summary>
    public HypervisorOptionsValidator(IConfiguration configuration) => _configuration = configuration;

    /// <inheritdoc/>
    public ValidateOptionsResult Validate(string? name, HypervisorOptions options)
    {
        var failures = new List<string>();
        IConfigurationSection section = _configuration.GetSection(HypervisorOptions.Section);
        if (!string.IsNullOrEmpty(section.Value))
            failures.Add($"{section.Path}: '{section.Value}' is no section; its settings are {string.Join(", ", Known)}");
        foreach (IConfigurationSection child in section.GetChildren())
        {
            if (!Known.Contains(child.Key, StringComparer.OrdinalIgnoreCase))
                failures.Add($"{child.Path} is not a setting; the settings are {string.Join(", ", Known)}");
            else if (child.GetChildren().Any())
                failures.Add($"{child.Path} is one value, not a section; write {child.Path}=VALUE");
        }

        if (!ByteSize.TryParse(options.Memory, out ulong memory))
            failures.Add($"{HypervisorOptions.MemoryKey} (--memory): '{options.Memory}' is not a size; write for example 64MiB, 1GiB or 0x4000000");
        else if (memory is < LeastMemory or > MostMemory || memory % Gpa.PageSize != 0)
            failures.Add($"{HypervisorOptions.MemoryKey} (--memory): '{options.Memory}' must be a multiple of 4KiB from 64KiB to 512GiB");
        if (string.IsNullOrWhiteSpace(options.KvmDevice))
            failures.Add($"{HypervisorOptions.KvmDeviceKey}: is empty; name a device, usually /dev/kvm, or leave it out");
        if (CpuidModel.Find(options.Cpu) is null)
        {
            failures.Add($"{HypervisorOptions.CpuKey} (--cpu): '{options.Cpu}' is no processor model; use " +
                string.Join(", ", CpuidModel.All.Select(m => m.Name)));
        }

        // The binder takes any number for an enumeration.
        if (!Enum.IsDefined(options.Clock))
        {
            failures.Add($"{HypervisorOptions.Section}:{nameof(HypervisorOptions.Clock)}: '{options.Clock}' is no clock; use " +
                string.Join(" or ", Enum.GetNames<GuestClock>()));
        }

        if (options.Vcpus is < 1 or > MostVcpus)
            failures.Add($"{HypervisorOptions.VcpusKey} (--vcpus): {options.Vcpus} must be from 1 to {MostVcpus}");
        if (options.MaxInstructions < 1)
            failures.Add(
                $"{HypervisorOptions.MaxInstructionsKey} (--max-instructions): {options.MaxInstructions} must be at least 1, or left out");
        if (!string.IsNullOrEmpty(options.Timeout) && !TimeSpanText.TryParse(options.Timeout, out _))
            failures.Add($"{HypervisorOptions.TimeoutKey} (--timeout): '{options.Timeout}' is not a time; write for example 500ms, 10s, 2m or 1h");
        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);
    }
}
