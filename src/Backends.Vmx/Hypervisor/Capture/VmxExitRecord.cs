namespace Hv.Backends.Vmx.Hypervisor.Capture;

/// <summary>
/// One VM exit as the hypervisor reads it: the VMCS's exit-information fields, the guest-state fields that say where it was, and the general
/// registers
/// that the exit's handling looks at. Raw values, nothing interpreted.
/// </summary>
public struct VmxExitRecord
{
    /// <summary>Exit reason (4402H), bit 31 included.</summary>
    public uint Reason;

    /// <summary>Exit qualification (6400H).</summary>
    public ulong Qualification;

    /// <summary>VM-exit instruction length (440CH).</summary>
    public uint InstructionLength;

    /// <summary>VM-exit instruction information (440EH).</summary>
    public uint InstructionInfo;

    /// <summary>VM-exit interruption information (4404H) and error code (4406H).</summary>
    public uint InterruptionInfo, InterruptionErrorCode;

    /// <summary>Guest-physical address (2400H).</summary>
    public ulong GuestPhysicalAddress;

    /// <summary>Guest RIP (681EH), RFLAGS (6820H) and CR0 (6800H).</summary>
    public ulong Rip, Rflags, Cr0;

    /// <summary>Guest CS (4816H) and SS (4818H) access rights, and VM-entry controls (4012H), whose bit 9 tells IA-32e mode.</summary>
    public uint CsAccessRights, SsAccessRights, EntryControls;

    /// <summary>General registers, which are not in the VMCS.</summary>
    public ulong Rax, Rcx, Rdx;

    /// <summary>What the hypervisor's instruction emulator found the memory operand of an EPT violation or of OUTS to be: bytes, and for a store
    /// the value.
    /// 0 bytes for an instruction fetch.</summary>
    public byte OperandSize;

    /// <summary>Whether the emulator is at the store of an instruction that reads and writes its operand: the qualification of such an access has
    /// both bits.</summary>
    public bool OperandIsStore;

    /// <summary>See <see cref="OperandSize"/>.</summary>
    public ulong OperandValue;
}
