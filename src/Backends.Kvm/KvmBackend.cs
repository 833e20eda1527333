using Hv.Backends.Kvm.Abi;
using Hv.Backends.Kvm.Probing;
using Hv.Core;
using Hv.Core.Exits;
using Hv.Core.Memory;

namespace Hv.Backends.Kvm;

/// <summary>
/// Guests on the kernel's /dev/kvm. The exit instruction is OUT imm8, AL, the one that reaches user space on every host: KVM answers VMCALL and
/// VMMCALL itself (docs/adr/0070-kvm-exit-instruction.md). Nothing is opened before it is asked for.
/// </summary>
public sealed class KvmBackend : IBackend, IBackendDiagnosis, IDisposable
{
    private readonly KvmOptions _options;
    private readonly Lazy<(KvmDevice? Device, KvmRefusal? Refusal)> _device;
    private readonly Lazy<KvmProbe> _probe;

    /// <summary>Makes the backend.</summary>
    public KvmBackend(KvmOptions? options = null)
    {
        _options = options ?? new KvmOptions();
        _device = new Lazy<(KvmDevice?, KvmRefusal?)>(() => (KvmDevice.TryOpen(_options, out KvmRefusal? refusal), refusal));
        _probe = new Lazy<KvmProbe>(() => KvmProbe.Run(Device, _options.HypercallPort));
    }

    /// <inheritdoc/>
    public string Name => "Kvm";

    /// <inheritdoc/>
    public string Description => "the real processor, through /dev/kvm";

    /// <inheritdoc/>
    public ExitEncoding Encoding => new([0xE6, _options.HypercallPort]);

    /// <inheritdoc/>
    /// <remarks>Found by running small guests, the first time that it is read; none where the backend is not available.</remarks>
    public BackendCapabilities Capabilities => _device.Value.Device is null ? BackendCapabilities.None : _probe.Value.Capabilities;

    /// <inheritdoc/>
    public BackendAvailability Availability =>
        _device.Value.Refusal is { } refusal ? new BackendAvailability(false, refusal.Line) : BackendAvailability.Yes;

    /// <summary>Whether the kernel emulates guest ring 0 one instruction at a time, which shows in where RIP is at an OUT exit.</summary>
    internal bool EmulatesRing0 => _probe.Value.OutLength != 0;

    /// <summary>What each probe guest showed.</summary>
    internal IReadOnlyList<BackendFinding> Probes => _probe.Value.Findings;

    private KvmDevice Device => _device.Value.Device ?? throw new HvException($"the backend Kvm is not available: {_device.Value.Refusal?.Line}");

    /// <inheritdoc/>
    public IPartition CreatePartition(GuestMemory memory, PartitionOptions options) =>
        new KvmPartition(Device, memory, options.Cpuid, _options.HypercallPort, _probe.Value.OutLength);

    /// <inheritdoc/>
    public IReadOnlyList<BackendFinding> Diagnose()
    {
        List<BackendFinding> all = [.. OfDevice(_device.Value.Refusal)];
        if (_device.Value.Device is not { } device)
            return all;
        try
        {
            all.AddRange(_probe.Value.Findings);
            all.AddRange(KvmProbe.Measure(device, _options.HypercallPort));
        }
        catch (HvException e)
        {
            all.Add(new BackendFinding("probe guests", false, e.Message, "see the kernel's log (dmesg)"));
        }

        return all;
    }

    /// <inheritdoc/>
    public string Describe(in RawExit raw)
    {
        var reason = (KvmExitReason)raw.Code;
        string name = Enum.IsDefined(reason) ? $"KVM_EXIT {(uint)raw.Code} {reason}" : $"KVM_EXIT {raw.Code}";
        return reason switch
        {
            KvmExitReason.Io => $"{name} {((raw.Info1 & 0xFF) == 1 ? "out" : "in")} port 0x{(raw.Info1 >> 16) & 0xFFFF:x} "
                + $"size {(raw.Info1 >> 8) & 0xFF} count {raw.Info1 >> 32}",
            KvmExitReason.Mmio => $"{name} gpa 0x{raw.Info1:x}",
            KvmExitReason.X86Rdmsr or KvmExitReason.X86Wrmsr => $"{name} msr 0x{raw.Info1:x} data 0x{raw.Info2:x}",
            _ => name,
        };
    }

    /// <summary>Present, permitted, KVM: up to the first that it is not.</summary>
    private IEnumerable<BackendFinding> OfDevice(KvmRefusal? refusal)
    {
        (KvmRequirement Requirement, string Name, string Detail)[] all =
        [
            (KvmRequirement.Present, "present", _options.DevicePath), (KvmRequirement.Permitted, "permitted", "for reading and writing"),
            (KvmRequirement.Kvm, "KVM", $"API version {KvmDevice.ApiVersion}"),
        ];
        foreach ((KvmRequirement requirement, string name, string detail) in all)
        {
            if (refusal?.Missing == requirement)
            {
                yield return new BackendFinding(name, false, refusal.Cause, refusal.Remedy);
                yield break;
            }

            yield return new BackendFinding(name, true, detail, "");
        }
    }

    /// <summary>Closes the device. Partitions must be gone.</summary>
    public void Dispose()
    {
        if (_device.IsValueCreated)
            _device.Value.Device?.Dispose();
    }
}
