using Hv.Cpu.Decode;
using Hv.Cpu.Memory;
using Hv.Cpu.State;

namespace Hv.Cpu;

/// <summary>Access to the memory images of FNSTENV, FLDENV, FNSAVE and FRSTOR.</summary>
public abstract partial class Processor
{
    /// <summary>Makes sure that an image can be accessed: as silicon does, its first word by all checks, then its last byte. False: the fault is
    /// recorded.</summary>
    /// <param name="s">The state.</param>
    /// <param name="op">The operation.</param>
    /// <param name="size">Bytes, at most a page.</param>
    /// <param name="word">Bytes of a word, 2 or 4: the alignment too (SDM 3A table 6-7).</param>
    /// <param name="access">Read or write.</param>
    /// <param name="linear">Where it is.</param>
    internal bool TryX87Image(ref CpuState s, ref Op op, int size, int word, AccessKind access, out ulong linear)
    {
        if (!TryX87Part(ref s, ref op, word, access, out linear))
            return false;
        if (ChecksAlignment && (linear & (ulong)(word - 1)) != 0)
        {
            Raise(ref s, ref op, ExceptionVector.AlignmentCheck, 0);
            return false;
        }

        if (TryProbe(ref s, linear, word, access, IsUser))
        {
            if (!TryX87Part(ref s, ref op, size, access, out linear))
                return false;
            if (TryResolve(ref s, Wrap(ref s, linear + (ulong)(size - 1)), access, IsUser, false, out _))
                return true;
        }

        Abort(ref s, ref op);
        return false;
    }

    /// <summary>The checks of a part at the image's start that come before paging.</summary>
    private bool TryX87Part(ref CpuState s, ref Op op, int size, AccessKind access, out ulong linear)
    {
        var segment = (SegmentNumber)op.Segment;
        if (!TryLinear(ref s, ref op, segment, EffectiveAddress(ref s, ref op), size, access == AccessKind.Write, out linear))
            return false;
        if (IsReachable(ref s, segment, linear, size))
            return true;
        Raise(ref s, ref op, segment == SegmentNumber.Ss ? ExceptionVector.StackFault : ExceptionVector.GeneralProtection, 0);
        return false;
    }

    /// <summary>Reads 1..8 bytes of an image that <see cref="TryX87Image"/> has shown to be there. False: a device is asked.</summary>
    internal bool TryReadX87Image(ref CpuState s, ref Op op, ulong linear, int size, out ulong value)
    {
        value = 0;
        if (LoadLinear(ref s, Wrap(ref s, linear), size, AccessKind.Read, IsUser, false, ref value))
            return true;
        Abort(ref s, ref op);
        return false;
    }

    /// <summary>Writes 1..8 bytes of an image that <see cref="TryX87Image"/> has shown to be there. False: a device is asked.</summary>
    internal bool TryWriteX87Image(ref CpuState s, ref Op op, ulong linear, int size, ulong value)
    {
        if (StoreLinear(ref s, Wrap(ref s, linear), size, IsUser, false, value))
            return true;
        Abort(ref s, ref op);
        return false;
    }
}
