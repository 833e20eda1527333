using Hv.Contracts.Guests;
using Hv.Core;
using Hv.Core.Registers;

namespace Hv.Hostile.Kinds;

/// <summary>Random code in every mode: raw bytes, or a mix of valid instructions, with random registers.</summary>
internal sealed class CodeKind : IHostileKind
{
    private const int CodeBytes = 512;

    public string Name => "code";

    public string Run(IBackend backend, SeededRandom random)
    {
        CodeMode mode = random.Pick(CodeMode.Real16, CodeMode.Protected32, CodeMode.Paged32, CodeMode.Pae32, CodeMode.Long64, CodeMode.Long64);
        using var machine = new HostileMachine(backend, mode, skipFaults: !random.OneIn(3));
        byte[] code = new byte[CodeBytes];
        if (random.OneIn(3))
            random.Fill(code);
        else
            RandomCode.FillWithInstructions(code, mode.Bits(), random);
        machine.Put(GuestLayout.Code, code);
        ref GeneralRegisters g = ref machine.State.General;
        for (int i = 0; i < 16; i++)
            g[i] = mode == CodeMode.Long64 ? random.Number() : (uint)random.Number();
        if (!random.OneIn(4))
            g.Rsp = GuestLayout.StackTop;
        g.Rflags = 2 | (random.Next() & (random.OneIn(4) ? 0x0025_7FD5UL : 0x0000_0CD5UL));
        if (random.OneIn(8) && mode is CodeMode.Protected32 or CodeMode.Long64)
            BecomeUser(machine.State);
        // VM86 state has its own rules for segments; the state kind breaks those.
        g.Rflags &= ~(1UL << 17);
        return $"{mode} {machine.Run()}";
    }

    private static void BecomeUser(VcpuState state)
    {
        const uint User = 0x60;
        ref SystemRegisters s = ref state.System;
        s.Cs.Selector = Descriptors.UserCode;
        s.Cs.Attributes |= User;
        s.Ss.Selector = s.Ds.Selector = s.Es.Selector = s.Fs.Selector = s.Gs.Selector = Descriptors.UserData;
        s.Ss.Attributes |= User;
        s.Ds.Attributes |= User;
        s.Es.Attributes |= User;
        s.Fs.Attributes |= User;
        s.Gs.Attributes |= User;
        s.Cpl = 3;
    }
}
