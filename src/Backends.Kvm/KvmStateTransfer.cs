using Hv.Backends.Kvm.Abi;
using Hv.Core.Registers;

namespace Hv.Backends.Kvm;

/// <summary>Core's neutral state to and from KVM's records: the only place that knows both layouts. Makes no calls.</summary>
internal static class KvmStateTransfer
{
    public static void ToNeutral(in KvmRegs k, ref GeneralRegisters g)
    {
        (g.Rax, g.Rbx, g.Rcx, g.Rdx, g.Rsi, g.Rdi, g.Rsp, g.Rbp) = (k.rax, k.rbx, k.rcx, k.rdx, k.rsi, k.rdi, k.rsp, k.rbp);
        (g.R8, g.R9, g.R10, g.R11, g.R12, g.R13, g.R14, g.R15) = (k.r8, k.r9, k.r10, k.r11, k.r12, k.r13, k.r14, k.r15);
        (g.Rip, g.Rflags) = (k.rip, k.rflags);
    }

    public static void FromNeutral(in GeneralRegisters g, ref KvmRegs k)
    {
        (k.rax, k.rbx, k.rcx, k.rdx, k.rsi, k.rdi, k.rsp, k.rbp) = (g.Rax, g.Rbx, g.Rcx, g.Rdx, g.Rsi, g.Rdi, g.Rsp, g.Rbp);
        (k.r8, k.r9, k.r10, k.r11, k.r12, k.r13, k.r14, k.r15) = (g.R8, g.R9, g.R10, g.R11, g.R12, g.R13, g.R14, g.R15);
        (k.rip, k.rflags) = (g.Rip, g.Rflags);
    }

    public static void ToNeutral(in KvmSregs k, ref SystemRegisters s)
    {
        s.Cs = ToNeutral(in k.cs);
        s.Ds = ToNeutral(in k.ds);
        s.Es = ToNeutral(in k.es);
        s.Fs = ToNeutral(in k.fs);
        s.Gs = ToNeutral(in k.gs);
        s.Ss = ToNeutral(in k.ss);
        s.Tr = ToNeutral(in k.tr);
        s.Ldtr = ToNeutral(in k.ldt);
        s.Gdtr = new TableRegister { Base = k.gdt.@base, Limit = k.gdt.limit };
        s.Idtr = new TableRegister { Base = k.idt.@base, Limit = k.idt.limit };
        (s.Cr0, s.Cr2, s.Cr3, s.Cr4, s.Cr8, s.Efer, s.ApicBase) = (k.cr0, k.cr2, k.cr3, k.cr4, k.cr8, k.efer, k.apic_base);
        s.Cpl = (byte)(k.ss.dpl & 3);
    }

    public static void FromNeutral(in SystemRegisters s, ref KvmSregs k)
    {
        k.cs = FromNeutral(in s.Cs);
        k.ds = FromNeutral(in s.Ds);
        k.es = FromNeutral(in s.Es);
        k.fs = FromNeutral(in s.Fs);
        k.gs = FromNeutral(in s.Gs);
        k.ss = FromNeutral(in s.Ss);
        k.tr = FromNeutral(in s.Tr);
        k.ldt = FromNeutral(in s.Ldtr);
        k.gdt = new KvmDtable { @base = s.Gdtr.Base, limit = s.Gdtr.Limit };
        k.idt = new KvmDtable { @base = s.Idtr.Base, limit = s.Idtr.Limit };
        (k.cr0, k.cr2, k.cr3, k.cr4, k.cr8, k.efer) = (s.Cr0, s.Cr2, s.Cr3, s.Cr4, s.Cr8, s.Efer);
    }

    /// <summary>KVM's record of what waits for delivery as the neutral event.</summary>
    public static PendingEvent ToNeutral(in KvmVcpuEvents events, ulong cr2) => events switch
    {
        { exception_injected: not 0 } or { exception_pending: not 0 } =>
            new PendingEvent(PendingEventKind.Exception, events.exception_nr, events.exception_has_error_code != 0, events.exception_error_code, cr2),
        { interrupt_injected: not 0, interrupt_soft: not 0 } =>
            new PendingEvent(PendingEventKind.SoftwareInterrupt, events.interrupt_nr, false, 0, 0),
        { interrupt_injected: not 0 } => new PendingEvent(PendingEventKind.Interrupt, events.interrupt_nr, false, 0, 0),
        { nmi_injected: not 0 } or { nmi_pending: not 0 } => new PendingEvent(PendingEventKind.Nmi, 2, false, 0, 0),
        _ => default,
    };

    /// <summary>Puts a pending event into KVM's record. An error code that the vector does not take is not passed on.</summary>
    public static void Queue(ref KvmVcpuEvents events, in PendingEvent pending)
    {
        switch (pending.Kind)
        {
            case PendingEventKind.Exception:
                (events.exception_injected, events.exception_nr) = (1, pending.Vector);
                (events.exception_has_error_code, events.exception_error_code) = ((byte)(pending.HasErrorCode ? 1 : 0), pending.ErrorCode);
                break;
            case PendingEventKind.Interrupt or PendingEventKind.SoftwareInterrupt:
                (events.interrupt_injected, events.interrupt_nr) = (1, pending.Vector);
                events.interrupt_soft = (byte)(pending.Kind == PendingEventKind.SoftwareInterrupt ? 1 : 0);
                break;
            case PendingEventKind.Nmi:
                events.nmi_injected = 1;
                break;
        }
    }

    private static SegmentRegister ToNeutral(in KvmSegment k) => new()
    {
        Base = k.@base,
        Limit = k.limit,
        Selector = k.selector,
        Attributes = (uint)(k.type & 15) | (uint)(k.s & 1) << 4 | (uint)(k.dpl & 3) << 5 | (uint)(k.present & 1) << 7 | (uint)(k.avl & 1) << 12
            | (uint)(k.l & 1) << 13 | (uint)(k.db & 1) << 14 | (uint)(k.g & 1) << 15 | (k.unusable != 0 ? SegmentRegister.UnusableBit : 0),
    };

    private static KvmSegment FromNeutral(in SegmentRegister s) => new()
    {
        @base = s.Base,
        limit = s.Limit,
        selector = s.Selector,
        type = (byte)s.Type,
        s = (byte)(s.Attributes >> 4 & 1),
        dpl = (byte)s.Dpl,
        present = (byte)(s.Present ? 1 : 0),
        avl = (byte)(s.Attributes >> 12 & 1),
        l = (byte)(s.Long ? 1 : 0),
        db = (byte)(s.Default ? 1 : 0),
        g = (byte)(s.Attributes >> 15 & 1),
        unusable = (byte)(s.Usable ? 0 : 1),
    };
}
