using System.Runtime.CompilerServices;
using Hv.Cpu.Decode;
using Hv.Cpu.State;

namespace Hv.Cpu.Execute;

/// <summary>A string instruction's work on elements, as a type.</summary>
internal interface IString
{
    /// <summary>Whether RSI or RDI take part.</summary>
    static abstract bool UsesSource { get; }

    static abstract bool UsesDestination { get; }

    /// <summary>Whether the destination is written.</summary>
    static abstract bool Writes { get; }

    /// <summary>Whether REPE and REPNE end the instruction by ZF.</summary>
    static abstract bool Compares { get; }

    /// <summary>Works on one element at offsets in the source's segment and ES. False: return at once, nothing has changed.</summary>
    static abstract bool One<TW>(ref CpuState s, ref Op op, Processor p, ulong source, ulong destination) where TW : struct, IWidth;

    /// <summary>Works on up to <paramref name="count"/> elements in ascending host memory that no page ends inside, as if one after the
    /// other.</summary>
    /// <returns>Elements done, at least 1; fewer than given when a comparison ended the instruction or the ranges overlap.</returns>
    static abstract int Many<TW>(ref CpuState s, ref Op op, nint source, nint destination, int count) where TW : struct, IWidth;
}

internal readonly struct MovsOp : IString
{
    public static bool UsesSource => true;
    public static bool UsesDestination => true;
    public static bool Writes => true;
    public static bool Compares => false;

    public static bool One<TW>(ref CpuState s, ref Op op, Processor p, ulong source, ulong destination) where TW : struct, IWidth
    {
        ulong value = StringOperand.Source<TW>(ref s, ref op, p, source);
        return s.Attention == 0 && StringOperand.Store<TW>(ref s, ref op, p, destination, value);
    }

    public static int Many<TW>(ref CpuState s, ref Op op, nint source, nint destination, int count) where TW : struct, IWidth
    {
        int size = TW.Bits / 8;
        nint distance = destination - source;
        if (distance > 0 && distance < (nint)count * size)
        {
            // The copy feeds on itself. As far as the distance reaches nothing overlaps; closer than an element it must go one by one.
            if (distance < size)
            {
                TW.Store(destination, TW.Load(source));
                return 1;
            }

            count = (int)(distance / size);
        }

        Span.Copy(source, destination, count * size);
        return count;
    }
}

internal readonly struct StosOp : IString
{
    public static bool UsesSource => false;
    public static bool UsesDestination => true;
    public static bool Writes => true;
    public static bool Compares => false;

    public static bool One<TW>(ref CpuState s, ref Op op, Processor p, ulong source, ulong destination) where TW : struct, IWidth =>
        StringOperand.Store<TW>(ref s, ref op, p, destination, TW.Get(ref s, Registers.Rax));

    public static int Many<TW>(ref CpuState s, ref Op op, nint source, nint destination, int count) where TW : struct, IWidth
    {
        Span.Fill<TW>(destination, count, TW.Get(ref s, Registers.Rax));
        return count;
    }
}

internal readonly struct LodsOp : IString
{
    public static bool UsesSource => true;
    public static bool UsesDestination => false;
    public static bool Writes => false;
    public static bool Compares => false;

    public static bool One<TW>(ref CpuState s, ref Op op, Processor p, ulong source, ulong destination) where TW : struct, IWidth
    {
        ulong value = StringOperand.Source<TW>(ref s, ref op, p, source);
        if (s.Attention != 0)
            return false;
        TW.Set(ref s, Registers.Rax, value);
        return true;
    }

    public static int Many<TW>(ref CpuState s, ref Op op, nint source, nint destination, int count) where TW : struct, IWidth
    {
        TW.Set(ref s, Registers.Rax, TW.Load(source + (count - 1) * (TW.Bits / 8)));
        return count;
    }
}

internal readonly struct ScasOp : IString
{
    public static bool UsesSource => false;
    public static bool UsesDestination => true;
    public static bool Writes => false;
    public static bool Compares => true;

    public static bool One<TW>(ref CpuState s, ref Op op, Processor p, ulong source, ulong destination) where TW : struct, IWidth
    {
        ulong value = StringOperand.Destination<TW>(ref s, ref op, p, destination);
        if (s.Attention != 0)
            return false;
        CmpOp.Apply<TW, LiveFlags>(ref s, TW.Get(ref s, Registers.Rax), value);
        return true;
    }

    public static int Many<TW>(ref CpuState s, ref Op op, nint source, nint destination, int count) where TW : struct, IWidth
    {
        ulong accumulator = TW.Get(ref s, Registers.Rax);
        int at = Span.Find<TW>(destination, count, accumulator, (op.Form & OpForm.Repne) != 0);
        int done = at < 0 ? count : at + 1;
        CmpOp.Apply<TW, LiveFlags>(ref s, accumulator, TW.Load(destination + (done - 1) * (TW.Bits / 8)));
        return done;
    }
}

internal readonly struct CmpsOp : IString
{
    public static bool UsesSource => true;
    public static bool UsesDestination => true;
    public static bool Writes => false;
    public static bool Compares => true;

    public static bool One<TW>(ref CpuState s, ref Op op, Processor p, ulong source, ulong destination) where TW : struct, IWidth
    {
        // ES:RDI is read first, as on Intel's processors; the manuals fix no order.
        ulong b = StringOperand.Destination<TW>(ref s, ref op, p, destination);
        if (s.Attention != 0)
            return false;
        ulong a = StringOperand.Source<TW>(ref s, ref op, p, source);
        if (s.Attention != 0)
            return false;
        CmpOp.Apply<TW, LiveFlags>(ref s, a, b);
        return true;
    }

    public static int Many<TW>(ref CpuState s, ref Op op, nint source, nint destination, int count) where TW : struct, IWidth
    {
        int size = TW.Bits / 8, done;
        if ((op.Form & OpForm.Repne) != 0)
        {
            for (done = 1; done < count && TW.Load(source + (done - 1) * size) != TW.Load(destination + (done - 1) * size); done++)
            {
            }
        }
        else
        {
            done = Math.Min(count, Span.CommonBytes(source, destination, count * size) / size + 1);
        }

        CmpOp.Apply<TW, LiveFlags>(ref s, TW.Load(source + (done - 1) * size), TW.Load(destination + (done - 1) * size));
        return done;
    }
}

/// <summary>Access to one element, its segment checks included. An attention is recorded where it fails.</summary>
internal static class StringOperand
{
    internal static ulong Source<TW>(ref CpuState s, ref Op op, Processor p, ulong offset) where TW : struct, IWidth =>
        Read<TW>(ref s, ref op, p, (SegmentNumber)op.Segment, offset);

    internal static ulong Destination<TW>(ref CpuState s, ref Op op, Processor p, ulong offset) where TW : struct, IWidth =>
        Read<TW>(ref s, ref op, p, SegmentNumber.Es, offset);

    internal static bool Store<TW>(ref CpuState s, ref Op op, Processor p, ulong offset, ulong value) where TW : struct, IWidth
    {
        ulong linear = p.LinearOrPoison(ref s, ref op, SegmentNumber.Es, offset, TW.Bits / 8, true);
        return s.Attention == 0 && Operand.WriteAt<TW>(ref s, ref op, p, linear, value);
    }

    private static ulong Read<TW>(ref CpuState s, ref Op op, Processor p, SegmentNumber segment, ulong offset) where TW : struct, IWidth
    {
        ulong linear = p.LinearOrPoison(ref s, ref op, segment, offset, TW.Bits / 8, false);
        return s.Attention == 0 ? Operand.ReadAt<TW>(ref s, ref op, p, linear) : 0;
    }
}

/// <summary>Bulk work on host memory.</summary>
// SAFETY: the caller has shown by translation-cache hits that each range lies inside one page of a memory slot.
internal static unsafe class Span
{
    // SAFETY, throughout: the caller has shown by translation-cache hits that the ranges lie inside one page each.
    internal static void Copy(nint source, nint destination, int bytes) =>
        new ReadOnlySpan<byte>((void*)source, bytes).CopyTo(new Span<byte>((void*)destination, bytes));

    internal static void Fill<TW>(nint destination, int count, ulong value) where TW : struct, IWidth
    {
        // SAFETY: see above.
        switch (TW.Bits)
        {
            case 8: new Span<byte>((void*)destination, count).Fill((byte)value); break;
            case 16: new Span<ushort>((void*)destination, count).Fill((ushort)value); break;
            case 32: new Span<uint>((void*)destination, count).Fill((uint)value); break;
            default: new Span<ulong>((void*)destination, count).Fill(value); break;
        }
    }

    /// <summary>The first element that equals (or, else, differs from) a value, or -1.</summary>
    internal static int Find<TW>(nint at, int count, ulong value, bool equal) where TW : struct, IWidth
    {
        // SAFETY: see above.
        return TW.Bits switch
        {
            8 => equal ? new ReadOnlySpan<byte>((void*)at, count).IndexOf((byte)value)
                : new ReadOnlySpan<byte>((void*)at, count).IndexOfAnyExcept((byte)value),
            16 => equal ? new ReadOnlySpan<ushort>((void*)at, count).IndexOf((ushort)value)
                : new ReadOnlySpan<ushort>((void*)at, count).IndexOfAnyExcept((ushort)value),
            32 => equal ? new ReadOnlySpan<uint>((void*)at, count).IndexOf((uint)value)
                : new ReadOnlySpan<uint>((void*)at, count).IndexOfAnyExcept((uint)value),
            _ => equal ? new ReadOnlySpan<ulong>((void*)at, count).IndexOf(value) : new ReadOnlySpan<ulong>((void*)at, count).IndexOfAnyExcept(value),
        };
    }

    internal static int CommonBytes(nint a, nint b, int bytes)
    {
        // SAFETY: see above.
        return new ReadOnlySpan<byte>((void*)a, bytes).CommonPrefixLength(new ReadOnlySpan<byte>((void*)b, bytes));
    }
}

/// <summary>Handlers of string instructions.</summary>
internal static class StringHandlers
{
    [MethodImpl(Threading.Handler)]
    internal static void Execute<TOp, TW>(ref CpuState s, ref Op op, Processor p) where TOp : struct, IString where TW : struct, IWidth
    {
        if (!p.RunString<TOp, TW>(ref s, ref op))
            return;
        Threading.Next(ref s, ref op, p);
    }
}

/// <summary>Chooses among <see cref="StringHandlers"/>.</summary>
// SAFETY: only takes the addresses of static methods that have the handlers' signature.
internal static unsafe class StringBinder
{
    internal static nint Bind(in Op op) => op.Kind switch
    {
        OpKind.Movs => Width<MovsOp>(op),
        OpKind.Stos => Width<StosOp>(op),
        OpKind.Lods => Width<LodsOp>(op),
        OpKind.Scas => Width<ScasOp>(op),
        OpKind.Cmps => Width<CmpsOp>(op),
        _ => 0,
    };

    private static nint Width<TOp>(in Op op) where TOp : struct, IString
    {
        // SAFETY: function pointers to static methods of the handlers' signature, for Op.Handler.
        delegate*<ref CpuState, ref Op, Processor, void> handler = op.SizeLog2 switch
        {
            0 => &StringHandlers.Execute<TOp, W8>,
            1 => &StringHandlers.Execute<TOp, W16>,
            2 => &StringHandlers.Execute<TOp, W32>,
            _ => &StringHandlers.Execute<TOp, W64>,
        };
        return (nint)handler;
    }
}
