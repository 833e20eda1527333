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
