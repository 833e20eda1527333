using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Hv.Cpu.Decode;
using Hv.Cpu.Execute;
using Hv.Cpu.State;

namespace Hv.Cpu.Simd;

/// <summary>PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM and their VEX forms. Their memory operand need not be aligned (SDM 2B).</summary>
internal static class StringInstructions
{
    [MethodImpl(Threading.Handler)]
    internal static void Compare<TSource>(ref CpuState s, ref Op op, Processor p) where TSource : struct, IVectorSource<Vector128<byte>>
    {
        Vector128<byte> second = TSource.Read(ref s, ref op, p);
        if (TSource.IsMemory && s.Attention != 0)
            return;
        s.Staging = second.ToVector256();
        Execute(ref s, ref op);
        VectorThreading.Next(ref s, ref op, p);
    }

    /// <summary>Compares with the operand in the staging room.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Execute(ref CpuState s, ref Op op)
    {
        byte imm = (byte)op.Immediate;
        Vector128<byte> first = VectorRegister.Xmm(ref s, op.Reg), second = s.Staging.GetLower();
        bool isExplicit = op.Kind is OpKind.Pcmpestri or OpKind.Pcmpestrm;
        int firstLength = isExplicit ? ExplicitLength(ref s, ref op, Registers.Rax) : StringCompare.ImplicitLength(first, imm);
        int secondLength = isExplicit ? ExplicitLength(ref s, ref op, Registers.Rdx) : StringCompare.ImplicitLength(second, imm);
        StringMatch match = StringCompare.Compare(first, firstLength, second, secondLength, imm);

        if (op.Kind is OpKind.Pcmpestri or OpKind.Pcmpistri)
            W32.Set(ref s, Registers.Rcx, (ulong)StringCompare.Index(match.Bits, imm));
        else if ((op.Form & OpForm.Vex) != 0)
            VectorRegister.SetZeroing(ref s, 0, StringCompare.Mask(match.Bits, imm));
        else
            VectorRegister.Xmm(ref s, 0) = StringCompare.Mask(match.Bits, imm);
        Flags.Put(ref s, (match.Bits != 0 ? Flags.Cf : 0) | (match.SecondEnds ? Flags.Zf : 0) | (match.FirstEnds ? Flags.Sf : 0)
            | ((match.Bits & 1) != 0 ? Flags.Of : 0));
    }

    /// <summary>EAX or EDX; RAX or RDX with REX.W.</summary>
    private static int ExplicitLength(ref CpuState s, ref Op op, int register)
    {
        long length = op.SizeLog2 == 3 ? (long)W64.Get(ref s, register) : (int)W32.Get(ref s, register);
        return StringCompare.ExplicitLength(length, (byte)op.Immediate);
    }
}
