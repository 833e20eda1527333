using System.Runtime.CompilerServices;
using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Configs;
using Hv.Core.Exits;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Bench;

/// <summary>
/// Round trips from the guest to a handler and back, beside what bounds them: one C# interface call that takes and returns
/// an exit record. The loop's DEC and
/// JNZ, and for a call the MOV of its number, are in the guest's figures.
/// </summary>
[MemoryDiagnoser]
[GroupBenchmarksBy(BenchmarkLogicalGroupRule.ByMethod)]
public class ExitBenchmarks : IDisposable
{
    private const int Loops = 20_000;

    private BenchMachine _hypercall = null!, _msrRead = null!, _msrWrite = null!, _portOut = null!, _cpuid = null!;

    /// <summary>The backend.</summary>
    [Params("Emulated", "Vmx", "Svm")]
    public string Backend { get; set; } = "Emulated";

    [GlobalSetup]
    public void Setup()
    {
        _hypercall = new BenchMachine(Backend, Loops, (a, exit) =>
        {
            a.xor(eax, eax);
            exit();
        });
        _msrRead = new BenchMachine(Backend, Loops, (a, _) =>
        {
            a.mov(ecx, BenchMachine.BenchMsr);
            a.rdmsr();
        });
        _msrWrite = new BenchMachine(Backend, Loops, (a, _) =>
        {
            a.mov(ecx, BenchMachine.BenchMsr);
            a.wrmsr();
        });
        _portOut = new BenchMachine(Backend, Loops, (a, _) => a.@out(0x80, al));
        _cpuid = new BenchMachine(Backend, Loops, (a, _) =>
        {
            a.xor(eax, eax);
            a.cpuid();
        });
    }

    [GlobalCleanup]
    public void Dispose()
    {
        foreach (BenchMachine? machine in new[] { _hypercall, _msrRead, _msrWrite, _portOut, _cpuid })
            machine?.Dispose();
        GC.SuppressFinalize(this);
    }

    [Benchmark(OperationsPerInvoke = Loops)]
    public ulong Hypercall() => _hypercall.Run();

    [Benchmark(OperationsPerInvoke = Loops)]
    public ulong Rdmsr() => _msrRead.Run();

    [Benchmark(OperationsPerInvoke = Loops)]
    public ulong Wrmsr() => _msrWrite.Run();

    [Benchmark(OperationsPerInvoke = Loops)]
    public ulong PortOut() => _portOut.Run();

    [Benchmark(OperationsPerInvoke = Loops)]
    public ulong Cpuid() => _cpuid.Run();
}

/// <summary>The measure: an interface call that takes an exit record and returns it, with nothing behind it
/// (docs/adr/0006-what-an-exit-is-measured-by.md).</summary>
[MemoryDiagnoser]
public class InterfaceCallBenchmarks
{
    private const int Loops = 20_000;

    private readonly IRecordService[] _services = [new First(), new Second()];
    private readonly IRecordService[] _inlined = [new FirstInlined(), new SecondInlined()];

    /// <summary>What an exit would call.</summary>
    public interface IRecordService
    {
        /// <summary>Takes a record and gives it back.</summary>
        VmExit Pass(VmExit exit);
    }

    [Benchmark(Baseline = true, OperationsPerInvoke = Loops)]
    public ulong InterfaceCall()
    {
        VmExit.Plain(ExitReason.Hypercall, new ExitSite(1, 3, GuestMode.Protected, 0), default, out VmExit exit);
        for (int i = 0; i < Loops; i++)
            exit = _services[i & 1].Pass(exit);
        return exit.Rip;
    }

    /// <summary>The same where the JIT may inline: it guesses one of the two by its profile, so that half of the calls are none.</summary>
    [Benchmark(OperationsPerInvoke = Loops)]
    public ulong InterfaceCallHalfInlined()
    {
        VmExit.Plain(ExitReason.Hypercall, new ExitSite(1, 3, GuestMode.Protected, 0), default, out VmExit exit);
        for (int i = 0; i < Loops; i++)
            exit = _inlined[i & 1].Pass(exit);
        return exit.Rip;
    }

    private sealed class First : IRecordService
    {
        [MethodImpl(MethodImplOptions.NoInlining)]
        public VmExit Pass(VmExit exit) => exit;
    }

    private sealed class Second : IRecordService
    {
        [MethodImpl(MethodImplOptions.NoInlining)]
        public VmExit Pass(VmExit exit) => exit;
    }

    private sealed class FirstInlined : IRecordService
    {
        public VmExit Pass(VmExit exit) => exit;
    }

    private sealed class SecondInlined : IRecordService
    {
        public VmExit Pass(VmExit exit) => exit;
    }
}
