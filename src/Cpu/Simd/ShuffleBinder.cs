using Hv.Cpu.Decode;
using Hv.Cpu.Execute;

namespace Hv.Cpu.Simd;

/// <summary>Chooses the handlers of unpacks, extensions, shuffles, blends, permutes, broadcasts and cryptography.</summary>
internal static class ShuffleBinder
{
    internal static nint Bind(ref Op op, BindContext context) => op.Kind switch
    {
        <= OpKind.Punpckhqdq => BindUnpacks(op),
        <= OpKind.Pmovzxdq => BindExtensions(op),
        <= OpKind.Palignr => BindShuffles(op),
        <= OpKind.Vbroadcastf128 => BindBlends(ref op, context),
        _ => BindCryptography(op),
    };

    private static nint BindUnpacks(in Op op)
    {
        // MMX reads but the doubleword that it needs.
        if ((op.Form & OpForm.Mmx) != 0)
        {
            return op.Kind switch
            {
                OpKind.Punpcklbw => VectorForms.BinaryMmx<UnpackLow<byte>, MemoryScalar<W32>>(op),
                OpKind.Punpcklwd => VectorForms.BinaryMmx<UnpackLow<ushort>, MemoryScalar<W32>>(op),
                OpKind.Punpckldq => VectorForms.BinaryMmx<UnpackLow<uint>, MemoryScalar<W32>>(op),
                OpKind.Punpckhbw => VectorForms.BinaryMmx<UnpackHighMmx<byte>, MemoryScalar<W64>>(op),
                OpKind.Punpckhwd => VectorForms.BinaryMmx<UnpackHighMmx<ushort>, MemoryScalar<W64>>(op),
                _ => VectorForms.BinaryMmx<UnpackHighMmx<uint>, MemoryScalar<W64>>(op),
            };
        }

        return op.Kind switch
        {
            OpKind.Punpcklbw => VectorBinder.Binary<UnpackLow<byte>>(op),
            OpKind.Punpcklwd => VectorBinder.Binary<UnpackLow<ushort>>(op),
            OpKind.Punpckldq => VectorBinder.Binary<UnpackLow<uint>>(op),
            OpKind.Punpcklqdq => VectorBinder.Binary<UnpackLow<ulong>>(op),
            OpKind.Punpckhbw => VectorBinder.Binary<UnpackHigh<byte>>(op),
            OpKind.Punpckhwd => VectorBinder.Binary<UnpackHigh<ushort>>(op),
            OpKind.Punpckhdq => VectorBinder.Binary<UnpackHigh<uint>>(op),
            _ => VectorBinder.Binary<UnpackHigh<ulong>>(op),
        };
    }

    private static nint BindExtensions(in Op op) => op.Kind switch
    {
        OpKind.Pmovsxbw => ByHalf<Extend<sbyte, short>>(op),
        OpKind.Pmovsxbd => ByQuarter<Extend<sbyte, int>>(op),
        OpKind.Pmovsxbq => ByEighth<Extend<sbyte, long>>(op),
        OpKind.Pmovsxwd => ByHalf<Extend<short, int>>(op),
        OpKind.Pmovsxwq => ByQuarter<Extend<short, long>>(op),
        OpKind.Pmovsxdq => ByHalf<Extend<int, long>>(op),
        OpKind.Pmovzxbw => ByHalf<Extend<byte, ushort>>(op),
        OpKind.Pmovzxbd => ByQuarter<Extend<byte, uint>>(op),
        OpKind.Pmovzxbq => ByEighth<Extend<byte, ulong>>(op),
        OpKind.Pmovzxwd => ByHalf<Extend<ushort, uint>>(op),
        OpKind.Pmovzxwq => ByQuarter<Extend<ushort, ulong>>(op),
        _ => ByHalf<Extend<uint, ulong>>(op),
    };

    private static nint ByHalf<TOp>(in Op op) where TOp : struct, IVectorUnary<TOp> =>
        VectorForms.Widening<TOp, MemoryScalar<W64>, Memory128<Unaligned>>(op);

    private static nint ByQuarter<TOp>(in Op op) where TOp : struct, IVectorUnary<TOp> =>
        VectorForms.Widening<TOp, MemoryScalar<W32>, MemoryScalar<W64>>(op);

    private static nint ByEighth<TOp>(in Op op) where TOp : struct, IVectorUnary<TOp> =>
        VectorForms.Widening<TOp, MemoryScalar<W16>, MemoryScalar<W32>>(op);

    private static nint BindShuffles(in Op op)
    {
        bool mmx = (op.Form & OpForm.Mmx) != 0;
        return op.Kind switch
        {
            OpKind.Pshufb => mmx ? VectorForms.BinaryMmx<ShuffleBytesMmx, MemoryScalar<W64>>(op) : VectorBinder.Binary<ShuffleBytes>(op),
            OpKind.Pshufd => VectorForms.UnaryImmediate<ShuffleDoublewords>(op),
            OpKind.Pshufhw => VectorForms.UnaryImmediate<ShuffleHighWords>(op),
            OpKind.Pshuflw => VectorForms.UnaryImmediate<ShuffleLowWords>(op),
            OpKind.Shufps => VectorForms.BinaryImmediate<ShuffleSingles>(op),
            OpKind.Shufpd => VectorForms.BinaryImmediate<ShuffleDoubles>(op),
            _ => mmx ? VectorForms.BinaryImmediateMmx<AlignRightMmx>(op) : VectorForms.BinaryImmediate<AlignRight>(op),
        };
    }

    private static nint BindBlends(ref Op op, BindContext context)
    {
        // There are eight registers outside 64-bit code, and the top bit of the fourth one's number is ignored (SDM 2C VBLENDVPS).
        if (op.Kind is OpKind.Pblendvb or OpKind.Blendvps or OpKind.Blendvpd && !context.Key.Is64)
            op.Immediate &= ~0x8000UL;
        bool byImmediate = op.Shape == OpShape.RegRmImm;
        return op.Kind switch
        {
            OpKind.Pblendw => VectorForms.BinaryImmediate<BlendWords>(op),
            OpKind.Blendps => VectorForms.BinaryImmediate<BlendDoublewords>(op),
            OpKind.Blendpd => VectorForms.BinaryImmediate<BlendQuadwords>(op),
            OpKind.Pblendvb => VectorForms.Ternary<BlendBySign<sbyte>>(op),
            OpKind.Blendvps => VectorForms.Ternary<BlendBySign<int>>(op),
            OpKind.Blendvpd => VectorForms.Ternary<BlendBySign<long>>(op),
            OpKind.Vpermilps => byImmediate ? VectorForms.UnaryImmediate<ShuffleDoublewords>(op) : VectorBinder.Binary<PermuteSinglesBy>(op),
            OpKind.Vpermilpd => byImmediate ? VectorForms.UnaryImmediate<PermuteDoubles>(op) : VectorBinder.Binary<PermuteDoublesBy>(op),
            OpKind.Vpermd => VectorBinder.Binary<PermuteDoublewordsBy>(op),
            OpKind.Vpermq => VectorForms.UnaryImmediate<PermuteQuadwords>(op),
            OpKind.Vperm2f128 => VectorForms.BinaryImmediate<PermuteHalves>(op),
            OpKind.Vinsertf128 => VectorForms.BinaryImmediateNarrow<InsertHalf>(op),
            OpKind.Vextractf128 => MoveForms.ExtractHalf(op),
            OpKind.Vpbroadcastb => VectorForms.Widening<Broadcast<byte>, MemoryScalar<W8>, MemoryScalar<W8>>(op),
            OpKind.Vpbroadcastw => VectorForms.Widening<Broadcast<ushort>, MemoryScalar<W16>, MemoryScalar<W16>>(op),
            OpKind.Vpbroadcastd => VectorForms.Widening<Broadcast<uint>, MemoryScalar<W32>, MemoryScalar<W32>>(op),
            OpKind.Vpbroadcastq => VectorForms.Widening<Broadcast<ulong>, MemoryScalar<W64>, MemoryScalar<W64>>(op),
            _ => VectorForms.Widening<BroadcastHalf, Memory128<Unaligned>, Memory128<Unaligned>>(op),
        };
    }

    private static nint BindCryptography(in Op op) => op.Kind switch
    {
        OpKind.Aesenc => VectorBinder.Binary<AesEncrypt>(op),
        OpKind.Aesenclast => VectorBinder.Binary<AesEncryptLast>(op),
        OpKind.Aesdec => VectorBinder.Binary<AesDecrypt>(op),
        OpKind.Aesdeclast => VectorBinder.Binary<AesDecryptLast>(op),
        OpKind.Aesimc => VectorForms.Unary<AesInverseMixColumns>(op),
        OpKind.Aeskeygenassist => VectorForms.UnaryImmediate<AesKeyAssist>(op),
        OpKind.Pclmulqdq => VectorForms.BinaryImmediate<CarrylessProduct>(op),
        OpKind.Sha1rnds4 => VectorForms.BinaryImmediate<Sha1Rounds>(op),
        OpKind.Sha1nexte => VectorBinder.Binary<Sha1NextE>(op),
        OpKind.Sha1msg1 => VectorBinder.Binary<Sha1Message1>(op),
        OpKind.Sha1msg2 => VectorBinder.Binary<Sha1Message2>(op),
        OpKind.Sha256rnds2 => VectorForms.Ternary<Sha256Rounds>(op),
        OpKind.Sha256msg1 => VectorBinder.Binary<Sha256Message1>(op),
        OpKind.Sha256msg2 => VectorBinder.Binary<Sha256Message2>(op),
        _ => 0,
    };
}
