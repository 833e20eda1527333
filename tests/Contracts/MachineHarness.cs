using System.Text;
using Hv.Contracts.Guests;
using Hv.Core;
using Hv.Core.Exits;
using Hv.Core.Hypercalls;
using Hv.Core.Machine;
using Hv.Core.Memory;
using Hv.Core.Paravirt;
using Hv.Core.Registers;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Hv.Contracts;

/// <summary>A whole machine with a guest in it, its console kept in memory and its exits logged.</summary>
public sealed class MachineHarness : IDisposable
{
    private static readonly RunLimits Limits = new(20_000_000, VcpuHarness.Watchdog);

    private readonly BufferConsole _console = new();
    private readonly ExitLog _log = new();
    private readonly ServiceProvider _services;

    /// <summary>Makes the machine.</summary>
    /// <param name="backend">What runs it.</param>
    /// <param name="image">Its guest.</param>
    /// <param name="options">Options; null for the usual ones.</param>
    /// <param name="observer">Sees the exits instead of <see cref="Exits"/>; null for that log.</param>
    public MachineHarness(IBackend backend, GuestImage image, VirtualMachineOptions? options = null, IExitObserver? observer = null)
    {
        _services = new ServiceCollection().AddSingleton<IConsole>(_console).AddHvCore().BuildServiceProvider();
        Image = image;
        Memory = image.CreateMemory();
        Machine = _services.GetRequiredService<VirtualMachineFactory>().Create(backend, Memory,
            (options ?? new()) with { Observer = observer ?? _log });
        var state = new VcpuState();
        Processor.SaveState(state);
        image.ApplyEntry(state);
        Processor.LoadState(state);
    }

    public GuestImage Image { get; }

    public VirtualMachine Machine { get; }

    public GuestMemory Memory { get; }

    /// <summary>See <see cref="BackendUnderTest.HostCannot"/>.</summary>
    public Func<string, string?>? HostCannot { get; init; }

    /// <summary>vCPU 0.</summary>
    public VirtualCpu Vcpu => Machine.Vcpus[0];

    public IVcpu Processor => Vcpu.Processor;

    public ref GeneralRegisters Registers => ref Processor.Registers;

    /// <summary>What the guest wrote to the console.</summary>
    public string Console => _console.ToString();

    /// <summary>Each exit, as text: vCPU, reason, place, payload. The same on every backend, but for the backend's own view.</summary>
    public IReadOnlyList<string> Exits => _log.Lines;

    public IReadOnlyList<ExceptionRecord> Exceptions => ExceptionHandlers.ReadLog(Memory);

    /// <summary>The para state record at <see cref="GuestLayout.ParaState"/>.</summary>
    public ParaState ParaState => Read<ParaState>(GuestLayout.ParaState);

    /// <summary>Runs the machine.</summary>
    public StopInfo Run()
    {
        StopInfo stop = Machine.Run(Limits);
        foreach (VirtualCpu vcpu in Machine.Vcpus)
        {
            if (vcpu.Processor.LastFailure is { } failure && HostCannot?.Invoke(failure) is { } reason)
                Assert.Skip(reason);
        }

        return stop;
    }

    /// <summary>Runs the machine until it has retired this many instructions.</summary>
    public StopInfo Run(long instructions) => Machine.Run(Limits with { MaxInstructions = instructions });

    /// <summary>Runs the machine; it must stop for this reason.</summary>
    public StopInfo Expect(StopReason reason)
    {
        StopInfo stop = Run();
        Assert.True(stop.Reason == reason,
            $"expected {reason}, got {stop} at RIP {Registers.Rip:x}; exits: {string.Join("; ", Exits.TakeLast(5))}; "
            + $"exceptions: {string.Join("; ", Exceptions)}");
        return stop;
    }

    /// <summary>Runs the machine to the guest's <see cref="GuestCode.Done"/>.</summary>
    public void RunToEnd() => Expect(StopReason.AllHalted);

    /// <summary>What the guest stored into a result slot.</summary>
    public ulong Result(int slot) => Read<ulong>(GuestLayout.Results + (ulong)slot * 8);

    public T Read<T>(ulong address) where T : unmanaged
    {
        Assert.True(Memory.TryRead(new Gpa(address), out T value));
        return value;
    }

    public byte[] ReadBytes(ulong address, int length)
    {
        byte[] bytes = new byte[length];
        Assert.True(Memory.TryRead(new Gpa(address), bytes));
        return bytes;
    }

    /// <summary>The registered stub's bytes on <paramref name="backend"/>: its exit instruction and RET.</summary>
    public static byte[] StubOf(IBackend backend)
    {
        byte[] bytes = new byte[backend.Encoding.Length + 1];
        backend.Encoding.CopyTo(bytes);
        bytes[^1] = 0xC3;
        return bytes;
    }

    public void Dispose()
    {
        Machine.Dispose();
        Memory.Dispose();
        _services.Dispose();
    }

    private sealed class BufferConsole : IConsole
    {
        private readonly StringBuilder _text = new();

        public void Write(ReadOnlySpan<byte> bytes)
        {
            lock (_text)
                _text.Append(Encoding.Latin1.GetString(bytes));
        }

        public override string ToString() => _text.ToString();
    }

    private sealed class ExitLog : IExitObserver
    {
        private readonly List<string> _lines = [];

        public IReadOnlyList<string> Lines => _lines;

        public void OnExit(VirtualCpu vcpu, in VmExit exit)
        {
            string payload = exit.Reason switch
            {
                ExitReason.PortIo => exit.PortIo.ToString(),
                ExitReason.MemoryAccess => exit.Memory.ToString(),
                ExitReason.MsrRead or ExitReason.MsrWrite => exit.Msr.ToString(),
                ExitReason.Cpuid => exit.Cpuid.ToString(),
                ExitReason.Exception => exit.Exception.ToString(),
                _ => "",
            };
            string line = $"{vcpu.Index} {exit.Reason} {exit.Rip:x}+{exit.InstructionLength} {exit.Mode} {exit.Cpl} {payload}";
            lock (_lines)
                _lines.Add(line);
        }
    }
}

/// <summary>A hypercall handler that keeps the arguments of its calls and answers as it is told.</summary>
public sealed class RecordingHypercall(ulong number, Func<HypercallArguments, HypercallOutcome> answer) : IHypercallHandler
{
    public RecordingHypercall(ulong number, HypercallOutcome outcome) : this(number, _ => outcome)
    {
    }

    public List<HypercallArguments> Calls { get; } = [];

    public ulong Number => number;

    public HypercallOutcome Invoke(VirtualCpu vcpu, in HypercallArguments arguments)
    {
        Calls.Add(arguments);
        return answer(arguments);
    }
}
