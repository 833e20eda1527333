using System.Text;
using Hv.Core.Cpuid;

namespace Hv.Core.Tests;

public sealed class CpuidTableTests
{
    private static readonly CpuidTable Table = new(
    [
        new(0, null, new(7, 1, 2, 3)),
        new(1, null, new(1, 0xFFFF_FFFF, 0, 0)),
        new(7, 0, new(70, 0, 0, 0)),
        new(7, 2, new(72, 0, 0, 0)),
        new(0xD, null, new(130, 0, 0, 0)),
        new(0xD, 1, new(131, 0, 0, 0)),
        new(0x8000_0000, null, new(5, 0, 0, 0)),
        new(0x8000_0000, null, new(6, 0, 0, 0)),
        new(0xFFFF_FFFF, null, new(9, 0, 0, 0)),
    ]);

    [Theory]
    [InlineData(0u, 0u, 7u)]
    [InlineData(0u, 0xFFFF_FFFFu, 7u)]
    [InlineData(7u, 0u, 70u)]
    [InlineData(7u, 1u, 0u)]
    [InlineData(7u, 2u, 72u)]
    [InlineData(7u, 3u, 0u)]
    [InlineData(0xDu, 0u, 130u)]
    [InlineData(0xDu, 1u, 131u)]
    [InlineData(0xDu, 2u, 0u)]
    [InlineData(2u, 0u, 0u)]
    [InlineData(0x8000_0000u, 4u, 6u)]
    [InlineData(0xFFFF_FFFFu, 0xFFFF_FFFFu, 9u)]
    [InlineData(0xFFFF_FFFEu, 0xFFFF_FFFFu, 0u)]
    public void A_query_finds_its_row_or_zeros(uint leaf, uint subleaf, uint eax) => Assert.Equal(eax, Table.Query(leaf, subleaf).Eax);

    [Fact]
    public void An_empty_table_answers_zeros() => Assert.Equal(default, new CpuidTable([]).Query(0, 0));

    [Theory]
    [InlineData(0, 0x00FF_FFFFu)]
    [InlineData(63, 0x3FFF_FFFFu)]
    public void The_initial_apic_id_is_the_vcpus_index(int vcpu, uint ebx) => Assert.Equal(ebx, Table.Query(1, 0, vcpu, 0, 1).Ebx);

    [Fact]
    public void Only_leaf_1_differs_between_vcpus() => Assert.Equal(Table.Query(0, 0), Table.Query(0, 0, 5, 0, 1));

    [Fact]
    public void The_default_names_the_hypervisor_and_sets_its_bit()
    {
        CpuidResult hypervisor = CpuidTables.Default.Query(0x4000_0000, 0);
        byte[] name = [.. BitConverter.GetBytes(hypervisor.Ebx), .. BitConverter.GetBytes(hypervisor.Ecx), .. BitConverter.GetBytes(hypervisor.Edx)];

        Assert.Equal("hvhvhvhvhvhv", Encoding.ASCII.GetString(name));
        Assert.Equal(0x4000_0000u, hypervisor.Eax);
        Assert.NotEqual(0u, CpuidTables.Default.Query(1, 0).Ecx & (1u << 31));
    }

    [Fact]
    public void The_default_names_no_vendor()
    {
        CpuidResult leaf = CpuidTables.Default.Query(0, 0);
        byte[] name = [.. BitConverter.GetBytes(leaf.Ebx), .. BitConverter.GetBytes(leaf.Edx), .. BitConverter.GetBytes(leaf.Ecx)];

        Assert.Equal("Hv Processor", Encoding.ASCII.GetString(name));
    }

    [Fact]
    public void The_default_has_a_row_for_each_leaf_up_to_its_own_maximum()
    {
        CpuidTable table = CpuidTables.Default;

        Assert.Equal(table.Entries.Where(e => e.Leaf < 0x4000_0000).Max(e => e.Leaf), table.Query(0, 0).Eax);
        Assert.Equal(table.Entries.Max(e => e.Leaf), table.Query(0x8000_0000, 0).Eax);
    }
}
