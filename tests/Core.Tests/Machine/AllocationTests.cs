using Hv.Core.Hypercalls;
using Hv.Core.Machine;
using Hv.Core.Paravirt;
using Hv.Core.Tests.Fakes;

namespace Hv.Core.Tests.Machine;

/// <summary>An exit allocates nothing.</summary>
public sealed class AllocationTests
{
    private const int Exits = 20_000;

    public static TheoryData<string> Kinds =>
    [
        "hypercall", "unknown hypercall", "user hypercall refused", "out", "in", "unclaimed memory", "rdmsr", "wrmsr", "bad msr",
        "cpuid", "console", "clock",
    ];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void An_exit_allocates_nothing(string kind)
    {
        using var guest = new Guest();
        guest.Fake.Registers.Rdi = 0x2000;
        guest.Fake.Registers.Rsi = 0;
        ulong number = kind switch
        {
            "unknown hypercall" => 77,
            "console" => HypercallNumbers.ConsoleWrite,
            "clock" => HypercallNumbers.Clock,
            _ => 0,
        };
        guest.Fake.BeforeExit = v => v.Registers.Rax = number;
        guest.Memory.TryWrite(new Gpa(0x4000), Guest.Record(1, 0x8000));
        Step step = kind switch
        {
            "out" => Script.Out(0x80, 1, 1),
            "in" => Script.In(0x80, 1),
            "unclaimed memory" => Script.MemoryRead(0xFEE0_0000, 4),
            "rdmsr" => Script.Rdmsr(ParaAbi.MSR_KVM_API_MAGIC),
            "wrmsr" => Script.Wrmsr(ParaAbi.MSR_KVM_API_MAGIC, 0x4000),
            "bad msr" => Script.Rdmsr(0x10_0000),
            "cpuid" => Script.Cpuid(1, 0),
            "user hypercall refused" => Script.Hypercall(Script.Long, 3),
            _ => Script.Hypercall(),
        };
        guest.Fake.Play(step with { JumpTo = 0 });
        guest.Machine.Run(new RunLimits(1000), TestContext.Current.CancellationToken);
        guest.Fake.Threads.Clear();
        guest.Fake.Threads.Capacity = 10 * Exits;
        long costOfARun = Measure(guest, 1);

        long cost = Measure(guest, Exits);

        Assert.Equal(costOfARun, cost);
    }

    // The least of three: the runtime itself may allocate while it recompiles a hot method.
    private static long Measure(Guest guest, long exits)
    {
        long least = long.MaxValue;
        for (int i = 0; i < 3; i++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            guest.Machine.Run(new RunLimits(exits), CancellationToken.None);
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        return least;
    }
}
