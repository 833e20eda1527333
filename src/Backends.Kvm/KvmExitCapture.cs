using System.Runtime.CompilerServices;
using Hv.Backends.Kvm.Abi;
using Hv.Core;
using Hv.Core.Exits;

namespace Hv.Backends.Kvm;

/// <summary>One exit as KVM reports it: the shared page, the datum that lies outside its structure, and what the backend knows of its host.</summary>
internal readonly ref struct KvmExitRecord(ref readonly KvmRun run, ulong data, ushort hypercallPort, byte outLength)
{
    /// <summary>The shared page.</summary>
    public readonly ref readonly KvmRun Run = ref run;

    /// <summary>For a port write, the element's bytes, zero-extended.</summary>
    public readonly ulong Data = data;

    /// <summary>The port whose one-byte OUT imm8 is the exit instruction.</summary>
    public readonly ushort HypercallPort = hypercallPort;

    /// <summary>How far RIP is past an OUT imm8 when the exit is seen: 2 where the kernel emulates guest ring 0, 0 on VMX and SVM.</summary>
    public readonly byte OutLength = outLength;
}

/// <summary>KVM's exit record to a neutral exit (KVM API, "The kvm_run structure"). Pure; an unknown reason is a value.</summary>
internal abstract class KvmExitCapture : IExitCapture<KvmExitRecord>
{
    private const byte Out = 1;
    private const uint ProtectionEnable = 1, Virtual8086 = 1 << 17, LongModeActive = 1 << 10;

    /// <inheritdoc/>
    public static void Capture(in KvmExitRecord raw, out VmExit exit)
    {
        ref readonly KvmRun run = ref raw.Run;
        ExitSite site = SiteOf(in run);
        switch (run.exit_reason)
        {
            case KvmExitReason.Io:
                ref readonly KvmRun.IoRecord io = ref run.io;
                var code = new RawExit((ulong)run.exit_reason, PortDetail(in io), raw.Data);
                if (IsHypercall(in io, raw.HypercallPort))
                    CaptureHypercall(in run, raw.OutLength, out exit);
                else
                    VmExit.FromPortIo(site, code, new PortIoExit(io.port, io.size, io.direction == Out, (uint)raw.Data, io.count > 1), out exit);
                return;
            case KvmExitReason.Mmio:
                ref readonly KvmRun.MmioRecord mmio = ref run.mmio;
                byte size = (byte)Math.Min(mmio.len, 8);
                ulong value = mmio.is_write != 0 ? mmio.data & (size >= 8 ? ulong.MaxValue : (1UL << (8 * size)) - 1) : 0;
                VmExit.FromMemory(site, new RawExit((ulong)run.exit_reason, mmio.phys_addr, mmio.data),
                    new MemoryExit(new Gpa(mmio.phys_addr), size, mmio.is_write != 0, false, value), out exit);
                return;
            case KvmExitReason.X86Rdmsr:
                VmExit.FromMsrRead(site with { InstructionLength = 2 }, MsrRaw(in run), run.msr.index, out exit);
                return;
            case KvmExitReason.X86Wrmsr:
                VmExit.FromMsrWrite(site with { InstructionLength = 2 }, MsrRaw(in run), run.msr.index, run.msr.data, out exit);
                return;
            default:
                VmExit.Plain(Neutral(run.exit_reason), site,
                    new RawExit((ulong)run.exit_reason, run.fail_entry.hardware_entry_failure_reason, run.@internal.data0), out exit);
                return;
        }
    }

    /// <summary>The exit instruction's exit. Apart, and inlined, because each method called between two entries of the guest is a page that is
    /// cold.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void CaptureHypercall(in KvmRun run, byte outLength, out VmExit exit)
    {
        ref readonly KvmRun.IoRecord io = ref run.io;
        VmExit.Plain(ExitReason.Hypercall, new ExitSite(run.regs.rip - outLength, 2, ModeOf(in run), (byte)(run.sregs.ss.dpl & 3)),
            new RawExit((ulong)run.exit_reason, PortDetail(in io), 0), out exit);
    }

    /// <summary>Whether a port access is the exit instruction: one byte, by OUT, to its port.</summary>
    public static bool IsHypercall(in KvmRun.IoRecord io, ushort port) => io.direction == Out && io.size == 1 && io.count == 1 && io.port == port;

    /// <summary>Where the guest stands by the synced registers.</summary>
    public static ExitSite SiteOf(in KvmRun run) => new(run.regs.rip, 0, ModeOf(in run), (byte)(run.sregs.ss.dpl & 3));

    private static ExitReason Neutral(KvmExitReason reason) => reason switch
    {
        KvmExitReason.Hlt => ExitReason.Halt,
        KvmExitReason.Shutdown => ExitReason.Shutdown,
        KvmExitReason.IrqWindowOpen => ExitReason.InterruptWindow,
        KvmExitReason.Intr => ExitReason.Cancelled,
        KvmExitReason.FailEntry => ExitReason.EntryFailed,
        KvmExitReason.InternalError or KvmExitReason.RunFailed => ExitReason.InternalError,
        _ => ExitReason.Unknown,
    };

    private static RawExit MsrRaw(in KvmRun run) => new((ulong)run.exit_reason, run.msr.index, run.msr.data);

    private static ulong PortDetail(in KvmRun.IoRecord io) =>
        ((ulong)io.count << 32) | ((ulong)io.port << 16) | ((ulong)io.size << 8) | io.direction;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static GuestMode ModeOf(in KvmRun run)
    {
        if ((run.sregs.cr0 & ProtectionEnable) == 0)
            return GuestMode.Real;
        GuestMode mode = GuestMode.Protected;
        bool longMode = (run.sregs.efer & LongModeActive) != 0;
        if (longMode)
            mode |= GuestMode.LongModeActive;
        if (longMode && run.sregs.cs.l != 0)
            return mode | GuestMode.Code64;
        if ((run.regs.rflags & Virtual8086) != 0)
            return mode | GuestMode.Virtual8086;
        return run.sregs.cs.db != 0 ? mode | GuestMode.Code32 : mode;
    }
}
