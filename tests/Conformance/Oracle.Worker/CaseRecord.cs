using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Hv.Conformance.Oracle;

/// <summary>
/// One case as it lies in the memory shared with the worker: before execution the state to start from, afterwards the state reached. The worker's
/// machine code knows the offsets. Cases without <see cref="HasExtended"/> never touch the last 832 bytes.
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = Size)]
public struct CaseRecord
{
    public const int Size = 512 + ExtendedState.Size;
    public const int RipOffset = 128, RflagsOffset = 136, VectorOffset = 144, ErrorOffset = 152, AddressOffset = 160, CodeOffset = 168;
    public const int CsOffset = 144, SsOffset = 146, DsOffset = 148, EsOffset = 150, HasExtendedOffset = 152;
    public const int MemoryOffset = 192, ExtendedOffset = 512;

    /// <summary>RAX RCX RDX RBX RSP RBP RSI RDI R8..R15.</summary>
    [FieldOffset(0)] public Registers16 Registers;
    [FieldOffset(RipOffset)] public ulong Rip;
    [FieldOffset(RflagsOffset)] public ulong Rflags;

    // Before execution.

    /// <summary>0 for the quick way into 64-bit code (which also sets no selectors); otherwise the selectors are loaded by IRETQ.</summary>
    [FieldOffset(CsOffset)] public ushort Cs;
    [FieldOffset(SsOffset)] public ushort Ss;
    [FieldOffset(DsOffset)] public ushort Ds;
    [FieldOffset(EsOffset)] public ushort Es;

    /// <summary>1: x87, SSE and AVX state is set before the case and reported after it.</summary>
    [FieldOffset(HasExtendedOffset)] public uint HasExtended;

    // After execution.

    /// <summary>The exception's vector, or <see cref="Outcome"/>'s values.</summary>
    [FieldOffset(VectorOffset)] public uint Vector;
    [FieldOffset(ErrorOffset)] public uint ErrorCode;

    /// <summary>CR2 for #PF.</summary>
    [FieldOffset(AddressOffset)] public ulong Address;

    /// <summary>The signal's si_code.</summary>
    [FieldOffset(CodeOffset)] public int SignalCode;

    /// <summary><see cref="OracleMap.Window"/> and then <see cref="OracleMap.Edge"/>.</summary>
    [FieldOffset(MemoryOffset)] public CaseMemory Memory;

    /// <summary>Meaningful in cases that started with <see cref="HasExtended"/>.</summary>
    [FieldOffset(ExtendedOffset)] public ExtendedState Extended;
}

/// <summary>Sixteen general registers by encoding.</summary>
[InlineArray(16)]
public struct Registers16
{
    private ulong _first;
}

/// <summary>The memory that a case sets and reports.</summary>
[InlineArray(Length)]
public struct CaseMemory
{
    public const int Length = OracleMap.WindowSize + OracleMap.EdgeSize;
    private byte _first;
}

/// <summary>Values of <see cref="CaseRecord.Vector"/> that are not exception vectors.</summary>
public static class Outcome
{
    /// <summary>Execution reached the end of the case's code.</summary>
    public const uint Completed = 256;

    /// <summary>The case made a system call, which the worker's filter refused.</summary>
    public const uint SystemCall = 512;

    /// <summary>The worker died of the case, or the case did not come to its end.</summary>
    public const uint WorkerDied = 1024;
}
