using System.Globalization;
using Hv.Backends.Vmx.Silicon.Exit;
using Hv.Backends.Vmx.Silicon.Fields;
using Hv.Core.Exits;

namespace Hv.Backends.Vmx.Hypervisor.Capture;

/// <summary>A raw exit in the SDM's words.</summary>
public static class VmxExitNames
{
    private const ulong EntryFailure = 1u << 31;

    /// <summary>The reason's name (SDM 3D appendix C), its number, and the decoded qualification where it has one.</summary>
    public static string Describe(in RawExit raw)
    {
        var reason = (VmxExitReason)(ushort)raw.Code;
        string details = Details(reason, raw);
        string failure = (raw.Code & EntryFailure) != 0 ? ", at VM entry" : "";
        string head = string.Create(CultureInfo.InvariantCulture, $"{NameOf(reason)} ({(ushort)raw.Code}{failure})");
        return details.Length == 0 ? head : $"{head}: {details}";
    }

    /// <summary>The SDM's name of a basic exit reason.</summary>
    public static string NameOf(VmxExitReason reason) => reason switch
    {
        VmxExitReason.ExceptionOrNmi => "Exception or NMI",
        VmxExitReason.ExternalInterrupt => "External interrupt",
        VmxExitReason.TripleFault => "Triple fault",
        VmxExitReason.InitSignal => "INIT signal",
        VmxExitReason.StartupIpi => "Start-up IPI",
        VmxExitReason.IoSmi => "I/O SMI",
        VmxExitReason.OtherSmi => "Other SMI",
        VmxExitReason.InterruptWindow => "Interrupt window",
        VmxExitReason.NmiWindow => "NMI window",
        VmxExitReason.TaskSwitch => "Task switch",
        VmxExitReason.ControlRegisterAccess => "Control-register accesses",
        VmxExitReason.MovDr => "MOV DR",
        VmxExitReason.IoInstruction => "I/O instruction",
        VmxExitReason.EntryFailureGuestState => "VM-entry failure due to invalid guest state",
        VmxExitReason.EntryFailureMsrLoading => "VM-entry failure due to MSR loading",
        VmxExitReason.EntryFailureMachineCheck => "VM-entry failure due to machine-check event",
        VmxExitReason.MonitorTrapFlag => "Monitor trap flag",
        VmxExitReason.TprBelowThreshold => "TPR below threshold",
        VmxExitReason.ApicAccess => "APIC access",
        VmxExitReason.VirtualizedEoi => "Virtualized EOI",
        VmxExitReason.GdtrIdtrAccess => "Access to GDTR or IDTR",
        VmxExitReason.LdtrTrAccess => "Access to LDTR or TR",
        VmxExitReason.EptViolation => "EPT violation",
        VmxExitReason.EptMisconfiguration => "EPT misconfiguration",
        VmxExitReason.PreemptionTimer => "VMX-preemption timer expired",
        VmxExitReason.ApicWrite => "APIC write",
        VmxExitReason.PageModificationLogFull => "Page-modification log full",
        VmxExitReason.SppEvent => "SPP-related event",
        VmxExitReason.EnqcmdPasidFailure => "ENQCMD PASID translation failure",
        VmxExitReason.EnqcmdsPasidFailure => "ENQCMDS PASID translation failure",
        VmxExitReason.BusLock => "Bus lock",
        VmxExitReason.InstructionTimeout => "Instruction timeout",
        _ => Enum.IsDefined(reason) ? reason.ToString().ToUpperInvariant() : "Unknown reason",
    };

    private static string Details(VmxExitReason reason, in RawExit raw) => reason switch
    {
        VmxExitReason.IoInstruction => PortIo(raw.Info1),
        VmxExitReason.ControlRegisterAccess => ControlRegister(raw.Info1),
        VmxExitReason.MovDr => string.Create(CultureInfo.InvariantCulture,
            $"MOV {((raw.Info1 & 0x10) != 0 ? "from" : "to")} DR{raw.Info1 & 7}, {Register(raw.Info1)}"),
        VmxExitReason.ExceptionOrNmi => Event(new InterruptionInfo((uint)raw.Info2), raw.Info1),
        VmxExitReason.EptViolation => EptViolation(raw.Info1, raw.Info2),
        VmxExitReason.EptMisconfiguration => $"guest-physical 0x{raw.Info2:x}",
        VmxExitReason.TaskSwitch => TaskSwitch(raw.Info1),
        VmxExitReason.Invlpg => $"linear 0x{raw.Info1:x}",
        VmxExitReason.EntryFailureGuestState => raw.Info1 switch
        {
            2 => "loading PDPTEs",
            3 => "NMI injected through blocking by MOV SS",
            4 => "VMCS link pointer",
            _ => "",
        },
        VmxExitReason.EntryFailureMsrLoading => $"entry {raw.Info1} of the VM-entry MSR-load area",
        _ => "",
    };

    private static string TaskSwitch(ulong q)
    {
        string source = (q >> 30) switch { 0 => "CALL", 1 => "IRET", 2 => "JMP", _ => "task gate" };
        return $"{source}, selector 0x{(ushort)q:x}";
    }

    private static string PortIo(ulong q)
    {
        bool isString = (q & 0x10) != 0;
        string name = ((q & 8) != 0 ? "IN" : "OUT") + (isString ? "S" : "");
        string rep = (q & 0x20) != 0 ? "REP " : "", immediate = (q & 0x40) != 0 ? ", immediate" : "";
        return string.Create(CultureInfo.InvariantCulture, $"{rep}{name}, {(q & 7) + 1} bytes, port 0x{(ushort)(q >> 16):x}{immediate}");
    }

    private static string ControlRegister(ulong q) => ((q >> 4) & 3) switch
    {
        0 => string.Create(CultureInfo.InvariantCulture, $"MOV to CR{q & 15}, {Register(q)}"),
        1 => string.Create(CultureInfo.InvariantCulture, $"MOV from CR{q & 15}, {Register(q)}"),
        2 => "CLTS",
        _ => $"LMSW 0x{(ushort)(q >> 16):x}",
    };

    private static string Event(InterruptionInfo info, ulong qualification)
    {
        if (!info.IsValid)
            return "";
        string type = info.Type switch
        {
            InterruptionType.Nmi => "NMI",
            InterruptionType.HardwareException => "hardware exception",
            InterruptionType.PrivilegedSoftwareException => "privileged software exception",
            InterruptionType.SoftwareException => "software exception",
            _ => "event",
        };
        string address = info.Vector == 14 ? $", address 0x{qualification:x}" : "";
        return string.Create(CultureInfo.InvariantCulture, $"{type}, vector {info.Vector}{address}");
    }

    private static string EptViolation(ulong q, ulong address)
    {
        string access = (q & 4) != 0 ? "fetch" : (q & 2) != 0 ? "write" : "read";
        string allowed = $"{((q & 8) != 0 ? 'R' : '-')}{((q & 16) != 0 ? 'W' : '-')}{((q & 32) != 0 ? 'X' : '-')}";
        return $"{access} of guest-physical 0x{address:x}, {((q & 0x100) != 0 ? "the access itself" : "a page walk")}, entries allow {allowed}";
    }

    private static string Register(ulong q) => ((q >> 8) & 15) switch
    {
        0 => "RAX",
        1 => "RCX",
        2 => "RDX",
        3 => "RBX",
        4 => "RSP",
        5 => "RBP",
        6 => "RSI",
        7 => "RDI",
        ulong n => string.Create(CultureInfo.InvariantCulture, $"R{n}"),
    };
}
