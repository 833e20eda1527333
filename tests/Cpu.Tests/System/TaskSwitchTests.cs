using Hv.Core.Registers;
using static Hv.Cpu.Tests.SystemHalf.SystemMachine;

namespace Hv.Cpu.Tests.SystemHalf;

/// <summary>Hardware task switches (SDM 3A 8.3, tables 8-1 and 8-2).</summary>
public sealed class TaskSwitchTests
{
    private const ulong Target = 0x1_4000;
    private const ulong NestedTask = 1 << 14;
    private static readonly byte[] s_jumpToTask = [0xEA, 0, 0, 0, 0, (byte)TaskSelector, 0], s_callTask = [0x9A, 0, 0, 0, 0, (byte)TaskSelector, 0];

    private static SystemMachine Machine(uint eflags = 2, ushort cs = Code32, ushort ss = Data32, ushort ds = Data32)
    {
        var m = new SystemMachine(CpuMode.Protected32);
        m.Write32(Tss2 + 0x20, (uint)Target);
        m.Write32(Tss2 + 0x24, eflags);
        for (uint i = 0; i < 8; i++)
            m.Write32(Tss2 + 0x28 + i * 4, i == 4 ? (uint)Stack1 : 0x1000 + i);
        ushort[] selectors = [Data32, cs, ss, ds, 0, 0];
        for (uint i = 0; i < 6; i++)
            m.Write16(Tss2 + 0x48 + i * 4, selectors[i]);
        m.Write(Target, 0xF4);
        return m;
    }

    private static ulong AccessOf(SystemMachine m, ushort selector) => m.Read(Gdt + selector + 5, 1);

    [Fact]
    public void A_jump_saves_the_old_task_and_moves_the_busy_bit()
    {
        using SystemMachine m = Machine();
        m.State.Gpr.Rbx = 0xBEEF;
        Outcome outcome = m.Run(s_jumpToTask);
        Assert.Equal(Target + 1, outcome.Rip);
        Assert.Equal(0x1003UL, m.State.Gpr.Rbx);
        Assert.Equal(Stack1, m.State.Gpr.Rsp);
        Assert.Equal(TaskSelector, m.State.Sys.Tr.Selector);
        Assert.Equal(0x89UL, AccessOf(m, TssSelector));
        Assert.Equal(0x8BUL, AccessOf(m, TaskSelector));
        Assert.Equal(Code + 7, m.Read(Tss + 0x20, 4));
        Assert.Equal(0xBEEFUL, m.Read(Tss + 0x34, 4));
        Assert.Equal((ulong)Code32, m.Read(Tss + 0x4C, 2));
        Assert.Equal(0UL, m.State.Gpr.Rflags & NestedTask);
        Assert.NotEqual(0UL, m.State.Sys.Cr0 & 8); // TS
        Assert.Equal(0UL, m.Read(Tss2, 2));        // no link
    }

    [Fact]
    public void A_call_nests_and_iret_returns()
    {
        using SystemMachine m = Machine();
        m.Write(Target, 0xCF, 0xF4); // IRET; a second call goes on after it
        m.State.Gpr.Rbx = 0xBEEF;
        Outcome outcome = m.Run(s_callTask);
        Assert.Equal(Code + 8, outcome.Rip);
        Assert.Equal(0xBEEFUL, m.State.Gpr.Rbx);
        Assert.Equal(TssSelector, m.State.Sys.Tr.Selector);
        Assert.Equal(0x8BUL, AccessOf(m, TssSelector));
        Assert.Equal(0x89UL, AccessOf(m, TaskSelector));
        Assert.Equal((ulong)TssSelector, m.Read(Tss2, 2));
        Assert.Equal(Target + 1, m.Read(Tss2 + 0x20, 4));
        Assert.Equal(0UL, m.Read(Tss2 + 0x24, 4) & NestedTask); // cleared in the image that a return saves
        Assert.Equal(0UL, m.State.Gpr.Rflags & NestedTask);
    }

    [Fact]
    public void A_nested_task_has_nt_set()
    {
        using SystemMachine m = Machine();
        m.Run(s_callTask);
        Assert.Equal(NestedTask, m.State.Gpr.Rflags & NestedTask);
        Assert.Equal(0x8BUL, AccessOf(m, TssSelector));
        Assert.Equal(0x8BUL, AccessOf(m, TaskSelector));
    }

    [Fact]
    public void An_exception_through_a_task_gate_pushes_its_error_code_on_the_new_stack()
    {
        using SystemMachine m = Machine();
        m.SetGate(13, TaskSelector, 0, 0x85);
        Outcome outcome = m.Run(0x66, 0xB8, 0x00, 0x01, 0x8E, 0xD8); // MOV DS, 0x100
        Assert.Equal(Target + 1, outcome.Rip);
        Assert.Equal(Stack1 - 4, m.State.Gpr.Rsp);
        Assert.Equal(0x100UL, m.Read(Stack1 - 4, 4));
        Assert.Equal(NestedTask, m.State.Gpr.Rflags & NestedTask);
        Assert.Equal(Code + 4, m.Read(Tss + 0x20, 4));
        Assert.NotEqual(0UL, m.Read(Tss + 0x24, 4) & 0x10000); // RF, as for any fault
    }

    /// <summary>what is wrong with the new task, outcome; faults past the commit point are met in the new task</summary>
    [Theory]
    [InlineData("busy", "13(a0)", false)]
    [InlineData("absent", "11(a0)", false)]
    [InlineData("short", "10(a0)", false)]
    [InlineData("null cs", "10(0)", true)]
    [InlineData("data cs", "10(10)", true)]
    [InlineData("cs level", "10(18)", true)]
    [InlineData("null ss", "10(0)", true)]
    [InlineData("ss level", "10(20)", true)]
    [InlineData("bad ds", "10(100)", true)]
    [InlineData("bad ldt", "10(8)", true)]
    [InlineData("ip", "13(0)", true)]
    public void A_bad_task_is_refused_where_the_manual_says(string what, string expected, bool inNewTask)
    {
        using SystemMachine m = what switch
        {
            "null cs" => Machine(cs: 0),
            "data cs" => Machine(cs: Data32),
            "cs level" => Machine(cs: 0x18),
            "null ss" => Machine(ss: 0),
            "ss level" => Machine(ss: UserData32 & ~3),
            "bad ds" => Machine(ds: 0x100),
            _ => Machine(),
        };
        // Faults in a task whose stack is not loaded need a task of their own; the handlers of #TS and #GP are one.
        ulong task3 = Tss2 + 0x200;
        m.SetDescriptor(Slot, Descriptor((uint)task3, 0x67, 0x89, 0));
        m.Write32(task3 + 0x20, 0x1_5000);
        m.Write32(task3 + 0x38, (uint)Stack2);
        m.Write32(task3 + 0x24, 2);
        ushort[] selectors = [Data32, Code32, Data32, Data32, 0, 0];
        for (uint i = 0; i < 6; i++)
            m.Write16(task3 + 0x48 + i * 4, selectors[i]);
        m.Write(0x1_5000, 0xF4);
        foreach (int vector in new[] { 10, 11, 13 })
            m.SetGate(vector, Slot, 0, 0x85);
        switch (what)
        {
            case "busy": m.SetDescriptor(TaskSelector, Descriptor((uint)Tss2, 0x67, 0x8B, 0)); break;
            case "absent": m.SetDescriptor(TaskSelector, Descriptor((uint)Tss2, 0x67, 0x09, 0)); break;
            case "short": m.SetDescriptor(TaskSelector, Descriptor((uint)Tss2, 0x66, 0x89, 0)); break;
            case "bad ldt": m.Write16(Tss2 + 0x60, Code32); break;
            case "ip":
                m.SetDescriptor(Slot2, Descriptor(0, 0x3FFF, 0x9B, 4));
                m.Write16(Tss2 + 0x4C, Slot2);
                break;
            default: break;
        }

        m.Run(s_jumpToTask);
        Assert.Equal(0x1_5001UL, m.State.Gpr.Rip);
        uint error = uint.Parse(expected[(expected.IndexOf('(', StringComparison.Ordinal) + 1)..^1],
            global::System.Globalization.NumberStyles.HexNumber, null);
        Assert.Equal(error, m.Read(Stack2 - 4, 4));
        Assert.Equal(inNewTask ? TaskSelector : (ulong)TssSelector, m.Read(task3, 2)); // the link says who faulted
        Assert.Equal(inNewTask ? Target : Code, m.Read((inNewTask ? Tss2 : Tss) + 0x20, 4));
    }

    [Fact]
    public void Entering_virtual_8086_mode_by_a_task()
    {
        using SystemMachine m = Machine(eflags: 0x20002, cs: 0x1400, ss: 0x100, ds: 0x2222);
        m.Write32(Tss2 + 0x20, 0);
        m.Write32(Tss2 + 0x38, 0x800);
        m.Write(Target, 0x0F, 0x0B);
        Outcome outcome = m.Run(s_jumpToTask);
        // The #UD handler runs on the new TSS's ring 0 stack, which is null: #TS, then double fault, then shutdown. So give it one first.
        Assert.True(outcome.Shutdown);

        using SystemMachine good = Machine(eflags: 0x20002, cs: 0x1400, ss: 0x100, ds: 0x2222);
        good.Write32(Tss2 + 0x20, 0);
        good.Write32(Tss2 + 0x38, 0x800);
        good.Write32(Tss2 + 4, (uint)Stack0);
        good.Write16(Tss2 + 8, Data32);
        good.Write(Target, 0x0F, 0x0B);
        outcome = good.Run(s_jumpToTask);
        Assert.Equal("6", outcome.ToString());
        Assert.Equal(0x1400, outcome.Cs);
        Assert.NotEqual(0UL, outcome.Flags & 0x20000);
        Assert.Equal(0x2222UL, good.Read(good.State.Gpr.Rsp + 24, 4)); // DS of the frame
    }

    [Fact]
    public void The_t_bit_traps_before_the_first_instruction()
    {
        using SystemMachine m = Machine();
        m.Write16(Tss2 + 0x64, 1);
        Outcome outcome = m.Run(s_jumpToTask);
        Assert.Equal("1", outcome.ToString());
        Assert.Equal(Target, outcome.Rip);
        Assert.Equal(1UL << 15, m.State.Sys.Dr6 & (1 << 15));
    }

    [Fact]
    public void Task_switches_count_against_the_budget()
    {
        using SystemMachine m = Machine();
        // Two tasks that jump to each other for ever.
        m.Write(Target, 0xEA, 0, 0, 0, 0, (byte)TssSelector, 0);
        m.Write(Code, s_jumpToTask);
        m.Write(Code + 7, 0xEB, 0xF7);
        Assert.Equal(RunResult.Budget, m.Processor.Run(1000));
    }

    [Fact]
    public void A_16_bit_task_saves_and_loads_words()
    {
        using SystemMachine m = Machine();
        m.SetDescriptor(TaskSelector, Descriptor((uint)Tss2, 0x2B, 0x81, 0));
        ushort[] words = [0, 0, 0, 0, 0, 0, 0, 0x4000, 2, 0x11, 0x22, 0x33, 0x44, 0x7000, 0x66, 0x77, 0x88, Data16, Slot, Data16, Data16, 0];
        for (int i = 0; i < words.Length; i++)
            m.Write16(Tss2 + (ulong)i * 2, words[i]);
        m.SetDescriptor(Slot, Descriptor(0x1_0000, 0xFFFF, 0x9B, 0));
        Outcome outcome = m.Run(s_jumpToTask);
        Assert.Equal(0x4001UL, outcome.Rip);
        Assert.Equal(0x11UL, m.State.Gpr.Rax & 0xFFFF);
        Assert.Equal(0x7000UL, m.State.Gpr.Rsp & 0xFFFF);
        Assert.Equal(0x83UL, AccessOf(m, TaskSelector));
    }
}
