using Hv.Contracts.Guests;
using Hv.Core;
using Hv.Core.Registers;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Hostile.Kinds;

/// <summary>Random page tables: entries changed under a running guest that keeps touching memory, or tables that are random from the start.</summary>
internal sealed class PagingKind : IHostileKind
{
    private const int Steps = 24;

    public string Name => "paging";

    public string Run(IBackend backend, SeededRandom random)
    {
        CodeMode mode = random.Pick(CodeMode.Paged32, CodeMode.Pae32, CodeMode.Long64, CodeMode.Long64);
        using var machine = new HostileMachine(backend, mode, skipFaults: random.OneIn(2));
        ref SystemRegisters s = ref machine.State.System;
        if (random.OneIn(2))
            s.Cr4 ^= random.Pick(1UL << 4, 1UL << 7, 1UL << 20, 1UL << 21); // PSE, PGE, SMEP, SMAP
        if (random.OneIn(3))
            s.Cr0 ^= 1UL << 16; // WP
        if (random.OneIn(3))
            s.Efer ^= 1UL << 11; // NXE; in 32-bit modes it may be set too
        if (random.OneIn(4))
            Scatter(machine, mode, random, 40);
        else
            Scatter(machine, mode, random, random.Below(3));
        machine.Put(GuestLayout.Code, Program(mode, random));
        return $"{mode} {machine.Run()}";
    }

    /// <summary>Puts random entries into the tables.</summary>
    private static void Scatter(HostileMachine machine, CodeMode mode, SeededRandom random, int entries)
    {
        int size = mode == CodeMode.Paged32 ? 4 : 8;
        for (int i = 0; i < entries; i++)
        {
            ulong at = GuestLayout.PageTables + (ulong)(random.Below(8 * 4096 / size) * size);
            Span<byte> entry = BitConverter.GetBytes(Entry(random));
            machine.Put(at, entry[..size]);
        }
    }

    /// <summary>Code that changes entries and touches memory through them.</summary>
    private static byte[] Program(CodeMode mode, SeededRandom random)
    {
        var code = new GuestCode(mode);
        for (int i = 0; i < Steps; i++)
        {
            uint table = (uint)(GuestLayout.PageTables + (ulong)random.Below(8 * 4096) & ~3UL);
            uint target = random.OneIn(3) ? (uint)random.Number() : (uint)random.Below(0x20_0000);
            switch (random.Below(8))
            {
                case 0: code.mov(__dword_ptr[table], (int)Entry(random)); break;
                case 1: code.xor(__dword_ptr[table], 1 << random.Below(31)); break;
                case 2: code.mov(eax, __dword_ptr[target & 0x7FFFFFFF]); break;
                case 3: code.mov(__dword_ptr[target & 0x7FFFFFFF], eax); break;
                case 4: code.invlpg(__byte_ptr[target & 0x7FFFFFFF]); break;
                case 5: ReloadCr3(code, mode, random); break;
                case 6: code.push((int)(target & 0x7FFFFFFF)); break;
                default: code.@lock.add(__dword_ptr[(target & 0x1FFFFF) | 0xFFD], eax); break;
            }
        }

        code.Done();
        return code.Finish(GuestLayout.Code).Bytes;
    }

    private static void ReloadCr3(GuestCode code, CodeMode mode, SeededRandom random)
    {
        // Mostly the table in force; sometimes any page, in RAM or not.
        ulong root = random.OneIn(6) ? random.Number() & 0x7FFF_FFFF : GuestLayout.PageTables;
        if (mode == CodeMode.Long64)
        {
            code.mov(rax, root);
            code.mov(cr3, rax);
        }
        else
        {
            code.mov(eax, (uint)root);
            code.mov(cr3, eax);
        }
    }

    /// <summary>An entry with a frame in RAM, in a hole or too high, and random bits.</summary>
    private static ulong Entry(SeededRandom random)
    {
        ulong frame = random.Below(4) switch
        {
            0 => GuestLayout.PageTables + ((ulong)random.Below(8) << 12),
            1 or 2 => (ulong)random.Below((int)GuestLayout.RamSize * 2) & ~0xFFFUL,
            _ => random.Number() & 0x000F_FFFF_FFFF_F000,
        };
        return frame | (random.Next() & 0x1FE) | (random.OneIn(6) ? 0UL : 7UL) | (random.OneIn(8) ? 1UL << 63 : 0)
            | (random.OneIn(12) ? 1UL << 52 : 0);
    }
}
