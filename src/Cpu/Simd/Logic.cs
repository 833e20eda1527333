using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Hv.Cpu.Decode;

namespace Hv.Cpu.Simd;

/// <summary>PAND, ANDPS, ANDPD.</summary>
internal readonly struct And : IVectorBinary<And>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => a & b;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b) => a & b;
}

/// <summary>PANDN, ANDNPS, ANDNPD: the first operand is complemented.</summary>
internal readonly struct AndNot : IVectorBinary<AndNot>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => Vector128.AndNot(b, a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b) => Vector256.AndNot(b, a);
}

/// <summary>POR, ORPS, ORPD.</summary>
internal readonly struct Or : IVectorBinary<Or>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => a | b;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b) => a | b;
}

/// <summary>PXOR, XORPS, XORPD.</summary>
internal readonly struct Xor : IVectorBinary<Xor>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => a ^ b;
    [MethodImpl(MethodImplOptions.AggressiveInlining)] public static Vector256<byte> Apply(Vector256<byte> a, Vector256<byte> b) => a ^ b;
}

/// <summary>Chooses among the logical operations. On registers of vectors the manuals' integer and floating-point mnemonics do the same.</summary>
internal static class LogicBinder
{
    internal static nint Bind(in Op op) => op.Kind switch
    {
        OpKind.Pand or OpKind.Andps or OpKind.Andpd => VectorBinder.Binary<And>(op),
        OpKind.Pandn or OpKind.Andnps or OpKind.Andnpd => VectorBinder.Binary<AndNot>(op),
        OpKind.Por or OpKind.Orps or OpKind.Orpd => VectorBinder.Binary<Or>(op),
        OpKind.Pxor or OpKind.Xorps or OpKind.Xorpd => VectorBinder.Binary<Xor>(op),
        _ => 0,
    };
}
