using Hv.Core.Exits;
using Hv.Core.Machine;
using Hv.Core.Memory;
using Hv.Core.Paravirt;
using Hv.Core.Tests.Fakes;

namespace Hv.Core.Tests.Paravirt;

/// <summary>WRMSR and RDMSR of MSR_KVM_API_MAGIC: KVM 2007, drivers/kvm/kvm_main.c vcpu_register_para, with its faults mended
/// (docs/abi.md).</summary>
public sealed class RegistrationTests : IDisposable
{
    private const ulong Page = 0x4000;
    private const ulong Stub = 0x8000;

    private readonly Guest _guest = new();

    public void Dispose() => _guest.Dispose();

    [Fact]
    public void A_good_registration_patches_records_and_returns_0()
    {
        _guest.Memory.TryWrite(new Gpa(Stub), (ReadOnlySpan<byte>)[0xB8, 0xDA, 0xFF, 0xFF, 0xFF, 0xC3]);

        Assert.True(_guest.Register(Page, Stub));

        Assert.Equal([0xE0, 0xE1, 0xE2, 0xC3, 0xFF, 0xC3], _guest.Bytes(Stub, 6));
        // guest_version 1, host_version 1, size 4096, ret 0, hypercall_gpa, then the guest's own bytes.
        Assert.Equal([1, 0, 0, 0, 1, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0x00, 0x80, 0, 0, 0, 0, 0, 0, 0, 0], _guest.Bytes(Page, 26));
        ParaRegistration registration = Assert.NotNull(_guest.Cpu.Registration);
        Assert.Equal(new Gpa(Page), registration.ParaStateAddress);
        Assert.Equal(1u, registration.GuestVersion);
        Assert.Equal(new Gpa(Stub), registration.Stub.Address);
        Assert.Equal(0xFFFF_DAB8u, (uint)registration.Stub.Original);
    }

    [Theory]
    [InlineData(0x4001)]
    [InlineData(0x4800)]
    [InlineData(0x4FFF)]
    [InlineData(0x4004)]
    public void An_unaligned_pointer_is_gp_and_writes_nothing(ulong address)
    {
        _guest.Memory.TryWrite(new Gpa(Page), Guest.Record(1, Stub));
        byte[] before = _guest.Bytes(0, (int)Guest.MemorySize);

        Assert.False(_guest.Wrmsr(address));

        Assert.Equal(ExitCompletion.GeneralProtection, _guest.Fake.LastCompletion);
        Assert.Equal(before, _guest.Bytes(0, (int)Guest.MemorySize));
        Assert.Null(_guest.Cpu.Registration);
    }

    [Theory]
    [InlineData(Guest.MemorySize)]
    [InlineData(0x1_0000_0000)]
    [InlineData(1UL << 52)]
    [InlineData(1UL << 63)]
    [InlineData((1UL << 63) | Page)]
    [InlineData(0xFFFF_FFFF_FFFF_F000)]
    public void A_pointer_without_memory_is_gp_and_writes_nothing(ulong address)
    {
        byte[] before = _guest.Bytes(0, (int)Guest.MemorySize);

        Assert.False(_guest.Wrmsr(address));

        Assert.Equal(ExitCompletion.GeneralProtection, _guest.Fake.LastCompletion);
        Assert.Equal(before, _guest.Bytes(0, (int)Guest.MemorySize));
    }

    [Fact]
    public void A_pointer_into_read_only_memory_is_gp_and_writes_nothing()
    {
        _guest.Memory.AddSlot(new Gpa(Guest.MemorySize), 0x1000, SlotKind.ReadOnly);
        byte[] record = new byte[4096];
        record[0] = 1;
        record.AsSpan(4, 12).Fill(0xFF);
        record[17] = 0x80;
        Assert.True(_guest.Memory.TryLoad(new Gpa(Guest.MemorySize), record));

        Assert.False(_guest.Wrmsr(Guest.MemorySize));

        Assert.Equal(record, _guest.Bytes(Guest.MemorySize, 4096));
        Assert.Equal(new byte[4], _guest.Bytes(Stub, 4));
    }

    [Theory]
    [InlineData(0ul)]
    [InlineData(Guest.MemorySize - 0x1000)]
    public void Any_page_of_ram_will_do(ulong address)
    {
        Assert.True(_guest.Register(address, Stub));

        Assert.Equal(0, _guest.Ret(address));
        Assert.Equal(new Gpa(address), _guest.Cpu.Registration?.ParaStateAddress);
    }

    [Fact]
    public void A_page_above_4_gib_will_do()
    {
        _guest.Memory.AddSlot(new Gpa(0x1_0000_0000), 0x2000, SlotKind.Ram);

        Assert.True(_guest.Register(0x1_0000_0000, 0x1_0000_1000));

        Assert.Equal([0xE0, 0xE1, 0xE2, 0xC3], _guest.Bytes(0x1_0000_1000, 4));
    }

    [Theory]
    [InlineData(0u, 0)]
    [InlineData(1u, 0)]
    [InlineData(2u, -1)]
    [InlineData(0x8000_0000u, -1)]
    [InlineData(0xFFFF_FFFFu, -1)]
    public void Only_a_newer_guest_is_refused(uint version, int ret)
    {
        Assert.True(_guest.Register(Page, Stub, version));

        Assert.Equal(ret, _guest.Ret(Page));
        Assert.Equal(1, BitConverter.ToInt32(_guest.Bytes(Page + 4, 4)));
        Assert.Equal(ret == 0, _guest.Cpu.Registration is not null);
        Assert.Equal(ret == 0 ? [0xE0, 0xE1, 0xE2, 0xC3] : new byte[4], _guest.Bytes(Stub, 4));
    }

    [Fact]
    public void A_refusal_writes_host_version_and_ret_and_nothing_else()
    {
        _guest.Memory.TryWrite(new Gpa(Page), Guest.Record(2, Stub) with { Ret = 77, HostVersion = 99 });
        byte[] expected = _guest.Bytes(0, (int)Guest.MemorySize);
        BitConverter.TryWriteBytes(expected.AsSpan((int)Page + 4), 1);
        BitConverter.TryWriteBytes(expected.AsSpan((int)Page + 12), -1);

        Assert.True(_guest.Wrmsr(Page));

        Assert.Equal(expected, _guest.Bytes(0, (int)Guest.MemorySize));
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(24u)]
    [InlineData(0xFFFF_FFFFu)]
    public void The_size_field_is_never_checked(uint size)
    {
        _guest.Memory.TryWrite(new Gpa(Page), Guest.Record(1, Stub) with { Size = size });

        Assert.True(_guest.Wrmsr(Page));

        Assert.Equal(0, _guest.Ret(Page));
        Assert.Equal(size, BitConverter.ToUInt32(_guest.Bytes(Page + 8, 4)));
    }

    [Fact]
    public void Rdmsr_is_the_probe_and_reads_what_was_registered_last()
    {
        Assert.Equal(0ul, Rdmsr());
        _guest.Register(Page, Stub);
        Assert.Equal(Page, Rdmsr());
        _guest.Register(0x5000, Stub);
        Assert.Equal(0x5000ul, Rdmsr());
        // A refused one changes nothing.
        _guest.Register(0x6000, Stub, version: 2);
        Assert.Equal(0x5000ul, Rdmsr());
        Assert.False(_guest.Wrmsr(0x6001));
        Assert.Equal(0x5000ul, Rdmsr());
    }

    [Fact]
    public void Switched_off_both_instructions_are_gp_and_memory_is_left_alone()
    {
        using var guest = new Guest(new VirtualMachineOptions { ParaInterfaceEnabled = false });

        Assert.False(guest.Register(Page, Stub));
        Assert.Equal(ExitCompletion.GeneralProtection, guest.Fake.LastCompletion);
        Assert.Equal(Guest.Record(1, Stub), guest.Memory.TryRead(new Gpa(Page), out ParaState record) ? record : default);
        guest.Play(Script.Rdmsr(ParaAbi.MSR_KVM_API_MAGIC));
        Assert.Equal(ExitCompletion.GeneralProtection, guest.Fake.LastCompletion);
    }

    [Fact]
    public void Registering_again_replaces_and_leaves_the_old_stub_as_it_is()
    {
        _guest.Register(Page, Stub);

        Assert.True(_guest.Register(0x5000, 0x9000));

        Assert.Equal(0, _guest.Ret(0x5000));
        Assert.Equal(new Gpa(0x5000), _guest.Cpu.Registration?.ParaStateAddress);
        Assert.Equal(new Gpa(0x9000), _guest.Cpu.Registration?.Stub.Address);
        Assert.Equal([0xE0, 0xE1, 0xE2, 0xC3], _guest.Bytes(Stub, 4));
        Assert.Equal([0xE0, 0xE1, 0xE2, 0xC3], _guest.Bytes(0x9000, 4));
    }

    [Fact]
    public void Registering_the_same_stub_again_remembers_the_guests_own_bytes()
    {
        _guest.Memory.TryWrite(new Gpa(Stub), 0x1122_3344u);
        _guest.Register(Page, Stub);

        _guest.Register(Page, Stub);

        Assert.Equal(0x1122_3344ul, _guest.Cpu.Registration?.Stub.Original);
    }

    [Fact]
    public void The_dirty_log_has_both_pages_also_when_registered_again()
    {
        MemorySlot slot = _guest.Memory.Slots[0];
        ulong[] log = new ulong[4];
        for (int i = 0; i < 2; i++)
        {
            _guest.Memory.TryWrite(new Gpa(Page), Guest.Record(1, Stub + 0xFFE));
            _guest.Memory.CollectDirty(slot, log);

            Assert.True(_guest.Wrmsr(Page));

            Assert.Equal(3, _guest.Memory.CollectDirty(slot, log));
            Assert.Equal((1ul << 4) | (1ul << 8) | (1ul << 9), log[0]);
        }
    }

    [Fact]
    public void Each_vcpu_has_a_registration_of_its_own_and_may_share_a_stub()
    {
        using var guest = new Guest(new VirtualMachineOptions { VcpuCount = 2 });
        guest.Memory.TryWrite(new Gpa(Stub), 0x1122_3344u);
        guest.Register(Page, Stub);
        Assert.Null(guest.Machine.Vcpus[1].Registration);

        Assert.True(guest.Register(0x5000, Stub, vcpu: 1));

        Assert.Equal(new Gpa(Page), guest.Machine.Vcpus[0].Registration?.ParaStateAddress);
        Assert.Equal(new Gpa(0x5000), guest.Machine.Vcpus[1].Registration?.ParaStateAddress);
        Assert.Equal(0x1122_3344ul, guest.Machine.Vcpus[1].Registration?.Stub.Original);
        Assert.Equal([0xE0, 0xE1, 0xE2, 0xC3], guest.Bytes(Stub, 4));
    }

    [Fact]
    public void Reset_drops_the_registration_and_leaves_memory_alone()
    {
        _guest.Register(Page, Stub);
        byte[] before = _guest.Bytes(0, (int)Guest.MemorySize);

        _guest.Machine.Reset();

        Assert.Null(_guest.Cpu.Registration);
        Assert.Equal(0ul, Rdmsr());
        Assert.Equal(before, _guest.Bytes(0, (int)Guest.MemorySize));
    }

    [Fact]
    public void The_host_can_drop_a_registration_and_give_the_bytes_back()
    {
        _guest.Memory.TryWrite(new Gpa(Stub), 0x1122_3344u);
        _guest.Register(Page, Stub);

        Assert.Equal(StubOutcome.Reverted, _guest.Cpu.DropRegistration(revertStub: true));

        Assert.Null(_guest.Cpu.Registration);
        Assert.Equal([0x44, 0x33, 0x22, 0x11], _guest.Bytes(Stub, 4));
        Assert.Null(_guest.Cpu.DropRegistration(revertStub: true));
    }

    [Fact]
    public void Bytes_that_the_guest_changed_are_not_given_back()
    {
        _guest.Register(Page, Stub);
        _guest.Memory.TryWrite(new Gpa(Stub + 1), (byte)0x90);

        Assert.Equal(StubOutcome.BytesChanged, _guest.Cpu.DropRegistration(revertStub: true));

        Assert.Equal([0xE0, 0x90, 0xE2, 0xC3], _guest.Bytes(Stub, 4));
    }

    [Fact]
    public async Task Slots_that_go_while_vcpus_register_neither_throw_nor_write_elsewhere()
    {
        MemorySlot slot = _guest.Memory.AddSlot(new Gpa(Guest.MemorySize), 0x2000, SlotKind.Ram);
        using var stop = new CancellationTokenSource();
        Task churn = Task.Run(
            () =>
            {
                // Each slot added holds host memory until the end, so the churn is bounded.
                for (int i = 0; i < 300 && !stop.IsCancellationRequested; i++)
                {
                    _guest.Memory.RemoveSlot(slot);
                    slot = _guest.Memory.AddSlot(new Gpa(Guest.MemorySize), 0x2000, SlotKind.Ram);
                }
            },
            TestContext.Current.CancellationToken);
        for (int i = 0; i < 300; i++)
        {
            _guest.Register(Guest.MemorySize, Guest.MemorySize + 0xFFE);
            _guest.Register(Page, Guest.MemorySize - 2);
        }

        await stop.CancelAsync();
        await churn;
        Assert.Equal(new byte[0x1000], _guest.Bytes(0, 0x1000));
    }

    private ulong Rdmsr()
    {
        _guest.Play(Script.Rdmsr(ParaAbi.MSR_KVM_API_MAGIC));
        Assert.Equal(CompletionKind.RetireWith, _guest.Fake.LastCompletion.Kind);
        return _guest.Fake.LastCompletion.Value;
    }
}
