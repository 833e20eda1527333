using Hv.Core.Devices;
using Hv.Core.Exits;
using Hv.Core.Machine;
using Hv.Core.Msr;
using Hv.Core.Paravirt;
using Hv.Core.Tests.Fakes;

namespace Hv.Core.Tests.Dispatch;

public sealed class DispatcherTests
{
    [Theory]
    [InlineData(0x1FFu, false)]
    [InlineData(0x200u, true)]
    [InlineData(0x20Fu, true)]
    [InlineData(0x210u, false)]
    [InlineData(0u, false)]
    [InlineData(0xFFFF_FFFFu, false)]
    public void An_msr_goes_to_its_owner_and_an_unknown_one_is_gp(uint index, bool known)
    {
        using var guest = new Guest(new VirtualMachineOptions { Msrs = [new Registers(0x200, 0x20F), new Registers(0xC000_0080, 0xC000_0080)] });

        guest.Play(Script.Rdmsr(index));
        Assert.Equal(known ? ExitCompletion.RetireWith(0xAB00_0000_0000ul | index) : ExitCompletion.GeneralProtection, guest.Fake.LastCompletion);
        guest.Play(Script.Wrmsr(index, 5));
        Assert.Equal(known ? ExitCompletion.Retire : ExitCompletion.GeneralProtection, guest.Fake.LastCompletion);
    }

    [Fact]
    public void A_handler_may_refuse_with_gp()
    {
        using var guest = new Guest(new VirtualMachineOptions { Msrs = [new Registers(0x200, 0x200)] });

        guest.Play(Script.Wrmsr(0x200, Registers.Refused));

        Assert.Equal(ExitCompletion.GeneralProtection, guest.Fake.LastCompletion);
    }

    [Theory]
    [InlineData(0x100u, 0x1FFu, 0x1FFu, 0x300u)]
    [InlineData(0x100u, 0x1FFu, 0x150u, 0x150u)]
    [InlineData(0x100u, 0x1FFu, 0x100u, 0x1FFu)]
    [InlineData(0x100u, 0x1FFu, 0x0u, 0xFFFF_FFFFu)]
    public void Overlapping_msrs_are_refused_at_composition(uint first, uint last, uint otherFirst, uint otherLast)
    {
        Registers[] both = [new(first, last), new(otherFirst, otherLast)];
        ArgumentException e = Assert.Throws<ArgumentException>(() => new MsrDispatcher(both));

        Assert.Contains("two owners", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Adjacent_msrs_are_not_an_overlap() => _ = new MsrDispatcher([new Registers(0x100, 0x1FF), new Registers(0x200, 0x2FF)]);

    [Fact]
    public void A_backward_range_is_refused() => Assert.Throws<ArgumentException>(() => new MsrDispatcher([new Registers(5, 4)]));

    [Fact]
    public void The_magic_msr_belongs_to_the_interface_while_it_is_on()
    {
        var handler = new Registers(ParaAbi.MSR_KVM_API_MAGIC, ParaAbi.MSR_KVM_API_MAGIC);

        Assert.Throws<ArgumentException>(() => new Guest(new VirtualMachineOptions { Msrs = [handler] }));
        new Guest(new VirtualMachineOptions { Msrs = [handler], ParaInterfaceEnabled = false }).Dispose();
    }

    [Theory]
    [InlineData((byte)1, 0xFFu)]
    [InlineData((byte)2, 0xFFFFu)]
    [InlineData((byte)4, 0xFFFF_FFFFu)]
    public void An_unclaimed_port_reads_ones_and_loses_writes(byte size, uint ones)
    {
        using var guest = new Guest();

        guest.Play(Script.In(0x80, size));
        Assert.Equal(ExitCompletion.RetireWith(ones), guest.Fake.LastCompletion);
        guest.Play(Script.Out(0x80, size, 1));
        Assert.Equal(ExitCompletion.Retire, guest.Fake.LastCompletion);
    }

    [Fact]
    public void A_port_goes_to_its_owner_cut_to_size()
    {
        var ports = new Ports(0x3F8, 0x3FF);
        using var guest = new Guest(new VirtualMachineOptions { Ports = [ports] });

        guest.Play(Script.Out(0x3FF, 1, 0x41), Script.In(0x3F8, 2), Script.Out(0x400, 1, 0x42), Script.Out(0x3F7, 1, 0x43));

        Assert.Equal([(0x3FF, 1, 0x41u)], ports.Writes);
        guest.Play(Script.In(0x3F8, 2));
        Assert.Equal(ExitCompletion.RetireWith(0x5678), guest.Fake.LastCompletion);
    }

    [Fact]
    public void Overlapping_ports_are_refused_at_composition() =>
        Assert.Throws<ArgumentException>(() => new PortDispatcher([new Ports(0x3F8, 0x3FF), new Ports(0x3FF, 0x3FF)]));

    [Theory]
    [InlineData((byte)1, 0xFFul)]
    [InlineData((byte)3, 0xFF_FFFFul)]
    [InlineData((byte)8, ulong.MaxValue)]
    public void Unclaimed_memory_reads_ones_and_loses_writes(byte size, ulong ones)
    {
        using var guest = new Guest();

        guest.Play(Script.MemoryRead(0xFEE0_0000, size));
        Assert.Equal(ExitCompletion.RetireWith(ones), guest.Fake.LastCompletion);
        guest.Play(Script.MemoryWrite(0xFEE0_0000, size, 1));
        Assert.Equal(ExitCompletion.Retire, guest.Fake.LastCompletion);
    }

    [Fact]
    public void Device_memory_goes_to_its_owner_cut_to_size()
    {
        var device = new Device(0xFEE0_0000, 0xFEE0_0FFF);
        using var guest = new Guest(new VirtualMachineOptions { DeviceMemory = [device] });

        guest.Play(Script.MemoryWrite(0xFEE0_00B0, 4, 9), Script.MemoryWrite(0xFEE0_1000, 4, 8), Script.MemoryRead(0xFEE0_0030, 4));

        Assert.Equal([(0xFEE0_00B0ul, 4, 9ul)], device.Writes);
        Assert.Equal(ExitCompletion.RetireWith(0x89AB_CDEF), guest.Fake.LastCompletion);
    }

    [Fact]
    public void A_fetch_where_no_memory_is_is_an_undefined_instruction()
    {
        using var guest = new Guest(new VirtualMachineOptions { DeviceMemory = [new Device(0xFEE0_0000, 0xFEE0_0FFF)] });

        guest.Play(Script.MemoryRead(0xFEE0_0000, 8, fetch: true));

        Assert.Equal(ExitCompletion.InvalidOpcode, guest.Fake.LastCompletion);
    }

    [Fact]
    public void Overlapping_device_memory_is_refused_at_composition() =>
        Assert.Throws<ArgumentException>(() => new MemoryDispatcher([new Device(0, 0xFFF), new Device(0x800, 0x800)]));

    [Fact]
    public void Every_owner_among_many_is_found_and_no_gap_is()
    {
        var all = Enumerable.Range(0, 100).Select(i => new Registers((uint)(i * 10), (uint)(i * 10 + i % 10))).ToArray();
        using var guest = new Guest(new VirtualMachineOptions { Msrs = all });
        for (uint index = 0; index < 1010; index++)
        {
            guest.Play(Script.Wrmsr(index, 5));
            Assert.Equal(index < 1000 && index % 10 <= index / 10 % 10, guest.Fake.LastCompletion.Kind == CompletionKind.Retire);
        }
    }

    private sealed class Registers(uint first, uint last) : IMsrHandler
    {
        public const ulong Refused = 99;

        public MsrRange Range => new(first, last);

        public bool Read(VirtualCpu vcpu, uint index, out ulong value)
        {
            value = 0xAB00_0000_0000ul | index;
            return true;
        }

        public bool Write(VirtualCpu vcpu, uint index, ulong value) => value != Refused;
    }

    private sealed class Ports(ushort first, ushort last) : IPortHandler
    {
        public PortRange Range => new(first, last);

        public List<(int Port, int Size, uint Value)> Writes { get; } = [];

        public uint Read(VirtualCpu vcpu, ushort port, int size) => 0x1234_5678;

        public void Write(VirtualCpu vcpu, ushort port, int size, uint value) => Writes.Add((port, size, value));
    }

    private sealed class Device(ulong first, ulong last) : IMemoryHandler
    {
        public MemoryRange Range => new(new Gpa(first), new Gpa(last));

        public List<(ulong Address, int Size, ulong Value)> Writes { get; } = [];

        public ulong Read(VirtualCpu vcpu, Gpa address, int size) => 0x0123_4567_89AB_CDEF;

        public void Write(VirtualCpu vcpu, Gpa address, int size, ulong value) => Writes.Add((address.Value, size, value));
    }
}
