namespace Hv.Backends.Svm.Silicon;

/// <summary>A system-physical address of the modelled machine: what the VMCB, the permission maps and the nested tables hold.</summary>
/// <param name="Value">The address; valid ones lie below 2^<see cref="SiliconModel.PhysicalAddressBits"/>.</param>
public readonly record struct Hpa(ulong Value)
{
    /// <summary>Bytes in a page.</summary>
    public const int PageSize = 4096;

    /// <summary>Whether the address is the first byte of a page.</summary>
    public bool IsPageAligned => (Value & (PageSize - 1)) == 0;

    /// <summary>The address <paramref name="bytes"/> further on.</summary>
    public static Hpa operator +(Hpa address, ulong bytes) => new(address.Value + bytes);

    /// <inheritdoc/>
    public override string ToString() => $"0x{Value:x}";
}
