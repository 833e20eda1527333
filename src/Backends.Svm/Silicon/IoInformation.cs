namespace Hv.Backends.Svm.Silicon;

/// <summary>EXITINFO1 of VMEXIT_IOIO (APM 2 15.10.2, figure 15-2).</summary>
/// <param name="Value">The word.</param>
public readonly record struct IoInformation(ulong Value)
{
    private const ulong InBit = 1, StringBit = 1 << 2, RepBit = 1 << 3;

    /// <summary>IN or INS.</summary>
    public bool IsIn => (Value & InBit) != 0;

    /// <summary>INS or OUTS.</summary>
    public bool IsString => (Value & StringBit) != 0;

    /// <summary>With a REP prefix.</summary>
    public bool IsRep => (Value & RepBit) != 0;

    /// <summary>Bytes of the access: 1, 2 or 4.</summary>
    public byte Size => (byte)(Value >> 4 & 7);

    /// <summary>Bytes of an address: 2, 4 or 8.</summary>
    public byte AddressSize => (byte)(2 * (Value >> 7 & 7));

    /// <summary>The effective segment of OUTS or INS, by its encoding.</summary>
    public byte Segment => (byte)(Value >> 10 & 7);

    /// <summary>The port.</summary>
    public ushort Port => (ushort)(Value >> 16);

    /// <summary>Packs the word.</summary>
    /// <param name="port">The port.</param>
    /// <param name="isIn">IN or INS.</param>
    /// <param name="size">1, 2 or 4 bytes.</param>
    /// <param name="addressSize">2, 4 or 8 bytes.</param>
    /// <param name="isString">INS or OUTS.</param>
    /// <param name="isRep">With a REP prefix.</param>
    /// <param name="segment">The effective segment of a string form.</param>
    public static IoInformation Of(
        ushort port, bool isIn, byte size, byte addressSize, bool isString = false, bool isRep = false, byte segment = 0) =>
        new((isIn ? InBit : 0) | (isString ? StringBit : 0) | (isRep ? RepBit : 0) | (ulong)size << 4 | (ulong)(addressSize / 2) << 7
            | (ulong)(segment & 7) << 10 | (ulong)port << 16);
}
