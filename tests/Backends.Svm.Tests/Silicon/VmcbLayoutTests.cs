using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Hv.Backends.Svm.Silicon;
using Xunit;

namespace Hv.Backends.Svm.Tests.Silicon;

/// <summary>The VMCB against APM 2 appendix B: the numbers here are the manual's tables B-1 and B-2, typed in again.</summary>
public class VmcbLayoutTests
{
    public static TheoryData<string, int, int> Control { get; } = new()
    {
        { nameof(VmcbControl.InterceptCrReads), 0x000, 2 }, { nameof(VmcbControl.InterceptCrWrites), 0x002, 2 },
        { nameof(VmcbControl.InterceptDrReads), 0x004, 2 }, { nameof(VmcbControl.InterceptDrWrites), 0x006, 2 },
        { nameof(VmcbControl.InterceptExceptions), 0x008, 4 }, { nameof(VmcbControl.Intercepts1), 0x00C, 4 },
        { nameof(VmcbControl.Intercepts2), 0x010, 4 }, { nameof(VmcbControl.Intercepts3), 0x014, 4 },
        { nameof(VmcbControl.PauseFilterThreshold), 0x03C, 2 }, { nameof(VmcbControl.PauseFilterCount), 0x03E, 2 },
        { nameof(VmcbControl.IopmBasePa), 0x040, 8 }, { nameof(VmcbControl.MsrpmBasePa), 0x048, 8 }, { nameof(VmcbControl.TscOffset), 0x050, 8 },
        { nameof(VmcbControl.GuestAsid), 0x058, 4 }, { nameof(VmcbControl.TlbControl), 0x05C, 1 },
        { nameof(VmcbControl.VirtualInterrupt), 0x060, 8 }, { nameof(VmcbControl.InterruptState), 0x068, 8 },
        { nameof(VmcbControl.ExitCode), 0x070, 8 }, { nameof(VmcbControl.ExitInfo1), 0x078, 8 }, { nameof(VmcbControl.ExitInfo2), 0x080, 8 },
        { nameof(VmcbControl.ExitIntInfo), 0x088, 8 }, { nameof(VmcbControl.NestedControl), 0x090, 8 }, { nameof(VmcbControl.EventInj), 0x0A8, 8 },
        { nameof(VmcbControl.NestedCr3), 0x0B0, 8 }, { nameof(VmcbControl.VirtualizationEnable), 0x0B8, 8 }, { nameof(VmcbControl.Clean), 0x0C0, 4 },
        { nameof(VmcbControl.NextRip), 0x0C8, 8 }, { nameof(VmcbControl.BytesFetched), 0x0D0, 1 },
        { nameof(VmcbControl.InstructionBytes), 0x0D1, 15 },
    };

    public static TheoryData<string, int, int> Save { get; } = new()
    {
        { nameof(VmcbSave.Es), 0x000, 16 }, { nameof(VmcbSave.Cs), 0x010, 16 }, { nameof(VmcbSave.Ss), 0x020, 16 },
        { nameof(VmcbSave.Ds), 0x030, 16 },
        { nameof(VmcbSave.Fs), 0x040, 16 }, { nameof(VmcbSave.Gs), 0x050, 16 }, { nameof(VmcbSave.Gdtr), 0x060, 16 },
        { nameof(VmcbSave.Ldtr), 0x070, 16 },
        { nameof(VmcbSave.Idtr), 0x080, 16 }, { nameof(VmcbSave.Tr), 0x090, 16 }, { nameof(VmcbSave.Cpl), 0x0CB, 1 },
        { nameof(VmcbSave.Efer), 0x0D0, 8 },
        { nameof(VmcbSave.Cr4), 0x148, 8 }, { nameof(VmcbSave.Cr3), 0x150, 8 }, { nameof(VmcbSave.Cr0), 0x158, 8 },
        { nameof(VmcbSave.Dr7), 0x160, 8 },
        { nameof(VmcbSave.Dr6), 0x168, 8 }, { nameof(VmcbSave.Rflags), 0x170, 8 }, { nameof(VmcbSave.Rip), 0x178, 8 },
        { nameof(VmcbSave.Rsp), 0x1D8, 8 },
        { nameof(VmcbSave.Rax), 0x1F8, 8 }, { nameof(VmcbSave.Star), 0x200, 8 }, { nameof(VmcbSave.Lstar), 0x208, 8 },
        { nameof(VmcbSave.Cstar), 0x210, 8 },
        { nameof(VmcbSave.Sfmask), 0x218, 8 }, { nameof(VmcbSave.KernelGsBase), 0x220, 8 }, { nameof(VmcbSave.SysenterCs), 0x228, 8 },
        { nameof(VmcbSave.SysenterEsp), 0x230, 8 }, { nameof(VmcbSave.SysenterEip), 0x238, 8 }, { nameof(VmcbSave.Cr2), 0x240, 8 },
        { nameof(VmcbSave.GuestPat), 0x268, 8 },
    };

    [Theory, MemberData(nameof(Control))]
    public void Control_area_field_lies_where_table_B_1_says(string field, int offset, int size) => AssertField<VmcbControl>(field, offset, size);

    [Theory, MemberData(nameof(Save))]
    public void Save_area_field_lies_where_table_B_2_says(string field, int offset, int size) => AssertField<VmcbSave>(field, offset, size);

    [Fact]
    public void Every_struct_field_has_a_row_here()
    {
        Assert.Equal(Fields<VmcbControl>(), Control.Select(r => r.Data.Item1).Order());
        Assert.Equal(Fields<VmcbSave>(), Save.Select(r => r.Data.Item1).Order());
    }

    [Fact]
    public void The_block_is_one_page_with_the_save_area_at_400H()
    {
        Assert.Equal(4096, Unsafe.SizeOf<Vmcb>());
        Assert.Equal(0x400, Marshal.OffsetOf<Vmcb>(nameof(Vmcb.Save)));
        Assert.Equal(16, Unsafe.SizeOf<VmcbSegment>());
        Assert.Equal(2, Marshal.OffsetOf<VmcbSegment>(nameof(VmcbSegment.Attributes)));
        Assert.Equal(4, Marshal.OffsetOf<VmcbSegment>(nameof(VmcbSegment.Limit)));
        Assert.Equal(8, Marshal.OffsetOf<VmcbSegment>(nameof(VmcbSegment.Base)));
    }

    [Fact]
    public void Field_table_names_offsets_that_the_struct_has()
    {
        var starts = Control.Select(r => (r.Data.Item2, r.Data.Item3))
            .Concat(Save.Select(r => (r.Data.Item2 + 0x400, r.Data.Item3))).ToDictionary(r => r.Item1, r => r.Item2);
        foreach (VmcbField field in VmcbFields.All)
        {
            int segment = field.Offset & ~0xF;
            bool inSegment = segment is >= 0x400 and < 0x4A0;
            Assert.True(inSegment || (starts.TryGetValue(field.Offset, out int size) && size == field.Size), field.Name);
        }

        Assert.Equal(VmcbFields.All.OrderBy(f => f.Offset), VmcbFields.All);
    }

    [Fact]
    public void A_field_reads_its_own_bytes()
    {
        var vmcb = default(Vmcb);
        vmcb.Save.Efer = 0x1234_5678_9ABC_DEF0;
        vmcb.Save.Cpl = 3;
        vmcb.Control.GuestAsid = 0xFFFF_0001;
        vmcb.Save.Cs.Attributes = 0x029B;
        Assert.Equal("EFER (VMCB 4D0H) = 0x123456789abcdef0", VmcbFields.Efer.Show(vmcb));
        Assert.Equal(3ul, VmcbFields.Cpl.Read(vmcb));
        Assert.Equal(0xFFFF_0001ul, VmcbFields.GuestAsid.Read(vmcb));
        Assert.Equal(0x029Bul, VmcbFields.CsAttributes.Read(vmcb));
    }

    private static void AssertField<T>(string name, int offset, int size)
    {
        FieldInfo field = typeof(T).GetField(name)!;
        Assert.Equal(offset, field.GetCustomAttribute<FieldOffsetAttribute>()!.Value);
        Assert.Equal(size, SizeOf(field.FieldType));
    }

    private static int SizeOf(Type type) =>
        (int)typeof(Unsafe).GetMethod(nameof(Unsafe.SizeOf))!.MakeGenericMethod(type).Invoke(null, null)!;

    private static IEnumerable<string> Fields<T>() => typeof(T).GetFields(BindingFlags.Public | BindingFlags.Instance).Select(f => f.Name).Order();
}
