using System.Runtime.CompilerServices;
using Hv.Cpu.Decode;
using Hv.Cpu.Execute;
using Hv.Cpu.State;

namespace Hv.Cpu.Blocks;

/// <summary>
/// Decodes a block: instructions from one RIP on, to a branch, an instruction that may change what decoding depends on, the end of the page, or
/// <see cref="MostInstructions"/>. An instruction that crosses into the next page is a block of its own, valid for both pages.
/// </summary>
// SAFETY: writes only inside the room that CodeCache.Reserve gave, and reads code only up to the end of a page of a memory slot.
internal static unsafe class BlockBuilder
{
    internal const int MostInstructions = 48;

    // A branch has at most two link slots behind it.
    private const int MostBytes = 64 + (MostInstructions + 3) * 32;

    /// <summary>Where the code is.</summary>
    internal readonly record struct Source(nint Host, ulong Physical, ulong Rip, ModeKey Key, ulong Limit);

    /// <summary>Builds the block, or returns 0 with the fault of fetching its first instruction recorded.</summary>
    internal static nint Build(Processor p, ref CpuState s, in Source source)
    {
        CodeCache cache = p.Code;
        nint block = cache.Reserve(MostBytes);
        // SAFETY: Reserve gave MostBytes bytes, and at most MostInstructions operations and three more are written.
        ref BlockHeader header = ref Unsafe.AsRef<BlockHeader>((void*)block);
        header = new BlockHeader { Rip = source.Rip, Key = source.Key.Value, Physical = source.Physical };
        ref Op first = ref Unsafe.As<BlockHeader, Op>(ref Unsafe.Add(ref header, 1));

        int inPage = (int)(4096 - (source.Physical & 0xFFF));
        // SAFETY: Host is inside one page of a memory slot; inPage bytes remain in it.
        var code = new ReadOnlySpan<byte>((void*)source.Host, inPage);
        int most = source.Key.Has(ModeKey.Single) ? 1 : MostInstructions;
        int count = 0, at = 0;
        bool ends = false;
        while (count < most && !ends && at < inPage)
        {
            ref Op op = ref Unsafe.Add(ref first, count);
            DecodeStatus status = Decoder.Decode(code[at..], source.Key, p.Features, ref op);
            ulong rip = source.Rip + (ulong)at;
            if (status == DecodeStatus.NeedMore)
            {
                if (count > 0)
                    break;
                if (!DecodeCrossing(p, ref s, source, code, ref op, ref status, ref header.SecondPage))
                    return 0;
            }

            if (status == DecodeStatus.TooLong || (status == DecodeStatus.Ok && rip + op.Length - 1 > source.Limit) || rip > source.Limit)
                (op.Kind, op.Form) = (OpKind.FetchViolation, OpForm.None);
            else if (status == DecodeStatus.Undefined)
                (op.Kind, op.Form) = (OpKind.Invalid, OpForm.None);
            Place(ref op, source, at);
            count++;
            at += op.Length;
            ends = OpInfo.EndsBlock(op.Kind);
        }

        header.Count = count;
        header.Bytes = Math.Max(at, 1);
        int slots = Finish(ref Unsafe.Add(ref first, count), ref Unsafe.Add(ref first, count - 1), source, at, ref header);
        Liveness.Bind(ref first, count, source.Key, source.Limit);
        cache.Commit(block, 64 + (count + slots) * 32);
        return block;
    }

    /// <summary>Fills in what depends on the instruction's place.</summary>
    private static void Place(ref Op op, in Source source, int at)
    {
        op.RipDelta = (ushort)at;
        if (op.Kind is OpKind.Invalid or OpKind.FetchViolation)
            return;
        if (op.IsMemory && op.Base == CpuState.BlockRipOffset)
            FoldRip(ref op, at + op.Length);
        if (OpInfo.IsRelativeBranch(op.Kind))
        {
            ulong target = source.Rip + (ulong)at + op.Length + op.Immediate;
            op.Immediate = source.Key.Is64 ? target : op.SizeLog2 == 1 ? (ushort)target : (uint)target;
        }
    }

    /// <summary>Makes the displacement of a RIP-relative operand count from the block's first instruction. Within a page's length of 2 GiB the sum
    /// does not fit: then the unused index register brings in the rest.</summary>
    private static void FoldRip(ref Op op, int distance)
    {
        long displacement = (long)op.Displacement + distance;
        if (displacement > int.MaxValue)
        {
            displacement -= CpuState.RipReachValue;
            op.Index = CpuState.RipReachOffset;
        }

        op.Displacement = (int)displacement;
    }

    /// <summary>The instruction runs into the next page: fetches that page and decodes again over both.</summary>
    private static bool DecodeCrossing(Processor p, ref CpuState s, in Source source, ReadOnlySpan<byte> code, ref Op op, ref DecodeStatus status,
        ref ulong secondPage)
    {
        ulong next = source.Rip + (ulong)code.Length;
        if (next > source.Limit)
        {
            // What lies beyond the limit cannot be fetched: #GP before any page fault.
            status = DecodeStatus.TooLong;
            return true;
        }

        if (!p.TryFetch(ref s, next, out nint host, out ulong physical))
            return false;
        Span<byte> joined = stackalloc byte[code.Length + Decoder.MaxLength];
        code.CopyTo(joined);
        // SAFETY: host is the first byte of a page of a memory slot.
        new ReadOnlySpan<byte>((void*)host, Decoder.MaxLength).CopyTo(joined[code.Length..]);
        status = Decoder.Decode(joined, source.Key, p.Features, ref op);
        secondPage = physical;
        return true;
    }

    /// <summary>Writes what follows the instructions: link slots, behind a <see cref="OpKind.BlockEnd"/> when the last one falls through.</summary>
    private static int Finish(ref Op after, ref Op last, in Source source, int at, ref BlockHeader header)
    {
        ulong next = Truncate(source.Key, source.Rip + (ulong)at);
        switch (OpInfo.Targets(last.Kind))
        {
            case 2:
                Slot(ref after, last.Immediate);
                Slot(ref Unsafe.Add(ref after, 1), next);
                return 2;
            case 1:
                Slot(ref after, last.Immediate);
                return 1;
            default:
                if (OpInfo.IsSystem(last.Kind))
                {
                    Slot(ref after, next);
                    return 1;
                }

                if (OpInfo.EndsBlock(last.Kind))
                    return 0;
                after = new Op { Kind = OpKind.BlockEnd, Handler = Control.BlockEnd, Immediate = next, RipDelta = (ushort)at };
                Slot(ref Unsafe.Add(ref after, 1), next);
                header.EndsByFalling = 1;
                return 2;
        }
    }

    private static ulong Truncate(ModeKey key, ulong rip) => key.Is64 ? rip : key.CodeBits == 32 ? (uint)rip : rip;

    private static void Slot(ref Op op, ulong rip)
    {
        op = default;
        Unsafe.As<Op, LinkSlot>(ref op).Rip = rip;
    }
}
