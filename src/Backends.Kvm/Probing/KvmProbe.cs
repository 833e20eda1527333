using System.Diagnostics;
using System.Globalization;
using Hv.Core;
using Hv.Core.Exits;
using Hv.Core.Memory;

namespace Hv.Backends.Kvm.Probing;

/// <summary>What this host's KVM can really do: each ability was tried by a small guest, because KVM_CHECK_EXTENSION also promises what
/// fails.</summary>
internal sealed class KvmProbe
{
    /// <summary>Instructions a second that no emulator one by one reaches, and any processor does. The software backends do some hundred
    /// million.</summary>
    private const double NativeSpeed = 100e6;

    private const int Exits = 400, Turns = 3;

    // 20,000 instructions: 20 ms where each takes 1 us, and with one exit far more than NativeSpeed where they run by themselves.
    private const uint ShortLoops = 10_000, LongLoops = 10_000_000;

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

        if (SpeedOf(device, port, ProbeMode.Long0, ShortLoops) >= NativeSpeed)
            works |= BackendCapabilities.NativeSpeed;
        return new KvmProbe(works & ~fails, outLength is 2 ? outLength : (byte)0, findings);
    }

    /// <summary>Measures what an exit costs, and the speed of guest code in ring 0 and ring 3.</summary>
    public static IEnumerable<BackendFinding> Measure(KvmDevice device, byte port)
    {
        // out port, al; jmp back
        double seconds = BestOf(device, port, ProbeMode.Long0, [0xB0, 0x55, 0xE6, ProbeGuest.PortMark, 0xEB, 0xFC], Exits);
        yield return new BackendFinding("cost of an exit", seconds < double.MaxValue,
            string.Create(CultureInfo.InvariantCulture, $"{seconds / Exits * 1e6:F1} us"), "");
        yield return Speed("speed in ring 0", SpeedOf(device, port, ProbeMode.Long0, ShortLoops));
        yield return Speed("speed in ring 3", SpeedOf(device, port, ProbeMode.Long3, LongLoops));
    }

    private static BackendFinding Speed(string name, double rate) => new(name, rate >= NativeSpeed,
        string.Create(CultureInfo.InvariantCulture, $"{rate / 1e6:F1} million instructions a second"), rate >= NativeSpeed ? ""
        : "the host's kernel emulates this ring one instruction at a time: use a software backend for speed (--backend emulated, or auto)");

    /// <summary>Instructions a second of a loop of two; 0 where it does not end as it should.</summary>
    private static double SpeedOf(KvmDevice device, byte port, ProbeMode mode, uint loops)
    {
        // mov ecx, loops; dec ecx; jnz back; then mov al, 55h and OUT, at CPL 3 a hlt whose handler does that
        byte[] end = mode == ProbeMode.Long3 ? [0xF4] : [0xB0, 0x55, 0xE6, ProbeGuest.PortMark];
        double seconds = BestOf(device, port, mode, [0xB9, .. BitConverter.GetBytes(loops), 0xFF, 0xC9, 0x75, 0xFC, .. end], 1);
        return 2.0 * loops / seconds;
    }

    /// <summary>The least seconds that so many exits took; <see cref="double.MaxValue"/> where they did not come.</summary>
    private static double BestOf(KvmDevice device, byte port, ProbeMode mode, byte[] code, int exits)
    {
        double best = double.MaxValue;
        for (int turn = 0; turn < Turns; turn++)
            best = Math.Min(best, Time(device, port, mode, code, exits));
        return best;
    }

    private static double Time(KvmDevice device, byte port, ProbeMode mode, byte[] code, int exits)
    {
        var probe = new ProbeGuest("", mode, code, [0xB0, 0x55, 0xE6, ProbeGuest.PortMark], BackendCapabilities.None, "");
        using var memory = GuestMemory.OfSize(ProbeMachine.MemorySize);
        using var partition = new KvmPartition(device, memory, probe.Cpuid, port, outLength: 0);
        using IVcpu vcpu = partition.CreateVcpu(0);
        ProbeMachine.Prepare(memory, vcpu, probe, port);
        using var watchdog = new Timer(_ => vcpu.RequestExit(), null, TimeSpan.FromSeconds(2), Timeout.InfiniteTimeSpan);
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < exits; i++)
        {
            vcpu.Run(long.MaxValue, out VmExit exit);
            if (exit.Reason != ExitReason.Hypercall)
                return double.MaxValue;
            vcpu.Complete(ExitCompletion.Retire);
        }

        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}
