using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Hv.Cpu.Decode;
using Hv.Cpu.Execute;
using Hv.Cpu.State;

namespace Hv.Cpu.Simd;

/// <summary>Sizes of a gather's indices and elements, as a type.</summary>
internal interface IGatherShape
{
    static abstract int IndexSize { get; }

    static abstract int ElementSize { get; }
}

/// <summary>VPGATHERDD, VGATHERDPS.</summary>
internal readonly struct GatherDd : IGatherShape
{
    public static int IndexSize => 4;
    public static int ElementSize => 4;
}

/// <summary>VPGATHERDQ, VGATHERDPD.</summary>
internal readonly struct GatherDq : IGatherShape
{
    public static int IndexSize => 4;
    public static int ElementSize => 8;
}

/// <summary>VPGATHERQD, VGATHERQPS.</summary>
internal readonly struct GatherQd : IGatherShape
{
    public static int IndexSize => 8;
    public static int ElementSize => 4;
}

/// <summary>VPGATHERQQ, VGATHERQPD.</summary>
internal readonly struct GatherQq : IGatherShape
{
    public static int IndexSize => 8;
    public static int ElementSize => 8;
}

/// <summary>Gathers (SDM 2C VPGATHERDD/VPGATHERDQ): elements whose mask element's sign is set are loaded from base + index * scale, the lowest first,
/// and their mask elements cleared, so that an instruction that faults goes on where it was.</summary>
internal static class Gathers
{
    [MethodImpl(Threading.Handler)]
    internal static void Gather<TShape>(ref CpuState s, ref Op op, Processor p) where TShape : struct, IGatherShape
    {
        if (!Execute<TShape>(ref s, ref op, p))
            return;
        VectorThreading.Next(ref s, ref op, p);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool Execute<TShape>(ref CpuState s, ref Op op, Processor p) where TShape : struct, IGatherShape
    {
        int length = (op.Form & OpForm.Ymm) != 0 ? 32 : 16, count = length / Math.Max(TShape.IndexSize, TShape.ElementSize);
        Vector256<byte> destination = VectorRegister.Ymm(ref s, op.Reg), mask = VectorRegister.Ymm(ref s, VectorRegister.Third(ref op));
        Vector256<byte> indices = VectorRegister.Ymm(ref s, op.Index);
        Span<byte> elements = Bytes(ref destination), masks = Bytes(ref mask);
        Spread(masks, TShape.ElementSize, length);
        for (int i = 0; i < count; i++)
        {
            int at = i * TShape.ElementSize;
            if (masks[at] == 0)
                continue;
            long index = TShape.IndexSize == 4 ? indices.AsInt32()[i] : indices.AsInt64()[i];
            ulong offset = Registers.At(ref s, op.Base) + ((ulong)index << op.Scale) + (ulong)op.Displacement;
            offset = (op.Form & OpForm.AddressMask) == OpForm.Address64 ? offset : (uint)offset;
            ulong value = p.LoadElement(ref s, ref op, offset, TShape.ElementSize);
            if (s.Attention != 0)
            {
                // A device's answer comes to an instruction that begins again from the start, a fault to one that goes on.
                if ((s.Attention & Attention.Event) == 0)
                    (VectorRegister.Ymm(ref s, op.Reg), VectorRegister.Ymm(ref s, VectorRegister.Third(ref op))) = (destination, mask);
                return false;
            }

            if (TShape.ElementSize == 4)
                MemoryMarshal.Write(elements[at..], (uint)value);
            else
                MemoryMarshal.Write(elements[at..], value);
            masks.Slice(at, TShape.ElementSize).Clear();
            elements[length..].Clear();
        }

        elements[(count * TShape.ElementSize)..].Clear();
        VectorRegister.Ymm(ref s, op.Reg) = destination;
        VectorRegister.Ymm(ref s, VectorRegister.Third(ref op)) = Vector256<byte>.Zero;
        return true;
    }

    /// <summary>Copies the sign of each mask element to all its bits, and clears what lies above the vector: the first that the instruction
    /// does.</summary>
    private static void Spread(Span<byte> masks, int size, int length)
    {
        for (int at = 0; at < length; at += size)
            masks.Slice(at, size).Fill((byte)((sbyte)masks[at + size - 1] >> 7));
        masks[length..].Clear();
    }

    private static Span<byte> Bytes(ref Vector256<byte> vector) => MemoryMarshal.AsBytes(MemoryMarshal.CreateSpan(ref vector, 1));
}
