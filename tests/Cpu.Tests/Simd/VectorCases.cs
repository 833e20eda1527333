using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Hv.Cpu.Simd;
using static Hv.Cpu.Tests.Simd.ScalarModel;

namespace Hv.Cpu.Tests.Simd;

/// <summary>One vector operation, as hv has it and as the model has it.</summary>
/// <param name="Ours">128 bits.</param>
/// <param name="OursWide">256 bits; null when there is no such form.</param>
/// <param name="Expected">128 bits.</param>
/// <param name="ExpectedWide">256 bits; null: each half as <paramref name="Expected"/>.</param>
internal sealed record VectorCase(
    Func<Vector128<byte>, Vector128<byte>, byte, Vector128<byte>>? Ours,
    Func<Vector256<byte>, Vector256<byte>, byte, Vector256<byte>>? OursWide,
    Model Expected,
    Model? ExpectedWide = null);

/// <summary>Every operation on integer vectors that has no test of its own, by the manuals' mnemonics.</summary>
internal static class VectorCases
{
    internal static readonly SortedDictionary<string, VectorCase> All = new(StringComparer.Ordinal);

    static VectorCases()
    {
        AddArithmetic();
        AddProducts();
        AddRearrangements();
        AddShifts();
        AddShuffles();
        AddPermutes();
    }

    internal static VectorCase Unary<TOp>(Model model, Model? wide = null) where TOp : struct, IVectorUnary<TOp> =>
        new((a, _, _) => TOp.Apply(a), (a, _, _) => TOp.Apply(a), model, wide);

    internal static VectorCase Binary<TOp>(Model model, Model? wide = null) where TOp : struct, IVectorBinary<TOp> =>
        new((a, b, _) => TOp.Apply(a, b), (a, b, _) => TOp.Apply(a, b), model, wide);

    internal static VectorCase UnaryImmediate<TOp>(Model model, Model? wide = null) where TOp : struct, IVectorUnaryImmediate<TOp> =>
        new((a, _, imm) => TOp.Apply(a, imm), (a, _, imm) => TOp.Apply(a, imm), model, wide);

    internal static VectorCase BinaryImmediate<TOp>(Model model, Model? wide = null) where TOp : struct, IVectorBinaryImmediate<TOp> =>
        new((a, b, imm) => TOp.Apply(a, b, imm), (a, b, imm) => TOp.Apply(a, b, imm), model, wide);

    /// <summary>Only the low quadword counts: the MMX form.</summary>
    private static VectorCase Mmx<TOp>(Model model) where TOp : struct, IVectorBinary<TOp> =>
        new((a, b, _) => Low(TOp.Apply(Low(a), Low(b))), null, (a, b, imm) => model(a, b, imm));

    private static Vector128<byte> Low(Vector128<byte> v) => v.GetLower().ToVector128();

    private static void AddArithmetic()
    {
        All["PADDB"] = Binary<Add<byte>>(Each(8, false, (x, y) => x + y));
        All["PADDW"] = Binary<Add<ushort>>(Each(16, false, (x, y) => x + y));
        All["PADDD"] = Binary<Add<uint>>(Each(32, false, (x, y) => x + y));
        All["PADDQ"] = Binary<Add<ulong>>(Each(64, false, (x, y) => x + y));
        All["PSUBB"] = Binary<Subtract<byte>>(Each(8, false, (x, y) => x - y));
        All["PSUBW"] = Binary<Subtract<ushort>>(Each(16, false, (x, y) => x - y));
        All["PSUBD"] = Binary<Subtract<uint>>(Each(32, false, (x, y) => x - y));
        All["PSUBQ"] = Binary<Subtract<ulong>>(Each(64, false, (x, y) => x - y));
        All["PADDSB"] = Binary<AddSaturating<sbyte>>(EachSaturated(8, true, (x, y) => x + y));
        All["PADDSW"] = Binary<AddSaturating<short>>(EachSaturated(16, true, (x, y) => x + y));
        All["PADDUSB"] = Binary<AddSaturating<byte>>(EachSaturated(8, false, (x, y) => x + y));
        All["PADDUSW"] = Binary<AddSaturating<ushort>>(EachSaturated(16, false, (x, y) => x + y));
        All["PSUBSB"] = Binary<SubtractSaturating<sbyte>>(EachSaturated(8, true, (x, y) => x - y));
        All["PSUBSW"] = Binary<SubtractSaturating<short>>(EachSaturated(16, true, (x, y) => x - y));
        All["PSUBUSB"] = Binary<SubtractSaturating<byte>>(EachSaturated(8, false, (x, y) => x - y));
        All["PSUBUSW"] = Binary<SubtractSaturating<ushort>>(EachSaturated(16, false, (x, y) => x - y));
        All["PMINSB"] = Binary<Minimum<sbyte>>(Each(8, true, Int128.Min));
        All["PMINSW"] = Binary<Minimum<short>>(Each(16, true, Int128.Min));
        All["PMINSD"] = Binary<Minimum<int>>(Each(32, true, Int128.Min));
        All["PMINUB"] = Binary<Minimum<byte>>(Each(8, false, Int128.Min));
        All["PMINUW"] = Binary<Minimum<ushort>>(Each(16, false, Int128.Min));
        All["PMINUD"] = Binary<Minimum<uint>>(Each(32, false, Int128.Min));
        All["PMAXSB"] = Binary<Maximum<sbyte>>(Each(8, true, Int128.Max));
        All["PMAXSW"] = Binary<Maximum<short>>(Each(16, true, Int128.Max));
        All["PMAXSD"] = Binary<Maximum<int>>(Each(32, true, Int128.Max));
        All["PMAXUB"] = Binary<Maximum<byte>>(Each(8, false, Int128.Max));
        All["PMAXUW"] = Binary<Maximum<ushort>>(Each(16, false, Int128.Max));
        All["PMAXUD"] = Binary<Maximum<uint>>(Each(32, false, Int128.Max));
        All["PCMPEQB"] = Binary<Equal<byte>>(Each(8, false, (x, y) => x == y ? -1 : 0));
        All["PCMPEQW"] = Binary<Equal<ushort>>(Each(16, false, (x, y) => x == y ? -1 : 0));
        All["PCMPEQD"] = Binary<Equal<uint>>(Each(32, false, (x, y) => x == y ? -1 : 0));
        All["PCMPEQQ"] = Binary<Equal<ulong>>(Each(64, false, (x, y) => x == y ? -1 : 0));
        All["PCMPGTB"] = Binary<Greater<sbyte>>(Each(8, true, (x, y) => x > y ? -1 : 0));
        All["PCMPGTW"] = Binary<Greater<short>>(Each(16, true, (x, y) => x > y ? -1 : 0));
        All["PCMPGTD"] = Binary<Greater<int>>(Each(32, true, (x, y) => x > y ? -1 : 0));
        All["PCMPGTQ"] = Binary<Greater<long>>(Each(64, true, (x, y) => x > y ? -1 : 0));
        All["PAVGB"] = Binary<AverageBytes>(Each(8, false, (x, y) => x + y + 1 >> 1));
        All["PAVGW"] = Binary<AverageWords>(Each(16, false, (x, y) => x + y + 1 >> 1));
        All["PABSB"] = Unary<Absolute<sbyte>>(Each(8, true, (x, _) => Int128.Abs(x)));
        All["PABSW"] = Unary<Absolute<short>>(Each(16, true, (x, _) => Int128.Abs(x)));
        All["PABSD"] = Unary<Absolute<int>>(Each(32, true, (x, _) => Int128.Abs(x)));
        All["PSIGNB"] = Binary<Sign<sbyte>>(Each(8, true, (x, y) => x * Int128.Sign(y)));
        All["PSIGNW"] = Binary<Sign<short>>(Each(16, true, (x, y) => x * Int128.Sign(y)));
        All["PSIGND"] = Binary<Sign<int>>(Each(32, true, (x, y) => x * Int128.Sign(y)));
        All["PAND"] = Binary<And>(Each(64, false, (x, y) => x & y));
        All["PANDN"] = Binary<AndNot>(Each(64, false, (x, y) => ~x & y));
        All["POR"] = Binary<Or>(Each(64, false, (x, y) => x | y));
        All["PXOR"] = Binary<Xor>(Each(64, false, (x, y) => x ^ y));
    }

    private static void AddProducts()
    {
        All["PMULLW"] = Binary<MultiplyLow<short>>(Each(16, true, (x, y) => x * y));
        All["PMULLD"] = Binary<MultiplyLow<int>>(Each(32, true, (x, y) => x * y));
        All["PMULHW"] = Binary<MultiplyHigh>(Each(16, true, (x, y) => x * y >> 16));
        All["PMULHUW"] = Binary<MultiplyHighUnsigned>(Each(16, false, (x, y) => x * y >> 16));
        All["PMULHRSW"] = Binary<MultiplyHighRounded>(Each(16, true, (x, y) => (x * y >> 14) + 1 >> 1));
        All["PMULDQ"] = Binary<MultiplyEven>((a, b, _) => Vector(64, i => Element(a, 2 * i, 32, true) * Element(b, 2 * i, 32, true)));
        All["PMULUDQ"] = Binary<MultiplyEvenUnsigned>((a, b, _) => Vector(64, i => Element(a, 2 * i, 32, false) * Element(b, 2 * i, 32, false)));
        All["PMADDWD"] = Binary<MultiplyAddWords>((a, b, _) => Vector(32, i =>
            Element(a, 2 * i, 16, true) * Element(b, 2 * i, 16, true) + Element(a, 2 * i + 1, 16, true) * Element(b, 2 * i + 1, 16, true)));
        All["PMADDUBSW"] = Binary<MultiplyAddBytes>((a, b, _) => Vector(16, i => Saturate(
            Element(a, 2 * i, 8, false) * Element(b, 2 * i, 8, true) + Element(a, 2 * i + 1, 8, false) * Element(b, 2 * i + 1, 8, true), 16, true)));
        All["PSADBW"] = Binary<SumDifferences>((a, b, _) => Vector(64, i => Sum(8, k => Math.Abs(a[8 * i + k] - b[8 * i + k]))));
        All["MPSADBW"] = BinaryImmediate<MultipleSumDifferences>(SumsOfDifferences,
            (a, b, imm) => [.. SumsOfDifferences(a[..16], b[..16], imm), .. SumsOfDifferences(a[16..], b[16..], (byte)(imm >> 3))]);
        All["PHMINPOSUW"] = Unary<MinimumPosition>((a, _, _) =>
        {
            int at = Enumerable.Range(0, 8).MinBy(i => Element(a, i, 16, false));
            return Vector(16, i => i == 0 ? Element(a, at, 16, false) : i == 1 ? at : 0);
        }) with
        { OursWide = null };
        All["PHADDW"] = Binary<HorizontalAddWords>(Pairs(16, false, (x, y) => x + y));
        All["PHADDD"] = Binary<HorizontalAddDoublewords>(Pairs(32, false, (x, y) => x + y));
        All["PHADDSW"] = Binary<HorizontalAddSaturating>(Pairs(16, true, (x, y) => x + y));
        All["PHSUBW"] = Binary<HorizontalSubtractWords>(Pairs(16, false, (x, y) => x - y));
        All["PHSUBD"] = Binary<HorizontalSubtractDoublewords>(Pairs(32, false, (x, y) => x - y));
        All["PHSUBSW"] = Binary<HorizontalSubtractSaturating>(Pairs(16, true, (x, y) => x - y));
        All["PHADDW mm"] = Mmx<Joined<HorizontalAddWords>>((a, b, _) =>
            Vector(64, i => i == 1 ? 0 : Element(Vector(16, k => PairOf(k < 2 ? a : b, k % 2, (x, y) => x + y)), 0, 64, false)));
        All["PHSUBSW mm"] = Mmx<Joined<HorizontalSubtractSaturating>>((a, b, _) =>
            Vector(64, i => i == 1 ? 0 : Element(Vector(16, k => Saturate(PairOf(k < 2 ? a : b, k % 2, (x, y) => x - y), 16, true)), 0, 64, false)));
    }

    private static Int128 PairOf(byte[] v, int i, Func<Int128, Int128, Int128> f) => f(Element(v, 2 * i, 16, true), Element(v, 2 * i + 1, 16, true));

    private static Int128 Sum(int count, Func<int, int> f) => Enumerable.Range(0, count).Sum(f);

    private static byte[] SumsOfDifferences(byte[] a, byte[] b, byte imm)
    {
        int from = (imm >> 2 & 1) * 4, block = (imm & 3) * 4;
        return Vector(16, i => Sum(4, k => Math.Abs(a[from + i + k] - b[block + k])));
    }

    private static void AddRearrangements()
    {
        All["PACKSSWB"] = Binary<PackSignedWords>(Pack(16, true));
        All["PACKUSWB"] = Binary<PackUnsignedWords>(Pack(16, false));
        All["PACKSSDW"] = Binary<PackSignedDoublewords>(Pack(32, true));
        All["PACKUSDW"] = Binary<PackUnsignedDoublewords>(Pack(32, false));
        All["PACKSSWB mm"] = Mmx<Joined<PackSignedWords>>((a, b, _) =>
            Vector(8, i => i > 7 ? 0 : Saturate(Element(i < 4 ? a : b, i % 4, 16, true), 8, true)));
        All["PUNPCKLBW"] = Binary<UnpackLow<byte>>(Unpack(8, false));
        All["PUNPCKLWD"] = Binary<UnpackLow<ushort>>(Unpack(16, false));
        All["PUNPCKLDQ"] = Binary<UnpackLow<uint>>(Unpack(32, false));
        All["PUNPCKLQDQ"] = Binary<UnpackLow<ulong>>(Unpack(64, false));
        All["PUNPCKHBW"] = Binary<UnpackHigh<byte>>(Unpack(8, true));
        All["PUNPCKHWD"] = Binary<UnpackHigh<ushort>>(Unpack(16, true));
        All["PUNPCKHDQ"] = Binary<UnpackHigh<uint>>(Unpack(32, true));
        All["PUNPCKHQDQ"] = Binary<UnpackHigh<ulong>>(Unpack(64, true));
        All["PUNPCKHBW mm"] = Mmx<UnpackHighMmx<byte>>((a, b, _) => Vector(8, i => i > 7 ? 0 : (i % 2 == 0 ? a : b)[4 + i / 2]));
        All["PUNPCKHDQ mm"] = Mmx<UnpackHighMmx<uint>>((a, b, _) => Vector(32, i => i > 1 ? 0 : Element(i == 0 ? a : b, 1, 32, false)));
        AddExtension<sbyte, short>("PMOVSXBW", 8, 16, true);
        AddExtension<sbyte, int>("PMOVSXBD", 8, 32, true);
        AddExtension<sbyte, long>("PMOVSXBQ", 8, 64, true);
        AddExtension<short, int>("PMOVSXWD", 16, 32, true);
        AddExtension<short, long>("PMOVSXWQ", 16, 64, true);
        AddExtension<int, long>("PMOVSXDQ", 32, 64, true);
        AddExtension<byte, ushort>("PMOVZXBW", 8, 16, false);
        AddExtension<byte, uint>("PMOVZXBD", 8, 32, false);
        AddExtension<byte, ulong>("PMOVZXBQ", 8, 64, false);
        AddExtension<ushort, uint>("PMOVZXWD", 16, 32, false);
        AddExtension<ushort, ulong>("PMOVZXWQ", 16, 64, false);
        AddExtension<uint, ulong>("PMOVZXDQ", 32, 64, false);
    }

    private static void AddExtension<TFrom, TTo>(string name, int from, int to, bool signed) => All[name] = Unary<Extend<TFrom, TTo>>(
        (a, _, _) => Vector(to, i => Element(a, i, from, signed)), (a, _, _) => Vector(to, i => Element(a, i, from, signed), 32));

    private static void AddShifts()
    {
        AddShift<ShiftLeft<ushort>>("PSLLW", 16, (x, n) => x << n);
        AddShift<ShiftLeft<uint>>("PSLLD", 32, (x, n) => x << n);
        AddShift<ShiftLeft<ulong>>("PSLLQ", 64, (x, n) => n == 64 ? 0 : x << n);
        AddShift<ShiftRight<ushort>>("PSRLW", 16, (x, n) => x >> n);
        AddShift<ShiftRight<uint>>("PSRLD", 32, (x, n) => x >> n);
        AddShift<ShiftRight<ulong>>("PSRLQ", 64, (x, n) => x >> n);
        AddShift<ShiftRightArithmetic<short>>("PSRAW", 16, (x, n) => x >> n, true);
        AddShift<ShiftRightArithmetic<int>>("PSRAD", 32, (x, n) => x >> n, true);
        All["VPSLLVD"] = Binary<ShiftLeftEach<uint>>(ShiftEach(32, (x, n) => x << n));
        All["VPSLLVQ"] = Binary<ShiftLeftEach<ulong>>(ShiftEach(64, (x, n) => x << n));
        All["VPSRLVD"] = Binary<ShiftRightEach<uint>>(ShiftEach(32, (x, n) => x >> n));
        All["VPSRLVQ"] = Binary<ShiftRightEach<ulong>>(ShiftEach(64, (x, n) => x >> n));
        All["VPSRAVD"] = Binary<ShiftRightArithmeticEach>(ShiftEach(32, (x, n) => x >> n, true));
        All["PSLLDQ"] = UnaryImmediate<ShiftBytesLeft>((a, _, imm) => Vector(8, i => i >= imm ? a[i - imm] : 0));
        All["PSRLDQ"] = UnaryImmediate<ShiftBytesRight>((a, _, imm) => Vector(8, i => i + imm < 16 ? a[i + imm] : 0));
        All["PALIGNR"] = BinaryImmediate<AlignRight>((a, b, imm) =>
            Vector(8, i => i + imm < 16 ? b[i + imm] : i + imm < 32 ? a[i + imm - 16] : 0));
        All["PALIGNR mm"] = new((a, b, imm) => Low(AlignRightMmx.Apply(a, b, imm)), null, (a, b, imm) =>
            Vector(8, i => i > 7 ? 0 : i + imm < 8 ? b[i + imm] : i + imm < 16 ? a[i + imm - 8] : 0));
    }

    private static void AddShift<TShift>(string name, int bits, Func<Int128, int, Int128> f, bool arithmetic = false)
        where TShift : struct, IElementShift
    {
        Model byVector = Shift(bits, false, f, arithmetic);
        // The upper half's count is the lower half's too.
        All[name] = Binary<ByVector<TShift>>(byVector, (a, b, imm) => [.. byVector(a[..16], b[..16], imm), .. byVector(a[16..], b[..16], imm)]);
        All[name + " imm"] = UnaryImmediate<ByImmediate<TShift>>(Shift(bits, true, f, arithmetic));
    }

    private static void AddShuffles()
    {
        All["PSHUFD"] = UnaryImmediate<ShuffleDoublewords>(Select(32, (i, imm) => (false, imm >> 2 * i & 3)));
        All["PSHUFLW"] = UnaryImmediate<ShuffleLowWords>(Select(16, (i, imm) => (false, i < 4 ? imm >> 2 * i & 3 : i)));
        All["PSHUFHW"] = UnaryImmediate<ShuffleHighWords>(Select(16, (i, imm) => (false, i < 4 ? i : 4 + (imm >> 2 * (i - 4) & 3))));
        All["SHUFPS"] = BinaryImmediate<ShuffleSingles>(Select(32, (i, imm) => (i > 1, imm >> 2 * i & 3)));
        All["SHUFPD"] = BinaryImmediate<ShuffleDoubles>(Select(64, (i, imm) => (i > 0, imm >> i & 1)), SelectWide(64, 2, (i, imm) =>
            (i % 2 > 0, i / 2 * 2 + (imm >> i & 1))));
        All["VPERMILPD imm"] = UnaryImmediate<PermuteDoubles>(Select(64, (i, imm) => (false, imm >> i & 1)),
            SelectWide(64, 2, (i, imm) => (false, i / 2 * 2 + (imm >> i & 1))));
        All["VPERMILPS"] = Binary<PermuteSinglesBy>((a, b, _) => Vector(32, i => Element(a, (int)Element(b, i, 32, false) & 3, 32, false)));
        All["VPERMILPD"] = Binary<PermuteDoublesBy>((a, b, _) => Vector(64, i => Element(a, (int)(Element(b, i, 64, false) >> 1 & 1), 64, false)));
        All["PSHUFB"] = Binary<ShuffleBytes>((a, b, _) => Vector(8, i => b[i] >= 128 ? 0 : a[b[i] & 15]));
        All["PSHUFB mm"] = Mmx<ShuffleBytesMmx>((a, b, _) => Vector(8, i => i > 7 || b[i] >= 128 ? 0 : a[b[i] & 7]));
        All["MOVDDUP"] = Unary<DuplicateDoubles>(Select(64, (_, _) => (false, 0)));
        All["MOVSLDUP"] = Unary<DuplicateEvenSingles>(Select(32, (i, _) => (false, i & 2)));
        All["MOVSHDUP"] = Unary<DuplicateOddSingles>(Select(32, (i, _) => (false, i | 1)));
        All["INSERTPS"] = BinaryImmediate<InsertSingle>((a, b, imm) => Vector(32, i =>
            (imm >> i & 1) != 0 ? 0 : i == (imm >> 4 & 3) ? Element(b, imm >> 6, 32, false) : Element(a, i, 32, false))) with
        { OursWide = null };
        All["PBLENDW"] = BinaryImmediate<BlendWords>(Select(16, (i, imm) => ((imm >> i & 1) != 0, i)));
        All["BLENDPS"] = BinaryImmediate<BlendDoublewords>(Select(32, (i, imm) => ((imm >> i & 1) != 0, i)), SelectWide(32, 4, (i, imm) =>
            ((imm >> i & 1) != 0, i)));
        All["BLENDPD"] = BinaryImmediate<BlendQuadwords>(Select(64, (i, imm) => ((imm >> i & 1) != 0, i)), SelectWide(64, 2, (i, imm) =>
            ((imm >> i & 1) != 0, i)));
        AddBlend<sbyte>("PBLENDVB", 8);
        AddBlend<int>("BLENDVPS", 32);
        AddBlend<long>("BLENDVPD", 64);
    }

    // The third operand is made of the first two, so that tables of two operands serve.
    private static void AddBlend<T>(string name, int bits) => All[name] = new((a, b, _) => BlendBySign<T>.Apply(a, b, a ^ b),
        (a, b, _) => BlendBySign<T>.Apply(a, b, a ^ b),
        Each(bits, false, (x, y) => ((x ^ y) >> (bits - 1)) != 0 ? y : x));

    private static Model SelectWide(int bits, int half, Func<int, byte, (bool Second, int Index)> choose) => (a, b, imm) => Vector(bits, i =>
    {
        Assert.True(i < 2 * half);
        (bool second, int index) = choose(i, imm);
        return Element(second ? b : a, index, bits, false);
    }, 32);

    private static void AddPermutes()
    {
        AddBroadcast<byte>("VPBROADCASTB", 8);
        AddBroadcast<ushort>("VPBROADCASTW", 16);
        AddBroadcast<uint>("VPBROADCASTD", 32);
        AddBroadcast<ulong>("VPBROADCASTQ", 64);
        Model none = (_, _, _) => [];
        All["VBROADCASTI128"] = Unary<BroadcastHalf>(none, (a, _, _) => [.. a[..16], .. a[..16]]) with { Ours = null };
        All["VPERMD"] = Binary<PermuteDoublewordsBy>(none, (a, b, _) => Vector(32, i =>
            Element(b, (int)Element(a, i, 32, false) & 7, 32, false), 32)) with
        { Ours = null };
        All["VPERMQ"] = UnaryImmediate<PermuteQuadwords>(none, SelectWide(64, 2, (i, imm) => (false, imm >> 2 * i & 3))) with { Ours = null };
        All["VPERM2I128"] = BinaryImmediate<PermuteHalves>(none, (a, b, imm) => [.. Half(a, b, imm), .. Half(a, b, imm >> 4)]) with { Ours = null };
        All["VINSERTI128"] = BinaryImmediate<InsertHalf>(none,
            (a, b, imm) => (imm & 1) == 0 ? [.. b[..16], .. a[16..]] : [.. a[..16], .. b[..16]]) with
        { Ours = null };
    }

    private static byte[] Half(byte[] a, byte[] b, int control)
    {
        if ((control & 8) != 0)
            return new byte[16];
        return (control & 3) switch { 0 => a[..16], 1 => a[16..], 2 => b[..16], _ => b[16..] };
    }

    private static void AddBroadcast<T>(string name, int bits) => All[name] = Unary<Broadcast<T>>((a, _, _) => Vector(bits, _ =>
        Element(a, 0, bits, false)),
        (a, _, _) => Vector(bits, _ => Element(a, 0, bits, false), 32));
}
