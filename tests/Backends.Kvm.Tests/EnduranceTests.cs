using Hv.Core;
using Hv.Core.Exits;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Backends.Kvm.Tests;

/// <summary>What only shows after thousands of times: a lost kick, a descriptor, thread or page that stays behind.</summary>
[Collection(nameof(EnduranceCollection))]
public class EnduranceTests
{
    [Fact]
    public void Ten_thousand_kicks_or_five_seconds_of_them_at_random_moments_are_never_lost()
    {
        KvmBackend backend = Device.Require(BackendCapabilities.RealMode);
        const int Kicks = 10_000;
        using var guest = new TestGuest(backend, a =>
        {
            var top = a.CreateLabel();
            a.Label(ref top);
            a.jmp(top);
        });
        var random = new Random(20070219);
        int turn = 0, cancelled = 0, made = 0;
        // On a busy machine a kick costs a scheduler's turn: HV_TEST_LONG=1 takes the time for all of them.
        bool all = Environment.GetEnvironmentVariable("HV_TEST_LONG") == "1";
        long start = System.Diagnostics.Stopwatch.GetTimestamp();
        var kicker = new Thread(() =>
        {
            for (int i = 1; i <= Kicks; i++)
            {
                // Spinning: a wake-up by the scheduler would make every moment the same late one.
                while (Volatile.Read(ref turn) is var now && now < i)
                {
                    if (now < 0)
                        return;
                    Thread.SpinWait(10);
                }

                Thread.SpinWait(random.Next(2000));
                guest.Vcpu.RequestExit();
            }
        });
        kicker.Start();
        for (int i = 1; i <= Kicks; i++)
        {
            Volatile.Write(ref turn, i);
            if (guest.Run().Reason == ExitReason.Cancelled)
                cancelled++;
            made = i;
            if (!all && System.Diagnostics.Stopwatch.GetElapsedTime(start) > TimeSpan.FromSeconds(5))
                break;
        }

        Volatile.Write(ref turn, made == Kicks ? Kicks : -1);
        kicker.Join();
        Assert.Equal(made, cancelled);
        Assert.True(made > 100, $"only {made} kicks in 5 s");
    }

    [Fact]
    public void A_thousand_machines_leave_no_descriptor_thread_mapping_or_memory_behind()
    {
        KvmBackend backend = Device.Require(BackendCapabilities.RealMode);
        Assert.SkipUnless(Directory.Exists("/proc/self/fd"), "no /proc to count in");
        void Run(int machines)
        {
            for (int i = 0; i < machines; i++)
            {
                using var guest = new TestGuest(backend, a => a.hlt());
                Assert.Equal(ExitReason.Halt, guest.Run().Reason);
            }
        }

        Run(50);
        (int descriptors, int threads, int mappings, long resident) = Held();
        Run(1000);
        (int descriptorsAfter, int threadsAfter, int mappingsAfter, long residentAfter) = Held();
        Assert.InRange(descriptorsAfter, 0, descriptors + 3);
        // The runtime's own pool may add or retire a few; one thread a machine would be a thousand.
        Assert.InRange(threadsAfter, 0, threads + 8);
        Assert.Equal(mappings, mappingsAfter);
        // A machine has 2 MiB of guest RAM, of which it touches some 20 KiB.
        Assert.InRange(residentAfter - resident, long.MinValue, 16L << 20);
    }

    private static (int Descriptors, int Threads, int Mappings, long Resident) Held()
    {
        // Aggressive gives free pages back to the host: garbage that waits for a collection is not what a machine holds.
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        GC.WaitForPendingFinalizers();
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        using var process = System.Diagnostics.Process.GetCurrentProcess();
        return (Directory.GetFiles("/proc/self/fd").Length, Directory.GetDirectories("/proc/self/task").Length,
            File.ReadAllLines("/proc/self/maps").Count(line => line.Contains("kvm-vcpu", StringComparison.Ordinal)), process.WorkingSet64);
    }
}
