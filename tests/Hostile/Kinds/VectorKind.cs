using Hv.Contracts.Guests;
using Hv.Core;
using Hv.Core.Registers;
using Iced.Intel;

namespace Hv.Hostile.Kinds;

/// <summary>Random x87, MMX, SSE and AVX instructions over random state, with operands in memory, across its edges and in holes, masked and unmasked
/// exceptions.</summary>
internal sealed class VectorKind : IHostileKind
{
    private const int CodeBytes = 512, MxcsrOffset = 24, HeaderOffset = 512, HeaderEnd = 576;
    private const ulong Osfxsr = 1 << 9, Osxmmexcpt = 1 << 10, Osxsave = 1 << 18, Ne = 1 << 5, Em = 1 << 2, Ts = 1 << 3;
    private static readonly byte[] s_mandatory = [0x66, 0xF2, 0xF3];

    public string Name => "vector";

    public string Run(IBackend backend, SeededRandom random)
    {
        CodeMode mode = random.Pick(CodeMode.Protected32, CodeMode.Pae32, CodeMode.Long64, CodeMode.Long64, CodeMode.Long64);
        using var machine = new HostileMachine(backend, mode, skipFaults: !random.OneIn(4));
        byte[] code = new byte[CodeBytes];
        Fill(code, mode.Bits(), random);
        machine.Put(GuestLayout.Code, code);
        ref GeneralRegisters g = ref machine.State.General;
        for (int i = 0; i < 16; i++)
            g[i] = Address(random) & (mode == CodeMode.Long64 ? ulong.MaxValue : uint.MaxValue);
        g.Rsp = GuestLayout.StackTop;
        ref SystemRegisters s = ref machine.State.System;
        s.Cr0 |= random.OneIn(2) ? Ne : 0;
        s.Cr0 |= random.OneIn(16) ? random.Pick(Em, Ts, Em | Ts) : 0;
        s.Cr4 |= Osfxsr | Osxsave | (random.OneIn(2) ? Osxmmexcpt : 0);
        s.Xcr0 = random.OneIn(8) ? 3UL : 7;
        Span<byte> state = machine.State.Extended;
        random.Fill(state);
        // The state kind spoils the header; here all parts are to arrive, with exceptions masked as often as not.
        state[HeaderOffset..HeaderEnd].Clear();
        state[HeaderOffset] = 7;
        BitConverter.TryWriteBytes(state[MxcsrOffset..], random.OneIn(2) ? 0x1F80u : (uint)random.Next() & 0xFFFF);
        return $"{mode} {machine.Run()}";
    }

    private static ulong Address(SeededRandom random) => random.Below(4) switch
    {
        0 => random.Number(),
        1 => GuestLayout.Code + (ulong)random.Below(CodeBytes),
        2 => (GuestLayout.StackTop & ~0xFFFUL) - (ulong)random.Below(40),
        _ => GuestLayout.StackTop - 0x200 + (ulong)random.Below(16) * 16,
    };

    private static void Fill(Span<byte> code, int bits, SeededRandom random)
    {
        byte[] candidate = new byte[15];
        code.Fill(0xF4);
        int at = 0;
        while (at < code.Length - candidate.Length)
        {
            Make(candidate, random);
            Instruction instruction = Decoder.Create(bits, candidate).Decode();
            if (instruction.IsInvalid || instruction.FlowControl != FlowControl.Next)
                continue;
            candidate.AsSpan(0, instruction.Length).CopyTo(code[at..]);
            at += instruction.Length;
        }
    }

    private static void Make(byte[] candidate, SeededRandom random)
    {
        random.Fill(candidate);
        int at = 0;
        switch (random.Below(8))
        {
            case 0:
                candidate[0] = (byte)(0xD8 + random.Below(8));
                at = 1;
                break;
            case 1 or 2 or 3:
                candidate[at++] = 0xC4;
                candidate[at] = (byte)(candidate[at] & 0xE0 | (1 + random.Below(3)));
                at += 3;
                break;
            default:
                if (!random.OneIn(4))
                    candidate[at++] = random.Pick<byte>(s_mandatory);
                candidate[at++] = 0x0F;
                if (random.OneIn(3))
                    candidate[at++] = random.OneIn(2) ? (byte)0x38 : (byte)0x3A;
                at++;
                break;
        }

        // Short displacements mean something more often than random ones do.
        if (random.OneIn(2))
            BitConverter.TryWriteBytes(candidate.AsSpan(at + 1), (uint)random.Below(64));
    }
}
