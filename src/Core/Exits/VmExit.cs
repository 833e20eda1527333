using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Hv.Core.Exits;

/// <summary>
/// One exit: a tag, where it happened, and one of several payloads that share storage. A plain value, so that an exit allocates nothing
/// (docs/adr/0001-exit-is-a-struct.md). Written in place by the factory methods, and payloads are read in place, because a copy of bytes that were
/// just stored piece by piece waits for each store; a payload may be read only under its own tag.
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = 72)]
public struct VmExit
{
    [FieldOffset(16)] private PortIoExit _portIo;
    [FieldOffset(16)] private MemoryExit _memory;
    [FieldOffset(16)] private MsrExit _msr;
    [FieldOffset(16)] private CpuidExit _cpuid;
    [FieldOffset(16)] private ExceptionExit _exception;

    // The words of Raw, stored one by one as they were made.
    [FieldOffset(48)] private ulong _code;
    [FieldOffset(56)] private ulong _info1;
    [FieldOffset(64)] private ulong _info2;

    /// <summary>Why the vCPU stopped.</summary>
    [field: FieldOffset(0)] public ExitReason Reason { readonly get; private set; }

    /// <summary>Bytes of the instruction that exited, 1..15, or 0 when the exit is not an instruction's or the backend does not know.</summary>
    [field: FieldOffset(1)] public byte InstructionLength { readonly get; private set; }

    /// <summary>The mode it exited from.</summary>
    [field: FieldOffset(2)] public GuestMode Mode { readonly get; private set; }

    /// <summary>The privilege level it exited from, 0..3.</summary>
    [field: FieldOffset(3)] public byte Cpl { readonly get; private set; }

    /// <summary>RIP of the instruction that exited (an offset in CS); for <see cref="ExitReason.Halt"/> the next one.</summary>
    [field: FieldOffset(8)] public ulong Rip { readonly get; private set; }

    /// <summary>What the backend reported, in its own numbers.</summary>
    public readonly RawExit Raw => new(_code, _info1, _info2);

    /// <summary>The payload of <see cref="ExitReason.PortIo"/>.</summary>
    public readonly PortIoExit PortIo { get { Debug.Assert(Reason == ExitReason.PortIo); return _portIo; } }

    /// <summary>The payload of <see cref="ExitReason.MemoryAccess"/>.</summary>
    [UnscopedRef]
    public readonly ref readonly MemoryExit Memory { get { Debug.Assert(Reason == ExitReason.MemoryAccess); return ref _memory; } }

    /// <summary>The payload of <see cref="ExitReason.MsrRead"/> and <see cref="ExitReason.MsrWrite"/>.</summary>
    public readonly MsrExit Msr { get { Debug.Assert(Reason is ExitReason.MsrRead or ExitReason.MsrWrite); return _msr; } }

    /// <summary>The payload of <see cref="ExitReason.Cpuid"/>.</summary>
    public readonly CpuidExit Cpuid { get { Debug.Assert(Reason == ExitReason.Cpuid); return _cpuid; } }

    /// <summary>The payload of <see cref="ExitReason.Exception"/>.</summary>
    public readonly ExceptionExit Exception { get { Debug.Assert(Reason == ExitReason.Exception); return _exception; } }

    /// <summary>An exit that carries no payload.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Plain(ExitReason reason, in ExitSite site, in RawExit raw, out VmExit exit)
    {
        // The payload of another tag is never read, so it is not cleared.
        Unsafe.SkipInit(out exit);
        exit.Reason = reason;
        exit.InstructionLength = site.InstructionLength;
        exit.Mode = site.Mode;
        exit.Cpl = site.Cpl;
        exit.Rip = site.Rip;
        exit._code = raw.Code;
        exit._info1 = raw.Info1;
        exit._info2 = raw.Info2;
    }

    /// <summary>An exit by IN, OUT, INS or OUTS.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void FromPortIo(in ExitSite site, in RawExit raw, PortIoExit payload, out VmExit exit)
    {
        Plain(ExitReason.PortIo, site, raw, out exit);
        exit._portIo = payload;
    }

    /// <summary>An exit by an access to unserved guest-physical memory.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void FromMemory(in ExitSite site, in RawExit raw, in MemoryExit payload, out VmExit exit)
    {
        Plain(ExitReason.MemoryAccess, site, raw, out exit);
        exit._memory = payload;
    }

    /// <summary>An exit by RDMSR.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void FromMsrRead(in ExitSite site, in RawExit raw, uint index, out VmExit exit)
    {
        Plain(ExitReason.Unknown, site, raw, out exit);
        exit.BecomeMsrRead(index);
    }

    /// <summary>An exit by WRMSR.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void FromMsrWrite(in ExitSite site, in RawExit raw, uint index, ulong value, out VmExit exit)
    {
        Plain(ExitReason.Unknown, site, raw, out exit);
        exit.BecomeMsrWrite(index, value);
    }

    /// <summary>An exit by CPUID.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void FromCpuid(in ExitSite site, in RawExit raw, uint leaf, uint subleaf, out VmExit exit)
    {
        Plain(ExitReason.Unknown, site, raw, out exit);
        exit.BecomeCpuid(leaf, subleaf);
    }

    /// <summary>An exit by an intercepted exception.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void FromException(in ExitSite site, in RawExit raw, in ExceptionExit payload, out VmExit exit)
    {
        Plain(ExitReason.Exception, site, raw, out exit);
        exit._exception = payload;
    }

    /// <summary>Gives an exit that was made as <see cref="ExitReason.Unknown"/> its reason, one without a payload. A capture that tells the reason last
    /// has nothing to keep meanwhile.</summary>
    public void Become(ExitReason reason) => Reason = reason;

    /// <summary>As <see cref="Become"/>, to an exit by RDMSR.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void BecomeMsrRead(uint index)
    {
        Reason = ExitReason.MsrRead;
        _msr = new MsrExit(index, 0);
    }

    /// <summary>As <see cref="Become"/>, to an exit by WRMSR.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void BecomeMsrWrite(uint index, ulong value)
    {
        Reason = ExitReason.MsrWrite;
        _msr = new MsrExit(index, value);
    }

    /// <summary>As <see cref="Become"/>, to an exit by CPUID.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void BecomeCpuid(uint leaf, uint subleaf)
    {
        Reason = ExitReason.Cpuid;
        _cpuid = new CpuidExit(leaf, subleaf);
    }
}

/// <summary>Where an exit happened: what every exit carries.</summary>
/// <param name="Rip">RIP of the instruction, an offset in CS.</param>
/// <param name="InstructionLength">Its length in bytes, 0 when unknown.</param>
/// <param name="Mode">The processor mode.</param>
/// <param name="Cpl">The privilege level, 0..3.</param>
public readonly record struct ExitSite(ulong Rip, byte InstructionLength, GuestMode Mode, byte Cpl);
