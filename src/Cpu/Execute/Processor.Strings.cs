using System.Runtime.CompilerServices;
using Hv.Cpu.Decode;
using Hv.Cpu.Execute;
using Hv.Cpu.Memory;
using Hv.Cpu.State;
using Hv.Cpu.System;

namespace Hv.Cpu;

/// <summary>
/// The loop of string instructions. Ascending runs inside a page go in one piece; everything else goes element by element. Each piece ends with exact
/// RSI, RDI
/// and RCX, counts as one instruction, and looks at the budget and at stop requests, so that a REP can always be interrupted (SDM 2B, REP).
/// </summary>
public abstract partial class Processor
{
    private const ulong RflagsTf = 1 << 8, RflagsDf = 1 << 10;

    // Elements that go one by one between two looks at the budget.
    private const int ElementsPerPiece = 64;

    /// <summary>Executes a string instruction. False: a fault or event is recorded, or it was interrupted with RIP on itself.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal bool RunString<TOp, TW>(ref CpuState s, ref Op op) where TOp : struct, IString where TW : struct, IWidth
    {
        bool repeats = (op.Form & (OpForm.Rep | OpForm.Repne)) != 0;
        int addressSize = ((int)(op.Form & OpForm.AddressMask) >> 2) + 1;
        if (!repeats)
            return Element<TOp, TW>(ref s, ref op, addressSize);
        _codeHit = false;
        (ulong result, ulong aux) = (s.FlagsResult, s.FlagsAux);
        if (addressSize == 2 && _key.Is64)
            TruncateRegisters<TOp>(ref s);
        while (true)
        {
            ulong count = Operand.Get(ref s, Registers.Rcx, addressSize);
            if (count == 0)
                return true;
            int done = 0;
            // Where each element may be followed by a trap it is a piece of its own. Alignment checks only keep pieces from going in one.
            bool elementWise = (s.Gpr.Rflags & RflagsTf) != 0 || IsReplaying || (WatchesAccesses && DebugTraps.WatchesData(ref s));
            if (!elementWise && !WatchesAccesses && (s.Gpr.Rflags & RflagsDf) == 0)
                done = Piece<TOp, TW>(ref s, ref op, addressSize, count);
            if (done == 0)
            {
                int most = elementWise ? 1 : (int)Math.Min(count, ElementsPerPiece);
                // Faults in the middle leave the elements before them done.
                do
                {
                    if (!Element<TOp, TW>(ref s, ref op, addressSize))
                    {
                        // SDM 2B REP: a fault leaves RFLAGS as before the instruction, though RCX, RSI and RDI have moved.
                        if (TOp.Compares)
                            (s.FlagsResult, s.FlagsAux) = (result, aux);
                        return false;
                    }

                    Operand.Set(ref s, Registers.Rcx, addressSize, --count);
                    done++;
                }
                while (done < most && !(TOp.Compares && Ends(ref s, op)));
            }

            if (Operand.Get(ref s, Registers.Rcx, addressSize) == 0 || (TOp.Compares && Ends(ref s, op)))
                return true;
            if (s.StopRequested != 0 || s.Remaining <= 0 || elementWise || s.Attention != 0 || _codeHit)
            {
                // One piece has been charged with the block; what follows in the block is given back.
                s.Gpr.Rip = s.BlockRip + op.RipDelta;
                s.Remaining += Threading.Left(ref s, ref op) - 1;
                return false;
            }

            s.Remaining--;
        }
    }

    /// <summary>REP with 32-bit addresses clears the upper half of RCX even when the count is 0 or the first element faults, and MOVS and STOS those
    /// of their index registers, on Intel's processors; the manuals say nothing.</summary>
    private static void TruncateRegisters<TOp>(ref CpuState s) where TOp : struct, IString
    {
        s.Gpr.Rcx = (uint)s.Gpr.Rcx;
        if (!TOp.Writes)
            return;
        if (TOp.UsesSource)
            s.Gpr.Rsi = (uint)s.Gpr.Rsi;
        s.Gpr.Rdi = (uint)s.Gpr.Rdi;
    }

    private static bool Ends(ref CpuState s, in Op op) => Flags.Zero(ref s) == ((op.Form & OpForm.Repne) != 0);

    /// <summary>One element, and the index registers past it.</summary>
    private bool Element<TOp, TW>(ref CpuState s, ref Op op, int addressSize) where TOp : struct, IString where TW : struct, IWidth
    {
        int size = TW.Bits / 8;
        ulong source = Operand.Get(ref s, Registers.Rsi, addressSize), destination = Operand.Get(ref s, Registers.Rdi, addressSize);
        if (!TOp.One<TW>(ref s, ref op, this, source, destination))
            return false;
        ulong step = (s.Gpr.Rflags & RflagsDf) != 0 ? (ulong)-size : (ulong)size;
        if (TOp.UsesSource)
            Operand.Set(ref s, Registers.Rsi, addressSize, source + step);
        if (TOp.UsesDestination)
            Operand.Set(ref s, Registers.Rdi, addressSize, destination + step);
        return true;
    }

    /// <summary>As many ascending elements as lie in one page on each side, when the translation caches know both pages. 0: go element by
    /// element.</summary>
    private int Piece<TOp, TW>(ref CpuState s, ref Op op, int addressSize, ulong count) where TOp : struct, IString where TW : struct, IWidth
    {
        int size = TW.Bits / 8;
        ulong source = Operand.Get(ref s, Registers.Rsi, addressSize), destination = Operand.Get(ref s, Registers.Rdi, addressSize);
        nint from = 0, to = 0;
        if (TOp.UsesSource && !TryHost(ref s, (SegmentNumber)op.Segment, source, s.ReadTlb, size, addressSize, false, ref count, ref from))
            return 0;
        if (TOp.UsesDestination && !TryHost(ref s, SegmentNumber.Es, destination, TOp.Writes ? s.WriteTlb : s.ReadTlb, size, addressSize, TOp.Writes,
            ref count, ref to))
            return 0;
        int done = TOp.Many<TW>(ref s, ref op, from, to, (int)count);
        ulong bytes = (ulong)(done * size);
        if (TOp.UsesSource)
            Operand.Set(ref s, Registers.Rsi, addressSize, source + bytes);
        if (TOp.UsesDestination)
            Operand.Set(ref s, Registers.Rdi, addressSize, destination + bytes);
        Operand.Set(ref s, Registers.Rcx, addressSize, Operand.Get(ref s, Registers.Rcx, addressSize) - (ulong)done);
        return done;
    }

    /// <summary>The host's address of an offset, and how many elements follow it in the page, the segment and the address size.</summary>
    private bool TryHost(ref CpuState s, SegmentNumber segment, ulong offset, nint tlb, int size, int addressSize, bool write, ref ulong count,
        ref nint host)
    {
        ulong linear = s.SegmentBase[(int)segment] + offset;
        if (!_key.Is64)
            linear = (uint)linear;
        ulong bytes = 4096 - (linear & 0xFFF);
        if (addressSize < 3)
            bytes = Math.Min(bytes, (addressSize == 1 ? 0x1_0000UL : 0x1_0000_0000UL) - offset);
        count = Math.Min(count, bytes / (ulong)size);
        if (count == 0)
            return false;
        if (!_key.Is64 && !IsAllowed(ref s, SegmentOf(ref s, segment), (uint)offset, (int)count * size, write))
            return false;
        ref TlbEntry entry = ref TranslationCache.Entry(tlb, linear);
        if (entry.Tag != (linear & ~0xFFFUL))
            return false;
        host = (nint)linear + entry.Addend;
        return true;
    }
}
