using System.Runtime.InteropServices;
using Hv.Backends.Kvm.Abi;
using Hv.Backends.Kvm.Native;
using Hv.Core;
using Hv.Core.Registers;

namespace Hv.Backends.Kvm;

/// <summary>Core's neutral state to and from KVM's records. The only place that knows both layouts.</summary>
internal static class KvmStateTransfer
{
    /// <summary>The model-specific registers that Core's <see cref="SystemRegisters"/> holds and KVM keeps as MSRs (SDM 4, table 2-2).</summary>
    public static ReadOnlySpan<uint> SystemMsrs =>
    [
        0xC0000081, 0xC0000082, 0xC0000083, 0xC0000084, 0xC0000102, 0x174, 0x175, 0x176, 0x277, 0x10, 0xC0000103,
    ];

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

    /// <summary>XCR0 of a vCPU.</summary>
    public static ulong Xcr0(int vcpu)
    {
        KvmXcrs xcrs = default;
        KvmIoctl.Call(vcpu, KvmIoctl.GetXcrs, "KVM_GET_XCRS", ref xcrs);
        return xcrs.value;
    }

    /// <summary>Debug registers, XCR0, MSRs, extended state and pending events, by ioctls: for saving, not for the run loop.</summary>
    // SAFETY: each pointer is to a local, a stack block or a fixed array of the size that the ioctl moves, for one call.
    public static unsafe void SaveRest(int vcpu, VcpuState state)
    {
        ref SystemRegisters s = ref state.System;
        KvmDebugRegs debug = default;
        KvmIoctl.Call(vcpu, KvmIoctl.GetDebugRegs, "KVM_GET_DEBUGREGS", ref debug);
        (s.Dr0, s.Dr1, s.Dr2, s.Dr3, s.Dr6, s.Dr7) = (debug.db0, debug.db1, debug.db2, debug.db3, debug.dr6, debug.dr7);
        s.Xcr0 = Xcr0(vcpu);
        // SAFETY: KVM_GET_XSAVE writes 4,096 bytes; Extended has VcpuState.ExtendedSize = 4,096.
        fixed (byte* area = state.Extended)
            KvmIoctl.Call(vcpu, KvmIoctl.GetXsave, "KVM_GET_XSAVE", area);

        Span<ulong> values = stackalloc ulong[SystemMsrs.Length];
        Msrs(vcpu, KvmIoctl.GetMsrs, "KVM_GET_MSRS", values);
        (s.Star, s.Lstar, s.Cstar, s.Sfmask, s.KernelGsBase) = (values[0], values[1], values[2], values[3], values[4]);
        (s.SysenterCs, s.SysenterEsp, s.SysenterEip, s.Pat, s.Tsc, s.TscAux) = (values[5], values[6], values[7], values[8], values[9], values[10]);

        KvmVcpuEvents events = default;
        KvmIoctl.Call(vcpu, KvmIoctl.GetVcpuEvents, "KVM_GET_VCPU_EVENTS", ref events);
        s.Shadow = (InterruptShadow)(events.interrupt_shadow & 3) | (events.nmi_masked != 0 ? InterruptShadow.NmiBlocked : 0);
        state.Pending = events switch
        {
            { exception_injected: not 0 } or { exception_pending: not 0 } =>
                new PendingEvent(PendingEventKind.Exception, events.exception_nr, events.exception_has_error_code != 0, events.exception_error_code,
                    s.Cr2),
            { interrupt_injected: not 0, interrupt_soft: not 0 } =>
                new PendingEvent(PendingEventKind.SoftwareInterrupt, events.interrupt_nr, false, 0, 0),
            { interrupt_injected: not 0 } => new PendingEvent(PendingEventKind.Interrupt, events.interrupt_nr, false, 0, 0),
            { nmi_injected: not 0 } or { nmi_pending: not 0 } => new PendingEvent(PendingEventKind.Nmi, 2, false, 0, 0),
            _ => default,
        };
        state.Msrs.Clear();
    }

    /// <summary>The reverse of <see cref="SaveRest"/>. XCR0 goes before the extended state, which KVM checks against it.</summary>
    /// <returns>Null, or which state the kernel refuses as impossible.</returns>
    // SAFETY: each pointer is to a local, a stack block or a fixed array of the size that the ioctl moves, for one call.
    public static unsafe string? LoadRest(int vcpu, VcpuState state)
    {
        ref SystemRegisters s = ref state.System;
        var debug = new KvmDebugRegs { db0 = s.Dr0, db1 = s.Dr1, db2 = s.Dr2, db3 = s.Dr3, dr6 = s.Dr6, dr7 = s.Dr7 };
        if (!KvmIoctl.Offer(vcpu, KvmIoctl.SetDebugRegs, "KVM_SET_DEBUGREGS", ref debug))
            return $"KVM_SET_DEBUGREGS refuses the state: DR6 0x{s.Dr6:x}, DR7 0x{s.Dr7:x}";
        var xcrs = new KvmXcrs { nr_xcrs = 1, xcr = 0, value = s.Xcr0 };
        if (!KvmIoctl.Offer(vcpu, KvmIoctl.SetXcrs, "KVM_SET_XCRS", ref xcrs))
            return $"KVM_SET_XCRS refuses the state: XCR0 0x{s.Xcr0:x}";
        // SAFETY: KVM_SET_XSAVE reads 4,096 bytes; Extended has VcpuState.ExtendedSize = 4,096.
        fixed (byte* area = state.Extended)
            KvmIoctl.Call(vcpu, KvmIoctl.SetXsave, "KVM_SET_XSAVE", area);

        Span<ulong> values =
            [s.Star, s.Lstar, s.Cstar, s.Sfmask, s.KernelGsBase, s.SysenterCs, s.SysenterEsp, s.SysenterEip, s.Pat, s.Tsc, s.TscAux];
        Msrs(vcpu, KvmIoctl.SetMsrs, "KVM_SET_MSRS", values);

        var events = new KvmVcpuEvents
        {
            flags = KvmVcpuEvents.ValidShadow | KvmVcpuEvents.ValidNmiPending,
            interrupt_shadow = (byte)((byte)s.Shadow & 3),
            nmi_masked = (byte)((s.Shadow & InterruptShadow.NmiBlocked) != 0 ? 1 : 0),
        };
        Queue(ref events, state.Pending);
        KvmIoctl.Call(vcpu, KvmIoctl.SetVcpuEvents, "KVM_SET_VCPU_EVENTS", ref events);
        return null;
    }

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

    // SAFETY: each pointer is to a local, a stack block or a fixed array of the size that the ioctl moves, for one call.
    private static unsafe void Msrs(int vcpu, nuint request, string name, Span<ulong> values)
    {
        // SAFETY: struct kvm_msrs is a count and padding, then the entries; the block holds both.
        byte* block = stackalloc byte[8 + sizeof(KvmMsrEntry) * SystemMsrs.Length];
        *(uint*)block = (uint)SystemMsrs.Length;
        var entries = new Span<KvmMsrEntry>(block + 8, SystemMsrs.Length);
        for (int i = 0; i < entries.Length; i++)
            entries[i] = new KvmMsrEntry { index = SystemMsrs[i], data = values[i] };
        int done = KvmIoctl.Call(vcpu, request, name, block);
        if (done != entries.Length)
            throw new HvException($"KVM: {name} stopped at MSR 0x{SystemMsrs[done]:x}");
        for (int i = 0; i < entries.Length; i++)
            values[i] = entries[i].data;
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
