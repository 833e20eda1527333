namespace Hv.Backends.Vmx.Hypervisor.Capture;

/// <summary>
/// What <see cref="VmxExitCapture"/> may look at of one VM exit: the VMCS's exit-information fields, the guest-state fields that say where it was,
/// and the general registers that the exit's handling looks at. Raw values, nothing interpreted. A struct implements it, so that an exit reads just
/// the fields that it needs, by direct calls.
/// </summary>
public interface IVmxExitFields
{
    /// <summary>Exit reason (4402H), bit 31 included.</summary>
    uint Reason { get; }

    /// <summary>Exit qualification (6400H).</summary>
    ulong Qualification { get; }

    /// <summary>VM-exit instruction length (440CH).</summary>
    uint InstructionLength { get; }

    /// <summary>VM-exit instruction information (440EH).</summary>
    uint InstructionInfo { get; }

    /// <summary>VM-exit interruption information (4404H).</summary>
    uint InterruptionInfo { get; }

    /// <summary>VM-exit interruption error code (4406H).</summary>
    uint InterruptionErrorCode { get; }

    /// <summary>Guest-physical address (2400H).</summary>
    ulong GuestPhysicalAddress { get; }

    /// <summary>Guest RIP (681EH).</summary>
    ulong Rip { get; }

    /// <summary>Guest RFLAGS (6820H).</summary>
    ulong Rflags { get; }

    /// <summary>Guest CR0 (6800H).</summary>
    ulong Cr0 { get; }

    /// <summary>Guest CS access rights (4816H).</summary>
    uint CsAccessRights { get; }

    /// <summary>Guest SS access rights (4818H).</summary>
    uint SsAccessRights { get; }

    /// <summary>VM-entry controls (4012H), whose bit 9 tells IA-32e mode.</summary>
    uint EntryControls { get; }

    /// <summary>A general register, which is not in the VMCS.</summary>
    ulong Rax { get; }

    /// <summary>See <see cref="Rax"/>.</summary>
    ulong Rcx { get; }

    /// <summary>See <see cref="Rax"/>.</summary>
    ulong Rdx { get; }

    /// <summary>What the hypervisor's instruction emulator found the memory operand of an EPT violation or of OUTS to be: bytes, and for a store
    /// the value. 0 bytes for an instruction fetch.</summary>
    byte OperandSize { get; }

    /// <summary>Whether the emulator is at the store of an instruction that reads and writes its operand: the qualification of such an access has
    /// both bits.</summary>
    bool OperandIsStore { get; }

    /// <summary>See <see cref="OperandSize"/>.</summary>
    ulong OperandValue { get; }
}
