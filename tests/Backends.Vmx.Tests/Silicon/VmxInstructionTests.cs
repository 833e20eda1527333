using Hv.Backends.Vmx.Silicon;
using Hv.Backends.Vmx.Silicon.Fields;
using Hv.Backends.Vmx.Silicon.Operation;
using Hv.Core.Memory;

namespace Hv.Backends.Vmx.Tests.Silicon;

/// <summary>The outcomes of SDM 3C chapter 31's pseudo-code, one by one.</summary>
public sealed class VmxInstructionTests : IDisposable
{
    private const ulong Unaligned = 0x10_0008, BeyondWidth = 1UL << 52, Nothing = 0x20_0000;
    private const ulong Cr4Vmxe = 0x2000;
    private readonly GuestMemory _guest = GuestMemory.OfSize(0x1_0000);
    private readonly HostPhysicalMemory _memory;
    private readonly LogicalProcessor _processor;
    private readonly ulong _vmxon, _vmcs, _other, _foreign;

    public VmxInstructionTests()
    {
        _memory = new HostPhysicalMemory(_guest);
        _processor = new LogicalProcessor(_memory, VmxCapabilities.Model);
        _vmxon = Region(VmxCapabilities.RevisionId);
        _vmcs = Region(VmxCapabilities.RevisionId);
        _other = Region(VmxCapabilities.RevisionId);
        _foreign = Region(VmxCapabilities.RevisionId + 1);
    }

    [Fact]
    public void VMXON_needs_VMXE_protected_mode_and_fixed_bits()
    {
        Assert.Equal(VmxResult.InvalidOpcode, _processor.Vmxon(_vmxon));
        _processor.Root.Cr4 |= Cr4Vmxe;
        _processor.Root.Cr0 &= ~1UL;
        Assert.Equal(VmxResult.InvalidOpcode, _processor.Vmxon(_vmxon));
        _processor.Root.Cr0 |= 1;
        _processor.Root.Cpl = 3;
        Assert.Equal(VmxResult.GeneralProtection, _processor.Vmxon(_vmxon));
        _processor.Root.Cpl = 0;
        _processor.Root.Cr0 &= ~(1UL << 5);
        Assert.Equal(VmxResult.GeneralProtection, _processor.Vmxon(_vmxon));
        _processor.Root.Cr0 |= 1 << 5;
        _processor.Root.Cr4 |= 1 << 12;
        Assert.Equal(VmxResult.GeneralProtection, _processor.Vmxon(_vmxon));
        _processor.Root.Cr4 &= ~(1UL << 12);
        foreach (ulong features in (ulong[])[0, 1, 4])
        {
            _processor.Root.FeatureControl = features;
            Assert.Equal(VmxResult.GeneralProtection, _processor.Vmxon(_vmxon));
        }

        _processor.Root.FeatureControl = 5;
        Assert.Equal(VmxResult.FailInvalid, _processor.Vmxon(Unaligned));
        Assert.Equal(VmxResult.FailInvalid, _processor.Vmxon(BeyondWidth));
        Assert.Equal(VmxResult.FailInvalid, _processor.Vmxon(_foreign));
        Assert.Equal(VmxResult.FailInvalid, _processor.Vmxon(Nothing));
        Assert.Equal(VmxResult.Succeed, _processor.Vmxon(_vmxon));
        Assert.Equal(VmxResult.FailInvalid, _processor.Vmxon(_vmxon));
        Assert.Equal(VmxResult.Succeed, _processor.Vmptrld(_vmcs));
        AssertFails(VmxError.VmxonInRoot, _processor.Vmxon(_vmxon));
    }

    [Fact]
    public void Outside_VMX_operation_all_others_are_undefined_and_above_CPL_0_they_fault()
    {
        Assert.Equal(VmxResult.InvalidOpcode, _processor.Vmxoff());
        Assert.Equal(VmxResult.InvalidOpcode, _processor.Vmclear(_vmcs));
        Assert.Equal(VmxResult.InvalidOpcode, _processor.Vmptrld(_vmcs));
        Assert.Equal(VmxResult.InvalidOpcode, _processor.Vmptrst(out _));
        Assert.Equal(VmxResult.InvalidOpcode, _processor.Vmread(0x4402, out _));
        Assert.Equal(VmxResult.InvalidOpcode, _processor.Vmwrite(0x4402, 0));
        Assert.Equal(VmxResult.InvalidOpcode, _processor.Invept(2, 0));
        Assert.Equal(VmxResult.InvalidOpcode, _processor.Invvpid(2, 0, 0));
        Start();
        _processor.Root.Cpl = 3;
        Assert.Equal(VmxResult.GeneralProtection, _processor.Vmxoff());
        Assert.Equal(VmxResult.GeneralProtection, _processor.Vmclear(_vmcs));
        Assert.Equal(VmxResult.GeneralProtection, _processor.Vmptrld(_vmcs));
        Assert.Equal(VmxResult.GeneralProtection, _processor.Vmread(0x4402, out _));
        Assert.Equal(VmxResult.GeneralProtection, _processor.Vmwrite(0x4402, 0));
        Assert.Equal(VmxResult.GeneralProtection, _processor.Invept(2, 0));
    }

    [Fact]
    public void VMCLEAR_refuses_bad_addresses_and_the_VMXON_region()
    {
        Start();
        Assert.Equal(VmxResult.FailInvalid, _processor.Vmclear(Unaligned));
        _processor.Vmptrld(_vmcs);
        AssertFails(VmxError.VmclearInvalidAddress, _processor.Vmclear(Unaligned));
        AssertFails(VmxError.VmclearInvalidAddress, _processor.Vmclear(BeyondWidth));
        AssertFails(VmxError.VmclearVmxonPointer, _processor.Vmclear(_vmxon));
        Assert.Equal(VmxResult.Succeed, _processor.Vmclear(_other));
        Assert.Equal(VmxResult.Succeed, _processor.Vmptrst(out ulong current));
        Assert.Equal(_vmcs, current);
        Assert.Equal(VmxResult.Succeed, _processor.Vmclear(_vmcs));
        _processor.Vmptrst(out current);
        Assert.Equal(ulong.MaxValue, current);
    }

    [Fact]
    public void VMPTRLD_refuses_bad_addresses_the_VMXON_region_and_foreign_revisions()
    {
        Start();
        _processor.Vmptrld(_vmcs);
        AssertFails(VmxError.VmptrldInvalidAddress, _processor.Vmptrld(Unaligned));
        AssertFails(VmxError.VmptrldInvalidAddress, _processor.Vmptrld(BeyondWidth));
        AssertFails(VmxError.VmptrldVmxonPointer, _processor.Vmptrld(_vmxon));
        AssertFails(VmxError.VmptrldWrongRevision, _processor.Vmptrld(_foreign));
        AssertFails(VmxError.VmptrldWrongRevision, _processor.Vmptrld(Region(VmxCapabilities.RevisionId | 0x8000_0000)));
        AssertFails(VmxError.VmptrldWrongRevision, _processor.Vmptrld(Nothing));
        Assert.Equal(VmxResult.Succeed, _processor.Vmptrld(_vmcs));
    }

    [Fact]
    public void VMREAD_and_VMWRITE_refuse_what_does_not_exist_or_may_not_be_written()
    {
        Start();
        Assert.Equal(VmxResult.FailInvalid, _processor.Vmread(0x4402, out _));
        Assert.Equal(VmxResult.FailInvalid, _processor.Vmwrite(0x4004, 0));
        _processor.Vmptrld(_vmcs);
        AssertFails(VmxError.UnsupportedComponent, _processor.Vmread(0x1_0000_4402, out _));
        AssertFails(VmxError.UnsupportedComponent, _processor.Vmread(0x4401, out _));
        AssertFails(VmxError.UnsupportedComponent, _processor.Vmread(0x00FE, out _));
        AssertFails(VmxError.UnsupportedComponent, _processor.Vmread((ulong)VmcsField.PostedInterruptVector, out _));
        AssertFails(VmxError.UnsupportedComponent, _processor.Vmwrite((ulong)VmcsField.TertiaryControls, 0));
        AssertFails(VmxError.VmwriteReadOnly, _processor.Vmwrite((ulong)VmcsField.ExitReason, 0));
        AssertFails(VmxError.VmwriteReadOnly, _processor.Vmwrite((ulong)VmcsField.GuestPhysicalAddress + 1, 0));
        Assert.Equal(VmxResult.Succeed, _processor.Vmread((ulong)VmcsField.InstructionError, out ulong error));
        Assert.Equal((ulong)VmxError.VmwriteReadOnly, error);
    }

    [Fact]
    public void Every_field_of_the_table_that_the_processor_has_is_read_and_written_at_its_width()
    {
        Start();
        _processor.Vmptrld(_vmcs);
        foreach (VmcsFieldInfo row in VmcsFieldTable.All)
        {
            bool exists = VmxCapabilities.Model.Has(row.Feature), writable = row.Encoding.Type != VmcsFieldType.ReadOnlyData;
            Assert.Equal(exists && writable, _processor.Vmwrite((ulong)row.Field, 0xFEDC_BA98_7654_3210).IsSuccess);
            Assert.Equal(exists, _processor.Vmread((ulong)row.Field, out ulong value).IsSuccess);
            if (exists && writable)
                Assert.Equal(row.Encoding.Bytes switch { 2 => 0x3210UL, 4 => 0x7654_3210UL, _ => 0xFEDC_BA98_7654_3210UL }, value);
        }
    }

    [Fact]
    public void High_access_reads_and_writes_the_upper_half_alone()
    {
        Start();
        _processor.Vmptrld(_vmcs);
        _processor.Vmwrite((ulong)VmcsField.TscOffset, 0x1111_1111_2222_2222);
        _processor.Vmwrite((ulong)VmcsField.TscOffset + 1, 0xAAAA_AAAA_3333_3333);
        _processor.Vmread((ulong)VmcsField.TscOffset, out ulong full);
        _processor.Vmread((ulong)VmcsField.TscOffset + 1, out ulong high);
        Assert.Equal(0x3333_3333_2222_2222UL, full);
        Assert.Equal(0x3333_3333UL, high);
    }

    [Fact]
    public void A_VMCS_survives_in_its_region_while_another_is_current()
    {
        Start();
        _processor.Vmptrld(_vmcs);
        _processor.Vmwrite((ulong)VmcsField.GuestRip, 0x1234);
        _processor.Vmwrite((ulong)VmcsField.ExceptionBitmap, 0x55);
        _processor.Vmptrld(_other);
        _processor.Vmread((ulong)VmcsField.GuestRip, out ulong rip);
        Assert.Equal(0UL, rip);
        _processor.Vmclear(_other);
        _processor.Vmptrld(_vmcs);
        _processor.Vmread((ulong)VmcsField.GuestRip, out rip);
        _processor.Vmread((ulong)VmcsField.ExceptionBitmap, out ulong bitmap);
        Assert.Equal((0x1234UL, 0x55UL), (rip, bitmap));
    }

    [Theory]
    [InlineData(0UL, 0UL, false)]
    [InlineData(1UL, 0x1000UL, true)]
    [InlineData(1UL, BeyondWidth, false)]
    [InlineData(2UL, BeyondWidth, true)]
    [InlineData(3UL, 0UL, false)]
    public void INVEPT_takes_the_types_that_are_reported(ulong type, ulong eptp, bool succeeds)
    {
        Start();
        _processor.Vmptrld(_vmcs);
        VmxResult result = _processor.Invept(type, eptp);
        if (succeeds)
            Assert.Equal(VmxResult.Succeed, result);
        else
            AssertFails(VmxError.InvalidInvalidationOperand, result);
    }

    [Theory]
    [InlineData(0UL, 1, 0x1000UL, true)]
    [InlineData(0UL, 0, 0x1000UL, false)]
    [InlineData(0UL, 1, 0x0000_8000_0000_0000UL, false)]
    [InlineData(1UL, 0, 0UL, false)]
    [InlineData(2UL, 0, 0UL, true)]
    [InlineData(3UL, 1, 0UL, true)]
    [InlineData(4UL, 1, 0UL, false)]
    public void INVVPID_takes_the_types_that_are_reported(ulong type, int vpid, ulong linear, bool succeeds)
    {
        Start();
        _processor.Vmptrld(_vmcs);
        Assert.Equal(succeeds, _processor.Invvpid(type, (ushort)vpid, linear).IsSuccess);
    }

    [Fact]
    public void VMXOFF_ends_VMX_operation()
    {
        Start();
        Assert.Equal(VmxResult.Succeed, _processor.Vmxoff());
        Assert.Equal(VmxResult.InvalidOpcode, _processor.Vmxoff());
    }

    public void Dispose() => _guest.Dispose();

    private void Start()
    {
        _processor.Root.Cr4 |= Cr4Vmxe;
        Assert.Equal(VmxResult.Succeed, _processor.Vmxon(_vmxon));
    }

    private void AssertFails(VmxError error, VmxResult result)
    {
        Assert.Equal(new VmxResult(VmxOutcome.FailValid, error), result);
        Assert.Equal((ulong)error, _processor.Vmcs[VmcsField.InstructionError]);
    }

    private ulong Region(uint revision)
    {
        ulong page = _memory.AllocatePage();
        _memory.Write(page, revision);
        return page;
    }
}
