using System.Diagnostics;
using Hv.Core;
using Hv.Core.Machine;
using Hv.Core.Memory;
using Hv.Host.Configuration;
using Hv.Host.Demo;
using Hv.Host.Devices;
using Hv.Host.Loading;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Hv.Host.Running;

/// <summary>Runs one guest from its file to its end: memory, loading, machine, ending.</summary>
internal sealed partial class GuestRunner
{
    private readonly GuestRequest _request;
    private readonly HypervisorOptions _options;
    private readonly BackendCatalog _backends;
    private readonly VirtualMachineFactory _factory;
    private readonly HostOutput _console;
    private readonly HostInput _input;
    private readonly TextWriter _errors;
    private readonly ILogger<GuestRunner> _logger;
    private readonly ILoggerFactory _loggers;

    public GuestRunner(GuestRequest request, IOptions<HypervisorOptions> options, BackendCatalog backends, VirtualMachineFactory factory,
        HostOutput console, HostInput input, TextWriter errors, ILoggerFactory loggers)
    {
        _request = request;
        _options = options.Value;
        _backends = backends;
        _factory = factory;
        _console = console;
        _input = input;
        _errors = errors;
        _loggers = loggers;
        _logger = loggers.CreateLogger<GuestRunner>();
    }

    /// <summary>Runs the guest on the calling thread.</summary>
    /// <returns>What the process exits with.</returns>
    /// <exception cref="CommandException">The guest cannot be started.</exception>
    public int Run(CancellationToken cancel)
    {
        GuestSettings settings = GuestSettings.From(_options);
        // A name that cannot be is said before anything is loaded; a choice needs the guest's mode.
        bool auto = string.Equals(_options.Backend, BackendChoice.Auto, StringComparison.OrdinalIgnoreCase);
        IBackend? named = auto ? null : BackendChoice.Named(_backends, _options);
        using GuestMemory memory = GuestLoader.CreateMemory(settings.MemorySize);
        BootRegisters entry = LoadGuest(memory);
        IBackend backend = named ?? Choose(entry.Mode);
        var exitPort = new ExitPort();
        using VirtualMachine machine = _factory.Create(backend, memory, new VirtualMachineOptions
        {
            VcpuCount = _options.Vcpus,
            ParaInterfaceEnabled = _options.ParaInterface,
            AllowUserModeHypercalls = _options.AllowUserModeHypercalls,
            Clock = _options.Clock,
            RandomSeed = _options.RandomSeed ?? 0,
            Cpuid = settings.Cpuid,
            Observer = _logger.IsEnabled(LogLevel.Trace) ? new ExitTracer(backend, _loggers.CreateLogger<ExitTracer>()) : null,
            Ports = [new Com1(_console, _input), exitPort, new DebugConsole(_console)],
        });
        entry.Enter(machine.Vcpus[0]);
        Starting(backend.Name, entry.Mode, entry.Entry, _options.Vcpus);

        long start = Stopwatch.GetTimestamp();
        StopInfo stop = machine.Run(new RunLimits(settings.MaxInstructions, settings.Timeout), cancel);
        TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
        _console.Flush();
        RunEnding ending = RunEnding.Of(stop, exitPort.Value);
        Report(machine, stop, ending, elapsed);
        return ending.Code;
    }

    private IBackend Choose(EntryMode mode)
    {
        (IBackend backend, string why) = BackendChoice.Choose(_backends, BackendChoice.NeedsOf(mode, _options));
        _errors.WriteLine($"hv: {why}");
        return backend;
    }

    private BootRegisters LoadGuest(GuestMemory memory)
    {
        var modules = new List<GuestFile>();
        try
        {
            using GuestFile file = _request.Path is { } path ? GuestFile.Open(path) : DemoGuest.Open(_request.DemoBits);
            foreach (string module in _request.Modules)
                modules.Add(GuestFile.Open(module));
            FlatPlacement? flat = _request.Path is null ? DemoGuest.Placement(_request.DemoBits) : _request.Flat;
            GuestImage image = ImageReader.Read(file, flat);
            string commandLine = _request.Append.Length == 0 ? file.Name : $"{file.Name} {_request.Append}";
            return GuestLoader.Load(memory, image, file, new LoadOptions(commandLine, modules));
        }
        finally
        {
            modules.ForEach(m => m.Dispose());
        }
    }

    private void Report(VirtualMachine machine, in StopInfo stop, in RunEnding ending, TimeSpan elapsed)
    {
        if (ending.Message is { } message)
            _errors.WriteLine($"hv: {message}");
        if (ending.WantsDump)
            Dump(machine, stop);
        if (_request.Summary || ending.Message is not null)
            _errors.Write(RunSummary.Format(machine, stop, ending.Code, elapsed));
    }

    /// <summary>The registers of the vCPU that stopped the machine, or of all when something else did.</summary>
    private void Dump(VirtualMachine machine, in StopInfo stop)
    {
        if (stop.VcpuIndex >= 0)
        {
            string exit = $"{ExitText.Of(stop.Exit)} ({machine.Backend.Describe(stop.Exit.Raw)})";
            _errors.Write(RegisterDump.Format(machine.Vcpus[stop.VcpuIndex], exit));
            return;
        }

        foreach (VirtualCpu vcpu in machine.Vcpus)
            _errors.Write(RegisterDump.Format(vcpu, null));
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "starting the guest on {Backend} in {Mode} mode at {Entry:x} with {Vcpus} vCPU(s)")]
    private partial void Starting(string backend, EntryMode mode, ulong entry, int vcpus);
}
