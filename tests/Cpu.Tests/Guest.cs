using Hv.Core;
using Hv.Core.Cpuid;
using Hv.Core.Memory;
using Hv.Core.Registers;
using Hv.Cpu.Virtualization;
using Iced.Intel;

namespace Hv.Cpu.Tests;

/// <summary>A layer for tests: memory is identity-mapped, HLT and exceptions leave, and what else is asked for.</summary>
public struct TestLayer : IVirtualization
{
    public bool KeepExceptions;
    public bool TakeMemory;
    public int Translations;

    public readonly bool Intercepts(Processor processor, ref CpuEvent e) => e.Kind switch
    {
        CpuEventKind.Hlt or CpuEventKind.TripleFault => true,
        CpuEventKind.Exception => !KeepExceptions,
        CpuEventKind.GuestPhysicalAccess => TakeMemory,
        _ => false,
    };

    public bool Answers(Processor processor) => false;

    public bool TranslateGuestPhysical(ulong address, GuestAccess access, out Gpa host, out bool writable)
    {
        Translations++;
        host = new Gpa(address);
        writable = true;
        return true;
    }
}

/// <summary>A small machine around one processor: code at <see cref="Code"/>, a stack below <see cref="Stack"/>, data at <see
/// cref="Data"/>.</summary>
public sealed class Guest : IDisposable
{
    public const ulong Code = 0x1000, Stack = 0x9000, Data = 0x10000, Tables = 0x100000;

    private readonly bool _ownsMemory;

    public GuestMemory Memory { get; }

    public Processor<TestLayer> Cpu { get; }

    public ref GeneralRegisters Gpr => ref Cpu.ExactRegisters;

    private Guest(Guest? other = null)
    {
        _ownsMemory = other is null;
        Memory = other?.Memory ?? GuestMemory.OfSize(4 << 20);
        Cpu = new Processor<TestLayer>(Memory, CpuidTables.Most, default, other?.Cpu.Code);
    }

    /// <summary>A second processor with this one's memory, decoded code and state; dispose it first.</summary>
    public Guest Second()
    {
        var guest = new Guest(this);
        guest.Cpu.State.Sys = Cpu.State.Sys;
        guest.Start();
        return guest;
    }

    /// <summary>Writes code to <see cref="Code"/>, and runs so many of its instructions.</summary>
    public RunResult Execute(int count, params ReadOnlySpan<byte> code)
    {
        Memory.TryWrite(new Gpa(Code), code);
        Gpr.Rip = Code;
        return Cpu.Run(count);
    }

    /// <summary>Takes over system registers that were set directly.</summary>
    public void Changed()
    {
        Cpu.FlushTlb(false);
        Cpu.ModeChanged(ref Cpu.State);
    }

    /// <summary>64-bit code at CPL 0, the first 4 MiB identity-mapped by 2 MiB pages, writable and for users.</summary>
    public static Guest Long()
    {
        var guest = new Guest();
        guest.Memory.TryWrite(new Gpa(Tables), Tables + 0x1007UL);
        guest.Memory.TryWrite(new Gpa(Tables + 0x1000), Tables + 0x2007UL);
        for (ulong i = 0; i < 2; i++)
            guest.Memory.TryWrite(new Gpa(Tables + 0x2000 + i * 8), i << 21 | 0x87UL);
        ref SystemRegisters sys = ref guest.Cpu.State.Sys;
        sys.Cr0 = 0x8000_0011;
        sys.Cr3 = Tables;
        sys.Cr4 = 1 << 5;
        sys.Efer = 1 << 8 | 1 << 10;
        sys.Cs = new SegmentRegister { Selector = 8, Limit = uint.MaxValue, Attributes = 0xA09B };
        guest.Flat();
        return guest;
    }

    /// <summary>32-bit code at CPL 0 with flat segments, no paging.</summary>
    public static Guest Protected()
    {
        var guest = new Guest();
        guest.Cpu.State.Sys.Cr0 = 0x11;
        guest.Cpu.State.Sys.Cs = new SegmentRegister { Selector = 8, Limit = uint.MaxValue, Attributes = 0xC09B };
        guest.Flat();
        return guest;
    }

    /// <summary>Real mode with all bases 0.</summary>
    public static Guest Real()
    {
        var guest = new Guest();
        ref SystemRegisters sys = ref guest.Cpu.State.Sys;
        sys.Cr0 = 0x10;
        sys.Cs = new SegmentRegister { Limit = 0xFFFF, Attributes = 0x9B };
        sys.Ss = sys.Ds = sys.Es = sys.Fs = sys.Gs = new SegmentRegister { Limit = 0xFFFF, Attributes = 0x93 };
        guest.Start();
        return guest;
    }

    public static Guest OfBits(int bits) => bits == 64 ? Long() : bits == 32 ? Protected() : Real();

    public int Bits => (Cpu.State.Sys.Efer & 1 << 10) != 0 && Cpu.State.Sys.Cs.Long ? 64 : Cpu.State.Sys.Cs.Default ? 32 : 16;

    /// <summary>Writes code at <see cref="Code"/> and puts RIP there.</summary>
    public Guest With(Action<Assembler> program)
    {
        var assembler = new Assembler(Bits);
        program(assembler);
        using var stream = new MemoryStream();
        assembler.Assemble(new StreamCodeWriter(stream), Code);
        return With(stream.ToArray());
    }

    /// <summary>As above, from bytes.</summary>
    public Guest With(params byte[] code)
    {
        Assert.True(Memory.TryWrite(new Gpa(Code), code));
        Gpr.Rip = Code;
        return this;
    }

    /// <summary>Runs to HLT and fails on anything else.</summary>
    public Guest RunToHalt(long budget = 1_000_000_000)
    {
        RunResult result = Cpu.Run(budget);
        Assert.True(result == RunResult.Event && Cpu.Event.Kind == CpuEventKind.Hlt,
            $"{result} {Cpu.Event.Kind} vector {Cpu.Event.Index} error 0x{Cpu.Event.Value:x} address 0x{Cpu.Event.Address:x} at 0x{Gpr.Rip:x}");
        return this;
    }

    /// <summary>Runs to an exception and returns its vector.</summary>
    public byte RunToException(long budget = 1_000_000)
    {
        RunResult result = Cpu.Run(budget);
        Assert.True(result == RunResult.Event && Cpu.Event.Kind == CpuEventKind.Exception, $"{result} {Cpu.Event.Kind}");
        return (byte)Cpu.Event.Index;
    }

    public ulong Read(ulong address)
    {
        Assert.True(Memory.TryRead(new Gpa(address), out ulong value));
        return value;
    }

    public void Dispose()
    {
        Cpu.Dispose();
        if (_ownsMemory)
            Memory.Dispose();
    }

    private void Flat()
    {
        ref SystemRegisters sys = ref Cpu.State.Sys;
        sys.Ss = sys.Ds = sys.Es = sys.Fs = sys.Gs = new SegmentRegister { Selector = 16, Limit = uint.MaxValue, Attributes = 0xC093 };
        Start();
    }

    private void Start()
    {
        Gpr.Rflags = 2;
        Gpr.Rsp = Stack;
        Gpr.Rip = Code;
        Changed();
    }
}
