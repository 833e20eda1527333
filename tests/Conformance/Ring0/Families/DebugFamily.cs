using Hv.Conformance.Ring0.Cases;
using Hv.Conformance.Ring0.Guest;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Conformance.Ring0.Families;

/// <summary>Breakpoints in the debug registers, single-stepping, and what delays or suppresses both.</summary>
public sealed class DebugFamily() : Family("debug", "DR7's conditions, general detect, single-step with POPF, IRET and MOV SS")
{
    private const uint Dr6Fixed = 0xFFFF_0FF0, Dr7Fixed = 0x400, StepBit = 0x4000, DetectBit = 0x2000, Tf = 0x100, GeneralDetect = 0x2000;

    /// <inheritdoc/>
    public override Ring0Case Make(CaseRandom random, int index) => random.Below(6) switch
    {
        0 => Instruction(random, index),
        1 => Step(random, index),
        2 => Detect(random, index),
        3 => Registers(random, index),
        _ => Data(random, index),
    };

    /// <summary>A data breakpoint of a length at an address, and an access near it.</summary>
    private Ring0Case Data(CaseRandom random, int index)
    {
        bool isLong = random.OneIn(2);
        int register = random.Below(4), kind = random.Pick(1, 3, 3, 1, 2), length = random.Pick(0, 1, 3, 2), size = random.Pick(1, 2, 4),
            enable = random.Below(4);
        if (length == 2 && !isLong)
            length = 3; // 8 bytes are a matter of 64-bit processors; in 32-bit code some read it as undefined
        uint address = Layout.Data + 0x40u + (uint)random.Below(8), target = Layout.Data + 0x3C + (uint)random.Below(16);
        bool writes = random.OneIn(2);
        uint bytes = length switch { 0 => 1u, 1 => 2, 2 => 8, _ => 4 };
        address &= ~(bytes - 1);
        uint dr7 = Dr7Fixed | (uint)enable << (2 * register) | (uint)(kind | length << 2) << (16 + 4 * register);
        var builder = new CaseBuilder(isLong ? BootMode.Long : BootMode.Protected);
        Assembler c = builder.Code;
        SetDebug(c, register, address);
        SetDebug(c, 7, dr7);
        c.mov(ecx, target);
        c.xor(eax, eax);
        builder.Test(c);
        WriteAccess(c, isLong, size, writes);
        builder.End(c, "end");
        // Kind 2 is I/O under CR4.DE, and undefined without it: nothing here reaches a port.
        bool hits = enable != 0 && (kind == 3 || (kind == 1 && writes)) && target < address + bytes && address < target + (uint)size;
        string where = $"{Name}/data/{(isLong ? "long" : "protected")}/dr{register}/kind{kind}/len{bytes}/at={address:x}/enable{enable}/" +
            $"{(writes ? "write" : "read")}{size}={target:x}/{index}";
        if (kind == 2)
            return builder.Build(where);
        return builder.Build(where, hits
            ? new Expectation("#DB@end", "SDM 3B 18.2.4, 18.2.5, 18.3.1.2: a trap after the access")
            {
                Fields = [(RecordField.Dr6,
                Dr6Fixed | 1u << register)]
            }
            : new Expectation("end", "SDM 3B 18.2.4, 18.2.5"));
    }

    /// <summary>An instruction breakpoint, with and without RF in the RFLAGS that an IRET brings.</summary>
    private Ring0Case Instruction(CaseRandom random, int index)
    {
        bool isLong = random.OneIn(2), resume = random.OneIn(2), further = random.OneIn(3);
        int register = random.Below(4);
        const uint Target = Layout.Code + 0x800;
        var builder = new CaseBuilder(isLong ? BootMode.Long : BootMode.Protected);
        Assembler c = builder.Code;
        SetDebug(c, register, Target + (further ? 1u : 0));
        SetDebug(c, 7, Dr7Fixed | 2u << (2 * register));
        uint flags = resume ? 0x1_0002u : 2;
        if (isLong)
        {
            c.push(Selectors.Data);
            c.push((int)Layout.Stack - 0x80);
        }

        c.push((int)flags);
        c.push(isLong ? Selectors.Code64 : Selectors.Code32);
        c.push((int)Target);
        if (isLong)
            c.iretq();
        else
            c.iretd();
        Assembler there = builder.CodeAt(isLong ? 64 : 32, Target);
        builder.Mark(there, "first");
        there.nop();
        builder.End(there, "end");
        // RF is clear again once the first instruction has completed.
        bool hits = further || !resume;
        return builder.Build($"{Name}/instruction/{(isLong ? "long" : "protected")}/dr{register}/rf{(resume ? 1 : 0)}/" +
            $"{(further ? "second" : "first")}/{index}",
            hits ? new Expectation(further ? "#DB@end" : "#DB@first", "SDM 3B 18.3.1.1: a fault before the instruction, unless RF is set")
            { Fields = [(RecordField.Dr6, Dr6Fixed | 1u << register)] }
            : new Expectation("end", "SDM 3B 18.3.1.1: RF suppresses instruction breakpoints for one instruction"));
    }

    /// <summary>TF set by POPF: the trap comes after the instruction behind it, unless that delays or drops it.</summary>
    private Ring0Case Step(CaseRandom random, int index)
    {
        bool isLong = random.OneIn(2);
        var builder = new CaseBuilder(isLong ? BootMode.Long : BootMode.Protected);
        Assembler c = builder.Code;
        c.mov(eax, Selectors.Data);
        c.push(2);
        c.push((int)(Tf | 2));
        PopFlags(c, isLong);
        string name = random.Pick("nop", "mov-ss", "mov-ds", "popf", "int", "cli");
        var expected = new Expectation("#DB@next", "SDM 3B 18.3.1.4") { Fields = [(RecordField.Dr6, Dr6Fixed | StepBit)] };
        switch (name)
        {
            case "nop": c.nop(); break;
            case "mov-ss":
                c.mov(ss, ax);
                c.nop();
                expected = expected with { Citation = "SDM 3A 6.8.3: MOV SS holds debug exceptions off until the next instruction has completed" };
                break;
            case "mov-ds": c.mov(ds, ax); break;
            // It clears TF, and still traps: TF was set before it.
            case "popf": PopFlags(c, isLong); break;
            case "int":
                const uint Handler = Layout.Code + 0x900;
                builder.Gate(0x90, isLong ? Selectors.Code64 : Selectors.Code32, Handler, 0x8E);
                c.@int(unchecked((sbyte)0x90));
                builder.End(builder.CodeAt(isLong ? 64 : 32, Handler), "handler");
                expected = new Expectation("handler", "SDM 3B 18.3.1.4: INT n clears TF once it is saved; its own trap is not taken")
                {
                    Fields = [(RecordField.Dr6, Dr6Fixed)],
                };
                break;
            default: c.cli(); break;
        }

        builder.Mark(c, "next");
        c.nop();
        builder.End(c, "end");
        return builder.Build($"{Name}/step/{(isLong ? "long" : "protected")}/{name}/{index}", expected);
    }

    private static void PopFlags(Assembler c, bool isLong)
    {
        if (isLong)
            c.popfq();
        else
            c.popfd();
    }

    /// <summary>DR7.GD: the first use of a debug register is a fault with BD, and clears GD.</summary>
    private Ring0Case Detect(CaseRandom random, int index)
    {
        bool isLong = random.OneIn(2), writes = random.OneIn(2);
        int number = random.Pick(0, 1, 2, 3, 6, 7);
        var builder = new CaseBuilder(isLong ? BootMode.Long : BootMode.Protected);
        Assembler c = builder.Code;
        SetDebug(c, 7, Dr7Fixed | GeneralDetect);
        builder.Test(c);
        c.db(0x0F, (byte)(writes ? 0x23 : 0x21), (byte)(0xC0 | number << 3));
        builder.End(c, "end");
        return builder.Build($"{Name}/detect/{(isLong ? "long" : "protected")}/{(writes ? "to" : "from")}-dr{number}/{index}",
            new Expectation("#DB", "SDM 3B 18.2.4, 18.3.1.3")
            {
                Fields = [(RecordField.Dr6, Dr6Fixed | DetectBit), (RecordField.Dr7, Dr7Fixed)],
            });
    }

    /// <summary>What DR6 and DR7 keep of a value, and the 64-bit forms' refusals; DR4 and DR5.</summary>
    private Ring0Case Registers(CaseRandom random, int index)
    {
        bool isLong = random.OneIn(2), extensions = random.OneIn(3);
        int number = random.Pick(4, 5, 6, 7);
        // No breakpoint is enabled, and no bit of a later processor is touched (RTM, BLD, bus lock: DR6 16, 11, 12; DR7 11).
        ulong value = number is 5 or 7 ? random.Next() & 0xFFFF_0300 : random.Next() & 0xE00F | Dr6Fixed;
        if (isLong && random.OneIn(3))
            value |= 1UL << random.Pick(32, 47, 63);
        var builder = new CaseBuilder(isLong ? BootMode.Long : BootMode.Protected);
        Assembler c = builder.Code;
        if (extensions)
        {
            c.mov(eax, isLong ? 0x28 : 8);
            if (isLong)
                c.mov(cr4, rax);
            else
                c.mov(cr4, eax);
        }

        if (isLong)
            c.mov(rax, value);
        else
            c.mov(eax, (uint)value);
        builder.Test(c);
        c.db(0x0F, 0x23, (byte)(0xC0 | number << 3));
        builder.End(c, "end");
        string where = $"{Name}/registers/{(isLong ? "long" : "protected")}/dr{number}={value:x}/de{(extensions ? 1 : 0)}/{index}";
        if (number < 6 && extensions)
            return builder.Build(where, new Expectation("#UD", "SDM 3B 18.2.2: DR4 and DR5 are #UD under CR4.DE"));
        if (value >> 32 != 0)
            return builder.Build(where, new Expectation("#GP(0)", "SDM 2B MOV DRn: #GP(0) for a 1 in bits 63:32 of DR6 or DR7"));
        bool status = number is 4 or 6;
        return builder.Build(where, new Expectation("end", "SDM 3B 18.2.2 to 18.2.4, figure 18-1")
        {
            Fields = [(status ? RecordField.Dr6 : RecordField.Dr7, status ? (uint)value : (uint)value & 0xFFFF_0300 | Dr7Fixed)],
        });
    }

    private static void WriteAccess(Assembler c, bool isLong, int size, bool writes)
    {
        AssemblerMemoryOperand At(AssemblerMemoryOperandFactory factory) => isLong ? factory[rcx] : factory[ecx];
        if (size == 1 && writes)
            c.mov(At(__byte_ptr), al);
        else if (size == 1)
            c.mov(al, At(__byte_ptr));
        else if (size == 2 && writes)
            c.mov(At(__word_ptr), ax);
        else if (size == 2)
            c.mov(ax, At(__word_ptr));
        else if (writes)
            c.mov(At(__dword_ptr), eax);
        else
            c.mov(eax, At(__dword_ptr));
    }

    private static void SetDebug(Assembler c, int number, uint value)
    {
        c.mov(eax, value);
        c.db(0x0F, 0x23, (byte)(0xC0 | number << 3));
    }
}
