namespace Hv.Core;

/// <summary>A guest-physical address, in bytes. Never a host pointer: only <see cref="Memory.GuestMemory"/> turns one into memory.</summary>
/// <param name="Value">The address; any 64-bit value, whether backed by a memory slot or not.</param>
public readonly record struct Gpa(ulong Value)
{
    /// <summary>Bytes in a guest page (4 KiB).</summary>
    public const int PageSize = 4096;

    /// <summary>The offset inside the 4 KiB page, 0..4095.</summary>
    public int PageOffset => (int)(Value & (PageSize - 1));

    /// <summary>The first byte of the page that holds this address.</summary>
    public Gpa PageBase => new(Value & ~(ulong)(PageSize - 1));

    /// <summary>Whether the address is the first byte of a page.</summary>
    public bool IsPageAligned => PageOffset == 0;


    /// <summary>The address <paramref name="bytes"/> further on, modulo 2^64.</summary>
    public static Gpa operator +(Gpa address, ulong bytes) => new(address.Value + bytes);

    /// <inheritdoc/>
    public override string ToString() => $"0x{Value:x}";
}

/// <summary>A guest-virtual (linear) address: what a guest's instruction forms after segmentation and before paging.</summary>
/// <param name="Value">The address; any 64-bit value, canonical or not.</param>
public readonly record struct Gva(ulong Value)
{
    /// <inheritdoc/>
    public override string ToString() => $"0x{Value:x}";
}
