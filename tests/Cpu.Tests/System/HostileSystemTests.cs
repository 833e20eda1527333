using Hv.Core.Registers;
using Hv.Cpu.System;
using static Hv.Cpu.Tests.SystemHalf.SystemMachine;

namespace Hv.Cpu.Tests.SystemHalf;

/// <summary>Random tables, states and instructions: whatever they hold, a run ends within its budget, without an exception and without writing
/// outside memory.</summary>
public sealed class HostileSystemTests
{
    private static readonly byte[][] s_instructions =
    [
        [0xCD, 0x21], [0xCC], [0xF1], [0xCE], [0xCF], [0x48, 0xCF], [0x66, 0xCF], [0xCB], [0x48, 0xCB], [0xCA, 8, 0], [0x9A, 0, 0, 1, 0, 0x80, 0],
        [0xEA, 0, 0, 1, 0, 0x90, 0],
        [0xFF, 0x18], [0xFF, 0x28], [0x48, 0xFF, 0x18], [0x8E, 0xD8], [0x8E, 0xD0], [0x8E, 0xE0], [0x17], [0x1F], [0x0F, 0xA1], [0x0F, 0x00, 0xD0],
        [0x0F, 0x00, 0xD8],
        [0x0F, 0x01, 0x10], [0x0F, 0x01, 0x18], [0x0F, 0x01, 0x00], [0x0F, 0x22, 0xC0], [0x0F, 0x22, 0xD8], [0x0F, 0x22, 0xE0], [0x44, 0x0F, 0x22,
        0xC0], [0x0F, 0x30],
        [0x0F, 0x32], [0x0F, 0x05], [0x0F, 0x07], [0x48, 0x0F, 0x07], [0x0F, 0x34], [0x0F, 0x35], [0x48, 0x0F, 0x35], [0x9D], [0x9C], [0xFA],
        [0xFB], [0xF4], [0x6C], [0x6F],
        [0xF3, 0x6C], [0xF3, 0x6F], [0xEC], [0xEF], [0x0F, 0x02, 0xC1], [0x0F, 0x03, 0xC1], [0x63, 0xC8], [0x0F, 0xAE, 0x00], [0x0F, 0xAE, 0x08],
        [0x0F, 0xAE, 0x10],
        [0x0F, 0x23, 0xF8], [0x0F, 0x21, 0xC0], [0x0F, 0x01, 0xF8], [0x0F, 0x01, 0x38], [0x0F, 0x01, 0xF0], [0x0F, 0x01, 0xD1], [0x0F, 0xA2],
        [0x0F, 0x31], [0x0F, 0x0B],
        [0xC5, 0x10], [0x0F, 0xB2, 0x10], [0x0F, 0x01, 0xCA], [0x0F, 0xAA], [0xDB, 0xE3], [0x9B], [0xDF, 0xE0],
    ];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Random_tables_and_instructions(int seed)
    {
        var random = new Random(seed);
        using var m = new SystemMachine((CpuMode)(seed % 6));
        var outcomes = new SortedDictionary<RunResult, int>();
        var pristine = new byte[0x5_0000];
        m.Memory.TryRead(new Hv.Core.Gpa(0), pristine);
        for (int round = 0; round < 1500; round++)
        {
            if (round % 50 == 0)
                m.Memory.TryWrite(new Hv.Core.Gpa(0), pristine);
            using var shape = new SystemMachine((CpuMode)random.Next(6), random.Next(4));
            var state = new VcpuState();
            StateTransfer.Save(shape.Processor, state);
            Spoil(random, m, state);
            StateTransfer.Load(m.Processor, state);
            var code = new List<byte>();
            while (code.Count < 40)
                code.AddRange(s_instructions[random.Next(s_instructions.Length)]);
            m.Write(Code, code.ToArray());
            RunResult result = m.Processor.Run(200);
            outcomes[result] = outcomes.GetValueOrDefault(result) + 1;
            Assert.True(m.State.Remaining >= -1, $"budget overrun in round {round}: {m.State.Remaining}");
            Assert.InRange(m.State.Sys.Cpl, (byte)0, (byte)3);
        }

        TestContext.Current.TestOutputHelper?.WriteLine(string.Join(", ", outcomes.Select(o => $"{o.Key} {o.Value}")));
        Assert.True(outcomes.Count >= 2, "the campaign met only one outcome");
    }

    [Fact]
    public void Any_state_can_be_loaded_and_run()
    {
        var random = new Random(77);
        using var m = new SystemMachine(CpuMode.Protected32);
        for (int round = 0; round < 2000; round++)
        {
            var state = new VcpuState();
            random.NextBytes(state.Extended);
            random.NextBytes(global::System.Runtime.InteropServices.MemoryMarshal.AsBytes(new Span<GeneralRegisters>(ref state.General)));
            random.NextBytes(global::System.Runtime.InteropServices.MemoryMarshal.AsBytes(new Span<SystemRegisters>(ref state.System)));
            state.Pending = new PendingEvent((PendingEventKind)random.Next(6), (byte)random.Next(256), random.Next(2) == 0, (uint)random.Next(),
                (ulong)random.NextInt64());
            StateTransfer.Load(m.Processor, state);
            m.State.Sys.Activity = ActivityState.Running;
            m.Processor.Run(20);
        }
    }

    private static void Spoil(Random random, SystemMachine m, VcpuState state)
    {
        for (int i = random.Next(8); i > 0; i--)
        {
            (ulong start, int length) = random.Next(5) switch
            {
                0 => (Gdt, 0x100),
                1 => (Idt, 0x400),
                2 => (Tss, 0x70),
                3 => (Tss2, 0x70),
                _ => (Ldt, 0x100),
            };
            // Mostly plausible descriptors: a random access byte over an existing entry; now and then eight random bytes.
            ulong at = start + (ulong)random.Next(length / 8) * 8;
            if (random.Next(3) == 0)
                m.Write64(at, (ulong)random.NextInt64());
            else
                m.Write(at + 5, (byte)random.Next(256));
        }

        ref GeneralRegisters gpr = ref state.General;
        gpr.Rax = random.Next(2) == 0 ? (ulong)random.Next(0x110) : (ulong)random.NextInt64();
        gpr.Rcx = random.Next(2) == 0 ? (ulong)random.Next(16) : (ulong)random.NextInt64();
        gpr.Rdx = (ulong)random.Next(0x10000);
        gpr.Rsi = Data + (ulong)random.Next(0x1000);
        gpr.Rdi = Data + (ulong)random.Next(0x1000);
        if (random.Next(4) == 0)
            gpr.Rsp = (ulong)random.Next(0x2000) * 4;
        gpr.Rflags ^= (ulong)(uint)random.Next(0x40000) & 0x77300;
        state.System.Efer |= (uint)random.Next(2);
        state.System.Star = (ulong)random.NextInt64();
        state.System.Lstar = random.Next(2) == 0 ? Code : (ulong)random.NextInt64();
        state.System.SysenterCs = (ulong)random.Next(0x40);
        state.System.Dr7 = (ulong)random.Next();
        state.System.Dr0 = Code + (ulong)random.Next(16);
    }
}
