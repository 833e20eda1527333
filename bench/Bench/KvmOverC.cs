using System.Diagnostics;
using System.Globalization;
using Hv.Backends.Kvm;
using Hv.Core;
using Hv.Core.Cpuid;
using Hv.Core.Exits;
using Hv.Core.Memory;
using Hv.Core.Registers;

namespace Hv.Bench;

/// <summary>What an exit of the backend Kvm costs over a bare C loop of the same exits (bench/KvmLoop/kvmloop.c, built here by gcc), in turns in one run.</summary>
internal static class KvmOverC
{
    private const int Exits = 1000, Turns = 20, Rounds = 5;
    private const ulong Code = 0x1000;

    /// <summary>Prints both and their ratio.</summary>
    /// <returns>0, or 1 with one line where it cannot be measured.</returns>
    public static int Print()
    {
        var options = new KvmOptions();
        using var backend = new KvmBackend(options);
        if (!backend.Availability.IsAvailable)
            return Cannot(backend.Availability.Reason);
        string source = Path.Combine(AppContext.BaseDirectory, "KvmLoop", "kvmloop.c"), program = Path.Combine(Path.GetTempPath(), $"kvmloop-{Environment.ProcessId}");
        try
        {
            if (Run("gcc", "-O2", "-o", program, source) is null)
                return Cannot("gcc does not build kvmloop.c: the kernel's headers (linux-libc-dev) are needed");
            double ours = double.MaxValue, bare = double.MaxValue;
            for (int round = 0; round < Rounds; round++)
            {
                string? printed = Run(program, options.HypercallPort.ToString(CultureInfo.InvariantCulture), $"{Exits}", $"{Turns}");
                if (printed is null)
                    return Cannot("kvmloop failed");
                bare = Math.Min(bare, double.Parse(printed, CultureInfo.InvariantCulture));
                ours = Math.Min(ours, Measure(backend, options.HypercallPort));
            }

            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"exit of a C loop {bare:F0} ns, of the backend Kvm {ours:F0} ns, ratio {ours / bare:F3}"));
            return 0;
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            return Cannot($"gcc: {e.Message}");
        }
        finally
        {
            File.Delete(program);
        }
    }

    /// <summary>The best nanoseconds of Run and Complete.</summary>
    private static double Measure(KvmBackend backend, byte port)
    {
        using var memory = GuestMemory.OfSize(0x10000);
        using IPartition partition = backend.CreatePartition(memory, new PartitionOptions { Cpuid = CpuidTables.Default });
        using IVcpu vcpu = partition.CreateVcpu(0);
        memory.TryLoad(new Gpa(Code), [0xE6, port, 0xEB, 0xFC]);
        var state = new VcpuState();
        vcpu.SaveState(state);
        (state.System.Cs.Selector, state.System.Cs.Base, state.General.Rip) = (0, 0, Code);
        vcpu.LoadState(state);
        double best = double.MaxValue;
        for (int turn = 0; turn < Turns; turn++)
        {
            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < Exits; i++)
            {
                vcpu.Run(long.MaxValue, out VmExit exit);
                if (exit.Reason != ExitReason.Hypercall)
                    throw new InvalidOperationException($"{exit.Reason} {vcpu.LastFailure}");
                vcpu.Complete(ExitCompletion.Retire);
            }

            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalNanoseconds / Exits);
        }

        return best;
    }

    private static string? Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true })!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? output : null;
    }

    private static int Cannot(string why)
    {
        Console.Error.WriteLine($"not measured: {why}");
        return 1;
    }
}
