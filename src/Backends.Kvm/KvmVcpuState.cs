using Hv.Backends.Kvm.Abi;
using Hv.Backends.Kvm.Native;
using Hv.Core.Registers;

namespace Hv.Backends.Kvm;

/// <summary>
/// All state of a vCPU but the general registers, by ioctls: for saving and loading, not for the run loop. State that KVM refuses as impossible is
/// named, not thrown: a snapshot may come from anywhere.
/// </summary>
internal static class KvmVcpuState
{
    /// <summary>RFLAGS.RF.</summary>
    public const ulong ResumeFlag = 1 << 16;

    /// <summary>XSTATE_BV in an XSAVE area (SDM 1 13.4.2), and MXCSR in its legacy region (table 13-1).</summary>
    private const int XstateBv = 512, Mxcsr = 24;

    /// <summary>#DB may be a trap; #BP and #OF are; #DF and #MC are aborts (SDM 3A 6.15).</summary>
    private const uint NotFaults = 1 << 1 | 1 << 3 | 1 << 4 | 1 << 8 | 1 << 18;

    /// <summary>The model-specific registers that Core's <see cref="SystemRegisters"/> holds and KVM keeps as MSRs (SDM 4, table 2-2).</summary>
    public static ReadOnlySpan<uint> SystemMsrs =>
    [
        0xC0000081, 0xC0000082, 0xC0000083, 0xC0000084, 0xC0000102, 0x174, 0x175, 0x176, 0x277, 0x10, 0xC0000103,
    ];

    /// <summary>
    /// Whether the frame of an event has RF set: that of a fault has (SDM 3B 18.3.1.1). KVM delivers an injected exception with RFLAGS as they
    /// are, so it is set there.
    /// </summary>
    public static bool SavesResumeFlag(in PendingEvent e) =>
        e.Kind == PendingEventKind.Exception && e.Vector < 32 && (NotFaults >> e.Vector & 1) == 0;

    /// <summary>XCR0 of a vCPU.</summary>
    public static ulong Xcr0(int vcpu)
    {
        KvmXcrs xcrs = default;
        KvmIoctl.Call(vcpu, KvmIoctl.GetXcrs, "KVM_GET_XCRS", ref xcrs);
        return xcrs.value;
    }

    /// <summary>Copies the state of a vCPU out.</summary>
    public static void Save(int vcpu, in GeneralRegisters general, ActivityState activity, VcpuState state)
    {
        state.General = general;
        KvmSregs sregs = default;
        KvmIoctl.Call(vcpu, KvmIoctl.GetSregs, "KVM_GET_SREGS", ref sregs);
        ref SystemRegisters s = ref state.System;
        KvmStateTransfer.ToNeutral(in sregs, ref s);
        s.Activity = activity;
        KvmDebugRegs debug = default;
        KvmIoctl.Call(vcpu, KvmIoctl.GetDebugRegs, "KVM_GET_DEBUGREGS", ref debug);
        (s.Dr0, s.Dr1, s.Dr2, s.Dr3, s.Dr6, s.Dr7) = (debug.db0, debug.db1, debug.db2, debug.db3, debug.dr6, debug.dr7);
        s.Xcr0 = Xcr0(vcpu);
        KvmIoctl.Call(vcpu, KvmIoctl.GetXsave, "KVM_GET_XSAVE", ref KvmXsave.In(state.Extended));
        SaveMsrs(vcpu, ref s);
        KvmVcpuEvents events = default;
        KvmIoctl.Call(vcpu, KvmIoctl.GetVcpuEvents, "KVM_GET_VCPU_EVENTS", ref events);
        s.Shadow = (InterruptShadow)(events.interrupt_shadow & 3) | (events.nmi_masked != 0 ? InterruptShadow.NmiBlocked : 0);
        state.Pending = KvmStateTransfer.ToNeutral(in events, s.Cr2);
        state.Msrs.Clear();
    }

    /// <summary>The reverse of <see cref="Save"/>.</summary>
    /// <param name="vcpu">The vCPU's descriptor.</param>
    /// <param name="state">What to load.</param>
    /// <param name="sregs">The synced copy of the system registers.</param>
    /// <returns>Null, or which state the kernel refuses as impossible.</returns>
    public static string? Load(int vcpu, VcpuState state, ref KvmSregs sregs)
    {
        KvmIoctl.Call(vcpu, KvmIoctl.GetSregs, "KVM_GET_SREGS", ref sregs);
        ref SystemRegisters s = ref state.System;
        KvmStateTransfer.FromNeutral(in s, ref sregs);
        if (!KvmIoctl.Offer(vcpu, KvmIoctl.SetSregs, "KVM_SET_SREGS", ref sregs))
            return $"KVM_SET_SREGS refuses the state: CR0 0x{s.Cr0:x}, CR3 0x{s.Cr3:x}, CR4 0x{s.Cr4:x}, EFER 0x{s.Efer:x}";
        var debug = new KvmDebugRegs { db0 = s.Dr0, db1 = s.Dr1, db2 = s.Dr2, db3 = s.Dr3, dr6 = s.Dr6, dr7 = s.Dr7 };
        if (!KvmIoctl.Offer(vcpu, KvmIoctl.SetDebugRegs, "KVM_SET_DEBUGREGS", ref debug))
            return $"KVM_SET_DEBUGREGS refuses the state: DR6 0x{s.Dr6:x}, DR7 0x{s.Dr7:x}";
        // Before the extended state, which KVM checks against it.
        var xcrs = new KvmXcrs { nr_xcrs = 1, xcr = 0, value = s.Xcr0 };
        if (!KvmIoctl.Offer(vcpu, KvmIoctl.SetXcrs, "KVM_SET_XCRS", ref xcrs))
            return $"KVM_SET_XCRS refuses the state: XCR0 0x{s.Xcr0:x}, which this host or the guest's CPUID does not have";
        if (!KvmIoctl.Offer(vcpu, KvmIoctl.SetXsave, "KVM_SET_XSAVE", ref KvmXsave.In(state.Extended)))
        {
            return $"KVM_SET_XSAVE refuses the state: XSTATE_BV 0x{BitConverter.ToUInt64(state.Extended, XstateBv):x}, "
                + $"MXCSR 0x{BitConverter.ToUInt32(state.Extended, Mxcsr):x}";
        }

        if (LoadMsrs(vcpu, in s) is { } refused)
            return refused;
        var events = new KvmVcpuEvents
        {
            flags = KvmVcpuEvents.ValidShadow | KvmVcpuEvents.ValidNmiPending,
            interrupt_shadow = (byte)((byte)s.Shadow & 3),
            nmi_masked = (byte)((s.Shadow & InterruptShadow.NmiBlocked) != 0 ? 1 : 0),
        };
        KvmStateTransfer.Queue(ref events, state.Pending);
        return KvmIoctl.Offer(vcpu, KvmIoctl.SetVcpuEvents, "KVM_SET_VCPU_EVENTS", ref events)
            ? null
            : $"KVM_SET_VCPU_EVENTS refuses the state: {state.Pending.Kind} {state.Pending.Vector}";
    }

    /// <summary>Queues a fault for delivery at the next run, CR2 with it for a page fault.</summary>
    public static void Inject(int vcpu, in PendingEvent fault)
    {
        var events = default(KvmVcpuEvents);
        KvmIoctl.Call(vcpu, KvmIoctl.GetVcpuEvents, "KVM_GET_VCPU_EVENTS", ref events);
        KvmStateTransfer.Queue(ref events, in fault);
        KvmIoctl.Call(vcpu, KvmIoctl.SetVcpuEvents, "KVM_SET_VCPU_EVENTS", ref events);
        if (fault.Vector != 14)
            return;
        KvmSregs sregs = default;
        KvmIoctl.Call(vcpu, KvmIoctl.GetSregs, "KVM_GET_SREGS", ref sregs);
        sregs.cr2 = fault.Address;
        KvmIoctl.Call(vcpu, KvmIoctl.SetSregs, "KVM_SET_SREGS", ref sregs);
    }

    private static void SaveMsrs(int vcpu, ref SystemRegisters s)
    {
        var block = new KvmMsrs();
        for (int i = 0; i < SystemMsrs.Length; i++)
            block[i].index = SystemMsrs[i];
        block.nmsrs = (uint)SystemMsrs.Length;
        int done = KvmIoctl.Call(vcpu, KvmIoctl.GetMsrs, "KVM_GET_MSRS", ref block);
        if (done != SystemMsrs.Length)
            throw new Core.HvException($"KVM: KVM_GET_MSRS stopped at MSR 0x{SystemMsrs[done]:x}");
        (s.Star, s.Lstar, s.Cstar, s.Sfmask, s.KernelGsBase) = (block[0].data, block[1].data, block[2].data, block[3].data, block[4].data);
        (s.SysenterCs, s.SysenterEsp, s.SysenterEip) = (block[5].data, block[6].data, block[7].data);
        (s.Pat, s.Tsc, s.TscAux) = (block[8].data, block[9].data, block[10].data);
    }

    private static string? LoadMsrs(int vcpu, in SystemRegisters s)
    {
        ReadOnlySpan<ulong> values =
            [s.Star, s.Lstar, s.Cstar, s.Sfmask, s.KernelGsBase, s.SysenterCs, s.SysenterEsp, s.SysenterEip, s.Pat, s.Tsc, s.TscAux];
        var block = new KvmMsrs { nmsrs = (uint)values.Length };
        for (int i = 0; i < values.Length; i++)
            (block[i].index, block[i].data) = (SystemMsrs[i], values[i]);
        int done = KvmIoctl.Call(vcpu, KvmIoctl.SetMsrs, "KVM_SET_MSRS", ref block);
        return done == values.Length ? null : $"KVM_SET_MSRS refuses the state: MSR 0x{SystemMsrs[done]:x} = 0x{values[done]:x}";
    }
}
