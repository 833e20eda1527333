using Hv.Core.Registers;
using Hv.Cpu.System;
using Hv.Cpu.Virtualization;

namespace Hv.Cpu.Tests.System;

/// <summary>RDRAND and RDSEED (SDM 2B RDRAND, RDSEED): numbers that are never missing, and that repeat when a run does.</summary>
public sealed class RandomTests
{
    private const ulong Arithmetic = 0x8D5, Carry = 1;

    private static readonly byte[] s_rdrand = [0x48, 0x0F, 0xC7, 0xF0], s_rdseed = [0x48, 0x0F, 0xC7, 0xF8]; // RAX

    private static ulong Next(Guest guest, byte[] code)
    {
        Assert.Equal(RunResult.Budget, guest.Execute(1, code));
        return guest.Gpr.Rax;
    }

    [Theory]
    [InlineData("480FC7F0", ulong.MaxValue, 0UL)]
    [InlineData("0FC7F0", uint.MaxValue, 0UL)]              // the upper half becomes 0
    [InlineData("660FC7F0", ushort.MaxValue, ~0xFFFFUL)]    // the other bits stay
    [InlineData("480FC7F8", ulong.MaxValue, 0UL)]
    [InlineData("0FC7F8", uint.MaxValue, 0UL)]
    [InlineData("660FC7F8", ushort.MaxValue, ~0xFFFFUL)]
    public void A_number_has_the_width_of_the_operand_and_CF_says_that_it_is_there(string code, ulong written, ulong kept)
    {
        using var guest = Guest.Long();
        const ulong Before = 0xA5A5_A5A5_A5A5_A5A5;
        ulong ones = 0, zeros = 0;
        for (int i = 0; i < 200; i++)
        {
            guest.Gpr.Rax = Before;
            guest.Gpr.Rflags |= Arithmetic;
            ulong value = Next(guest, Convert.FromHexString(code));
            Assert.Equal(Carry, guest.Gpr.Rflags & Arithmetic);
            Assert.Equal(Before & kept, value & ~written);
            (ones, zeros) = (ones | value, zeros | ~value);
        }

        // A bit that keeps one value 200 times has one chance in 2^199.
        Assert.Equal(written, ones & zeros & written);
    }

    [Fact]
    public void Runs_repeat()
    {
        using Guest first = Guest.Long(), second = Guest.Long();
        ulong[] numbers = [.. Enumerable.Range(0, 20).Select(i => Next(first, i % 3 == 0 ? s_rdseed : s_rdrand))];
        Assert.Equal(numbers, Enumerable.Range(0, 20).Select(i => Next(second, i % 3 == 0 ? s_rdseed : s_rdrand)));
        Assert.Equal(numbers.Length, numbers.Distinct().Count());
    }

    // For the seed 1234567 from Rosetta Code, "Pseudo-random numbers/Splitmix64"; for 0 what prng.di.unimi.it's splitmix64.c gives first.
    [Theory]
    [InlineData(1234567UL, 0, 6457827717110365317UL)]
    [InlineData(1234567UL, 1, 3203168211198807973UL)]
    [InlineData(1234567UL, 2, 9817491932198370423UL)]
    [InlineData(1234567UL, 3, 4593380528125082431UL)]
    [InlineData(1234567UL, 4, 16408922859458223821UL)]
    [InlineData(0UL, 0, 0xE220_A839_7B1D_CDAFUL)]
    public void A_processor_starts_at_the_number_of_splitmix64_that_has_its_index(ulong seed, int index, ulong first)
    {
        using var guest = Guest.Long();
        guest.Cpu.SeedRandom(seed, index);
        var state = new VcpuState();
        StateTransfer.Save(guest.Cpu, state);
        Assert.Equal(first, state.Random);
    }

    [Fact]
    public void Numbers_are_those_of_xorshift64_star()
    {
        using var guest = Guest.Long();
        var state = new VcpuState();
        StateTransfer.Save(guest.Cpu, state);
        state.Random = 1234567;
        StateTransfer.Load(guest.Cpu, state);
        // Rosetta Code, "Pseudo-random numbers/Xorshift star", which shows the upper halves.
        Assert.Equal([3540625527, 2750739987, 4037983143, 1993361440, 3809424708],
            Enumerable.Range(0, 5).Select(_ => (uint)(Next(guest, s_rdrand) >> 32)));
    }

    [Fact]
    public void The_seed_whose_number_would_be_0_draws_numbers_too()
    {
        using var guest = Guest.Long();
        // splitmix64 adds 9E3779B97F4A7C15 to its state and mixes; its mixing turns 0, and nothing else, into 0.
        guest.Cpu.SeedRandom(unchecked(0 - 0x9E37_79B9_7F4A_7C15), 0);
        Assert.Equal(20, Enumerable.Range(0, 20).Select(_ => Next(guest, s_rdrand)).Distinct().Count());
    }

    [Fact]
    public void A_restored_state_goes_on_with_the_same_numbers()
    {
        using var guest = Guest.Long();
        Next(guest, s_rdrand);
        var state = new VcpuState();
        StateTransfer.Save(guest.Cpu, state);
        (ulong, ulong) numbers = (Next(guest, s_rdrand), Next(guest, s_rdseed));
        StateTransfer.Load(guest.Cpu, state);
        Assert.Equal(numbers, (Next(guest, s_rdrand), Next(guest, s_rdseed)));

        using var other = Guest.Long();
        StateTransfer.Load(other.Cpu, state);
        Assert.Equal(numbers, (Next(other, s_rdrand), Next(other, s_rdseed)));
    }
}
