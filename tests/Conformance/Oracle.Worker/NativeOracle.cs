using System.ComponentModel;
using System.Diagnostics;
using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Hv.Conformance.Oracle;

/// <summary>
/// Executes cases on this machine's own processor, in a worker process that shares nothing with this one but a mapped file. A worker that dies
/// is replaced; the case that killed it has the outcome <see cref="Outcome.WorkerDied"/>.
/// </summary>
public sealed unsafe class NativeOracle : IDisposable
{
    /// <summary>The most cases of one batch.</summary>
    public const int Capacity = WorkerLayout.Capacity;

    /// <summary>How much processor time a batch may take before its case counts as one that does not end, and how much time at all: a busy machine
    /// makes no case endless.</summary>
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(2), _mostPatience = TimeSpan.FromSeconds(10);

    /// <summary>How many workers may die beside one in a million cases: none should, but a case that never ends costs one.</summary>
    private const int DeathsForgiven = 32;
    private const long CasesPerDeath = 1_000_000;

    private readonly string _sharedPath, _executablePath;
    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;
    private readonly byte* _shared;
    private readonly Timer _watchdog;
    private readonly byte[] _answer = new byte[1];
    private Process? _worker;
    private TimeSpan _timeBefore;
    private long _waitedSince;
    private Stream? _input, _output;
    private long _cases;

    /// <summary>Makes the shared file and the worker's executable and starts the first worker.</summary>
    /// <param name="avx">Whether cases carry the upper halves of the YMM registers, where the processor has them; false makes of any machine one
    /// without AVX.</param>
    /// <exception cref="PlatformNotSupportedException">This machine cannot; see <see cref="WhyNot"/>.</exception>
    /// <exception cref="OracleFailedException">The worker fails its self-test.</exception>
    public NativeOracle(bool avx = true)
    {
        if (WhyNot() is { } reason)
            throw new PlatformNotSupportedException(reason);
        HasAvx = avx && Avx.IsSupported;
        string directory = Directory.CreateTempSubdirectory("hv-oracle-").FullName;
        _sharedPath = Path.Combine(directory, "cases");
        _executablePath = Path.Combine(directory, "worker");
        using (FileStream file = File.Create(_sharedPath))
            file.SetLength(WorkerLayout.FileSize);
        File.WriteAllBytes(_executablePath, WorkerCode.BuildExecutable(_sharedPath, HasAvx, AuxiliaryVector.HasFsGsBase()));
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(_executablePath, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        _file = MemoryMappedFile.CreateFromFile(_sharedPath, FileMode.Open);
        _view = _file.CreateViewAccessor();
        byte* pointer = null;
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref pointer);
        _shared = pointer;
        for (int i = 0; i < OracleMap.ReadOnlySize; i++)
            _shared[WorkerLayout.ReadOnlyOffset + i] = OracleMap.ReadOnlyByte(i);
        _watchdog = new Timer(_ => Watch());
        StartWorker();
        try
        {
            Capabilities = OracleProbe.Run(this);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Where the jump that ends a case goes; not mapped on hv's side.</summary>
    public static ulong EndAddress => WorkerCode.CaptureAddress;

    /// <summary>Whether cases carry the upper halves of the YMM registers. Without, the results have the halves that the case began with.</summary>
    public bool HasAvx { get; }

    /// <summary>What this machine can run, found once, by trying it.</summary>
    public OracleCapabilities Capabilities { get; } = OracleCapabilities.All;

    /// <summary>How many workers died so far.</summary>
    public int Deaths { get; private set; }

    /// <summary>How the last worker that died ended: 1 for a fault in its own code, 128 and the signal's number when the kernel ended it.</summary>
    public int LastExitCode { get; private set; }

    /// <summary><see cref="LastExitCode"/> in words.</summary>
    public string LastEnding => LastExitCode switch
    {
        1 => "a fault in its own code",
        > 128 => $"ended by signal {LastExitCode - 128}",
        _ => $"exit code {LastExitCode}, the system call that failed when it started",
    };

    /// <summary>Processor time that the present worker has used.</summary>
    public TimeSpan WorkerTime
    {
        get
        {
            try
            {
                _worker!.Refresh();
                return _worker.HasExited ? TimeSpan.Zero : _worker.TotalProcessorTime;
            }
            catch (Exception e) when (e is Win32Exception or InvalidOperationException)
            {
                return TimeSpan.Zero;   // it has ended since it was asked
            }
        }
    }

    /// <summary>The states to start from.</summary>
    public Span<CaseRecord> Inputs => Records(WorkerLayout.InField);

    /// <summary>The states reached, once <see cref="Wait"/> has returned.</summary>
    public Span<CaseRecord> Outputs => Records(WorkerLayout.OutField);

    /// <summary>The bytes at <see cref="OracleMap.Code"/>.</summary>
    public Span<byte> Code => TestPages(WorkerLayout.CodeOffset, OracleMap.CodeSize);

    /// <summary>The bytes at <see cref="OracleMap.WritableCode"/>.</summary>
    public Span<byte> WritableCode => TestPages(WorkerLayout.WritableCodeOffset, OracleMap.WritableCodeSize);

    /// <summary>The bytes at <see cref="OracleMap.Data"/>.</summary>
    public Span<byte> Data => TestPages(WorkerLayout.DataOffset, OracleMap.DataSize);

    /// <summary>Why this machine cannot execute cases, or null.</summary>
    public static string? WhyNot()
    {
        if (!OperatingSystem.IsLinux())
            return "the native oracle needs Linux";
        if (RuntimeInformation.ProcessArchitecture != Architecture.X64)
            return $"the native oracle needs an x86-64 processor, and this is {RuntimeInformation.ProcessArchitecture}";
        return null;
    }

    /// <summary>Hands the first <paramref name="count"/> inputs to the worker and returns at once.</summary>
    /// <param name="count">1..<see cref="Capacity"/>.</param>
    /// <exception cref="InvalidOperationException">A case is of code that this machine cannot run; see <see cref="Capabilities"/>.</exception>
    public void Start(int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, Capacity);
        if (Capabilities != OracleCapabilities.All)
            Adapt(Inputs[..count]);
        _cases += count;
        Field(WorkerLayout.CountField) = count;
        Field(WorkerLayout.DoneField) = 0;
        Command();
    }

    /// <summary>Gives cases selectors that exist here. Where the LDT has no data segments, ES and DS are the kernel's, like SS.</summary>
    private void Adapt(Span<CaseRecord> inputs)
    {
        foreach (ref CaseRecord input in inputs)
        {
            if (input.Cs == 0)
                continue;
            if (Capabilities.WhyNot(input.Cs switch { OracleMap.Code32 => 32, OracleMap.Code16 => 16, _ => 64 }) is { } reason)
                throw new InvalidOperationException($"a case for the code segment {input.Cs:x2}h, which does not run here: {reason}");
            if (input.Cs != OracleMap.Code16 && Capabilities.NoLocalData is not null)
                input.Ds = input.Es = OracleMap.Data32;
        }
    }

    /// <summary>Waits until the batch is done, replacing workers that die of it.</summary>
    /// <exception cref="OracleFailedException">Too many have died to go on.</exception>
    public void Wait()
    {
        Collect();
        if (HasAvx)
            return;
        for (int i = 0; i < (int)Field(WorkerLayout.CountField); i++)
            if (Inputs[i].HasExtended != 0)
                Outputs[i].Extended.Upper = Inputs[i].Extended.Upper;
    }

    private void Collect()
    {
        while (!Answered())
        {
            Deaths++;
            // A worker that cannot be heard any more may live on.
            if (!_worker!.WaitForExit(_patience))
                KillWorker();
            LastExitCode = _worker.ExitCode;
            if (Deaths > DeathsForgiven + _cases / CasesPerDeath)
                throw new OracleFailedException($"{Deaths} workers of the oracle died in {_cases:N0} cases, the last by {LastEnding}; at most {DeathsForgiven} and " +
                    $"one in {CasesPerDeath:N0} cases should. Find the case by running one --instruction at a time, and mend or leave it out");
            int victim = (int)Field(WorkerLayout.DoneField), count = (int)Field(WorkerLayout.CountField);
            StartWorker();
            if (victim >= count)
                return;   // it died between its last case and its answer
            Outputs[victim] = Inputs[victim];
            Outputs[victim].Vector = Outcome.WorkerDied;
            Field(WorkerLayout.DoneField) = victim + 1;
            if (victim + 1 == count)
                return;
            Command();
        }
    }

    /// <summary>Appends the jump that ends a case to its code at <paramref name="address"/>.</summary>
    /// <param name="destination">Room for 8 bytes.</param>
    /// <param name="address">Where the jump will lie.</param>
    /// <param name="bits">The width of the code it ends: 64, 32 or 16.</param>
    /// <returns>Bytes written.</returns>
    public static int WriteEnd(Span<byte> destination, uint address, int bits)
    {
        if (bits == 64)
        {
            destination[0] = 0xE9;
            BitConverter.TryWriteBytes(destination[1..], WorkerCode.CaptureAddress - (address + 5));
            return 5;
        }

        int n = 0;
        if (bits == 16)
            destination[n++] = 0x66;
        destination[n++] = 0xEA;   // JMP ptr16:32 into 64-bit code
        BitConverter.TryWriteBytes(destination[n..], WorkerCode.CaptureAddress);
        BitConverter.TryWriteBytes(destination[(n + 4)..], OracleMap.Code64);
        return n + 6;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _watchdog.Dispose();
        KillWorker();
        _worker?.Dispose();
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _file.Dispose();
        Directory.Delete(Path.GetDirectoryName(_sharedPath)!, recursive: true);
    }

    private bool Answered()
    {
        _timeBefore = WorkerTime;
        _waitedSince = Stopwatch.GetTimestamp();
        _watchdog.Change(_patience, _patience);
        try
        {
            return _output!.Read(_answer, 0, 1) == 1;
        }
        catch (IOException)
        {
            return false;
        }
        finally
        {
            _watchdog.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
    }

    private void Command()
    {
        try
        {
            _input!.Write([1]);
            _input.Flush();
        }
        catch (IOException)
        {
            // The worker is dead: reading its answer finds that out.
        }
    }

    private void StartWorker()
    {
        KillWorker();
        _worker?.Dispose();
        var start = new ProcessStartInfo(_executablePath) { UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true };
        try
        {
            _worker = Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            throw new PlatformNotSupportedException($"starting the oracle's worker {_executablePath} failed ({e.Message}); is its directory " +
                $"mounted noexec? Set TMPDIR.", e);
        }

        _input = _worker.StandardInput.BaseStream;
        _output = _worker.StandardOutput.BaseStream;
    }

    /// <summary>Ends a worker that has spent its batch's time. Called by the timer while a batch runs.</summary>
    private void Watch()
    {
        try
        {
            if (WorkerTime - _timeBefore >= _patience || Stopwatch.GetElapsedTime(_waitedSince) >= _mostPatience)
                KillWorker();
        }
        catch (InvalidOperationException)
        {
            // It has ended by itself.
        }
    }

    private void KillWorker()
    {
        try
        {
            _worker?.Kill();
            _worker?.WaitForExit();
        }
        catch (InvalidOperationException)
        {
            // It has ended by itself.
        }
    }

    // SAFETY of the three below: offsets and sizes are WorkerLayout's, which sized the mapped file; indices are checked by the spans or here.
    private ref long Field(int offset) => ref *(long*)(_shared + WorkerLayout.HeaderOffset + offset);

    private Span<byte> TestPages(int offset, int size) => new(_shared + offset, size);

    private Span<CaseRecord> Records(int field) => new(_shared + WorkerLayout.HeaderOffset + field, Capacity);
}
