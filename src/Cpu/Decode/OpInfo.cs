namespace Hv.Cpu.Decode;

/// <summary>What kinds of operations do to a block and to the flags.</summary>
internal static class OpInfo
{
    /// <summary>Whether no instruction can follow in the same block: control may go elsewhere, or mode, translation or code may change.</summary>
    internal static bool EndsBlock(OpKind kind) => kind switch
    {
        >= OpKind.Call and <= OpKind.Jg => true,
        OpKind.BlockEnd or OpKind.FetchViolation => true,
        _ => IsSystem(kind),
    };

    /// <summary>Whether it is a system instruction. Each has a link to what follows it, for those whose event is answered on the spot.</summary>
    internal static bool IsSystem(OpKind kind) => kind is >= OpKind.Invalid and <= OpKind.Emms;

    /// <summary>Whether the immediate is a displacement from the instruction's end.</summary>
    internal static bool IsRelativeBranch(OpKind kind) => Targets(kind) != 0;

    /// <summary>Direct successors that the operation links to: the target, then what follows.</summary>
    internal static int Targets(OpKind kind) => kind switch
    {
        OpKind.Call or OpKind.Jmp => 1,
        >= OpKind.Jo and <= OpKind.Jg => 2,
        >= OpKind.Loop and <= OpKind.Jcxz => 2,
        _ => 0,
    };

    /// <summary>Whether all six arithmetic flags are written whatever their old values, none of them is read, and no operand is in memory or can
    /// fault.</summary>
    internal static bool OverwritesFlags(in Op op)
    {
        if (op.IsMemory)
            return false;
        return op.Kind switch
        {
            OpKind.Add or OpKind.Or or OpKind.And or OpKind.Sub or OpKind.Xor or OpKind.Cmp or OpKind.Test or OpKind.Neg => true,
            OpKind.Imul or OpKind.Mul or OpKind.ImulWide or OpKind.Popcnt => true,
            OpKind.Shl or OpKind.Sal or OpKind.Shr or OpKind.Sar => op.Shape == OpShape.RmImm && ShiftCount(op) != 0,
            _ => false,
        };
    }

    /// <summary>Whether the operation neither reads nor writes flags, nor faults or leaves: flags are as dead before it as after it.</summary>
    internal static bool IgnoresFlags(in Op op)
    {
        if (op.IsMemory)
            return op.Kind == OpKind.Lea;
        return op.Kind is OpKind.Mov or OpKind.Movzx8 or OpKind.Movzx16 or OpKind.Movsx8 or OpKind.Movsx16 or OpKind.Movsxd or OpKind.Nop
            or OpKind.Bswap or OpKind.Cbw or OpKind.Cwd or OpKind.Not or OpKind.Rorx or OpKind.Sarx or OpKind.Shlx or OpKind.Shrx
            or OpKind.Mulx or OpKind.Pdep or OpKind.Pext or OpKind.Xchg;
    }

    /// <summary>An immediate shift's count as the processor masks it (SDM 2B, SAL/SAR/SHL/SHR).</summary>
    internal static int ShiftCount(in Op op) => (int)op.Immediate & (op.SizeLog2 == 3 ? 63 : 31);
}
