using System.Runtime.CompilerServices;
using Hv.Core.Registers;
using Hv.Cpu.State;
using Hv.Cpu.Virtualization;

namespace Hv.Backends.Svm.Silicon;

/// <summary>The SVM instructions other than VMRUN, for the host and, where the hypervisor does not intercept them, for the guest.</summary>
public sealed partial class SvmCore
{
    private const ulong Pe = 1, VirtualMode = 1ul << 17;

    private enum CoreAction : byte
    {
        None,

        /// <summary>The instruction raises #GP(0), which may be intercepted in its turn.</summary>
        GeneralProtection,

        /// <summary>The instruction is executed by <see cref="Perform"/>.</summary>
        Instruction,
    }

    private CoreAction _action;

    /// <summary>STGI.</summary>
    public void Stgi() => Gif = true;

    /// <summary>CLGI.</summary>
    public void Clgi() => Gif = false;

    /// <summary>VMLOAD: FS, GS, TR, LDTR and the system-call registers from the VMCB. False is #GP(0).</summary>
    public bool Vmload(Hpa address)
    {
        ref Vmcb vmcb = ref _memory.VmcbAt(address);
        if (Unsafe.IsNullRef(in vmcb))
            return false;
        GuestStateTransfer.LoadExtra(ref _cpu.State, in vmcb.Save);
        _cpu.ModeChanged(ref _cpu.State);
        return true;
    }

    /// <summary>VMSAVE: the same registers to the VMCB. False is #GP(0).</summary>
    public bool Vmsave(Hpa address)
    {
        ref Vmcb vmcb = ref _memory.VmcbAt(address);
        if (Unsafe.IsNullRef(in vmcb))
            return false;
        GuestStateTransfer.SaveExtra(in _cpu.State, ref vmcb.Save);
        return true;
    }

    /// <summary>
    /// The checks that come before an SVM instruction's intercept: #UD outside protected mode, #GP(0) above CPL 0 (APM 3, the instructions'
    /// pages). VMMCALL has neither. False: the instruction faults; #UD is the engine's own answer, #GP(0) is
    /// <see cref="CoreAction.GeneralProtection"/>. EFER.SVME is set in any guest.
    /// </summary>
    private bool AdmitSvmInstruction(ref readonly CpuState s, ref readonly CpuEvent e)
    {
        _action = CoreAction.None;
        if (e.Instruction is < VendorInstruction.Vmrun or > VendorInstruction.Invlpga)
            return false;
        if (e.Instruction == VendorInstruction.Vmmcall)
            return true;
        if ((s.Sys.Cr0 & Pe) == 0 || (s.Gpr.Rflags & VirtualMode) != 0)
            return false;
        if (s.Sys.Cpl != 0)
            _action = CoreAction.GeneralProtection;
        return s.Sys.Cpl == 0;
    }

    /// <summary>Whether the core has an effect for an SVM instruction that is not intercepted. VMMCALL has none: #UD. SKINIT is not offered by the
    /// model's CPUID: #UD.</summary>
    private bool ExecutesItself(ref readonly CpuEvent e)
    {
        bool known = e.Instruction is VendorInstruction.Vmload or VendorInstruction.Vmsave or VendorInstruction.Stgi or VendorInstruction.Clgi
            or VendorInstruction.Invlpga;
        _action = known ? CoreAction.Instruction : CoreAction.None;
        return known;
    }

    /// <summary>Does what <see cref="CoreAction"/> asks. True: it became a #VMEXIT.</summary>
    private bool Perform(ref CpuState s)
    {
        CoreAction action = _action;
        _action = CoreAction.None;
        if (action == CoreAction.Instruction && TryExecute(ref s))
        {
            s.Gpr.Rip = NextRip.Of(in s, _cpu.Event.Length);
            return false;
        }

        var fault = new CpuEvent { Kind = CpuEventKind.Exception, Index = ExceptionVectors.GeneralProtection, HasErrorCode = true };
        if (Interception.Decide(in _onChip.Control, in s, in fault, _memory, _decodeAssists, out _exit))
            return true;
        _cpu.Deliver(new PendingEvent(PendingEventKind.Exception, ExceptionVectors.GeneralProtection, true, 0, 0), 0);
        return false;
    }

    private bool TryExecute(ref CpuState s)
    {
        switch (_cpu.Event.Instruction)
        {
            case VendorInstruction.Vmload:
                return Vmload(new Hpa(s.Gpr.Rax));
            case VendorInstruction.Vmsave:
                return Vmsave(new Hpa(s.Gpr.Rax));
            case VendorInstruction.Stgi:
                Stgi();
                return true;
            case VendorInstruction.Clgi:
                Clgi();
                return true;
            default:
                // INVLPGA with ECX another ASID than the guest's touches nothing that is cached here.
                if ((uint)s.Gpr.Rcx == _onChip.Control.GuestAsid)
                    _cpu.FlushTlbPage(s.Gpr.Rax);
                return true;
        }
    }
}
