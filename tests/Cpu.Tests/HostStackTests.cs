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

    /// <summary>Every vector instruction that the decoder knows, register and memory, SSE and VEX.</summary>
    [Fact]
    public void No_vector_handler_grows_the_stack()
    {
        const ulong Osfxsr = 1 << 9, Osxsave = 1 << 18;
        using Guest guest = Guest.Long();
        guest.Cpu.State.Sys.Cr4 |= Osfxsr | Osxsave;
        guest.Cpu.State.Sys.Xcr0 = 7;
        guest.Changed();
        var tested = new HashSet<nint>();
        var growing = new SortedSet<string>();
        // SAFETY: room for a header, the copies and the probe; freed at the end.
        byte* room = (byte*)NativeMemory.AlignedAlloc((nuint)(sizeof(BlockHeader) + (Copies + 2) * sizeof(Op)), 64);
        foreach (byte[] bytes in VectorEncodings())
        {
            var op = default(Op);
            if (Decode.Decoder.Decode(bytes, guest.Cpu.Key, FeatureSet.All, ref op) != DecodeStatus.Ok || op.Kind < Decode.OpKind.Andps)
                continue;
            nint handler = Binder.Bind(ref op, new BindContext(guest.Cpu.Key, true));
            nint growth = tested.Contains(handler) ? -1 : Growth(guest, op, handler, room);
            if (growth < 0)
                continue;
            tested.Add(handler);
            if (growth > LargestGrowth)
                growing.Add($"{op.Kind} {op.Shape} {op.Form}: {growth} bytes");
        }

        NativeMemory.AlignedFree(room);
        Assert.True(growing.Count == 0, string.Join('\n', growing));
        Assert.True(tested.Count > 500, $"{tested.Count} handlers were reached");
    }

    /// <summary>Every opcode of three maps with each mandatory prefix: SSE, then VEX with each L, W and with and without a third operand; operands in
    /// registers 1 and 2, or at [rdi].</summary>
    private static IEnumerable<byte[]> VectorEncodings()
    {
        const byte NoPrefix = 0x3E, NoThird = 0x78, Third = 0x60;
        byte[] prefixes = [NoPrefix, 0x66, 0xF3, 0xF2], modRms = [0xCA, 0x0F];
        byte[][] escapes = [[0x0F], [0x0F, 0x38], [0x0F, 0x3A]];
        for (int i = 0; i < 256 * 3 * 4 * 2; i++)
        {
            int opcode = i & 0xFF, map = (i >> 8) % 3, prefix = (i >> 8) / 3 & 3;
            byte modRm = modRms[(i >> 8) / 12];
            yield return [prefixes[prefix], .. escapes[map], (byte)opcode, modRm, 0];
            for (int form = 0; form < 8; form++)
            {
                int fields = ((form & 1) != 0 ? Third : NoThird) | (form & 2) << 1 | (form & 4) << 5 | prefix;
                yield return [0xC4, (byte)(0xE1 + map), (byte)fields, (byte)opcode, modRm, 0];
            }
        }
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
