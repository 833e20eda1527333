using Hv.Backends.Svm.Silicon;
using Xunit;

namespace Hv.Backends.Svm.Tests.Silicon;

/// <summary>Nested page faults on the engine (APM 2 15.25.6).</summary>
public class NestedPagingTests
{
    private static readonly byte[] s_read = [0xA0, 0x10, 0x00], s_write = [0xA2, 0x10, 0x00]; // mov al,[10h]; mov [10h],al

    [Theory]
    [InlineData(TestMachine.Hole, false, 0x1_0000_0004ul)]
    [InlineData(TestMachine.Hole, true, 0x1_0000_0006ul)]
    [InlineData(TestMachine.Rom, true, 0x1_0000_0007ul)]
    public void A_data_access_faults_with_its_address_and_how(ulong place, bool isWrite, ulong info1)
    {
        using var machine = new TestMachine(isWrite ? s_write : s_read);
        machine.Vmcb.Save.Ds.Base = place;
        machine.Expect(0x400);
        Assert.Equal((info1, place + 0x10), (machine.Vmcb.Control.ExitInfo1, machine.Vmcb.Control.ExitInfo2));
        Assert.Equal((TestMachine.Code, 0ul), (machine.Vmcb.Save.Rip, machine.Vmcb.Control.NextRip));
    }

    [Fact]
    public void Decode_assists_give_the_instruction_bytes_of_a_data_access()
    {
        using var machine = new TestMachine([0xA2, 0x10, 0x00, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
        machine.Vmcb.Save.Ds.Base = TestMachine.Hole;
        machine.Expect(0x400);
        Assert.Equal(15, machine.Vmcb.Control.BytesFetched);
        Assert.Equal([0xA2, 0x10, 0x00, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
            ((ReadOnlySpan<byte>)machine.Vmcb.Control.InstructionBytes).ToArray());
    }

    [Fact]
    public void A_fetch_faults_with_I_and_no_bytes()
    {
        using var machine = new TestMachine([0xF4]);
        machine.Vmcb.Save.Cs.Base = TestMachine.Hole;
        machine.Vmcb.Save.Rip = 0x20;
        machine.Expect(0x400);
        Assert.Equal((0x1_0000_0014ul, TestMachine.Hole + 0x20, 0),
            (machine.Vmcb.Control.ExitInfo1, machine.Vmcb.Control.ExitInfo2, machine.Vmcb.Control.BytesFetched));
    }

    [Fact]
    public void A_read_only_slot_is_read_and_run()
    {
        using var machine = new TestMachine(s_read);
        machine.Write(TestMachine.Rom, 0xA0, 0x10, 0x00, 0xF4);
        machine.Write(TestMachine.Rom + 0x10, 0x5A);
        machine.Vmcb.Save.Ds.Base = TestMachine.Rom;
        machine.Vmcb.Save.Cs.Base = TestMachine.Rom;
        machine.Vmcb.Save.Rip = 0;
        machine.Expect(0x78);
        Assert.Equal(0x5Aul, machine.Vmcb.Save.Rax & 0xFF);
    }

    [Theory]
    [InlineData(false, 0x2_0000_0006ul)] // walks are writes
    [InlineData(true, 0x2_0000_0004ul)] // unless read-only guest tables are on
    public void A_guest_page_table_in_a_hole_faults_as_a_table_walk(bool readOnlyTables, ulong info1)
    {
        using var machine = new TestMachine([0xF4]);
        machine.Vmcb.Control.NestedControl = NestedControl.NestedPaging | (readOnlyTables ? NestedControl.ReadOnlyGuestTables : 0);
        EnablePaging(machine, TestMachine.Hole);
        machine.Expect(0x400);
        Assert.Equal((info1, TestMachine.Hole), (machine.Vmcb.Control.ExitInfo1, machine.Vmcb.Control.ExitInfo2));
    }

    [Fact]
    public void Guest_page_tables_in_read_only_memory_need_the_feature_and_set_accessed_bits()
    {
        using var machine = new TestMachine([0xF4]);
        machine.Write(TestMachine.Rom, 0xA3, 0, 0, 0); // a 4 MiB page at 0: P W A PS, accessed already
        EnablePaging(machine, TestMachine.Rom);
        machine.Vmcb.Save.Cr4 = 1 << 4;
        machine.Expect(0x78);
        machine.Vmcb.Control.NestedControl = NestedControl.NestedPaging;
        machine.Vmcb.Control.TlbControl = TlbControl.FlushGuest;
        machine.Vmcb.Control.Clean = CleanBits.All & ~CleanBits.Nested;
        machine.Expect(0x400);
        Assert.Equal((0x2_0000_0007ul, TestMachine.Rom), (machine.Vmcb.Control.ExitInfo1, machine.Vmcb.Control.ExitInfo2));
    }

    [Fact]
    public void Without_nested_paging_guest_physical_is_system_physical_and_a_hole_reads_ones()
    {
        using var machine = new TestMachine([0xA0, 0x10, 0x00, 0xF4]);
        machine.Vmcb.Control.NestedControl = 0;
        machine.Vmcb.Save.Ds.Base = TestMachine.Hole;
        machine.Expect(0x78);
        Assert.Equal(0xFFul, machine.Vmcb.Save.Rax & 0xFF);
    }

    [Fact]
    public void The_hypervisors_pages_are_out_of_reach_even_when_the_tables_map_them()
    {
        using var machine = new TestMachine(s_write);
        Hpa secret = machine.Memory.AllocatePages(1);
        machine.Memory.Write64(secret, 0x1122);
        // Map guest-physical 300000H to the hypervisor's page by hand: the entry of the page table that maps the read-only page.
        ulong entry = machine.Memory.Read64(machine.Tables.Root) & 0x000F_FFFF_FFFF_F000;
        entry = machine.Memory.Read64(new Hpa(entry)) & 0x000F_FFFF_FFFF_F000;
        ulong table = machine.Memory.Read64(new Hpa(entry + 8)) & 0x000F_FFFF_FFFF_F000;
        machine.Memory.Write64(new Hpa(table + 0x100 * 8), secret.Value | 7);
        machine.Vmcb.Save.Ds.Base = TestMachine.Hole;
        machine.Expect(0x60, budget: 1);
        Assert.Equal(0x1122ul, machine.Memory.Read64(secret));
    }

    private static void EnablePaging(TestMachine machine, ulong cr3)
    {
        machine.Vmcb.Save.Cr0 = 0x8000_0011;
        machine.Vmcb.Save.Cr3 = cr3;
    }
}
