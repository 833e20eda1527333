using System.Diagnostics;

namespace Hv.Core.Exits;

/// <summary>
/// The instruction that leaves the guest, as data: a backend supplies the bytes, and Core alone decides where they are written and what
/// follows them (docs/adr/0002-encoding-is-data.md).
/// </summary>
public readonly struct ExitEncoding : IEquatable<ExitEncoding>
{
    /// <summary>The longest encoding in bytes.</summary>
    public const int MaxLength = 7;

    private readonly ulong _packed;

    /// <summary>Takes the instruction's bytes.</summary>
    /// <exception cref="ArgumentException">There are none, or more than <see cref="MaxLength"/>.</exception>
    public ExitEncoding(ReadOnlySpan<byte> instruction)
    {
        if (instruction.Length is 0 or > MaxLength)
            throw new ArgumentException($"an exit instruction has 1 to {MaxLength} bytes, not {instruction.Length}", nameof(instruction));
        for (int i = 0; i < instruction.Length; i++)
            _packed |= (ulong)instruction[i] << (8 * i);
        _packed |= (ulong)instruction.Length << 56;
    }

    /// <summary>Bytes of the instruction, 1..7.</summary>
    public int Length => (int)(_packed >> 56);

    /// <summary>Writes the instruction's bytes to the front of <paramref name="destination"/>.</summary>
    public void CopyTo(Span<byte> destination)
    {
        Debug.Assert(destination.Length >= Length);
        for (int i = 0; i < Length; i++)
            destination[i] = (byte)(_packed >> (8 * i));
    }

    /// <inheritdoc/>
    public bool Equals(ExitEncoding other) => _packed == other._packed;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is ExitEncoding other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => _packed.GetHashCode();

    public static bool operator ==(ExitEncoding left, ExitEncoding right) => left.Equals(right);

    public static bool operator !=(ExitEncoding left, ExitEncoding right) => !left.Equals(right);

    /// <summary>The bytes in hexadecimal, for example <c>0F 01 C1</c>.</summary>
    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[Length];
        CopyTo(bytes);
        return string.Join(' ', bytes.ToArray().Select(b => b.ToString("X2")));
    }
}
