using Hv.Cpu.Decode;
using Hv.Cpu.State;

namespace Hv.Cpu.System;

/// <summary>The handlers of system instructions, by kind. All of them end their block.</summary>
// SAFETY: only takes the addresses of static methods that have the handlers' signature.
internal static unsafe class SystemHandlers
{
    /// <summary>The handler of <paramref name="op"/>, or 0 when it is not a system instruction.</summary>
    public static nint Bind(ref Op op)
    {
        if (op.Kind is OpKind.In or OpKind.Out)
            return PortInstructions.Bind(ref op);
        // SAFETY: addresses of static methods with the handlers' one signature, called through that signature only (Execute/Threading.cs).
        delegate*<ref CpuState, ref Op, Processor, void> handler = op.Kind switch
        {
            OpKind.Arpl => &SegmentQueries.Arpl,
            OpKind.Clac => &FlagInstructions.Clac,
            OpKind.Cli => &FlagInstructions.Cli,
            OpKind.Clts => &ControlRegisterInstructions.Clts,
            OpKind.Cpuid => &EventInstructions.Cpuid,
            OpKind.Hlt => &EventInstructions.Hlt,
            OpKind.Int => &EventInstructions.Int,
            OpKind.Int1 => &EventInstructions.Int1,
            OpKind.Int3 => &EventInstructions.Int3,
            OpKind.Into => &EventInstructions.Into,
            OpKind.Invd => &EventInstructions.Invd,
            OpKind.Invlpg => &EventInstructions.Invlpg,
            OpKind.Iret => &EventInstructions.Iret,
            OpKind.Lar => &SegmentQueries.Lar,
            OpKind.Lgdt => &DescriptorTableInstructions.Lgdt,
            OpKind.Lidt => &DescriptorTableInstructions.Lidt,
            OpKind.Lldt => &DescriptorTableInstructions.Lldt,
            OpKind.Lmsw => &ControlRegisterInstructions.Lmsw,
            OpKind.Lsl => &SegmentQueries.Lsl,
            OpKind.Ltr => &DescriptorTableInstructions.Ltr,
            OpKind.Monitor => &EventInstructions.Monitor,
            OpKind.MovFromCr => &ControlRegisterInstructions.MovFrom,
            OpKind.MovFromDr => &DebugRegisters.MovFrom,
            OpKind.MovFromSeg => &SegmentInstructions.MovFrom,
            OpKind.MovToCr => &ControlRegisterInstructions.MovTo,
            OpKind.MovToDr => &DebugRegisters.MovTo,
            OpKind.MovToSeg => &SegmentInstructions.MovTo,
            OpKind.Mwait => &EventInstructions.Mwait,
            OpKind.Pause => &EventInstructions.Pause,
            OpKind.Popf => &FlagInstructions.Popf,
            OpKind.PopSeg => &SegmentInstructions.Pop,
            OpKind.Pushf => &FlagInstructions.Pushf,
            OpKind.PushSeg => &SegmentInstructions.Push,
            OpKind.RdFsGsBase => &SegmentBaseInstructions.Read,
            OpKind.Rdmsr => &EventInstructions.Rdmsr,
            OpKind.Rdpmc => &EventInstructions.Rdpmc,
            OpKind.Rdtsc => &EventInstructions.Rdtsc,
            OpKind.Rdtscp => &EventInstructions.Rdtscp,
            OpKind.Rsm => &EventInstructions.Rsm,
            OpKind.Sgdt => &DescriptorTableInstructions.Sgdt,
            OpKind.Sidt => &DescriptorTableInstructions.Sidt,
            OpKind.Sldt => &DescriptorTableInstructions.Sldt,
            OpKind.Smsw => &ControlRegisterInstructions.Smsw,
            OpKind.Stac => &FlagInstructions.Stac,
            OpKind.Sti => &FlagInstructions.Sti,
            OpKind.Str => &DescriptorTableInstructions.Str,
            OpKind.Swapgs => &SegmentBaseInstructions.Swapgs,
            OpKind.Syscall => &Syscalls.Syscall,
            OpKind.Sysenter => &Syscalls.Sysenter,
            OpKind.Sysexit => &Syscalls.Sysexit,
            OpKind.Sysret => &Syscalls.Sysret,
            OpKind.Vendor => &EventInstructions.Vendor,
            OpKind.Verr => &SegmentQueries.Verr,
            OpKind.Verw => &SegmentQueries.Verw,
            OpKind.Wbinvd => &EventInstructions.Wbinvd,
            OpKind.WrFsGsBase => &SegmentBaseInstructions.Write,
            OpKind.Wrmsr => &EventInstructions.Wrmsr,
            OpKind.Xgetbv => &ControlRegisterInstructions.Xgetbv,
            OpKind.Xsetbv => &ControlRegisterInstructions.Xsetbv,
            OpKind.CallFar => &FarCall.Execute,
            OpKind.JmpFar => &FarJump.Execute,
            OpKind.RetFar => &FarReturn.Execute,
            OpKind.LoadFarPointer => &SegmentInstructions.LoadFarPointer,
            OpKind.Ins => &PortInstructions.Ins,
            OpKind.Outs => &PortInstructions.Outs,
            OpKind.Fxsave => &FpuInstructions.Fxsave,
            OpKind.Fxrstor => &FpuInstructions.Fxrstor,
            OpKind.Ldmxcsr => &FpuInstructions.Ldmxcsr,
            OpKind.Stmxcsr => &FpuInstructions.Stmxcsr,
            OpKind.Xsave or OpKind.Xsaveopt => &ExtendedState.Xsave,
            OpKind.Xrstor => &ExtendedState.Xrstor,
            OpKind.Fwait => &FpuInstructions.Fwait,
            OpKind.Emms => &FpuInstructions.Emms,
            _ => null,
        };
        return (nint)handler;
    }
}
