using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Hv.Core.Exits;

/// <summary>
/// One exit: a tag, where it happened, and one of several payloads that share storage. A plain value, so that an exit allocates nothing
/// (docs/adr/0001-exit-is-a-struct.md). Built by the factory methods; a payload may be read only under its own tag.
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = 72)]
public readonly struct VmExit
{
    /// <summary>Why the vCPU stopped.</summary>
    [FieldOffset(0)] public readonly ExitReason Reason;

    /// <summary>Bytes of the instruction that exited, 1..15, or 0 when the exit is not an instruction's or the backend does not know.</summary>
    [FieldOffset(1)] public readonly byte InstructionLength;

    /// <summary>The mode it exited from.</summary>
    [FieldOffset(2)] public readonly GuestMode Mode;

    /// <summary>The privilege level it exited from, 0..3.</summary>
    [FieldOffset(3)] public readonly byte Cpl;

    /// <summary>RIP of the instruction that exited (an offset in CS); for <see cref="ExitReason.Halt"/> the next one.</summary>
    [FieldOffset(8)] public readonly ulong Rip;

    [FieldOffset(16)] private readonly PortIoExit _portIo;
    [FieldOffset(16)] private readonly MemoryExit _memory;
    [FieldOffset(16)] private readonly MsrExit _msr;
    [FieldOffset(16)] private readonly CpuidExit _cpuid;
    [FieldOffset(16)] private readonly ExceptionExit _exception;

    /// <summary>What the backend reported, in its own numbers.</summary>
    [FieldOffset(48)] public readonly RawExit Raw;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private VmExit(ExitReason reason, in ExitSite site, in RawExit raw)
    {
        Reason = reason;
        InstructionLength = site.InstructionLength;
        Mode = site.Mode;
        Cpl = site.Cpl;
        Rip = site.Rip;
        Raw = raw;
    }

    private VmExit(in ExitSite site, in RawExit raw, in PortIoExit payload) : this(ExitReason.PortIo, site, raw) => _portIo = payload;
    private VmExit(in ExitSite site, in RawExit raw, in MemoryExit payload) : this(ExitReason.MemoryAccess, site, raw) => _memory = payload;
    private VmExit(ExitReason reason, in ExitSite site, in RawExit raw, in MsrExit payload) : this(reason, site, raw) => _msr = payload;
    private VmExit(in ExitSite site, in RawExit raw, in CpuidExit payload) : this(ExitReason.Cpuid, site, raw) => _cpuid = payload;
    private VmExit(in ExitSite site, in RawExit raw, in ExceptionExit payload) : this(ExitReason.Exception, site, raw) => _exception = payload;

    /// <summary>The payload of <see cref="ExitReason.PortIo"/>.</summary>
    public PortIoExit PortIo { get { Debug.Assert(Reason == ExitReason.PortIo); return _portIo; } }

    /// <summary>The payload of <see cref="ExitReason.MemoryAccess"/>.</summary>
    public MemoryExit Memory { get { Debug.Assert(Reason == ExitReason.MemoryAccess); return _memory; } }

    /// <summary>The payload of <see cref="ExitReason.MsrRead"/> and <see cref="ExitReason.MsrWrite"/>.</summary>
    public MsrExit Msr { get { Debug.Assert(Reason is ExitReason.MsrRead or ExitReason.MsrWrite); return _msr; } }

    /// <summary>The payload of <see cref="ExitReason.Cpuid"/>.</summary>
    public CpuidExit Cpuid { get { Debug.Assert(Reason == ExitReason.Cpuid); return _cpuid; } }

    /// <summary>The payload of <see cref="ExitReason.Exception"/>.</summary>
    public ExceptionExit Exception { get { Debug.Assert(Reason == ExitReason.Exception); return _exception; } }

    /// <summary>An exit that carries no payload.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static VmExit Plain(ExitReason reason, in ExitSite site, in RawExit raw) => new(reason, site, raw);

    /// <summary>An exit by IN, OUT, INS or OUTS.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static VmExit FromPortIo(in ExitSite site, in RawExit raw, in PortIoExit payload) => new(site, raw, payload);

    /// <summary>An exit by an access to unserved guest-physical memory.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static VmExit FromMemory(in ExitSite site, in RawExit raw, in MemoryExit payload) => new(site, raw, payload);

    /// <summary>An exit by RDMSR.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static VmExit FromMsrRead(in ExitSite site, in RawExit raw, uint index) => new(ExitReason.MsrRead, site, raw, new MsrExit(index, 0));

    /// <summary>An exit by WRMSR.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static VmExit FromMsrWrite(in ExitSite site, in RawExit raw, uint index, ulong value) =>
        new(ExitReason.MsrWrite, site, raw, new MsrExit(index, value));

    /// <summary>An exit by CPUID.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static VmExit FromCpuid(in ExitSite site, in RawExit raw, uint leaf, uint subleaf) => new(site, raw, new CpuidExit(leaf, subleaf));

    /// <summary>An exit by an intercepted exception.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static VmExit FromException(in ExitSite site, in RawExit raw, in ExceptionExit payload) => new(site, raw, payload);
}

/// <summary>Where an exit happened: what every exit carries.</summary>
/// <param name="Rip">RIP of the instruction, an offset in CS.</param>
/// <param name="InstructionLength">Its length in bytes, 0 when unknown.</param>
/// <param name="Mode">The processor mode.</param>
/// <param name="Cpl">The privilege level, 0..3.</param>
public readonly record struct ExitSite(ulong Rip, byte InstructionLength, GuestMode Mode, byte Cpl);
