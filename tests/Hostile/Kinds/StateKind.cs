using System.Runtime.InteropServices;
using Hv.Contracts.Guests;
using Hv.Core;
using Hv.Core.Registers;

namespace Hv.Hostile.Kinds;

/// <summary>Random neutral states loaded into a vCPU: good ones with fields spoilt, or noise from end to end.</summary>
internal sealed class StateKind : IHostileKind
{
    public string Name => "state";

    public string Run(IBackend backend, SeededRandom random)
    {
        CodeMode mode = random.Pick(CodeMode.Real16, CodeMode.Protected32, CodeMode.Paged32, CodeMode.Pae32, CodeMode.Long64);
        using var machine = new HostileMachine(backend, mode, skipFaults: random.OneIn(2));
        byte[] code = new byte[256];
        RandomCode.FillWithInstructions(code, mode.Bits(), random);
        machine.Put(GuestLayout.Code, code);
        Span<byte> system = MemoryMarshal.AsBytes(new Span<SystemRegisters>(ref machine.State.System));
        if (random.OneIn(8))
        {
            random.Fill(system);
            machine.State.System.Activity = (ActivityState)random.Below(5);
        }
        else
        {
            SpoilRegisters(machine.State, random);
        }

        random.Fill(machine.State.Extended);
        if (random.OneIn(4))
        {
            machine.State.Pending = new PendingEvent(
                (PendingEventKind)random.Below(6), (byte)random.Number(), random.OneIn(2), (uint)random.Number(), random.Number());
        }

        return $"{mode} {machine.Run(2000)}";
    }

    private static void SpoilRegisters(VcpuState state, SeededRandom random)
    {
        ref SystemRegisters s = ref state.System;
        for (int i = 1 + random.Below(4); i > 0; i--)
        {
            switch (random.Below(12))
            {
                case 0: s.Cr0 ^= 1UL << random.Below(64); break;
                case 1: s.Cr4 ^= 1UL << random.Below(random.OneIn(2) ? 24 : 64); break;
                case 2: s.Efer ^= 1UL << random.Below(random.OneIn(2) ? 16 : 64); break;
                case 3: s.Cr3 = random.Number(); break;
                case 4: state.General.Rflags ^= 1UL << random.Below(random.OneIn(2) ? 22 : 64); break;
                case 5: state.General.Rip = random.Number(); break;
                case 6: Spoil(ref random.Pick(0, 1, 2) == 0 ? ref s.Cs : ref s.Ss, random); break;
                case 7: Spoil(ref random.OneIn(2) ? ref s.Tr : ref s.Ldtr, random); break;
                case 8: s.Cpl = (byte)random.Below(5); break;
                case 9: s.Shadow = (InterruptShadow)random.Below(9); break;
                case 10: s.Gdtr.Base = random.Number(); s.Idtr.Limit = (ushort)random.Number(); break;
                default: s.Dr7 = random.Number(); s.Dr0 = GuestLayout.Code + (ulong)random.Below(16); break;
            }
        }
    }

    private static void Spoil(ref SegmentRegister segment, SeededRandom random)
    {
        switch (random.Below(4))
        {
            case 0: segment.Attributes ^= 1U << random.Below(17); break;
            case 1: segment.Limit = (uint)random.Number(); break;
            case 2: segment.Base = random.Number(); break;
            default: segment.Selector = (ushort)random.Number(); break;
        }
    }
}
