using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Hv.Cpu.Blocks;
using Hv.Cpu.Decode;
using Hv.Cpu.Execute;
using Hv.Cpu.State;

namespace Hv.Cpu.Tests;

/// <summary>
/// Every handler must jump to the next one, not call it: otherwise a guest decides how deep the host's stack grows. Here each handler that random
/// code binds is
/// put many times in a row in front of one that notes where the stack is.
/// </summary>
public sealed unsafe class HostStackTests
{
    private const int Copies = 200, Samples = 60_000, LargestGrowth = 2048;

    [ThreadStatic]
    private static nint s_reached;

    private static void Probe(ref CpuState s, ref Op op, Processor p)
    {
        int here;
        s_reached = (nint)(&here);
    }

    [Theory]
    [InlineData(16, 11)]
    [InlineData(32, 12)]
    [InlineData(64, 13)]
    public void No_handler_grows_the_stack(int bits, int seed)
    {
        using Guest guest = Guest.OfBits(bits);
        var random = new Random(seed);
        var tested = new HashSet<nint>();
        var growing = new SortedSet<string>();
        var kinds = new HashSet<Decode.OpKind>();
        var bytes = new byte[16];
        // SAFETY: room for a header, the copies and the probe; freed at the end.
        byte* room = (byte*)NativeMemory.AlignedAlloc((nuint)(sizeof(BlockHeader) + (Copies + 2) * sizeof(Op)), 64);
        for (int i = 0; i < Samples; i++)
        {
            random.NextBytes(bytes);
            Steer(bytes, random);
            var op = default(Op);
            if (Decode.Decoder.Decode(bytes, guest.Cpu.Key, guest.Cpu.Features, ref op) != DecodeStatus.Ok || OpInfo.EndsBlock(op.Kind))
                continue;
            op.Displacement = (op.Displacement & 0x7F) * 8;
            if (op.Kind is Decode.OpKind.MovFromMoffs or Decode.OpKind.MovToMoffs)
                op.Immediate = Guest.Data;
            nint handler = Binder.Bind(ref op, new BindContext(guest.Cpu.Key, (i & 1) != 0));
            if (tested.Contains(handler))
                continue;
            nint growth = Growth(guest, op, handler, room);
            if (growth < 0)
                continue;
            tested.Add(handler);
            kinds.Add(op.Kind);
            if (growth > LargestGrowth)
                growing.Add($"{op.Kind} {op.Shape} {op.Form}: {growth} bytes");
        }

        NativeMemory.AlignedFree(room);
        Assert.True(growing.Count == 0, string.Join('\n', growing));
        Assert.True(kinds.Count > 80, $"{kinds.Count} kinds, {tested.Count} handlers were reached");
    }

    /// <summary>Bytes of stack between a call of the first copy and the probe, or -1 when a copy faulted.</summary>
    private static nint Growth(Guest guest, Op op, nint handler, byte* room)
    {
        ref CpuState s = ref guest.Cpu.State;
        for (int i = 0; i < 16; i++)
            s.Gpr[i] = 0x2000;
        s.Gpr.Rcx = 1;
        s.Gpr.Rdx = 0;
        s.BlockRip = 0;
        s.Block = (nint)room;
        s.Attention = Attention.None;
        s.Remaining = 1000;
        ref BlockHeader header = ref Unsafe.AsRef<BlockHeader>(room);
        header = new BlockHeader { Count = Copies };
        ref Op first = ref Unsafe.AsRef<Op>(room + sizeof(BlockHeader));
        op.Handler = handler;
        for (int i = 0; i < Copies; i++)
            Unsafe.Add(ref first, i) = op;
        delegate*<ref CpuState, ref Op, Processor, void> probe = &Probe;
        Unsafe.Add(ref first, Copies) = new Op { Handler = (nint)probe };
        s_reached = 0;
        int here;
        ((delegate*<ref CpuState, ref Op, Processor, void>)handler)(ref s, ref first, guest.Cpu);
        bool ok = s_reached != 0;
        s.Attention = Attention.None;
        return ok ? (nint)(&here) - s_reached : -1;
    }

    private static void Steer(byte[] bytes, Random random)
    {
        int at = 0;
        if (random.Next(3) == 0)
            bytes[at++] = random.Next(4) switch { 0 => 0x66, 1 => 0xF3, 2 => 0x67, _ => 0x48 };
        switch (random.Next(6))
        {
            case 0 or 1: bytes[at] = 0x0F; break;
            case 2: (bytes[at], bytes[at + 1], bytes[at + 2]) = (0x0F, 0x38, (byte)(0xF0 + random.Next(16))); break;
            case 3:
                (bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]) =
                (0xC4, 0xE2, (byte)(random.Next(256) & ~4), (byte)(0xF2 + random.Next(6))); break;
        }
    }
}
