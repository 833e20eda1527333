using Hv.Contracts.Guests;
using Hv.Core;
using Hv.Core.Exits;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Contracts;

/// <summary>What an access is for.</summary>
public enum Access
{
    Read,
    Write,
    Fetch,
}

/// <summary>Paging: page-fault error codes (SDM 3A 4.7, figure 4-12), CR2, accessed and dirty bits (4.8), invalidation (4.10.4).</summary>
public abstract class PagingContract(BackendUnderTest subject) : ContractTest(subject)
{
    private const ulong Page = 0x5_0000, Other = 0x5_8000;

    private const PageBits Supervisor = PageBits.Present | PageBits.Writable;
    private const PageBits ReadOnlyUser = PageBits.Present | PageBits.User;

    [Theory]
    [InlineData(PageBits.None, Access.Read, false, 0x0)]
    [InlineData(PageBits.None, Access.Write, false, 0x2)]
    [InlineData(PageBits.None, Access.Fetch, false, 0x10)]
    [InlineData(PageBits.Present, Access.Write, false, 0x3)]
    [InlineData(PageBits.Usual | PageBits.NoExecute, Access.Fetch, false, 0x11)]
    [InlineData(PageBits.None, Access.Read, true, 0x4)]
    [InlineData(PageBits.None, Access.Write, true, 0x6)]
    [InlineData(PageBits.None, Access.Fetch, true, 0x14)]
    [InlineData(Supervisor, Access.Read, true, 0x5)]
    [InlineData(Supervisor, Access.Write, true, 0x7)]
    [InlineData(Supervisor, Access.Fetch, true, 0x15)]
    [InlineData(ReadOnlyUser, Access.Write, true, 0x7)]
    [InlineData(PageBits.Usual | PageBits.NoExecute, Access.Fetch, true, 0x15)]
    public void Four_level_paging_faults_with_this_error_code(PageBits bits, Access access, bool user, uint expected) =>
        FaultIs(CodeMode.Long64, bits, access, user, expected, noExecute: true);

    [Theory]
    [InlineData(PageBits.None, Access.Write, false, 0x2)]
    [InlineData(PageBits.Present, Access.Write, false, 0x3)]
    [InlineData(Supervisor, Access.Read, true, 0x5)]
    [InlineData(ReadOnlyUser, Access.Write, true, 0x7)]
    [InlineData(PageBits.Usual | PageBits.NoExecute, Access.Fetch, false, 0x11)]
    public void Pae_paging_faults_with_this_error_code(PageBits bits, Access access, bool user, uint expected) =>
        FaultIs(CodeMode.Pae32, bits, access, user, expected, noExecute: true);

    [Theory]
    [InlineData(PageBits.None, Access.Read, false, 0x0)]
    [InlineData(PageBits.None, Access.Fetch, false, 0x0)] // no I/D bit without NX (SDM 3A 4.7)
    [InlineData(PageBits.Present, Access.Write, false, 0x3)]
    [InlineData(PageBits.None, Access.Write, true, 0x6)]
    [InlineData(Supervisor, Access.Read, true, 0x5)]
    [InlineData(ReadOnlyUser, Access.Write, true, 0x7)]
    public void Two_level_paging_faults_with_this_error_code(PageBits bits, Access access, bool user, uint expected) =>
        FaultIs(CodeMode.Paged32, bits, access, user, expected, noExecute: false);

    [Theory]
    [InlineData(Access.Read, false, 0x9)]
    [InlineData(Access.Write, true, 0xF)]
    public void A_reserved_bit_is_named_in_the_error_code(Access access, bool user, uint expected) =>
        // Bit 63 is reserved while EFER.NXE is clear (SDM 3A 4.5.4).
        FaultIs(CodeMode.Long64, PageBits.Usual | PageBits.NoExecute, access, user, expected, noExecute: false);

    [Theory]
    [MemberData(nameof(Modes.Paged), MemberType = typeof(Modes))]
    public void Without_cr0_wp_the_supervisor_writes_read_only_pages(CodeMode mode)
    {
        GuestImage image = GuestImage.Of(mode, c =>
        {
            c.mov(__dword_ptr[(long)Page], 0x1234);
            c.Done();
        }).WithState(s => s.System.Cr0 &= ~(1UL << 16));
        image.Tables!.Map(Page, Page, PageBits.Present);
        using VcpuHarness run = Start(image, BackendCapabilities.GuestExceptions);
        run.RunToEnd();
        Assert.Empty(run.Exceptions);
        Assert.Equal(0x1234u, run.Read<uint>(Page));
    }

    [Theory]
    [MemberData(nameof(Modes.Paged), MemberType = typeof(Modes))]
    public void A_read_sets_accessed_and_a_write_dirty(CodeMode mode)
    {
        GuestImage image = GuestImage.Of(mode, c =>
        {
            c.mov(eax, __dword_ptr[(long)Page]);
            c.mov(__dword_ptr[(long)Other], eax);
            c.Done();
        });
        ulong read = image.Tables!.EntryAddress(Page).Value, written = image.Tables.EntryAddress(Other).Value;
        ulong untouched = image.Tables.EntryAddress(Page + 0x4000).Value;
        using VcpuHarness run = Start(image);
        run.RunToEnd();
        const uint AccessedAndDirty = (uint)(PageBits.Accessed | PageBits.Dirty);
        Assert.Equal((uint)PageBits.Accessed, run.Read<uint>(read) & AccessedAndDirty);
        Assert.Equal(AccessedAndDirty, run.Read<uint>(written) & AccessedAndDirty);
        Assert.Equal(0u, run.Read<uint>(untouched) & AccessedAndDirty);
    }

    [Theory]
    [MemberData(nameof(Modes.Paged), MemberType = typeof(Modes))]
    public void Invlpg_and_a_write_of_cr3_take_up_a_changed_entry(CodeMode mode)
    {
        GuestImage image = GuestImage.Of(mode, c => { }).With(Page, 1).With(Other, 2).With(Other + 0x1000, 3);
        ulong entry = image.Tables!.EntryAddress(Page).Value;
        image.WithCode(GuestLayout.Code, c =>
        {
            c.mov(ecx, __dword_ptr[(long)Page]);
            c.Store(0, ecx);
            c.mov(__dword_ptr[(long)entry], (int)(Other | 7));
            c.invlpg(__byte_ptr[(long)Page]);
            c.mov(ecx, __dword_ptr[(long)Page]);
            c.Store(1, ecx);
            c.mov(__dword_ptr[(long)entry], (int)((Other + 0x1000) | 7));
            if (mode == CodeMode.Long64)
            {
                c.mov(rax, cr3);
                c.mov(cr3, rax);
            }
            else
            {
                c.mov(eax, cr3);
                c.mov(cr3, eax);
            }

            c.mov(ecx, __dword_ptr[(long)Page]);
            c.Store(2, ecx);
            c.Done();
        });
        using VcpuHarness run = Start(image);
        run.RunToEnd();
        Assert.Equal((1UL, 2UL, 3UL), (run.Result(0), run.Result(1), run.Result(2)));
    }

    [Theory]
    [MemberData(nameof(Modes.Paged), MemberType = typeof(Modes))]
    public void Invlpg_takes_up_a_changed_entry_of_a_page_of_code(CodeMode mode)
    {
        // mov ecx, 1; ret and mov ecx, 2; ret.
        GuestImage image = GuestImage.Of(mode, c => { }).With(Page, 0xB9, 1, 0, 0, 0, 0xC3).With(Other, 0xB9, 2, 0, 0, 0, 0xC3);
        ulong entry = image.Tables!.EntryAddress(Page).Value;
        image.WithCode(GuestLayout.Code, c =>
        {
            c.call((ulong)Page);
            c.call((ulong)Page);
            c.Store(0, ecx);
            c.mov(__dword_ptr[(long)entry], (int)(Other | 7));
            c.invlpg(__byte_ptr[(long)Page + 0x800]);
            c.call((ulong)Page);
            c.Store(1, ecx);
            c.Done();
        });
        using VcpuHarness run = Start(image);
        run.RunToEnd();
        Assert.Equal((1UL, 2UL), (run.Result(0), run.Result(1)));
    }

    [Theory]
    [MemberData(nameof(Modes.Paged), MemberType = typeof(Modes))]
    public void A_write_across_pages_is_all_or_nothing(CodeMode mode)
    {
        GuestImage image = GuestImage.Of(mode, c =>
        {
            c.Guard(() => c.mov(__dword_ptr[(long)Page - 2], 0x11223344));
            c.Done();
        }).With(Page - 2, 0xEE, 0xEE);
        image.Tables!.Map(Page, Page, PageBits.Present);
        using VcpuHarness run = Start(image, BackendCapabilities.GuestExceptions);
        Holds(Rules.SplitWriteIsWhole, () =>
        {
            run.RunToEnd();
            ExceptionRecord fault = Assert.Single(run.Exceptions);
            Assert.Equal((14, 3u, Page), (fault.Vector, fault.ErrorCode, fault.Cr2));
            Assert.Equal(0xEEEE, run.Read<ushort>(Page - 2));
        });
    }

    [Fact]
    public void The_host_translates_as_the_guest_does_and_leaves_no_trace()
    {
        GuestImage image = GuestImage.Of(CodeMode.Long64, c => c.Done());
        image.Tables!.Map(0xFFFF_8000_0000_0000, Other);
        image.Tables.Map(Page, Page, PageBits.None);
        ulong entry = image.Tables.EntryAddress(0xFFFF_8000_0000_0000).Value;
        using VcpuHarness run = Start(image);
        Assert.True(run.Vcpu.TryTranslate(new Gva(0xFFFF_8000_0000_0123), out Gpa physical));
        Assert.Equal(new Gpa(Other + 0x123), physical);
        Assert.False(run.Vcpu.TryTranslate(new Gva(Page), out _));
        Assert.False(run.Vcpu.TryTranslate(new Gva(0x0000_8000_0000_0000), out _));
        Assert.Equal(0u, run.Read<uint>(entry) & (uint)(PageBits.Accessed | PageBits.Dirty));
    }

    [Fact]
    public void An_address_space_may_name_one_frame_twice()
    {
        GuestImage image = GuestImage.Of(CodeMode.Long64, c =>
        {
            c.mov(rax, 0xFFFF_FFFF_8000_0000);
            c.mov(__dword_ptr[rax], 0x4D);
            c.mov(ecx, __dword_ptr[(long)Page]);
            c.Store(0, ecx);
            c.Done();
        });
        image.Tables!.Map(0xFFFF_FFFF_8000_0000, Page);
        using VcpuHarness run = Start(image);
        run.RunToEnd();
        Assert.Equal(0x4DUL, run.Result(0));
    }

    private void FaultIs(CodeMode mode, PageBits bits, Access access, bool user, uint expected, bool noExecute)
    {
        void Touch(GuestCode c)
        {
            switch (access)
            {
                case Access.Read: c.Guard(() => c.mov(eax, __dword_ptr[(long)Page + 8])); break;
                case Access.Write: c.Guard(() => c.mov(__dword_ptr[(long)Page + 8], eax)); break;
                default: c.GuardAt(Page + 8, () => c.jmp(Page + 8)); break;
            }
        }

        GuestImage image = user
            ? GuestImage.Of(mode, c => c.EnterUser()).WithCode(GuestLayout.SecondCode, c => { Touch(c); c.hlt(); }, mode)
            : GuestImage.Of(mode, c => { Touch(c); c.Done(); });
        image.Tables!.Map(Page, Page, bits);
        image.WithState(s =>
        {
            const ulong Nxe = 1 << 11;
            s.System.Efer = noExecute ? s.System.Efer | Nxe : s.System.Efer & ~Nxe;
        });
        using VcpuHarness run = Start(image, BackendCapabilities.GuestExceptions | (user ? BackendCapabilities.UserMode : 0));
        run.RunToEnd();
        ExceptionRecord fault = run.Exceptions[0];
        Assert.Equal((14, expected, Page + 8), (fault.Vector, fault.ErrorCode, fault.Cr2));
        Assert.Equal(user ? 2 : 1, run.Exceptions.Count);
    }
}
