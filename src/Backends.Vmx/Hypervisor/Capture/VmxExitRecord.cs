namespace Hv.Backends.Vmx.Hypervisor.Capture;

/// <summary>One VM exit as plain values, apart from any VMCS.</summary>
public readonly record struct VmxExitRecord : IVmxExitFields
{
    /// <inheritdoc/>
    public uint Reason { get; init; }

    /// <inheritdoc/>
    public ulong Qualification { get; init; }

    /// <inheritdoc/>
    public uint InstructionLength { get; init; }

    /// <inheritdoc/>
    public uint InstructionInfo { get; init; }

    /// <inheritdoc/>
    public uint InterruptionInfo { get; init; }

    /// <inheritdoc/>
    public uint InterruptionErrorCode { get; init; }

    /// <inheritdoc/>
    public ulong GuestPhysicalAddress { get; init; }

    /// <inheritdoc/>
    public ulong Rip { get; init; }

    /// <inheritdoc/>
    public ulong Rflags { get; init; }

    /// <inheritdoc/>
    public ulong Cr0 { get; init; }

    /// <inheritdoc/>
    public uint CsAccessRights { get; init; }

    /// <inheritdoc/>
    public uint SsAccessRights { get; init; }

    /// <inheritdoc/>
    public uint EntryControls { get; init; }

    /// <inheritdoc/>
    public ulong Rax { get; init; }

    /// <inheritdoc/>
    public ulong Rcx { get; init; }

    /// <inheritdoc/>
    public ulong Rdx { get; init; }

    /// <inheritdoc/>
    public byte OperandSize { get; init; }

    /// <inheritdoc/>
    public bool OperandIsStore { get; init; }

    /// <inheritdoc/>
    public ulong OperandValue { get; init; }
}
