using System.Runtime.CompilerServices;
using Hv.Backends.Vmx.Silicon.Fields;
using Hv.Backends.Vmx.Silicon.Translation;
using Hv.Cpu.Virtualization;

namespace Hv.Backends.Vmx.Silicon.Exit;

/// <summary>Fills the VM-exit information fields (SDM 3C 28.2).</summary>
[SkipLocalsInit]
public static class ExitRecorder
{
    private const byte Debug = 1, PageFault = 14;
    private const uint EntryFailureBit = 1u << 31;

    /// <summary>Fills what every exit has: reason, qualification, length; and ends any injection (SDM 3C 28.2.1, 25.8.3).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Basic(Vmcs vmcs, uint reason, ulong qualification, byte length)
    {
        vmcs.Record(VmcsField.ExitReason, reason);
        vmcs.Record(VmcsField.ExitQualification, qualification);
        vmcs.Record(VmcsField.ExitInstructionLength, length);
        vmcs.Record(VmcsField.ExitInterruptionInfo, 0);
        vmcs.Record(VmcsField.IdtVectoringInfo, 0);
        vmcs.Record(VmcsField.EntryInterruptionInfo, vmcs[VmcsField.EntryInterruptionInfo] & int.MaxValue);
    }

    /// <summary>Fills what a VM entry that failed for guest state or MSR loading has: no more than the reason and the qualification (SDM 3C
    /// 27.8).</summary>
    public static void EntryFailure(Vmcs vmcs, VmxExitReason reason, ulong qualification)
    {
        vmcs.Record(VmcsField.ExitReason, EntryFailureBit | (uint)reason);
        vmcs.Record(VmcsField.ExitQualification, qualification);
    }

    // The reasons below 64 that have more than reason and length, a bit each.
    private const ulong Detailed = 1UL << (int)VmxExitReason.ExceptionOrNmi | 1UL << (int)VmxExitReason.TaskSwitch
        | 1UL << (int)VmxExitReason.Invlpg | 1UL << (int)VmxExitReason.ControlRegisterAccess | 1UL << (int)VmxExitReason.MovDr
        | 1UL << (int)VmxExitReason.IoInstruction | 1UL << (int)VmxExitReason.GdtrIdtrAccess | 1UL << (int)VmxExitReason.LdtrTrAccess;

    /// <summary>Fills the fields for an event that exits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Event(Vmcs vmcs, VmxExitReason reason, in CpuEvent e)
    {
        if ((Detailed >> (int)reason & 1) == 0)
            Basic(vmcs, (uint)reason, 0, e.Length);
        else
            Details(vmcs, reason, e);
    }

    private static void Details(Vmcs vmcs, VmxExitReason reason, in CpuEvent e)
    {
        switch (reason)
        {
            case VmxExitReason.IoInstruction:
                Basic(vmcs, (uint)reason, Qualification.Io(e), e.Length);
                if (e.Kind == CpuEventKind.StringIo)
                {
                    vmcs.Record(VmcsField.ExitInstructionInfo, Qualification.StringIo(e));
                    vmcs.Record(VmcsField.GuestLinearAddress, e.Address);
                }

                break;
            case VmxExitReason.ControlRegisterAccess:
                Basic(vmcs, (uint)reason, Qualification.ControlRegister(e), e.Length);
                vmcs.Record(VmcsField.GuestLinearAddress, e.LinearAddress);
                break;
            case VmxExitReason.MovDr:
                Basic(vmcs, (uint)reason, Qualification.DebugRegister(e), e.Length);
                break;
            case VmxExitReason.Invlpg:
                Basic(vmcs, (uint)reason, e.Address, e.Length);
                break;
            case VmxExitReason.TaskSwitch:
                Basic(vmcs, (uint)reason, Qualification.TaskSwitch(e), e.Length);
                break;
            case VmxExitReason.GdtrIdtrAccess or VmxExitReason.LdtrTrAccess:
                Basic(vmcs, (uint)reason, 0, e.Length);
                vmcs.Record(VmcsField.ExitInstructionInfo, e.Index << 28);
                break;
            case VmxExitReason.ExceptionOrNmi:
                Exception(vmcs, e);
                break;
        }
    }

    /// <summary>Fills the fields for an EPT violation or misconfiguration.</summary>
    public static void Ept(Vmcs vmcs, in EptWalk walk, in CpuEvent e)
    {
        bool misconfigured = walk.Outcome == EptOutcome.Misconfiguration;
        Basic(vmcs, (uint)(misconfigured ? VmxExitReason.EptMisconfiguration : VmxExitReason.EptViolation),
            misconfigured ? 0 : Qualification.EptViolation(e.Access, walk.Permissions), 0);
        vmcs.Record(VmcsField.GuestPhysicalAddress, e.Address);
        vmcs.Record(VmcsField.GuestLinearAddress, e.LinearAddress);
    }

    /// <summary>Fills the IDT-vectoring fields when the exit cut an event's delivery off (SDM 3C 28.2.4).</summary>
    /// <param name="vmcs">The current VMCS.</param>
    /// <param name="delivered">The event.</param>
    /// <param name="errorCode">Its error code.</param>
    /// <param name="length">For a software event, its instruction's length.</param>
    public static void Vectoring(Vmcs vmcs, InterruptionInfo delivered, uint errorCode, byte length)
    {
        vmcs.Record(VmcsField.IdtVectoringInfo, delivered.Value);
        vmcs.Record(VmcsField.IdtVectoringErrorCode, errorCode);
        if (delivered.IsSoftware)
            vmcs.Record(VmcsField.ExitInstructionLength, length);
    }

    private static void Exception(Vmcs vmcs, in CpuEvent e)
    {
        byte vector = (byte)e.Index;
        // INT1, INT3 and INTO have a length; an exception of the processor's has none (SDM 3C 28.2.5).
        InterruptionType type = e.Length == 0 ? InterruptionType.HardwareException
            : vector == Debug ? InterruptionType.PrivilegedSoftwareException : InterruptionType.SoftwareException;
        ulong qualification = vector switch { PageFault => e.Address, Debug => Qualification.Debug(e.Address), _ => 0 };
        Basic(vmcs, (uint)VmxExitReason.ExceptionOrNmi, qualification, e.Length);
        vmcs.Record(VmcsField.ExitInterruptionInfo, InterruptionInfo.Of(type, vector, e.HasErrorCode).Value);
        vmcs.Record(VmcsField.ExitInterruptionErrorCode, e.HasErrorCode ? (uint)e.Value : 0);
    }
}
