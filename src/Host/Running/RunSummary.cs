using System.Globalization;
using System.Text;
using Hv.Core;
using Hv.Core.Exits;
using Hv.Core.Machine;
using Hv.Core.Paravirt;

namespace Hv.Host.Running;

/// <summary>The short table at the end of a run.</summary>
internal static class RunSummary
{
    /// <summary>Several lines, the last one ended.</summary>
    /// <param name="machine">The machine; it must not be running.</param>
    /// <param name="stop">Why it stopped.</param>
    /// <param name="code">What the process exits with.</param>
    /// <param name="elapsed">How long the guest ran.</param>
    public static string Format(VirtualMachine machine, in StopInfo stop, int code, TimeSpan elapsed)
    {
        IBackend backend = machine.Backend;
        ExitStatistics statistics = machine.Statistics;
        var text = new StringBuilder();
        Row(text, "backend", $"{backend.Name} ({backend.Description})");
        Row(text, "exit instruction", backend.Encoding.ToString());
        foreach (VirtualCpu vcpu in machine.Vcpus)
            Row(text, $"vCPU {vcpu.Index}", Registration(vcpu));
        Row(text, "exits", Exits(statistics));
        Row(text, "instructions", statistics.Instructions == 0
            ? "not counted by this backend"
            : statistics.Instructions.ToString("N0", CultureInfo.InvariantCulture));
        Row(text, "time", string.Create(CultureInfo.InvariantCulture, $"{elapsed.TotalMilliseconds:N1} ms"));
        Row(text, "ended by", $"{Ending(stop)}; exit code {code}");
        return text.ToString();
    }

    private static string Registration(VirtualCpu vcpu) => vcpu.Registration is { } r
        ? $"registered: para state {r.ParaStateAddress}, guest version {r.GuestVersion} (host {ParaAbi.KVM_PARA_API_VERSION}), stub {r.Stub.Address}"
        : vcpu.Activity == VcpuActivity.WaitForStart ? "never started" : "not registered";

    private static string Exits(ExitStatistics statistics)
    {
        var parts = new List<string>();
        foreach (ExitReason reason in Enum.GetValues<ExitReason>())
        {
            // A quantum's end is the scheduler's doing, not the guest's.
            if (statistics[reason] != 0 && reason != ExitReason.BudgetExpired)
                parts.Add($"{reason} {statistics[reason]}");
        }

        return parts.Count == 0 ? "none" : string.Join(", ", parts);
    }

    private static string Ending(in StopInfo stop) => stop.Reason switch
    {
        StopReason.Exited => $"the guest, with code {stop.ExitCode}",
        StopReason.AllHalted => "HLT on every vCPU",
        StopReason.GuestShutdown => $"triple fault on vCPU {stop.VcpuIndex}",
        StopReason.InstructionLimit => "--max-instructions",
        StopReason.TimeLimit => "--timeout",
        StopReason.Cancelled => "interruption",
        _ => stop.Reason.ToString(),
    };

    private static void Row(StringBuilder text, string name, string value) => text.Append("  ").Append(name.PadRight(18)).AppendLine(value);
}
