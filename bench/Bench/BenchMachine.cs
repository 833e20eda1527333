using Hv.Backends.Emulated;
using Hv.Backends.Kvm;
using Hv.Backends.Svm;
using Hv.Backends.Vmx;
using Hv.Core;
using Hv.Core.Machine;
using Hv.Core.Memory;
using Hv.Core.Msr;
using Hv.Core.Registers;
using Iced.Intel;
using Microsoft.Extensions.DependencyInjection;

namespace Hv.Bench;

/// <summary>A machine of one backend whose guest does one thing in a loop, in 64-bit mode with paging, and then leaves by the exit call.</summary>
internal sealed class BenchMachine : IDisposable
{
    public const uint BenchMsr = 0x4856_0100;

    private const ulong Code = 0x10_0000, Tables = 0x1000, MemorySize = 0x100_0000;

    private readonly ServiceProvider _services;
    private readonly GuestMemory _memory = GuestMemory.OfSize(MemorySize);
    private readonly VirtualMachine _machine;
    private readonly VcpuState _start = new();

    /// <summary>Makes the machine.</summary>
    /// <param name="backendName">Its backend.</param>
    /// <param name="loops">How often the guest does <paramref name="body"/> a run; RBP counts.</param>
    /// <param name="body">The guest's work; it may use any register but RBP and RSP. The second argument emits the backend's exit
    /// instruction.</param>
    public BenchMachine(string backendName, int loops, Action<Assembler, Action> body)
    {
        _services = new ServiceCollection().AddHvCore().AddEmulatedBackend().AddVmxBackend().AddSvmBackend().AddKvmBackend().BuildServiceProvider();
        if (!_services.GetRequiredService<BackendCatalog>().TryFind(backendName, out IBackend? backend, out string problem))
            throw new InvalidOperationException(problem);
        if (!backend.Availability.IsAvailable)
            throw new InvalidOperationException(backend.Availability.Reason);
        _machine = _services.GetRequiredService<VirtualMachineFactory>().Create(backend, _memory,
            new VirtualMachineOptions { Msrs = [new StillMsr()] });
        Load(Assemble(backend, loops, body));
        Enter(_machine.Vcpus[0].Processor);
    }

    /// <summary>Runs the guest once from its start to its exit call.</summary>
    public ulong Run()
    {
        IVcpu vcpu = _machine.Vcpus[0].Processor;
        vcpu.Registers = _start.General;
        StopInfo stop = _machine.Run(RunLimits.None);
        if (stop.Reason != StopReason.Exited)
            throw new InvalidOperationException($"{_machine.Backend.Name}: {stop.Reason} {stop.Message}");
        return vcpu.Registers.Rax;
    }

    public void Dispose()
    {
        _machine.Dispose();
        _memory.Dispose();
        _services.Dispose();
    }

    private static byte[] Assemble(IBackend backend, int loops, Action<Assembler, Action> body)
    {
        byte[] instruction = new byte[backend.Encoding.Length];
        backend.Encoding.CopyTo(instruction);
        var a = new Assembler(64);
        void ExitInstruction() => a.db(instruction);
        Label top = a.CreateLabel();
        a.mov(AssemblerRegisters.rbp, loops);
        a.Label(ref top);
        body(a, ExitInstruction);
        a.dec(AssemblerRegisters.rbp);
        a.jnz(top);
        a.mov(AssemblerRegisters.rax, (long)Hv.Core.Hypercalls.HypercallNumbers.Exit);
        a.xor(AssemblerRegisters.edi, AssemblerRegisters.edi);
        ExitInstruction();
        using var stream = new MemoryStream();
        a.Assemble(new StreamCodeWriter(stream), Code);
        return stream.ToArray();
    }

    private void Load(byte[] code)
    {
        _memory.TryLoad(new Gpa(Code), code);
        _memory.TryWrite(new Gpa(Tables), Tables + 0x1003);
        _memory.TryWrite(new Gpa(Tables + 0x1000), Tables + 0x2003);
        for (ulong i = 0; i < MemorySize / 0x20_0000; i++)
            _memory.TryWrite(new Gpa(Tables + 0x2000 + i * 8), i * 0x20_0000 | 0x83);
    }

    private void Enter(IVcpu vcpu)
    {
        vcpu.SaveState(_start);
        ref SystemRegisters s = ref _start.System;
        (_start.General.Rip, _start.General.Rsp, _start.General.Rflags) = (Code, 0x8000, 2);
        (s.Cr0, s.Cr3, s.Cr4, s.Efer) = (0x80000031, Tables, 0x620, 0x500);
        s.Cs = new SegmentRegister { Selector = 8, Limit = uint.MaxValue, Attributes = 0xA09B };
        s.Ds = s.Es = s.Ss = s.Fs = s.Gs = new SegmentRegister { Selector = 16, Limit = uint.MaxValue, Attributes = 0xC093 };
        s.Tr = new SegmentRegister { Selector = 24, Limit = 0x67, Attributes = 0x8B };
        s.Ldtr.Attributes |= SegmentRegister.UnusableBit;
        vcpu.LoadState(_start);
    }

    /// <summary>A register that holds still: what an MSR round trip costs without the handler's own work.</summary>
    private sealed class StillMsr : IMsrHandler
    {
        private ulong _value;

        public MsrRange Range => new(BenchMsr, BenchMsr);

        public bool Read(VirtualCpu vcpu, uint index, out ulong value)
        {
            value = _value;
            return true;
        }

        public bool Write(VirtualCpu vcpu, uint index, ulong value)
        {
            _value = value;
            return true;
        }
    }
}
