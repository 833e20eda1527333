using Hv.Core.Cpuid;
using Hv.Core.Registers;
using Hv.Cpu.State;
using Hv.Cpu.Virtualization;

namespace Hv.Cpu.System;

/// <summary>The native effect of every event: what the processor does when no layer takes it.</summary>
public static class Events
{
    /// <summary>
    /// Executes <see cref="Processor.Event"/>. The run loop holds control: RIP is on the instruction, RFLAGS is exact. May record a fault or raise
    /// another event. Not called
    /// for what the loop does itself: interrupts, device accesses, shutdown.
    /// </summary>
    public static void Execute(ref CpuState s, Processor p)
    {
        // A copy, because an effect may raise the next event.
        CpuEvent e = p.Event;
        switch (e.Kind)
        {
            case CpuEventKind.Exception:
                p.Deliver(new PendingEvent(PendingEventKind.Exception, (byte)e.Index, e.HasErrorCode, (uint)e.Value, e.Address), e.Length);
                break;
            case CpuEventKind.SoftwareInterrupt:
                p.Deliver(new PendingEvent(PendingEventKind.SoftwareInterrupt, (byte)e.Index, false, 0, 0), e.Length);
                break;
            case CpuEventKind.Iret: InterruptReturn.Execute(ref s, p, in e); break;
            case CpuEventKind.TaskSwitch: TaskSwitch.Execute(ref s, p, in e); break;
            case CpuEventKind.Cpuid: RegisterCompletion.Cpuid(p, EventInstructions.Query(ref s, p)); break;
            case CpuEventKind.Hlt: Halt(ref s, p); break;
            case CpuEventKind.Rdmsr: ReadMsr(ref s, p, in e); break;
            case CpuEventKind.Wrmsr: WriteMsr(ref s, p, in e); break;
            // A port that nobody claims: reads float high, writes go nowhere.
            case CpuEventKind.PortIo: PortCompletion.Complete(p, ulong.MaxValue); break;
            case CpuEventKind.StringIo: p.CompleteDeviceAccess(ulong.MaxValue); break;
            case CpuEventKind.CrRead: ControlRegisterInstructions.TryRead(ref s, p, in e); break;
            case CpuEventKind.CrWrite: ControlRegisterInstructions.TryWrite(ref s, p, in e); break;
            case CpuEventKind.Clts: ControlRegisterInstructions.TryClts(ref s, p, in e); break;
            case CpuEventKind.Lmsw: ControlRegisterInstructions.TryLmsw(ref s, p, in e); break;
            case CpuEventKind.Smsw: ControlRegisterInstructions.TrySmsw(ref s, p, in e); break;
            case CpuEventKind.Xsetbv: ControlRegisterInstructions.TryXsetbv(ref s, p, in e); break;
            case CpuEventKind.DrRead: DebugRegisters.TryRead(ref s, p, in e); break;
            case CpuEventKind.DrWrite: DebugRegisters.TryWrite(ref s, p, in e); break;
            case CpuEventKind.GdtrIdtr: DescriptorTableInstructions.TryTableRegister(ref s, p, in e); break;
            case CpuEventKind.LdtrTr: DescriptorTableInstructions.TrySystemSegment(ref s, p, in e); break;
            case CpuEventKind.Invlpg: Invalidate(ref s, p, in e); break;
            case CpuEventKind.Rdtsc: RegisterCompletion.Pair(p, e.Value); break;
            case CpuEventKind.Rdtscp: RegisterCompletion.Rdtscp(p, e.Value); break;
            // No counters: every index is invalid (SDM 2B RDPMC).
            case CpuEventKind.Rdpmc: Faults.GeneralProtection(ref s); break;
            case CpuEventKind.VendorInstruction or CpuEventKind.Rsm: Faults.Undefined(ref s); break;
            // MWAIT may end its wait for any reason (SDM 2B MWAIT), so it need not begin one.
            case CpuEventKind.Pause or CpuEventKind.Invd or CpuEventKind.Wbinvd or CpuEventKind.Monitor or CpuEventKind.Mwait:
                p.Retire();
                break;
            default: break;
        }
    }

    private static void Halt(ref CpuState s, Processor p)
    {
        p.Retire();
        s.Sys.Activity = ActivityState.Halted;
    }

    private static void Invalidate(ref CpuState s, Processor p, in CpuEvent e)
    {
        // A non-canonical address is a no-op, not a fault (SDM 2A INVLPG).
        if (Modes.IsCanonical(e.Address))
            p.FlushTlbPage(e.Address);
        p.Retire();
    }

    private static void ReadMsr(ref CpuState s, Processor p, in CpuEvent e)
    {
        if (ModelSpecificRegisters.TryRead(ref s, p, e.Index, out ulong value) == MsrOutcome.Done)
            RegisterCompletion.Pair(p, value);
        else
            Faults.GeneralProtection(ref s);
    }

    private static void WriteMsr(ref CpuState s, Processor p, in CpuEvent e)
    {
        if (ModelSpecificRegisters.TryWrite(ref s, p, e.Index, e.Value) == MsrOutcome.Done)
            p.Retire();
        else
            Faults.GeneralProtection(ref s);
    }
}
