namespace Hv.Backends.Vmx.Silicon.Exit;

/// <summary>Basic exit reasons (SDM 3D appendix C). Bit 31 of the field says that VM entry failed.</summary>
public enum VmxExitReason : ushort
{
    ExceptionOrNmi = 0, ExternalInterrupt = 1, TripleFault = 2, InitSignal = 3, StartupIpi = 4, IoSmi = 5, OtherSmi = 6, InterruptWindow = 7,
    NmiWindow = 8, TaskSwitch = 9, Cpuid = 10, Getsec = 11, Hlt = 12, Invd = 13, Invlpg = 14, Rdpmc = 15, Rdtsc = 16, Rsm = 17, Vmcall = 18,
    Vmclear = 19, Vmlaunch = 20, Vmptrld = 21, Vmptrst = 22, Vmread = 23, Vmresume = 24, Vmwrite = 25, Vmxoff = 26, Vmxon = 27,
    ControlRegisterAccess = 28, MovDr = 29, IoInstruction = 30, Rdmsr = 31, Wrmsr = 32, EntryFailureGuestState = 33, EntryFailureMsrLoading = 34,
    Mwait = 36, MonitorTrapFlag = 37, Monitor = 39, Pause = 40, EntryFailureMachineCheck = 41, TprBelowThreshold = 43, ApicAccess = 44,
    VirtualizedEoi = 45, GdtrIdtrAccess = 46, LdtrTrAccess = 47, EptViolation = 48, EptMisconfiguration = 49, Invept = 50, Rdtscp = 51,
    PreemptionTimer = 52, Invvpid = 53, Wbinvd = 54, Xsetbv = 55, ApicWrite = 56, Rdrand = 57, Invpcid = 58, Vmfunc = 59, Encls = 60, Rdseed = 61,
    PageModificationLogFull = 62, Xsaves = 63, Xrstors = 64, Pconfig = 65, SppEvent = 66, Umwait = 67, Tpause = 68, Loadiwkey = 69, Enclv = 70,
    EnqcmdPasidFailure = 72, EnqcmdsPasidFailure = 73, BusLock = 74, InstructionTimeout = 75, Seamcall = 76, Tdcall = 77, Rdmsrlist = 78,
    Wrmsrlist = 79,
}
