using Hv.Backends.Svm.Silicon;
using Xunit;

namespace Hv.Backends.Svm.Tests.Silicon;

/// <summary>A cached group is used if and only if its clean bit is set (APM 2 15.15): #VMEXIT writes back what VMRUN had.</summary>
public class CleanBitTests
{
    private delegate ref ulong Field(ref Vmcb vmcb);

    private static readonly Dictionary<CleanBits, (Field Field, ulong Other)> s_saved = new()
    {
        [CleanBits.Crx] = ((ref v) => ref v.Save.Cr3, 0x5000),
        [CleanBits.Drx] = ((ref v) => ref v.Save.Dr7, 0x402),
        [CleanBits.DescriptorTables] = ((ref v) => ref v.Save.Gdtr.Base, 0x4000),
        [CleanBits.Segments] = ((ref v) => ref v.Save.Es.Base, 0x3000),
        [CleanBits.Cr2] = ((ref v) => ref v.Save.Cr2, 0x7777),
        [CleanBits.Nested] = ((ref v) => ref v.Save.GuestPat, 0x0606_0606_0606_0606),
    };

    public static TheoryData<CleanBits> SavedGroups { get; } = [.. s_saved.Keys];

    [Theory, MemberData(nameof(SavedGroups))]
    public void A_state_group_is_loaded_if_and_only_if_its_bit_is_clear(CleanBits group)
    {
        (Field field, ulong other) = s_saved[group];
        using var machine = new TestMachine([0x0F, 0x01, 0xD9]);
        machine.Expect(0x81);
        ulong old = field(ref machine.Vmcb);
        Assert.NotEqual(other, old);

        machine.Clean();
        field(ref machine.Vmcb) = other;
        machine.Expect(0x81);
        Assert.Equal(old, field(ref machine.Vmcb));

        machine.Clean(group);
        field(ref machine.Vmcb) = other;
        machine.Expect(0x81);
        Assert.Equal(other, field(ref machine.Vmcb));
    }

    [Fact]
    public void Intercepts_are_cached()
    {
        using var machine = new TestMachine([0x0F, 0x31, 0xF4]); // rdtsc; hlt
        machine.Expect(0x78);
        machine.Vmcb.Save.Rip = TestMachine.Code;
        machine.Vmcb.Control.Intercepts1 |= Intercepts1.Rdtsc;
        machine.Clean();
        machine.Expect(0x78);
        machine.Vmcb.Save.Rip = TestMachine.Code;
        machine.Clean(CleanBits.Intercepts);
        machine.Expect(0x6E);
    }

    [Fact]
    public void Map_addresses_are_cached_and_the_maps_are_not()
    {
        using var machine = new TestMachine([0xE6, 0x80, 0xF4]); // out 80h,al; hlt
        machine.Expect(0x78);
        Hpa other = machine.Memory.AllocatePages(IoPermissionMap.Pages);
        IoPermissionMap.InterceptAll(machine.Memory, other);
        machine.Vmcb.Control.IopmBasePa = other.Value;
        machine.Vmcb.Save.Rip = TestMachine.Code;
        machine.Clean();
        machine.Expect(0x78);
        machine.Vmcb.Save.Rip = TestMachine.Code;
        machine.Clean(CleanBits.PermissionMaps);
        machine.Expect(0x7B);
        IoPermissionMap.Allow(machine.Memory, other, 0x80);
        machine.Clean();
        machine.Expect(0x78);
    }

    [Fact]
    public void The_task_priority_is_cached()
    {
        using var machine = new TestMachine([0x0F, 0x01, 0xD9]);
        machine.Expect(0x81);
        machine.Vmcb.Control.VirtualInterrupt = machine.Vmcb.Control.VirtualInterrupt.WithTpr(5);
        machine.Clean();
        machine.Expect(0x81);
        Assert.Equal(0, machine.Vmcb.Control.VirtualInterrupt.Tpr);
        machine.Vmcb.Control.VirtualInterrupt = machine.Vmcb.Control.VirtualInterrupt.WithTpr(5);
        machine.Clean(CleanBits.Tpr);
        machine.Expect(0x81);
        Assert.Equal(5, machine.Vmcb.Control.VirtualInterrupt.Tpr);
    }

    [Fact]
    public void The_ASIDs_rule_is_repeated_only_when_its_group_is_dirty()
    {
        using var machine = new TestMachine([0x0F, 0x01, 0xD9]);
        machine.Expect(0x81);
        machine.Vmcb.Control.GuestAsid = 0;
        machine.Clean();
        machine.Expect(0x81);
        machine.Clean(CleanBits.Asid);
        machine.Expect(-1);
    }

    [Fact]
    public void RAX_RSP_RIP_and_RFLAGS_are_never_cached()
    {
        using var machine = new TestMachine([0x0F, 0x01, 0xD9, 0x0F, 0x01, 0xD9]);
        machine.Expect(0x81);
        machine.Clean();
        machine.Vmcb.Save.Rax = 0x1111;
        machine.Vmcb.Save.Rsp = 0x2222;
        machine.Vmcb.Save.Rflags = 0x203;
        machine.Vmcb.Save.Rip = TestMachine.Code + 3;
        machine.Expect(0x81);
        ref VmcbSave save = ref machine.Vmcb.Save;
        Assert.Equal((0x1111ul, 0x2222ul, 0x203ul, TestMachine.Code + 3), (save.Rax, save.Rsp, save.Rflags, save.Rip));
    }

    [Fact]
    public void Another_VMCB_is_loaded_whole_whatever_its_clean_bits_say()
    {
        using var machine = new TestMachine([0x0F, 0x01, 0xD9]);
        machine.Expect(0x81);
        Hpa second = machine.Memory.AllocatePages(1);
        unsafe
        {
            Vmcb* other = (Vmcb*)machine.Memory.Page(second);
            *other = machine.Vmcb;
            other->Save.Es.Base = 0x3000;
            other->Control.Clean = CleanBits.All;
            machine.Core.Vmrun(second, 100);
            Assert.Equal(0x3000ul, other->Save.Es.Base);
        }
    }

    [Fact]
    public void A_processor_without_the_feature_loads_everything()
    {
        using var machine = new TestMachine([0x0F, 0x01, 0xD9],
            SiliconModel.Default with { Features = SiliconModel.Default.Features & ~SvmFeatures.VmcbClean });
        machine.Expect(0x81);
        machine.Clean();
        machine.Vmcb.Save.Es.Base = 0x3000;
        machine.Expect(0x81);
        Assert.Equal(0x3000ul, machine.Vmcb.Save.Es.Base);
    }

    [Fact]
    public void A_rule_over_two_groups_uses_what_the_cached_one_has_become()
    {
        // mov eax,cr0; or eax,20h; mov cr0,eax; vmmcall
        using var machine = new TestMachine([0x0F, 0x20, 0xC0, 0x66, 0x83, 0xC8, 0x20, 0x0F, 0x22, 0xC0, 0x0F, 0x01, 0xD9]);
        machine.Expect(0x81);
        ulong changed = machine.Vmcb.Save.Cr0;
        machine.Clean(CleanBits.Segments);
        machine.Expect(0x81);
        Assert.Equal(changed, machine.Vmcb.Save.Cr0);
        Assert.Equal(0x20ul, changed & 0x20);
    }
}
