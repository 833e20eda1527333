using System.Numerics;
using Hv.Backends.Vmx.Silicon.Translation;
using Hv.Cpu.Virtualization;

namespace Hv.Backends.Vmx.Silicon.Exit;

/// <summary>Exit qualifications and instruction information, composed from an event (SDM 3C 28.2.1, 28.2.5).</summary>
public static class Qualification
{
    private const ulong IoIn = 1 << 3, IoString = 1 << 4, IoRep = 1 << 5, IoImmediate = 1 << 6;
    private const ulong CrFrom = 1 << 4, CrClts = 2 << 4, CrLmsw = 3 << 4, CrMemoryOperand = 1 << 6;
    private const ulong DrFrom = 1 << 4;
    private const ulong LinearValid = 1 << 7, FinalAccess = 1 << 8;

    // DR6 bits that a #DB qualification carries: B3 to B0, BD and BS (SDM 3C table 28-1).
    private const ulong DebugBits = 0x600F;

    /// <summary>For I/O instructions (SDM 3C table 28-5).</summary>
    public static ulong Io(in CpuEvent e) =>
        (ulong)(e.Port.Size - 1u) | (e.Port.IsWrite ? 0 : IoIn) | (e.Kind == CpuEventKind.StringIo ? IoString : 0) | (e.IsRep ? IoRep : 0)
        | (e.IsImmediate ? IoImmediate : 0) | ((ulong)e.Port.Port << 16);

    /// <summary>Instruction information for INS and OUTS (SDM 3C table 28-8): address size 9:7, segment 17:15.</summary>
    public static uint StringIo(in CpuEvent e) => ((uint)BitOperations.Log2(e.AddressSize) - 1) << 7 | ((uint)e.Segment << 15);

    /// <summary>For control-register accesses (SDM 3C table 28-3).</summary>
    public static ulong ControlRegister(in CpuEvent e) => e.Kind switch
    {
        CpuEventKind.CrRead => e.Index | CrFrom | RegisterNumber(e),
        CpuEventKind.CrWrite => e.Index | RegisterNumber(e),
        CpuEventKind.Clts => CrClts,
        _ => CrLmsw | (e.AddressSize != 0 ? CrMemoryOperand : 0) | ((ulong)(ushort)e.Value << 16),
    };

    /// <summary>For MOV DR (SDM 3C table 28-4).</summary>
    public static ulong DebugRegister(in CpuEvent e) => e.Index | (e.Kind == CpuEventKind.DrRead ? DrFrom : 0) | RegisterNumber(e);

    /// <summary>For a #DB: the conditions that the exception would put into DR6.</summary>
    public static ulong Debug(ulong dr6) => dr6 & DebugBits;

    /// <summary>For task switches (SDM 3C table 28-2): selector 15:0, source 31:30.</summary>
    public static ulong TaskSwitch(in CpuEvent e) => (ushort)e.Index | (e.Value << 30);

    /// <summary>For EPT violations (SDM 3C table 28-7).</summary>
    /// <param name="access">The access.</param>
    /// <param name="permissions">R, W and X of the entries.</param>
    public static ulong EptViolation(GuestAccess access, ulong permissions) =>
        Wanted(access) | (permissions << 3) | LinearValid | ((access & GuestAccess.PageWalk) == 0 ? FinalAccess : 0);

    // Bits 11:8.
    private static ulong RegisterNumber(in CpuEvent e) => (ulong)e.Register << 8;

    /// <summary>The EPT permissions that an access needs.</summary>
    public static ulong Wanted(GuestAccess access) =>
        ((access & GuestAccess.Read) != 0 ? EptEntry.Read : 0) | ((access & GuestAccess.Write) != 0 ? EptEntry.Write : 0)
        | ((access & GuestAccess.Execute) != 0 ? EptEntry.Execute : 0);
}
