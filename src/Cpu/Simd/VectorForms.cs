using System.Runtime.Intrinsics;
using Hv.Cpu.Decode;
using Hv.Cpu.Execute;
using Hv.Cpu.State;

namespace Hv.Cpu.Simd;

/// <summary>The handlers for an operation's encodings: MMX, SSE, VEX.128 and VEX.256, each with its last operand in a register or in
/// memory. Operations of two whole vectors are <see cref="VectorBinder"/>'s.</summary>
// SAFETY: only takes the addresses of static methods that have the handlers' signature.
internal static unsafe class VectorForms
{
    private const OpForm Kinds = OpForm.Mmx | OpForm.Vex | OpForm.Ymm | OpForm.Memory;

    /// <summary>One whole vector. A legacy memory operand must be aligned.</summary>
    internal static nint Unary<TOp>(in Op op) where TOp : struct, IVectorUnary<TOp> => Unary<TOp, Aligned, Unaligned>(op);

    /// <summary>One whole vector, with the alignment that legacy and VEX encodings ask of a memory operand.</summary>
    internal static nint Unary<TOp, TSse, TVex>(in Op op)
        where TOp : struct, IVectorUnary<TOp> where TSse : struct, IAlignment where TVex : struct, IAlignment => (op.Form & Kinds) switch
        {
            OpForm.Mmx => H(&VectorHandlers.Unary<TOp, Mmx, RegisterSource<Mmx>>),
            OpForm.Mmx | OpForm.Memory => H(&VectorHandlers.Unary<TOp, Mmx, MemoryScalar<W64>>),
            0 => H(&VectorHandlers.Unary<TOp, Sse, RegisterSource<Sse>>),
            OpForm.Memory => H(&VectorHandlers.Unary<TOp, Sse, Memory128<TSse>>),
            OpForm.Vex => H(&VectorHandlers.Unary<TOp, Vex128, RegisterSource<Vex128>>),
            OpForm.Vex | OpForm.Memory => H(&VectorHandlers.Unary<TOp, Vex128, Memory128<TVex>>),
            OpForm.Vex | OpForm.Ymm => H(&WideHandlers.Unary<TOp, YmmSource>),
            _ => H(&WideHandlers.Unary<TOp, Memory256<TVex>>),
        };

    /// <summary>One source that is narrower than the vector: <typeparamref name="TMemory"/> for 128 bits, <typeparamref name="TWideMemory"/> for 256.
    /// In a register it is an XMM register's low part.</summary>
    internal static nint Widening<TOp, TMemory, TWideMemory>(in Op op)
        where TOp : struct, IVectorUnary<TOp> where TMemory : struct, IVectorSource<Vector128<byte>>
        where TWideMemory : struct, IVectorSource<Vector128<byte>> => (op.Form & Kinds) switch
        {
            0 => H(&VectorHandlers.Unary<TOp, Sse, RegisterSource<Sse>>),
            OpForm.Memory => H(&VectorHandlers.Unary<TOp, Sse, TMemory>),
            OpForm.Vex => H(&VectorHandlers.Unary<TOp, Vex128, RegisterSource<Vex128>>),
            OpForm.Vex | OpForm.Memory => H(&VectorHandlers.Unary<TOp, Vex128, TMemory>),
            OpForm.Vex | OpForm.Ymm => H(&WideHandlers.Unary<TOp, Widened<RegisterSource<Vex128>>>),
            _ => H(&WideHandlers.Unary<TOp, Widened<TWideMemory>>),
        };

    /// <summary>A scalar from memory or a general register to a vector register, zero-extended.</summary>
    internal static nint LoadScalar<TW>(in Op op) where TW : struct, IWidth => (op.Form & (OpForm.Mmx | OpForm.Vex | OpForm.Memory)) switch
    {
        OpForm.Mmx => H(&VectorHandlers.Unary<Copy, Mmx, GeneralSource<TW>>),
        OpForm.Mmx | OpForm.Memory => H(&VectorHandlers.Unary<Copy, Mmx, MemoryScalar<TW>>),
        0 => H(&VectorHandlers.Unary<Copy, Sse, GeneralSource<TW>>),
        OpForm.Memory => H(&VectorHandlers.Unary<Copy, Sse, MemoryScalar<TW>>),
        OpForm.Vex => H(&VectorHandlers.Unary<Copy, Vex128, GeneralSource<TW>>),
        _ => H(&VectorHandlers.Unary<Copy, Vex128, MemoryScalar<TW>>),
    };

    /// <summary>One whole vector and an immediate.</summary>
    internal static nint UnaryImmediate<TOp>(in Op op) where TOp : struct, IVectorUnaryImmediate<TOp> => (op.Form & Kinds) switch
    {
        OpForm.Mmx => H(&VectorHandlers.UnaryImmediate<TOp, Mmx, RegisterSource<Mmx>>),
        OpForm.Mmx | OpForm.Memory => H(&VectorHandlers.UnaryImmediate<TOp, Mmx, MemoryScalar<W64>>),
        0 => H(&VectorHandlers.UnaryImmediate<TOp, Sse, RegisterSource<Sse>>),
        OpForm.Memory => H(&VectorHandlers.UnaryImmediate<TOp, Sse, Memory128<Aligned>>),
        OpForm.Vex => H(&VectorHandlers.UnaryImmediate<TOp, Vex128, RegisterSource<Vex128>>),
        OpForm.Vex | OpForm.Memory => H(&VectorHandlers.UnaryImmediate<TOp, Vex128, Memory128<Unaligned>>),
        OpForm.Vex | OpForm.Ymm => H(&WideHandlers.UnaryImmediate<TOp, YmmSource>),
        _ => H(&WideHandlers.UnaryImmediate<TOp, Memory256<Unaligned>>),
    };

    /// <summary>A shift of a register by an immediate.</summary>
    internal static nint GroupImmediate<TOp>(in Op op) where TOp : struct, IVectorUnaryImmediate<TOp> => (op.Form & Kinds) switch
    {
        OpForm.Mmx => H(&VectorHandlers.GroupImmediate<TOp, Mmx>),
        0 => H(&VectorHandlers.GroupImmediate<TOp, Sse>),
        OpForm.Vex => H(&VectorHandlers.GroupImmediate<TOp, Vex128>),
        _ => H(&WideHandlers.GroupImmediate<TOp>),
    };

    /// <summary>Two vectors of which the second has 128 bits in 256-bit forms too.</summary>
    internal static nint BinaryNarrow<TOp>(in Op op) where TOp : struct, IVectorBinary<TOp> => (op.Form & Kinds) switch
    {
        OpForm.Vex | OpForm.Ymm => H(&WideHandlers.Binary<TOp, Widened<RegisterSource<Vex128>>>),
        OpForm.Vex | OpForm.Ymm | OpForm.Memory => H(&WideHandlers.Binary<TOp, Widened<Memory128<Unaligned>>>),
        _ => VectorBinder.Binary<TOp>(op),
    };

    /// <summary>Two vectors of MMX, the second of <typeparamref name="TMemory"/> when it is in memory.</summary>
    internal static nint BinaryMmx<TOp, TMemory>(in Op op)
        where TOp : struct, IVectorBinary<TOp> where TMemory : struct, IVectorSource<Vector128<byte>> =>
        op.IsMemory ? H(&VectorHandlers.Binary<TOp, Mmx, TMemory>) : H(&VectorHandlers.Binary<TOp, Mmx, RegisterSource<Mmx>>);

    /// <summary>A scalar that changes part of an XMM register: <typeparamref name="TOp"/> from memory, <typeparamref name="TRegisterOp"/> from a
    /// register.</summary>
    internal static nint BinaryScalar<TOp, TRegisterOp, TW>(in Op op)
        where TOp : struct, IVectorBinary<TOp> where TRegisterOp : struct, IVectorBinary<TRegisterOp> where TW : struct, IWidth =>
        (op.Form & (OpForm.Vex | OpForm.Memory)) switch
        {
            0 => H(&VectorHandlers.Binary<TRegisterOp, Sse, RegisterSource<Sse>>),
            OpForm.Memory => H(&VectorHandlers.Binary<TOp, Sse, MemoryScalar<TW>>),
            OpForm.Vex => H(&VectorHandlers.Binary<TRegisterOp, Vex128, RegisterSource<Vex128>>),
            _ => H(&VectorHandlers.Binary<TOp, Vex128, MemoryScalar<TW>>),
        };

    /// <summary>Two whole vectors and an immediate.</summary>
    internal static nint BinaryImmediate<TOp>(in Op op) where TOp : struct, IVectorBinaryImmediate<TOp> => (op.Form & Kinds) switch
    {
        0 => H(&VectorHandlers.BinaryImmediate<TOp, Sse, RegisterSource<Sse>>),
        OpForm.Memory => H(&VectorHandlers.BinaryImmediate<TOp, Sse, Memory128<Aligned>>),
        OpForm.Vex => H(&VectorHandlers.BinaryImmediate<TOp, Vex128, RegisterSource<Vex128>>),
        OpForm.Vex | OpForm.Memory => H(&VectorHandlers.BinaryImmediate<TOp, Vex128, Memory128<Unaligned>>),
        OpForm.Vex | OpForm.Ymm => H(&WideHandlers.BinaryImmediate<TOp, YmmSource>),
        _ => H(&WideHandlers.BinaryImmediate<TOp, Memory256<Unaligned>>),
    };

    /// <summary>As above, the second vector having 128 bits.</summary>
    internal static nint BinaryImmediateNarrow<TOp>(in Op op) where TOp : struct, IVectorBinaryImmediate<TOp> =>
        op.IsMemory ? H(&WideHandlers.BinaryImmediate<TOp, Widened<Memory128<Unaligned>>>)
        : H(&WideHandlers.BinaryImmediate<TOp, Widened<RegisterSource<Vex128>>>);

    /// <summary>Two MMX vectors and an immediate.</summary>
    internal static nint BinaryImmediateMmx<TOp>(in Op op) where TOp : struct, IVectorBinaryImmediate<TOp> =>
        op.IsMemory ? H(&VectorHandlers.BinaryImmediate<TOp, Mmx, MemoryScalar<W64>>)
            : H(&VectorHandlers.BinaryImmediate<TOp, Mmx, RegisterSource<Mmx>>);

    /// <summary>A scalar, inserted where an immediate says: from memory of <typeparamref name="TW"/>, or <typeparamref name="TGeneral"/>'s general
    /// register.</summary>
    internal static nint Insert<TOp, TW, TGeneral>(in Op op)
        where TOp : struct, IVectorBinaryImmediate<TOp> where TW : struct, IWidth where TGeneral : struct, IWidth =>
        (op.Form & (OpForm.Mmx | OpForm.Vex | OpForm.Memory)) switch
        {
            OpForm.Mmx => H(&VectorHandlers.BinaryImmediate<TOp, Mmx, GeneralSource<TGeneral>>),
            OpForm.Mmx | OpForm.Memory => H(&VectorHandlers.BinaryImmediate<TOp, Mmx, MemoryScalar<TW>>),
            0 => H(&VectorHandlers.BinaryImmediate<TOp, Sse, GeneralSource<TGeneral>>),
            OpForm.Memory => H(&VectorHandlers.BinaryImmediate<TOp, Sse, MemoryScalar<TW>>),
            OpForm.Vex => H(&VectorHandlers.BinaryImmediate<TOp, Vex128, GeneralSource<TGeneral>>),
            _ => H(&VectorHandlers.BinaryImmediate<TOp, Vex128, MemoryScalar<TW>>),
        };

    /// <summary>INSERTPS.</summary>
    internal static nint InsertSingle(in Op op) => (op.Form & (OpForm.Vex | OpForm.Memory)) switch
    {
        0 => H(&VectorHandlers.BinaryImmediate<InsertSingle, Sse, RegisterSource<Sse>>),
        OpForm.Memory => H(&VectorHandlers.BinaryImmediate<InsertSingleFromMemory, Sse, MemoryScalar<W32>>),
        OpForm.Vex => H(&VectorHandlers.BinaryImmediate<InsertSingle, Vex128, RegisterSource<Vex128>>),
        _ => H(&VectorHandlers.BinaryImmediate<InsertSingleFromMemory, Vex128, MemoryScalar<W32>>),
    };

    /// <summary>Three whole vectors.</summary>
    internal static nint Ternary<TOp>(in Op op) where TOp : struct, IVectorTernary<TOp> => (op.Form & Kinds) switch
    {
        0 => H(&VectorHandlers.Ternary<TOp, Sse, RegisterSource<Sse>>),
        OpForm.Memory => H(&VectorHandlers.Ternary<TOp, Sse, Memory128<Aligned>>),
        OpForm.Vex => H(&VectorHandlers.Ternary<TOp, Vex128, RegisterSource<Vex128>>),
        OpForm.Vex | OpForm.Memory => H(&VectorHandlers.Ternary<TOp, Vex128, Memory128<Unaligned>>),
        OpForm.Vex | OpForm.Ymm => H(&WideHandlers.Ternary<TOp, YmmSource>),
        _ => H(&WideHandlers.Ternary<TOp, Memory256<Unaligned>>),
    };

    /// <summary>The flags of two whole vectors.</summary>
    internal static nint Test<TTest>(in Op op) where TTest : struct, IVectorTest => (op.Form & Kinds) switch
    {
        0 or OpForm.Vex => H(&VectorTests.Test<TTest, RegisterSource<Sse>>),
        OpForm.Memory => H(&VectorTests.Test<TTest, Memory128<Aligned>>),
        OpForm.Vex | OpForm.Memory => H(&VectorTests.Test<TTest, Memory128<Unaligned>>),
        OpForm.Vex | OpForm.Ymm => H(&VectorTests.TestWide<TTest, YmmSource>),
        _ => H(&VectorTests.TestWide<TTest, Memory256<Unaligned>>),
    };

    /// <summary>PCMPxSTRx.</summary>
    internal static nint Strings(in Op op) =>
        op.IsMemory ? H(&StringInstructions.Compare<Memory128<Unaligned>>) : H(&StringInstructions.Compare<RegisterSource<Sse>>);

    /// <summary>The signs of elements of T.</summary>
    internal static nint Signs<T>(in Op op) => (op.Form & Kinds) switch
    {
        OpForm.Mmx => H(&ElementSigns.Register<T, Mmx>),
        OpForm.Vex | OpForm.Ymm => H(&ElementSigns.YmmRegister<T>),
        _ => H(&ElementSigns.Register<T, Sse>),
    };

    private static nint H(delegate*<ref CpuState, ref Op, Processor, void> handler) => (nint)handler;
}
