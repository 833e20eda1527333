namespace Hv.Backends.Vmx.Silicon.Fields;

/// <summary>Bits 10:8 of an interruption-information field (SDM 3C tables 25-17 and 25-19).</summary>
public enum InterruptionType : byte
{
    ExternalInterrupt = 0,
    Reserved = 1,
    Nmi = 2,
    HardwareException = 3,
    SoftwareInterrupt = 4,
    PrivilegedSoftwareException = 5,
    SoftwareException = 6,
    OtherEvent = 7,
}

/// <summary>
/// An interruption-information field: VM-entry (SDM 3C 25.8.3), VM-exit (25.9.2) and IDT-vectoring (25.9.3) share the layout vector 7:0, type 10:8,
/// error code valid 11, valid 31.
/// </summary>
/// <param name="Value">The raw field.</param>
public readonly record struct InterruptionInfo(uint Value)
{
    /// <summary>Bits 30:13, reserved in every form, and 12, reserved for VM entry.</summary>
    public const uint EntryReservedBits = 0x7FFF_F000;

    private const uint ErrorCodeBit = 1u << 11, ValidBit = 1u << 31;

    public byte Vector => (byte)Value;

    public InterruptionType Type => (InterruptionType)((Value >> 8) & 7);

    public bool HasErrorCode => (Value & ErrorCodeBit) != 0;

    public bool IsValid => (Value & ValidBit) != 0;

    /// <summary>Whether the event is an instruction's and needs an instruction length: INT n, INT1, INT3 and INTO.</summary>
    public bool IsSoftware =>
        Type is InterruptionType.SoftwareInterrupt or InterruptionType.PrivilegedSoftwareException or InterruptionType.SoftwareException;

    /// <summary>A valid field.</summary>
    public static InterruptionInfo Of(InterruptionType type, byte vector, bool hasErrorCode) =>
        new(ValidBit | ((uint)type << 8) | vector | (hasErrorCode ? ErrorCodeBit : 0));

    /// <summary>The exceptions that push an error code when delivered in protected mode (SDM 3A table 6-1): #DF #TS #NP #SS #GP #PF #AC
    /// #CP.</summary>
    public static bool PushesErrorCode(byte vector) => vector < 32 && ((1u << vector) & 0x0022_7D00) != 0;
}
