using System.Runtime.CompilerServices;
using Hv.Core;
using Hv.Core.Exits;
using Hv.Core.Registers;
using Hv.Cpu;
using Hv.Cpu.Virtualization;

namespace Hv.Backends.Emulated;

/// <summary>The processor's events as neutral exits. Pure: reads the record and nothing else.</summary>
[SkipLocalsInit]
internal sealed class EmulatedExitCapture : IExitCapture<EmulatedExit>
{
    /// <summary>Added to a <see cref="RunResult"/> that is no event, to tell it from an event's kind in <see cref="RawExit.Code"/>.</summary>
    private const ulong ResultBase = 0x100;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Capture(in EmulatedExit raw, out VmExit exit)
    {
        if (raw.Result != RunResult.Event)
        {
            VmExit.Plain(ReasonOf(raw.Result), raw.Site, new RawExit(ResultBase + (ulong)raw.Result, 0, 0), out exit);
            return;
        }

        ref readonly CpuEvent e = ref raw.Event;
        ExitSite site = raw.Site with { InstructionLength = e.Length };
        if (e.Kind is CpuEventKind.PortIo or CpuEventKind.StringIo)
        {
            VmExit.FromPortIo(site, new RawExit((ulong)e.Kind, e.Port.Port, e.Port.Value), e.Port, out exit);
            return;
        }

        VmExit.Plain(ExitReason.Unknown, site, new RawExit((ulong)e.Kind, e.Index, e.Value), out exit);
        switch (e.Kind)
        {
            case CpuEventKind.VendorInstruction when e.Instruction == VendorInstruction.HvExit:
                exit.Become(ExitReason.Hypercall);
                return;
            case CpuEventKind.Cpuid:
                exit.BecomeCpuid((uint)raw.Registers.Rax, (uint)raw.Registers.Rcx);
                return;
            case CpuEventKind.Rdmsr:
                exit.BecomeMsrRead(e.Index);
                return;
            case CpuEventKind.Wrmsr:
                exit.BecomeMsrWrite(e.Index, e.Value);
                return;
            default:
                CaptureRare(in e, ref exit);
                return;
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void CaptureRare(in CpuEvent e, ref VmExit exit)
    {
        // Taken from the exit again, so that where it is made its site need not lie in memory.
        var site = new ExitSite(exit.Rip, exit.InstructionLength, exit.Mode, exit.Cpl);
        switch (e.Kind)
        {
            case CpuEventKind.GuestPhysicalAccess:
                VmExit.FromMemory(site, new RawExit((ulong)e.Kind, e.Index, e.Address), MemoryOf(in e), out exit);
                return;
            case CpuEventKind.Exception:
                VmExit.FromException(site, exit.Raw, new ExceptionExit((byte)e.Index, e.HasErrorCode, (uint)e.Value, e.Address), out exit);
                return;
            case CpuEventKind.InterruptWindow:
                exit.Become(ExitReason.InterruptWindow);
                return;
        }
    }

    /// <summary>A raw exit in words.</summary>
    public static string Describe(in RawExit raw)
    {
        if (raw.Code >= ResultBase && raw.Code - ResultBase <= (ulong)RunResult.Shutdown)
            return $"run ended: {(RunResult)(raw.Code - ResultBase)}";
        return raw.Code <= (ulong)CpuEventKind.InterruptWindow
            ? $"{(CpuEventKind)raw.Code}, index 0x{raw.Info1:x}, detail 0x{raw.Info2:x}"
            : $"unknown 0x{raw.Code:x}";
    }

    /// <summary>The mode in <see cref="VmExit.Mode"/>'s terms.</summary>
    public static GuestMode ModeOf(in GeneralRegisters general, in SystemRegisters system)
    {
        const ulong ProtectionEnable = 1, LongModeActive = 1 << 10, VirtualMode = 1 << 17;
        if ((system.Cr0 & ProtectionEnable) == 0)
            return GuestMode.Real;
        GuestMode mode = GuestMode.Protected;
        if ((general.Rflags & VirtualMode) != 0)
            return mode | GuestMode.Virtual8086;
        if ((system.Efer & LongModeActive) != 0)
        {
            mode |= GuestMode.LongModeActive;
            if (system.Cs.Long)
                return mode | GuestMode.Code64;
        }

        return system.Cs.Default ? mode | GuestMode.Code32 : mode;
    }

    private static ExitReason ReasonOf(RunResult result) => result switch
    {
        RunResult.Budget => ExitReason.BudgetExpired,
        RunResult.Stopped => ExitReason.Cancelled,
        RunResult.Halted => ExitReason.Halt,
        RunResult.Shutdown => ExitReason.Shutdown,
        _ => ExitReason.Unknown,
    };

    private static MemoryExit MemoryOf(in CpuEvent e) =>
        new(new Gpa(e.Address), e.Size, e.IsWrite, (e.Access & GuestAccess.Execute) != 0, e.IsWrite ? e.Value : 0);
}
