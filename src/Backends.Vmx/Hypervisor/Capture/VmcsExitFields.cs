using System.Runtime.CompilerServices;
using Hv.Backends.Vmx.Silicon.Fields;
using Hv.Cpu;
using Hv.Cpu.Virtualization;

namespace Hv.Backends.Vmx.Hypervisor.Capture;

/// <summary>The present exit, each field by a VMREAD when it is asked for (docs/adr/0045-exit-information-is-read-when-needed.md).</summary>
/// <param name="vmcs">The current VMCS, as VMREAD sees it.</param>
/// <param name="processor">Its registers, and what its instruction emulator found.</param>
internal readonly struct VmcsExitFields(Vmcs vmcs, Processor processor) : IVmxExitFields
{
    /// <inheritdoc/>
    public uint Reason => (uint)Read(VmcsField.ExitReason);

    /// <inheritdoc/>
    public ulong Qualification => Read(VmcsField.ExitQualification);

    /// <inheritdoc/>
    public uint InstructionLength => (uint)Read(VmcsField.ExitInstructionLength);

    /// <inheritdoc/>
    public uint InstructionInfo => (uint)Read(VmcsField.ExitInstructionInfo);

    /// <inheritdoc/>
    public uint InterruptionInfo => (uint)Read(VmcsField.ExitInterruptionInfo);

    /// <inheritdoc/>
    public uint InterruptionErrorCode => (uint)Read(VmcsField.ExitInterruptionErrorCode);

    /// <inheritdoc/>
    public ulong GuestPhysicalAddress => Read(VmcsField.GuestPhysicalAddress);

    /// <inheritdoc/>
    public ulong Rip => Read(VmcsField.GuestRip);

    // No RFLAGS is pending at an exit, and its field would settle the arithmetic bits, which capture does not look at.
    /// <inheritdoc/>
    public ulong Rflags => processor.State.Gpr.Rflags;

    /// <inheritdoc/>
    public ulong Cr0 => Read(VmcsField.GuestCr0);

    /// <inheritdoc/>
    public uint CsAccessRights => (uint)Read(VmcsField.GuestCsAccessRights);

    /// <inheritdoc/>
    public uint SsAccessRights => (uint)Read(VmcsField.GuestSsAccessRights);

    /// <inheritdoc/>
    public uint EntryControls => (uint)Read(VmcsField.EntryControls);

    /// <inheritdoc/>
    public ulong Rax => processor.State.Gpr.Rax;

    /// <inheritdoc/>
    public ulong Rcx => processor.State.Gpr.Rcx;

    /// <inheritdoc/>
    public ulong Rdx => processor.State.Gpr.Rdx;

    // What decoding the instruction would tell a hypervisor (docs/adr/0044-instruction-emulator.md).
    /// <inheritdoc/>
    public byte OperandSize => (processor.Event.Access & GuestAccess.Execute) != 0 ? (byte)0 : processor.Event.Size;

    /// <inheritdoc/>
    public bool OperandIsStore => processor.Event.IsWrite;

    /// <inheritdoc/>
    public ulong OperandValue => processor.Event.Value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ulong Read(VmcsField field) => vmcs[field];
}
