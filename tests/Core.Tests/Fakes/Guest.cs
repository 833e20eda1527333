using Hv.Core.Exits;
using Hv.Core.Hypercalls;
using Hv.Core.Machine;
using Hv.Core.Memory;
using Hv.Core.Paravirt;
using Microsoft.Extensions.DependencyInjection;

namespace Hv.Core.Tests.Fakes;

/// <summary>A machine on fake vCPUs, composed as a host composes it.</summary>
public sealed class Guest : IDisposable
{
    public const ulong MemorySize = 1 << 20;

    private readonly ServiceProvider _services;
    private readonly bool _ownsMemory;

    public Guest(VirtualMachineOptions? options = null, IBackend? backend = null, GuestMemory? memory = null)
    {
        _ownsMemory = memory is null;
        Memory = memory ?? GuestMemory.OfSize(MemorySize);
        _services = new ServiceCollection().AddSingleton<IConsole>(Console).AddHvCore().BuildServiceProvider();
        VirtualMachineFactory factory = _services.GetRequiredService<VirtualMachineFactory>();
        Machine = factory.Create(backend ?? new FakeBackend(), Memory, options ?? new VirtualMachineOptions());
    }

    public BufferConsole Console { get; } = new();

    public GuestMemory Memory { get; }

    public VirtualMachine Machine { get; }

    public VirtualCpu Cpu => Machine.Vcpus[0];

    public FakeVcpu Fake => FakeOf(0);

    public FakeVcpu FakeOf(int index) => (FakeVcpu)Machine.Vcpus[index].Processor;

    /// <summary>Plays a script on vCPU 0 until the machine stops.</summary>
    public StopInfo Play(params Step[] script)
    {
        Fake.Play(script);
        Cpu.Activity = VcpuActivity.Running;
        return Machine.Run(default, TestContext.Current.CancellationToken);
    }

    /// <summary>Makes one hypercall in long mode and gives RAX after it.</summary>
    public ulong Call(ulong number, ulong a0 = 0, ulong a1 = 0, ulong a2 = 0)
    {
        Fake.Registers.Rax = number;
        Fake.Registers.Rdi = a0;
        Fake.Registers.Rsi = a1;
        Fake.Registers.Rdx = a2;
        Play(Script.Hypercall());
        return Fake.Registers.Rax;
    }

    /// <summary>Writes a para state and registers it on a vCPU, as WRMSR does.</summary>
    /// <returns>Whether WRMSR succeeded (otherwise #GP).</returns>
    public bool Register(ulong address, ulong stub, uint version = 1, int vcpu = 0)
    {
        Memory.TryWrite(new Gpa(address), Record(version, stub));
        return Wrmsr(address, vcpu);
    }

    public bool Wrmsr(ulong address, int vcpu = 0)
    {
        FakeVcpu fake = FakeOf(vcpu);
        fake.Play(Script.Wrmsr(ParaAbi.MSR_KVM_API_MAGIC, address));
        foreach (VirtualCpu other in Machine.Vcpus)
            other.Activity = other.Index == vcpu ? VcpuActivity.Running : VcpuActivity.Halted;
        Machine.Run(default, TestContext.Current.CancellationToken);
        return fake.LastCompletion == ExitCompletion.Retire;
    }

    public byte[] Bytes(ulong address, int length)
    {
        byte[] bytes = new byte[length];
        Assert.True(Memory.TryRead(new Gpa(address), bytes));
        return bytes;
    }

    public int Ret(ulong address) => BitConverter.ToInt32(Bytes(address + 12, 4));

    /// <summary>What a guest of 2007 fills in: host_version and ret −1, size 4096.</summary>
    public static ParaState Record(uint version, ulong stub) =>
        new() { GuestVersion = version, HostVersion = uint.MaxValue, Size = 4096, Ret = -1, HypercallGpa = stub };

    public void Dispose()
    {
        Machine.Dispose();
        if (_ownsMemory)
            Memory.Dispose();
        _services.Dispose();
    }
}

/// <summary>A console that keeps what it gets.</summary>
public sealed class BufferConsole : IConsole
{
    public List<byte> Bytes { get; } = [];

    public int Writes { get; private set; }

    public string Text => System.Text.Encoding.ASCII.GetString([.. Bytes]);

    public void Write(ReadOnlySpan<byte> bytes)
    {
        Bytes.AddRange(bytes);
        Writes++;
    }
}
