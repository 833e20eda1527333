using Hv.Core.Exits;
using Hv.Core.Machine;
using Hv.Core.Memory;
using Hv.Core.Paravirt;
using Hv.Core.Registers;
using Hv.Core.Tests.Fakes;

namespace Hv.Core.Tests.Machine;

/// <summary>Save and restore, on the same backend and on another (docs/adr/0013-stub-room.md).</summary>
public sealed class SnapshotTests
{
    private const ulong Page = 0x4000;
    private const ulong Stub = 0x8000;
    private const ulong EferLma = 1 << 10;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public void Memory_registers_and_registration_come_back()
    {
        using var guest = new Guest();
        guest.Memory.TryWrite(new Gpa(0xFFFF8), 0x1122_3344_5566_7788ul);
        guest.Register(Page, Stub);
        guest.Fake.Registers.R12 = 12;
        MachineSnapshot snapshot = guest.Machine.Save();
        byte[] memory = guest.Bytes(0, (int)Guest.MemorySize);
        guest.Memory.TryWrite(new Gpa(0x50000), "later"u8);
        guest.Memory.TryWrite(new Gpa(0xFFFF8), 0ul);
        guest.Machine.Reset();

        IReadOnlyList<StubRestoration> stubs = guest.Machine.Restore(snapshot);

        Assert.Equal(memory, guest.Bytes(0, (int)Guest.MemorySize));
        Assert.Equal(12ul, guest.Fake.Registers.R12);
        Assert.Equal(new Gpa(Page), guest.Cpu.Registration?.ParaStateAddress);
        Assert.Equal([new StubRestoration(0, new Gpa(Stub), StubOutcome.Patched)], stubs);
    }

    [Fact]
    public void A_restored_machine_runs_on_as_the_saved_one_does()
    {
        string Rest(bool restore)
        {
            using Guest guest = Three();
            guest.Machine.Run(new RunLimits(37), Token);
            using Guest other = Three();
            other.Machine.Restore(guest.Machine.Save());
            Guest runs = restore ? other : guest;
            runs.Machine.Run(new RunLimits(100), Token);
            ulong Before(VirtualCpu v) => restore ? guest.Machine.Vcpus[v.Index].Processor.InstructionsRetired : 0;
            return string.Join(' ', runs.Machine.Vcpus.Select(v => v.Processor.InstructionsRetired + Before(v)));
        }

        Assert.Equal(Rest(false), Rest(true));
    }

    [Fact]
    public void Halted_waiting_and_interrupted_vcpus_stay_so()
    {
        using var guest = new Guest(new VirtualMachineOptions { VcpuCount = 2 });
        guest.Play(new Step(1));
        guest.Cpu.QueueInterrupt(0x31);
        using var other = new Guest(new VirtualMachineOptions { VcpuCount = 2 });

        other.Machine.Restore(guest.Machine.Save());

        Assert.Equal(VcpuActivity.Halted, other.Cpu.Activity);
        Assert.Equal(VcpuActivity.WaitForStart, other.Machine.Vcpus[1].Activity);
        other.Machine.Run(default, Token);
        Assert.Equal([0x31], other.Fake.Delivered);
    }

    [Fact]
    public void Another_backend_gets_its_own_exit_instruction()
    {
        using Guest guest = Registered(0x1122_3344_5566_7788);
        using var other = new Guest(backend: new FakeBackend("Other", new ExitEncoding([0x0A, 0x0B, 0x0C])));

        StubRestoration restored = Assert.Single(other.Machine.Restore(guest.Machine.Save()));

        Assert.Equal(StubOutcome.Patched, restored.Outcome);
        Assert.Equal([0x0A, 0x0B, 0x0C, 0xC3, 0x44], other.Bytes(Stub, 5));
        Assert.Equal(other.Machine.Backend.Encoding, other.Cpu.Registration?.Stub.Encoding);
        // And back.
        guest.Machine.Restore(other.Machine.Save());
        Assert.Equal([0xE0, 0xE1, 0xE2, 0xC3, 0x44], guest.Bytes(Stub, 5));
        Assert.Equal(0x5566_7788ul, guest.Cpu.Registration?.Stub.Original);
    }

    [Fact]
    public void A_shorter_instruction_gives_the_byte_behind_it_back_and_a_longer_one_takes_it_again()
    {
        using Guest guest = Registered(0x1122_3344_5566_7788);
        using var other = new Guest(backend: new FakeBackend("Short", FakeBackend.Two));

        other.Machine.Restore(guest.Machine.Save());
        Assert.Equal([0xD0, 0xD1, 0xC3, 0x55, 0x44], other.Bytes(Stub, 5));

        Assert.Equal(StubOutcome.Patched, Assert.Single(guest.Machine.Restore(other.Machine.Save())).Outcome);
        Assert.Equal([0xE0, 0xE1, 0xE2, 0xC3, 0x44], guest.Bytes(Stub, 5));
    }

    [Fact]
    public void A_stub_registered_on_a_short_backend_has_room_for_the_usual_four_bytes()
    {
        using Guest guest = Registered(0x1122_3344_5566_7788, new FakeBackend("Short", FakeBackend.Two));
        Assert.Equal([0xD0, 0xD1, 0xC3, 0x55, 0x44], guest.Bytes(Stub, 5));
        using var other = new Guest();

        Assert.Equal(StubOutcome.Patched, Assert.Single(other.Machine.Restore(guest.Machine.Save())).Outcome);

        Assert.Equal([0xE0, 0xE1, 0xE2, 0xC3, 0x44], other.Bytes(Stub, 5));
        Assert.Equal(StubOutcome.Reverted, other.Cpu.DropRegistration(revertStub: true));
        Assert.Equal([0x88, 0x77, 0x66, 0x55, 0x44], other.Bytes(Stub, 5));
    }

    [Fact]
    public void An_instruction_longer_than_the_room_is_reported_and_nothing_is_written()
    {
        using Guest guest = Registered(0x1122_3344_5566_7788);
        using var other = new Guest(backend: new FakeBackend("Long", FakeBackend.Five));

        Assert.Equal(StubOutcome.NoRoom, Assert.Single(other.Machine.Restore(guest.Machine.Save())).Outcome);

        Assert.Equal([0xE0, 0xE1, 0xE2, 0xC3, 0x44], other.Bytes(Stub, 5));
        // The registration is kept as it is, so that going home works.
        Assert.Equal(StubOutcome.Patched, Assert.Single(guest.Machine.Restore(other.Machine.Save())).Outcome);
    }

    [Fact]
    public void A_long_stub_keeps_its_room_through_shorter_ones()
    {
        using Guest guest = Registered(0x1122_3344_5566_7788, new FakeBackend("Long", FakeBackend.Five));
        using var other = new Guest(backend: new FakeBackend("Short", FakeBackend.Two));

        other.Machine.Restore(guest.Machine.Save());
        Assert.Equal([0xD0, 0xD1, 0xC3, 0x55, 0x44, 0x33, 0x22], other.Bytes(Stub, 7));
        Assert.Equal(StubOutcome.Patched, Assert.Single(guest.Machine.Restore(other.Machine.Save())).Outcome);
        Assert.Equal([0xF0, 0xF1, 0xF2, 0xF3, 0xF4, 0xC3, 0x22], guest.Bytes(Stub, 7));
    }

    [Fact]
    public void A_short_stub_at_the_end_of_memory_has_no_room_for_more()
    {
        using var guest = new Guest(backend: new FakeBackend("Short", FakeBackend.Two));
        Assert.True(guest.Register(Page, Guest.MemorySize - 3));
        Assert.Equal(0, guest.Ret(Page));
        using var other = new Guest();

        Assert.Equal(StubOutcome.NoRoom, Assert.Single(other.Machine.Restore(guest.Machine.Save())).Outcome);
        Assert.Equal([0xD0, 0xD1, 0xC3], other.Bytes(Guest.MemorySize - 3, 3));
    }

    [Fact]
    public void A_short_stub_before_the_para_state_never_grows_into_its_fields()
    {
        using var guest = new Guest(backend: new FakeBackend("Short", FakeBackend.Two));
        guest.Register(Page, Page - 3);
        Assert.Equal(0, guest.Ret(Page));
        using var other = new Guest();

        Assert.Equal(StubOutcome.NoRoom, Assert.Single(other.Machine.Restore(guest.Machine.Save())).Outcome);
        Assert.Equal(1, other.Bytes(Page, 1)[0]);
    }

    [Fact]
    public void A_stub_that_the_guest_has_overwritten_is_reported_and_left_alone()
    {
        using Guest guest = Registered(0);
        guest.Memory.TryWrite(new Gpa(Stub + 2), (byte)0x90);
        using var other = new Guest(backend: new FakeBackend("Other", new ExitEncoding([0x0A, 0x0B, 0x0C])));

        Assert.Equal(StubOutcome.BytesChanged, Assert.Single(other.Machine.Restore(guest.Machine.Save())).Outcome);

        Assert.Equal([0xE0, 0xE1, 0x90, 0xC3], other.Bytes(Stub, 4));
        Assert.NotNull(other.Cpu.Registration);
    }

    [Fact]
    public void Vcpus_that_share_a_stub_share_its_rewriting()
    {
        using var guest = new Guest(new VirtualMachineOptions { VcpuCount = 3 });
        guest.Register(Page, Stub);
        guest.Register(0x5000, Stub, vcpu: 1);
        guest.Register(0x6000, 0x9000, vcpu: 2);
        using var other = new Guest(new VirtualMachineOptions { VcpuCount = 3 }, new FakeBackend("Short", FakeBackend.Two));

        IReadOnlyList<StubRestoration> stubs = other.Machine.Restore(guest.Machine.Save());

        Assert.Equal([(0, Stub), (1, Stub), (2, 0x9000ul)], stubs.Select(s => (s.VcpuIndex, s.Stub.Value)));
        Assert.All(stubs, s => Assert.Equal(StubOutcome.Patched, s.Outcome));
        Assert.All(other.Machine.Vcpus, v => Assert.Equal(FakeBackend.Two, v.Registration?.Stub.Encoding));
        Assert.Equal([0xD0, 0xD1, 0xC3, 0], other.Bytes(Stub, 4));
        Assert.Equal([0xD0, 0xD1, 0xC3, 0], other.Bytes(0x9000, 4));
    }

    [Fact]
    public void A_registration_alone_can_be_saved_dropped_and_restored_elsewhere()
    {
        using Guest guest = Registered(0x1122_3344_5566_7788);
        ParaRegistration saved = Assert.NotNull(guest.Cpu.Registration);
        using var other = new Guest(backend: new FakeBackend("Short", FakeBackend.Two));
        other.Memory.TryWrite(new Gpa(Stub), guest.Bytes(Stub, 8));

        Assert.Equal(StubOutcome.Patched, other.Cpu.RestoreRegistration(saved));
        // Again, as a second vCPU that shares the stub would.
        Assert.Equal(StubOutcome.Patched, other.Cpu.RestoreRegistration(saved));

        Assert.Equal([0xD0, 0xD1, 0xC3, 0x55], other.Bytes(Stub, 4));
        Assert.Equal(new Gpa(Page), other.Cpu.Registration?.ParaStateAddress);
        Assert.Equal(StubOutcome.Reverted, other.Cpu.DropRegistration(revertStub: true));
        Assert.Equal([0x88, 0x77, 0x66, 0x55], other.Bytes(Stub, 4));
    }

    [Fact]
    public void A_registration_restored_without_its_stub_is_reported()
    {
        using Guest guest = Registered(0);
        using var other = new Guest(backend: new FakeBackend("Short", FakeBackend.Two));

        Assert.Equal(StubOutcome.BytesChanged, other.Cpu.RestoreRegistration(guest.Cpu.Registration!.Value));

        Assert.Equal(new byte[4], other.Bytes(Stub, 4));
        Assert.NotNull(other.Cpu.Registration);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(3, 2)]
    [InlineData(4, 4)]
    public void A_vcpu_on_the_ret_stays_on_the_ret(int from, int to)
    {
        using Guest guest = Registered(0);
        guest.Fake.System.Efer = EferLma;
        guest.Fake.System.Cs.Attributes = SegmentRegister.LongBit;
        guest.Fake.Registers.Rip = 0xFFFF_8000_0000_0000 + Stub + (ulong)from;
        using var other = new Guest(backend: new FakeBackend("Short", FakeBackend.Two));
        other.Fake.Translation = a => new Gpa(a.Value - 0xFFFF_8000_0000_0000);

        other.Machine.Restore(guest.Machine.Save());

        Assert.Equal(0xFFFF_8000_0000_0000 + Stub + (ulong)to, other.Fake.Registers.Rip);
    }

    [Fact]
    public void A_vcpu_on_the_ret_is_found_through_its_code_segment()
    {
        using Guest guest = Registered(0);
        guest.Fake.System.Cs.Base = 0x7000;
        guest.Fake.Registers.Rip = 0x1003;
        using var other = new Guest(backend: new FakeBackend("Short", FakeBackend.Two));

        other.Machine.Restore(guest.Machine.Save());

        Assert.Equal(0x1002ul, other.Fake.Registers.Rip);
    }

    [Fact]
    public void A_vcpu_whose_code_is_not_mapped_is_left_alone()
    {
        using Guest guest = Registered(0);
        guest.Fake.Registers.Rip = Stub + 3;
        using var other = new Guest(backend: new FakeBackend("Short", FakeBackend.Two));
        other.Fake.Translation = _ => null;

        other.Machine.Restore(guest.Machine.Save());

        Assert.Equal(Stub + 3, other.Fake.Registers.Rip);
    }

    [Fact]
    public void A_reset_after_a_restore_drops_what_was_restored()
    {
        using Guest guest = Registered(0);
        using var other = new Guest();
        other.Machine.Restore(guest.Machine.Save());

        other.Machine.Reset();

        Assert.Null(other.Cpu.Registration);
    }

    [Fact]
    public void A_snapshot_of_another_shape_is_refused()
    {
        using var guest = new Guest();
        using var twoCpus = new Guest(new VirtualMachineOptions { VcpuCount = 2 });
        using GuestMemory memory = GuestMemory.OfSize(0x2000);
        using var small = new Guest(memory: memory);
        MachineSnapshot snapshot = guest.Machine.Save();

        Assert.Throws<ArgumentException>(() => twoCpus.Machine.Restore(snapshot));
        Assert.Throws<ArgumentException>(() => small.Machine.Restore(snapshot));
    }

    [Fact]
    public void Only_pages_in_use_are_kept()
    {
        using GuestMemory memory = GuestMemory.OfSize(64 << 20);
        memory.TryWrite(new Gpa(0), (byte)1);
        memory.TryWrite(new Gpa(0x1000), (byte)1);
        memory.TryWrite(new Gpa((64 << 20) - 1), (byte)1);

        Assert.Equal(3 * 4096, MemorySnapshot.Of(memory).StoredBytes);
    }

    [Fact]
    public void Long_runs_and_read_only_slots_come_back_too()
    {
        using var memory = new GuestMemory();
        memory.AddSlot(new Gpa(0), 0x30_0000, SlotKind.Ram);
        memory.AddSlot(new Gpa(0x40_0000), 0x2000, SlotKind.ReadOnly);
        byte[] ram = new byte[0x30_0000];
        new Random(1).NextBytes(ram);
        byte[] rom = new byte[0x2000];
        rom[0x1FFF] = 7;
        memory.TryLoad(new Gpa(0), ram);
        memory.TryLoad(new Gpa(0x40_0000), rom);
        MemorySnapshot snapshot = MemorySnapshot.Of(memory);
        memory.TryLoad(new Gpa(0), new byte[0x30_0000]);
        memory.TryLoad(new Gpa(0x40_0000), ram.AsSpan(0, 0x2000));

        snapshot.CopyTo(memory);

        byte[] back = new byte[0x30_0000];
        memory.TryRead(new Gpa(0), back);
        Assert.Equal(ram, back);
        memory.TryRead(new Gpa(0x40_0000), back.AsSpan(0, 0x2000));
        Assert.Equal(rom, back[..0x2000]);
    }

    private static Guest Registered(ulong original, IBackend? backend = null)
    {
        var guest = new Guest(backend: backend);
        guest.Memory.TryWrite(new Gpa(Stub), original);
        Assert.True(guest.Register(Page, Stub));
        Assert.Equal(0, guest.Ret(Page));
        return guest;
    }

    private static Guest Three()
    {
        var guest = new Guest(new VirtualMachineOptions { VcpuCount = 3, Quantum = 10 });
        for (int i = 0; i < 3; i++)
        {
            guest.Machine.Vcpus[i].Activity = VcpuActivity.Running;
            guest.FakeOf(i).Play(new Step(4, Script.Out(1, 1, 1).Exit, JumpTo: 0));
        }

        return guest;
    }
}
