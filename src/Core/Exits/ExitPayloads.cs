namespace Hv.Core.Exits;

/// <summary>A port access. For string forms the backend runs the string semantics and exits once per element.</summary>
public readonly record struct PortIoExit
{
    private const int SizeShift = 16, ValueShift = 32;
    private const ulong WriteBit = 1 << 24, StringBit = 1 << 25;

    // One word for all, so that it is made in a register and stored once: a load of what was stored piece by piece waits for the pieces.
    private readonly ulong _word;

    /// <summary>Makes one.</summary>
    /// <param name="port">See <see cref="Port"/>.</param>
    /// <param name="size">See <see cref="Size"/>.</param>
    /// <param name="isWrite">See <see cref="IsWrite"/>.</param>
    /// <param name="value">See <see cref="Value"/>.</param>
    /// <param name="isString">See <see cref="IsString"/>.</param>
    public PortIoExit(ushort port, byte size, bool isWrite, uint value, bool isString) =>
        _word = port | (ulong)size << SizeShift | (isWrite ? WriteBit : 0) | (isString ? StringBit : 0) | (ulong)value << ValueShift;

    /// <summary>The first port, 0..65535.</summary>
    public ushort Port => (ushort)_word;

    /// <summary>Bytes: 1, 2 or 4.</summary>
    public byte Size => (byte)(_word >> SizeShift);

    /// <summary>OUT (true) or IN.</summary>
    public bool IsWrite => (_word & WriteBit) != 0;

    /// <summary>For OUT, the bytes written, zero-extended.</summary>
    public uint Value => (uint)(_word >> ValueShift);

    /// <summary>Whether this is one element of INS or OUTS.</summary>
    public bool IsString
    {
        get => (_word & StringBit) != 0;
        init => _word = value ? _word | StringBit : _word & ~StringBit;
    }
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
public readonly record struct CpuidExit
{
    // One word, for the reason of PortIoExit.
    private readonly ulong _word;

    /// <summary>Makes one.</summary>
    /// <param name="leaf">See <see cref="Leaf"/>.</param>
    /// <param name="subleaf">See <see cref="Subleaf"/>.</param>
    public CpuidExit(uint leaf, uint subleaf) => _word = (ulong)leaf << 32 | subleaf;

    /// <summary>EAX.</summary>
    public uint Leaf => (uint)(_word >> 32);

    /// <summary>ECX.</summary>
    public uint Subleaf => (uint)_word;
}

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
