namespace Hv.Backends.Vmx.Silicon.Operation;

/// <summary>How a VMX instruction ended (SDM 3C 31.2).</summary>
public enum VmxOutcome : byte
{
    /// <summary>VMsucceed: CF and ZF clear.</summary>
    Succeed,

    /// <summary>VMfailInvalid: CF set; there is no current VMCS to hold an error number.</summary>
    FailInvalid,

    /// <summary>VMfailValid: ZF set; the number is in the VM-instruction error field.</summary>
    FailValid,

    /// <summary>An exception.</summary>
    Fault,
}

/// <summary>VM-instruction error numbers (SDM 3C 31.4).</summary>
public enum VmxError : byte
{
    None = 0,
    VmcallInRoot = 1,
    VmclearInvalidAddress = 2,
    VmclearVmxonPointer = 3,
    VmlaunchNotClear = 4,
    VmresumeNotLaunched = 5,
    VmresumeAfterVmxoff = 6,
    EntryInvalidControls = 7,
    EntryInvalidHostState = 8,
    VmptrldInvalidAddress = 9,
    VmptrldVmxonPointer = 10,
    VmptrldWrongRevision = 11,
    UnsupportedComponent = 12,
    VmwriteReadOnly = 13,
    VmxonInRoot = 15,
    EntryMovSsBlocking = 26,
    InvalidInvalidationOperand = 28,
}

/// <summary>What a VMX instruction did.</summary>
public readonly record struct VmxResult
{
    // One word: three bytes that are stored one by one and returned together would wait for each other at every VM entry.
    private readonly uint _packed;

    /// <summary>Makes a result.</summary>
    /// <param name="outcome">How it ended.</param>
    /// <param name="error">For <see cref="VmxOutcome.FailValid"/>.</param>
    /// <param name="vector">For <see cref="VmxOutcome.Fault"/>: 6 (#UD) or 13 (#GP(0)).</param>
    public VmxResult(VmxOutcome outcome, VmxError error = VmxError.None, byte vector = 0) =>
        _packed = (uint)outcome | (uint)error << 8 | (uint)vector << 16;

    /// <summary>How it ended.</summary>
    public VmxOutcome Outcome => (VmxOutcome)(byte)_packed;

    /// <summary>For <see cref="VmxOutcome.FailValid"/>: which rule was broken.</summary>
    public VmxError Error => (VmxError)(byte)(_packed >> 8);

    /// <summary>For <see cref="VmxOutcome.Fault"/>: the exception's vector.</summary>
    public byte Vector => (byte)(_packed >> 16);

    public static VmxResult Succeed => default;

    public static VmxResult FailInvalid => new(VmxOutcome.FailInvalid);

    public static VmxResult InvalidOpcode => new(VmxOutcome.Fault, vector: 6);

    public static VmxResult GeneralProtection => new(VmxOutcome.Fault, vector: 13);

    /// <summary>Whether it did what it was asked to.</summary>
    public bool IsSuccess => Outcome == VmxOutcome.Succeed;
}
