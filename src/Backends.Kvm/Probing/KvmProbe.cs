using System.Diagnostics;
using System.Globalization;
using Hv.Core;
using Hv.Core.Cpuid;
using Hv.Core.Exits;
using Hv.Core.Memory;

namespace Hv.Backends.Kvm.Probing;

/// <summary>What this host's KVM can really do: each ability was tried by a small guest, because KVM_CHECK_EXTENSION also promises what
/// fails.</summary>
internal sealed class KvmProbe
{
    private static readonly TimeSpan s_limit = TimeSpan.FromMilliseconds(500);

    private KvmProbe(BackendCapabilities capabilities, byte outLength, IReadOnlyList<BackendFinding> findings)
    {
        Capabilities = capabilities;
        OutLength = outLength;
        Findings = findings;
    }

    /// <summary>What works.</summary>
    public BackendCapabilities Capabilities { get; }

    /// <summary>How far RIP is past OUT imm8 at its exit: 0 or 2.</summary>
    public byte OutLength { get; }

    /// <summary>Each probe's result.</summary>
    public IReadOnlyList<BackendFinding> Findings { get; }

    /// <summary>Runs all probes.</summary>
    public static KvmProbe Run(KvmDevice device, byte port)
    {
        var findings = new List<BackendFinding>();
        BackendCapabilities works = BackendCapabilities.ThreadPerVcpu, fails = BackendCapabilities.None;
        byte outLength = 0;
        foreach (ProbeGuest probe in ProbeGuest.All)
        {
            (bool succeeded, string detail, ulong rip) = ProbeMachine.Run(device, probe, port, s_limit);
            // The first probe is mov al, imm8 and the OUT: RIP is on the OUT at +2 or past it at +4.
            if (findings.Count == 0 && succeeded)
                outLength = (byte)(rip - ProbeMachine.CodeAddress - 2);
            if (succeeded)
                works |= probe.Needs;
            else
                fails |= probe.Needs;
            findings.Add(new BackendFinding(probe.Name, succeeded, detail, succeeded ? "" : probe.Remedy));
        }

        return new KvmProbe(works & ~fails, outLength is 2 ? outLength : (byte)0, findings);
    }

    /// <summary>Measures what an exit costs, and the speed of guest code in ring 0 and ring 3.</summary>
    public static IEnumerable<BackendFinding> Measure(KvmDevice device, byte port)
    {
        // out port, al; jmp back
        const int Exits = 2000;
        (double seconds, bool done) = Time(device, port, ProbeMode.Long0, [0xB0, 0x55, 0xE6, ProbeGuest.PortMark, 0xEB, 0xFC], Exits);
        yield return new BackendFinding("cost of an exit", done, string.Create(CultureInfo.InvariantCulture, $"{seconds / Exits * 1e6:F1} us"), "");

        foreach ((string name, ProbeMode mode, uint loops) in new[] { ("speed in ring 0", ProbeMode.Long0, 20_000u),
            ("speed in ring 3", ProbeMode.Long3, 20_000_000u) })
        {
            // mov ecx, loops; dec ecx; jnz back; then mov al, 55h and OUT, at CPL 3 a hlt whose handler does that
            byte[] count = BitConverter.GetBytes(loops);
            byte[] code = [0xB9, .. count, 0xFF, 0xC9, 0x75, 0xFC, .. mode == ProbeMode.Long3 ? new byte[] { 0xF4 }
                : [0xB0, 0x55, 0xE6, ProbeGuest.PortMark]];
            (seconds, done) = Time(device, port, mode, code, 1);
            double rate = 2.0 * loops / seconds / 1e6;
            bool slow = rate < 50;
            yield return new BackendFinding(name, done && !slow,
                string.Create(CultureInfo.InvariantCulture, $"{rate:F1} million instructions a second"),
                slow ? "the host's kernel emulates this ring one instruction at a time: use a software backend for speed" : "");
        }
    }

    private static (double Seconds, bool Done) Time(KvmDevice device, byte port, ProbeMode mode, byte[] code, int exits)
    {
        var probe = new ProbeGuest("", mode, code, [0xB0, 0x55, 0xE6, ProbeGuest.PortMark], BackendCapabilities.None, "");
        using var memory = GuestMemory.OfSize(ProbeMachine.MemorySize);
        using var partition = new KvmPartition(device, memory, CpuidTables.Default, port, outLength: 0);
        using IVcpu vcpu = partition.CreateVcpu(0);
        ProbeMachine.Prepare(memory, vcpu, probe, port);
        using var watchdog = new Timer(_ => vcpu.RequestExit(), null, TimeSpan.FromSeconds(2), Timeout.InfiniteTimeSpan);
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < exits; i++)
        {
            vcpu.Run(long.MaxValue, out VmExit exit);
            if (exit.Reason != ExitReason.Hypercall)
                return (Stopwatch.GetElapsedTime(start).TotalSeconds, false);
            vcpu.Complete(ExitCompletion.Retire);
        }

        return (Stopwatch.GetElapsedTime(start).TotalSeconds, true);
    }
}
