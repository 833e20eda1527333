using Hv.Conformance.Campaigns.Cases;
using Hv.Conformance.Campaigns.Forms;
using Hv.Conformance.Oracle;
using Hv.Core;
using Hv.Core.Cpuid;
using Hv.Core.Memory;
using Hv.Cpu;
using Hv.Cpu.State;
using Hv.Cpu.Virtualization;

namespace Hv.Conformance.Campaigns.Execution;

/// <summary>Executes cases on hv's software processor.</summary>
public sealed unsafe class SoftwareSide : IDisposable
{
    private const long MostInstructions = 20_000;
    private readonly OracleCapabilities _machine;
    private readonly GuestMemory _memory;
    private readonly Processor<Witness> _processor;
    private readonly byte* _firstData, _secondData;
    private readonly byte[] _code = new byte[OracleMap.CodeSize];
    private ushort _selector = ushort.MaxValue;
    private bool _alignment;

    /// <summary>Makes a processor of the most capable model over a world like the worker's.</summary>
    /// <param name="machine">What the worker's machine has; null for that of the recorded cases, which had everything.</param>
    public SoftwareSide(OracleCapabilities? machine = null)
    {
        _machine = machine ?? OracleCapabilities.All;
        _memory = GuestWorld.BuildMemory(_machine);
        _processor = new Processor<Witness>(_memory, CpuidTables.Default, default);
        MemorySlot slot = _memory.Slots[0];
        // SAFETY: GuestWorld.MemorySize bytes belong to the slot, and the data pages lie inside (GuestWorld's constants).
        _firstData = (byte*)slot.HostBase + GuestWorld.FirstDataPage;
        _secondData = (byte*)slot.HostBase + GuestWorld.SecondDataPage;
        GuestWorld.SetSystem(ref _processor.State.Sys, _machine);
    }

    private Span<byte> FirstPage => new(_firstData, OracleMap.PageSize);   // SAFETY: as in the constructor

    private Span<byte> SecondPage => new(_secondData, OracleMap.PageSize);   // SAFETY: as in the constructor

    /// <summary>Places a slot's code.</summary>
    public void Place(CodeSlot slot)
    {
        slot.WriteTo(_code);
        int room = Math.Min(CodeSlot.Stride, OracleMap.CodeSize - (int)slot.Offset);
        _memory.TryWrite(new Gpa(GuestWorld.CodePages + slot.Offset), _code.AsSpan((int)slot.Offset, room));
    }

    /// <summary>Writes code at an offset from <see cref="OracleMap.WritableCode"/>.</summary>
    public void WriteWritableCode(int offset, ReadOnlySpan<byte> bytes)
    {
        _memory.TryWrite(new Gpa(GuestWorld.WritableCodePages + (ulong)offset), bytes);
    }

    /// <summary>Reads back the writable code.</summary>
    public void ReadWritableCode(Span<byte> destination) => _memory.TryRead(new Gpa(GuestWorld.WritableCodePages), destination);

    /// <summary>Zeroes the code pages and the writable ones.</summary>
    public void ClearCode()
    {
        Array.Clear(_code);
        _memory.TryWrite(new Gpa(GuestWorld.CodePages), _code);
        _memory.TryWrite(new Gpa(GuestWorld.WritableCodePages), _code.AsSpan(0, OracleMap.WritableCodeSize));
    }

    /// <summary>Zeroes the data pages.</summary>
    public void ClearData()
    {
        FirstPage.Clear();
        SecondPage.Clear();
    }

    /// <summary>Copies both data pages out.</summary>
    public void ReadData(Span<byte> destination)
    {
        FirstPage.CopyTo(destination);
        SecondPage.CopyTo(destination[OracleMap.PageSize..]);
    }

    /// <summary>Executes from <paramref name="input"/>: one instruction, or all until the jump at <paramref name="stop"/>, or until a
    /// fault.</summary>
    /// <param name="input">The state to start from.</param>
    /// <param name="disturbsSegments">Whether the case may change segment registers.</param>
    /// <param name="output">The state reached.</param>
    /// <param name="stop">RIP after the code.</param>
    /// <param name="runsOn">Whether the code is a block, or a repeated string instruction, which takes several pieces: it runs on into the jump
    /// behind it, whose target is not mapped.</param>
    public void Execute(in CaseRecord input, bool disturbsSegments, ref CaseRecord output, ulong stop, bool runsOn)
    {
        ref CpuState s = ref _processor.State;
        const ulong TrapFlag = 0x100, AlignmentFlag = 0x4_0000;
        fixed (Registers16* from = &input.Registers)
            new ReadOnlySpan<ulong>(from, 16).CopyTo(new Span<ulong>(System.Runtime.CompilerServices.Unsafe.AsPointer(ref s.Gpr.Rax), 16));
        s.Gpr.Rip = input.Rip;
        s.Gpr.Rflags = input.Rflags & ~TrapFlag;
        ushort code = input.Cs == 0 ? OracleMap.Code64 : input.Cs;
        bool alignment = (input.Rflags & AlignmentFlag) != 0;
        if (code != _selector || alignment != _alignment)
        {
            GuestWorld.SetSystem(ref s.Sys, _machine);
            GuestWorld.SetSegments(ref s.Sys, code, _machine);
            _selector = code;
            _alignment = alignment;
            _processor.ModeChanged(ref s);
        }

        if (disturbsSegments)
            _selector = ushort.MaxValue;
        bool extended = input.HasExtended != 0;
        if (extended)
            SoftwareExtended.Load(ref s.Fpu, in input.Extended);
        ReadOnlySpan<byte> memory = input.Memory;
        memory[..128].CopyTo(FirstPage[^128..]);
        memory[128..256].CopyTo(SecondPage);
        memory[256..].CopyTo(SecondPage[^64..]);

        output.Rip = 0;
        output.ErrorCode = 0;
        output.Address = 0;
        output.SignalCode = 0;
        output.Vector = Outcome.Completed;
        RunResult result = _processor.Run(runsOn ? MostInstructions : 1);
        if (runsOn && s.Gpr.Rip == NativeOracle.EndAddress)
            (s.Gpr.Rip, _selector) = (stop, ushort.MaxValue);
        else if (runsOn || result != RunResult.Budget)
            output.Vector = result == RunResult.Event ? Describe(ref output) : Outcome.WorkerDied;

        if ((s.Gpr.Rflags & AlignmentFlag) != 0 != alignment)
            _selector = ushort.MaxValue;
        output.Rip += s.Gpr.Rip;
        output.Rflags = _processor.ExactRegisters.Rflags;
        new ReadOnlySpan<ulong>(System.Runtime.CompilerServices.Unsafe.AsPointer(ref s.Gpr.Rax), 16).CopyTo(output.Registers);
        Span<byte> reached = output.Memory;
        FirstPage[^128..].CopyTo(reached);
        SecondPage[..128].CopyTo(reached[128..]);
        SecondPage[^64..].CopyTo(reached[256..]);
        if (extended)
            SoftwareExtended.Store(in s.Fpu, ref output.Extended);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _processor.Dispose();
        _memory.Dispose();
    }

    private uint Describe(ref CaseRecord output)
    {
        ref CpuEvent e = ref _processor.Event;
        if (e.Kind != CpuEventKind.Exception)
            return Outcome.SystemCall;
        output.ErrorCode = e.HasErrorCode ? (uint)e.Value : 0;
        output.Address = e.Address;
        // #BP and #OF are traps, and so is the #DB of INT1: silicon reports the next instruction (SDM 3A 6.15).
        if (e.Index is 1 or 3 or 4)
            output.Rip = e.Length;
        return e.Index;
    }

    /// <summary>Sees every exception; leaves everything else to the processor.</summary>
    private struct Witness : IVirtualization
    {
        public readonly bool Intercepts(Processor processor, ref CpuEvent e) =>
            e.Kind is CpuEventKind.Exception or CpuEventKind.TripleFault or CpuEventKind.GuestPhysicalAccess or CpuEventKind.PortIo
                or CpuEventKind.StringIo;

        public readonly bool Answers(Processor processor) => false;

        public readonly bool TranslateGuestPhysical(ulong address, GuestAccess access, out Gpa host, out bool writable)
        {
            host = new Gpa(address);
            writable = true;
            return true;
        }
    }
}
