using System.Diagnostics;
using System.Globalization;
using Hv.Backends.Kvm;
using Hv.Core;
using Hv.Core.Cpuid;
using Hv.Core.Exits;
using Hv.Core.Memory;
using Hv.Core.Registers;

namespace Hv.Bench;

/// <summary>
/// What an exit of the backend Kvm costs over a bare C loop of the same exits (bench/KvmLoop/kvmloop.c, built here by gcc). Both take turns of a
/// millisecond or so; the best turn of each counts, because whatever else the machine does only adds to a turn. Each round has new machines on
/// both sides, so that no chance of where the kernel places one counts for all.
/// </summary>
internal static class KvmOverC
{
    private const int Exits = 100, Rounds = 10, WarmUp = 10, Turns = 50;
    private const ulong Code = 0x1000;

    /// <summary>Prints both and their ratio.</summary>
    /// <returns>0, or 1 with one line where it cannot be measured.</returns>
    public static int Print()
    {
        var options = new KvmOptions();
        using var backend = new KvmBackend(options);
        if (!backend.Availability.IsAvailable)
            return Cannot(backend.Availability.Reason);
        string source = Path.Combine(AppContext.BaseDirectory, "KvmLoop", "kvmloop.c");
        string program = Path.Combine(Path.GetTempPath(), $"kvmloop-{Environment.ProcessId}");
        try
        {
            using (Process compiler = Start("gcc", "-O2", "-o", program, source))
            {
                compiler.WaitForExit();
                if (compiler.ExitCode != 0)
                    return Cannot("gcc does not build kvmloop.c: the kernel's headers (linux-libc-dev) are needed");
            }

            Compile(backend, options.HypercallPort);
            double ours = double.MaxValue, bare = double.MaxValue;
            long allocated = 0;
            for (int round = 0; round < Rounds; round++)
            {
                if (!TryRound(program, backend, options.HypercallPort, ref bare, ref ours, ref allocated))
                    return Cannot("kvmloop failed");
            }

            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"exit of a C loop {bare:F0} ns, of the backend Kvm {ours:F0} ns, ratio {ours / bare:F3}; "
                + $"{allocated} bytes allocated in {Rounds * Turns * Exits} exits"));
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

    /// <summary>Runs the loop until the compiler, which works beside it and has to wait on a busy machine, has made the code that is
    /// measured.</summary>
    private static void Compile(IBackend backend, byte port)
    {
        using var guest = new Guest(backend, port);
        for (int i = 0; i < 10; i++)
        {
            for (int turn = 0; turn < WarmUp; turn++)
                guest.Turn();
            Thread.Sleep(150);
        }
    }

    private static bool TryRound(string program, IBackend backend, byte port, ref double bare, ref double ours, ref long allocated)
    {
        using Process loop = Start(program, port.ToString(CultureInfo.InvariantCulture), $"{Exits}");
        using var guest = new Guest(backend, port);
        for (int turn = 0; turn < WarmUp + Turns; turn++)
        {
            loop.StandardInput.WriteLine();
            if (loop.StandardOutput.ReadLine() is not { } printed)
                return false;
            long before = GC.GetAllocatedBytesForCurrentThread();
            double our = guest.Turn();
            if (turn < WarmUp)
                continue;
            allocated += GC.GetAllocatedBytesForCurrentThread() - before;
            (bare, ours) = (Math.Min(bare, double.Parse(printed, CultureInfo.InvariantCulture)), Math.Min(ours, our));
        }

        loop.StandardInput.Close();
        loop.WaitForExit();
        return true;
    }

    private static Process Start(string program, params string[] arguments) =>
        Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardInput = true })!;

    private static int Cannot(string why)
    {
        Console.Error.WriteLine($"not measured: {why}");
        return 1;
    }

    /// <summary>The same guest as the C program's.</summary>
    private sealed class Guest : IDisposable
    {
        private readonly GuestMemory _memory = GuestMemory.OfSize(0x10000);
        private readonly IPartition _partition;
        private readonly IVcpu _vcpu;

        public Guest(IBackend backend, byte port)
        {
            _partition = backend.CreatePartition(_memory, new PartitionOptions { Cpuid = CpuidTables.Default });
            _vcpu = _partition.CreateVcpu(0);
            _memory.TryLoad(new Gpa(Code), [0xE6, port, 0xEB, 0xFC]);
            var state = new VcpuState();
            _vcpu.SaveState(state);
            (state.System.Cs.Selector, state.System.Cs.Base, state.General.Rip) = (0, 0, Code);
            _vcpu.LoadState(state);
        }

        /// <summary>The nanoseconds of one Run and Complete.</summary>
        public double Turn()
        {
            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < Exits; i++)
            {
                _vcpu.Run(long.MaxValue, out VmExit exit);
                if (exit.Reason != ExitReason.Hypercall)
                    throw new InvalidOperationException($"{exit.Reason} {_vcpu.LastFailure}");
                _vcpu.Complete(ExitCompletion.Retire);
            }

            return Stopwatch.GetElapsedTime(start).TotalNanoseconds / Exits;
        }

        public void Dispose()
        {
            _vcpu.Dispose();
            _partition.Dispose();
            _memory.Dispose();
        }
    }
}
