using Hv.Cpu.System;

namespace Hv.Cpu
{
    public abstract partial class Processor
    {
        /// <summary>Where the two vendors' manuals differ in what ordinary system instructions do; set before the first run.</summary>
        public VendorRules Rules { get; set; } = VendorRules.Sdm;
    }
}

namespace Hv.Cpu.System
{
    /// <summary>The system-instruction rules that differ between the SDM and the APM, as data.</summary>
    /// <param name="SyscallOnlyIn64Bit">SYSCALL and SYSRET are #UD outside 64-bit mode (SDM 2B SYSCALL) or work in legacy and compatibility mode too
    /// (APM 3 SYSCALL).</param>
    /// <param name="SysretChecksAtCpl0">A non-canonical RCX faults SYSRET itself, at CPL 0 (SDM 2B SYSRET), or the fetch after it, at CPL 3 (APM 3
    /// SYSRET).</param>
    /// <param name="SysenterInLongMode">SYSENTER and SYSEXIT work in IA-32e mode (SDM 2B SYSENTER) or are #UD there (APM 3 SYSENTER).</param>
    public sealed record VendorRules(bool SyscallOnlyIn64Bit, bool SysretChecksAtCpl0, bool SysenterInLongMode)
    {
        public static VendorRules Sdm { get; } = new(true, true, true);

        public static VendorRules Apm { get; } = new(false, false, false);
    }
}
