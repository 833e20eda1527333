namespace Hv.Core.Exits;

/// <summary>A port access. For string forms the backend runs the string semantics and exits once per element.</summary>
/// <param name="Port">The first port, 0..65535.</param>
/// <param name="Size">Bytes: 1, 2 or 4.</param>
/// <param name="IsWrite">OUT (true) or IN.</param>
/// <param name="Value">For OUT, the bytes written, zero-extended.</param>
/// <param name="IsString">Whether this is one element of INS or OUTS.</param>
public readonly record struct PortIoExit(ushort Port, byte Size, bool IsWrite, uint Value, bool IsString)
{
    private const byte WriteBit = 1, StringBit = 2;

    // One byte for both: a structure of four fields is kept in registers until it is stored.
    private readonly byte _kind = (byte)((IsWrite ? WriteBit : 0) | (IsString ? StringBit : 0));

    /// <summary>OUT (true) or IN.</summary>
    public bool IsWrite { get => (_kind & WriteBit) != 0; init => _kind = (byte)(value ? _kind | WriteBit : _kind & ~WriteBit); }

    /// <summary>Whether this is one element of INS or OUTS.</summary>
    public bool IsString { get => (_kind & StringBit) != 0; init => _kind = (byte)(value ? _kind | StringBit : _kind & ~StringBit); }
}

/// <summary>A data access to guest-physical memory without a slot behind it, or a write to a read-only slot.</summary>
/// <param name="Address">The first byte.</param>
/// <param name="Size">Bytes, 1..8, never across a page.</param>
/// <param name="IsWrite">Whether it writes.</param>
/// <param name="IsFetch">Whether it is an instruction fetch, which cannot be completed with a value.</param>
/// <param name="Value">For a write, the bytes, zero-extended.</param>
public readonly record struct MemoryExit(Gpa Address, byte Size, bool IsWrite, bool IsFetch, ulong Value);

/// <summary>An access to a model-specific register.</summary>
/// <param name="Index">ECX.</param>
/// <param name="Value">For WRMSR, EDX:EAX.</param>
public readonly record struct MsrExit(uint Index, ulong Value);

/// <summary>A CPUID query.</summary>
/// <param name="Leaf">EAX.</param>
/// <param name="Subleaf">ECX.</param>
public readonly record struct CpuidExit(uint Leaf, uint Subleaf);

/// <summary>An intercepted exception.</summary>
/// <param name="Vector">0..31.</param>
/// <param name="HasErrorCode">Whether the vector carries an error code.</param>
/// <param name="ErrorCode">The error code that the guest would see.</param>
/// <param name="Address">For #PF the faulting linear address.</param>
public readonly record struct ExceptionExit(byte Vector, bool HasErrorCode, uint ErrorCode, ulong Address);

/// <summary>What the backend itself reported, for traces and for unknown exits: its own numbers, not interpreted by Core.</summary>
/// <param name="Code">The backend's exit number.</param>
/// <param name="Info1">Its first word of detail.</param>
/// <param name="Info2">Its second word of detail.</param>
public readonly record struct RawExit(ulong Code, ulong Info1, ulong Info2);
