using Hv.Backends.Vmx.Silicon;
using Hv.Backends.Vmx.Silicon.Fields;

namespace Hv.Backends.Vmx.Tests.Silicon;

public sealed class VmcsFieldTests
{
    /// <summary>Encodings from Linux 2.6.36's arch/x86/include/asm/vmx.h (enum vmcs_field), an independent transcription of SDM appendix B.</summary>
    [Theory]
    [InlineData(0x0000, VmcsField.VirtualProcessorId)]
    [InlineData(0x0800, VmcsField.GuestEsSelector)]
    [InlineData(0x0802, VmcsField.GuestCsSelector)]
    [InlineData(0x080C, VmcsField.GuestLdtrSelector)]
    [InlineData(0x080E, VmcsField.GuestTrSelector)]
    [InlineData(0x0C00, VmcsField.HostEsSelector)]
    [InlineData(0x0C0C, VmcsField.HostTrSelector)]
    [InlineData(0x2000, VmcsField.IoBitmapA)]
    [InlineData(0x2002, VmcsField.IoBitmapB)]
    [InlineData(0x2004, VmcsField.MsrBitmap)]
    [InlineData(0x2006, VmcsField.ExitMsrStoreAddress)]
    [InlineData(0x2008, VmcsField.ExitMsrLoadAddress)]
    [InlineData(0x200A, VmcsField.EntryMsrLoadAddress)]
    [InlineData(0x2010, VmcsField.TscOffset)]
    [InlineData(0x2012, VmcsField.VirtualApicAddress)]
    [InlineData(0x2014, VmcsField.ApicAccessAddress)]
    [InlineData(0x201A, VmcsField.EptPointer)]
    [InlineData(0x2400, VmcsField.GuestPhysicalAddress)]
    [InlineData(0x2800, VmcsField.VmcsLinkPointer)]
    [InlineData(0x2802, VmcsField.GuestDebugctl)]
    [InlineData(0x2804, VmcsField.GuestPat)]
    [InlineData(0x2806, VmcsField.GuestEfer)]
    [InlineData(0x280A, VmcsField.GuestPdpte0)]
    [InlineData(0x2810, VmcsField.GuestPdpte3)]
    [InlineData(0x2C00, VmcsField.HostPat)]
    [InlineData(0x2C02, VmcsField.HostEfer)]
    [InlineData(0x4000, VmcsField.PinBasedControls)]
    [InlineData(0x4002, VmcsField.PrimaryControls)]
    [InlineData(0x4004, VmcsField.ExceptionBitmap)]
    [InlineData(0x4006, VmcsField.PageFaultErrorCodeMask)]
    [InlineData(0x4008, VmcsField.PageFaultErrorCodeMatch)]
    [InlineData(0x400A, VmcsField.Cr3TargetCount)]
    [InlineData(0x400C, VmcsField.ExitControls)]
    [InlineData(0x400E, VmcsField.ExitMsrStoreCount)]
    [InlineData(0x4010, VmcsField.ExitMsrLoadCount)]
    [InlineData(0x4012, VmcsField.EntryControls)]
    [InlineData(0x4014, VmcsField.EntryMsrLoadCount)]
    [InlineData(0x4016, VmcsField.EntryInterruptionInfo)]
    [InlineData(0x4018, VmcsField.EntryErrorCode)]
    [InlineData(0x401A, VmcsField.EntryInstructionLength)]
    [InlineData(0x401C, VmcsField.TprThreshold)]
    [InlineData(0x401E, VmcsField.SecondaryControls)]
    [InlineData(0x4020, VmcsField.PleGap)]
    [InlineData(0x4022, VmcsField.PleWindow)]
    [InlineData(0x4400, VmcsField.InstructionError)]
    [InlineData(0x4402, VmcsField.ExitReason)]
    [InlineData(0x4404, VmcsField.ExitInterruptionInfo)]
    [InlineData(0x4406, VmcsField.ExitInterruptionErrorCode)]
    [InlineData(0x4408, VmcsField.IdtVectoringInfo)]
    [InlineData(0x440A, VmcsField.IdtVectoringErrorCode)]
    [InlineData(0x440C, VmcsField.ExitInstructionLength)]
    [InlineData(0x440E, VmcsField.ExitInstructionInfo)]
    [InlineData(0x4800, VmcsField.GuestEsLimit)]
    [InlineData(0x4810, VmcsField.GuestGdtrLimit)]
    [InlineData(0x4812, VmcsField.GuestIdtrLimit)]
    [InlineData(0x4814, VmcsField.GuestEsAccessRights)]
    [InlineData(0x4816, VmcsField.GuestCsAccessRights)]
    [InlineData(0x4822, VmcsField.GuestTrAccessRights)]
    [InlineData(0x4824, VmcsField.GuestInterruptibility)]
    [InlineData(0x4826, VmcsField.GuestActivityState)]
    [InlineData(0x482A, VmcsField.GuestSysenterCs)]
    [InlineData(0x482E, VmcsField.PreemptionTimer)]
    [InlineData(0x4C00, VmcsField.HostSysenterCs)]
    [InlineData(0x6000, VmcsField.Cr0Mask)]
    [InlineData(0x6002, VmcsField.Cr4Mask)]
    [InlineData(0x6004, VmcsField.Cr0ReadShadow)]
    [InlineData(0x6006, VmcsField.Cr4ReadShadow)]
    [InlineData(0x6008, VmcsField.Cr3Target0)]
    [InlineData(0x600E, VmcsField.Cr3Target3)]
    [InlineData(0x6400, VmcsField.ExitQualification)]
    [InlineData(0x640A, VmcsField.GuestLinearAddress)]
    [InlineData(0x6800, VmcsField.GuestCr0)]
    [InlineData(0x6806, VmcsField.GuestEsBase)]
    [InlineData(0x6814, VmcsField.GuestTrBase)]
    [InlineData(0x6816, VmcsField.GuestGdtrBase)]
    [InlineData(0x681A, VmcsField.GuestDr7)]
    [InlineData(0x681C, VmcsField.GuestRsp)]
    [InlineData(0x681E, VmcsField.GuestRip)]
    [InlineData(0x6820, VmcsField.GuestRflags)]
    [InlineData(0x6822, VmcsField.GuestPendingDebug)]
    [InlineData(0x6824, VmcsField.GuestSysenterEsp)]
    [InlineData(0x6826, VmcsField.GuestSysenterEip)]
    [InlineData(0x6C00, VmcsField.HostCr0)]
    [InlineData(0x6C06, VmcsField.HostFsBase)]
    [InlineData(0x6C10, VmcsField.HostSysenterEsp)]
    [InlineData(0x6C14, VmcsField.HostRsp)]
    [InlineData(0x6C16, VmcsField.HostRip)]
    public void An_encoding_is_the_manuals(uint encoding, VmcsField field) => Assert.Equal(encoding, (uint)field);

    [Fact]
    public void Every_row_has_a_place_of_its_own_and_lies_in_the_group_that_its_name_says()
    {
        var slots = new HashSet<int>();
        foreach (ref readonly VmcsFieldInfo row in VmcsFieldTable.All)
        {
            Assert.True(row.Encoding.IsWellFormed, row.Name);
            Assert.False(row.Encoding.IsHigh, row.Name);
            Assert.True(slots.Add(row.Encoding.Slot), row.Name);
            bool guest = row.Name.StartsWith("Guest ", StringComparison.Ordinal), host = row.Name.StartsWith("Host ", StringComparison.Ordinal);
            VmcsFieldType type = row.Encoding.Type;
            if (host)
                Assert.Equal(VmcsFieldType.HostState, type);
            else if (guest && row.Field is not (VmcsField.GuestPhysicalAddress or VmcsField.GuestLinearAddress))
                Assert.Equal(VmcsFieldType.GuestState, type);
        }

        Assert.Equal(Enum.GetValues<VmcsField>().Length, VmcsFieldTable.All.Length);
    }

    [Theory]
    [InlineData(0x0800u, VmcsFieldWidth.Bits16, VmcsFieldType.GuestState, 0u, false, 2)]
    [InlineData(0x2001u, VmcsFieldWidth.Bits64, VmcsFieldType.Control, 0u, true, 8)]
    [InlineData(0x4402u, VmcsFieldWidth.Bits32, VmcsFieldType.ReadOnlyData, 1u, false, 4)]
    [InlineData(0x6C16u, VmcsFieldWidth.Natural, VmcsFieldType.HostState, 11u, false, 8)]
    public void An_encoding_is_taken_apart_by_its_bits(uint value, VmcsFieldWidth width, VmcsFieldType type, uint index, bool high, int bytes)
    {
        var encoding = new VmcsEncoding(value);
        Assert.Equal((width, type, index, high, bytes), (encoding.Width, encoding.Type, encoding.Index, encoding.IsHigh, encoding.Bytes));
        Assert.True(encoding.IsWellFormed);
    }

    [Theory]
    [InlineData(0x0001u)]
    [InlineData(0x4001u)]
    [InlineData(0x1000u)]
    [InlineData(0x8000u)]
    [InlineData(0x1_0000u)]
    [InlineData(0x2080u)]
    [InlineData(0xFFFF_FFFFu)]
    public void High_access_to_other_widths_and_reserved_bits_are_malformed(uint value) => Assert.False(new VmcsEncoding(value).IsWellFormed);

    [Fact]
    public void VMCS_ENUM_reports_the_highest_index_that_exists()
    {
        // The model's highest is the VMX-preemption timer, index 23 of the 32-bit guest fields.
        Assert.Equal(23UL << 1, VmxCapabilities.Model.VmcsEnum);
    }

    [Fact]
    public void Fields_hold_what_their_width_holds()
    {
        var vmcs = new Vmcs(new GuestRegisters());
        vmcs.Write(VmcsField.GuestCsSelector, 0xFFFF_FFFF_FFFF_1234);
        vmcs.Write(VmcsField.GuestCsLimit, 0xFFFF_FFFF_8765_4321);
        vmcs.Write(VmcsField.EptPointer, ulong.MaxValue);
        vmcs.Write(VmcsField.GuestRip, ulong.MaxValue);
        Assert.Equal(0x1234UL, vmcs[VmcsField.GuestCsSelector]);
        Assert.Equal(0x8765_4321UL, vmcs[VmcsField.GuestCsLimit]);
        Assert.Equal(ulong.MaxValue, vmcs[VmcsField.EptPointer]);
        Assert.Equal(ulong.MaxValue, vmcs[VmcsField.GuestRip]);
    }
}
