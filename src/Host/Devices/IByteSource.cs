namespace Hv.Host.Devices;

/// <summary>Gives bytes to a device, without ever making it wait.</summary>
internal interface IByteSource
{
    /// <summary>Whether a byte is there now.</summary>
    bool HasByte { get; }

    /// <summary>Takes the next byte; false when none is there now.</summary>
    bool TryTake(out byte value);
}
