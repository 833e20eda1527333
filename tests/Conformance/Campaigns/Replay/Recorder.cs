using Hv.Conformance.Campaigns.Cases;
using Hv.Conformance.Campaigns.Execution;
using Hv.Conformance.Campaigns.Forms;
using Hv.Conformance.Oracle;
using Iced.Intel;

namespace Hv.Conformance.Campaigns.Replay;

/// <summary>Records a corpus: some cases of every form with silicon's results, each with only the state that its instruction uses.</summary>
public static class Recorder
{
    /// <summary>Makes the lines for one form.</summary>
    public static IEnumerable<string> Record(CaseRunner runner, Form form, OperandState states, Prng random, int cases)
    {
        var lines = new List<string>();
        for (int i = 0; i < cases; i++)
        {
            ulong rip = form.Mode == CodeMode.Bits16 ? RecordedCases.Offset : OracleMap.Code + RecordedCases.Offset;
            if (FormBytes.Make(form, random, rip, out _) is not { } bytes)
                break;
            Displacements.Aim(bytes, form.Mode, rip, random);
            var slot = new CodeSlot(bytes, form.Mode, form.Way, RecordedCases.Offset);
            CaseRecord input = default;
            states.Fill(ref input, slot, random);
            KeepUsed(ref input, slot);
            if (slot.HasExtended)
                KeepUsedExtended(ref input.Extended, slot);
            runner.RunOne(slot, in input, out CaseRecord silicon, out CaseRecord ours);
            // What makers differ on is no expectation.
            if (Comparison.Difference(in input, in silicon, in ours, slot) is null && !Comparison.TouchesWorker(in ours))
                lines.Add(CaseText.Format(slot, in input, in silicon));
        }

        return lines;
    }

    /// <summary>Clears registers and memory that the instruction does not use, so that the line is short.</summary>
    private static void KeepUsed(ref CaseRecord input, CodeSlot slot)
    {
        uint used = 1 << 4;
        foreach (UsedRegister register in new InstructionInfoFactory().GetInfo(slot.Instruction).GetUsedRegisters())
            if (register.Register.GetFullRegister() is >= Register.RAX and <= Register.R15 and var full)
                used |= 1u << (full - Register.RAX);
        for (int i = 0; i < 16; i++)
            if ((used >> i & 1) == 0)
                input.Registers[i] = 0;
        CaseMemory kept = default;
        foreach (UsedMemory memory in slot.Memory)
        {
            ulong? address = memory.GetVirtualAddress(0, Value(input));
            int size = Math.Max(memory.MemorySize.GetSize(), 1);
            long window = (long)((uint)(address ?? 0) - OracleMap.Window);
            long edge = (long)((uint)(address ?? 0) - OracleMap.Edge);
            if (window >= 0 && window < OracleMap.WindowSize)
                Copy(ref kept, in input, (int)window, Math.Min(size, OracleMap.WindowSize - (int)window));
            if (edge >= 0 && edge < OracleMap.EdgeSize)
                Copy(ref kept, in input, OracleMap.WindowSize + (int)edge, Math.Min(size, OracleMap.EdgeSize - (int)edge));
        }

        input.Memory = kept;
    }

    /// <summary>The same for x87 and vector registers. Instructions that store the whole state keep all of it.</summary>
    private static void KeepUsedExtended(ref ExtendedState state, CodeSlot slot)
    {
        Instruction instruction = slot.Instruction;
        if (instruction.Mnemonic is Mnemonic.Fnsave or Mnemonic.Frstor or Mnemonic.Fxsave or Mnemonic.Fxsave64 or Mnemonic.Fxrstor
            or Mnemonic.Fxrstor64 || instruction.CpuidFeatures.Any(f => f is CpuidFeature.XSAVE or CpuidFeature.XSAVEOPT or CpuidFeature.XSAVEC))
            return;
        if (instruction.Mnemonic is not Mnemonic.Fnstenv)
        {
            state.Opcode = 0;
            state.InstructionPointer = state.OperandPointer = 0;
        }

        uint stack = instruction.CpuidFeatures.Contains(CpuidFeature.FPU) ? 3u : 0;
        for (int i = 0; i < instruction.OpCount; i++)
        {
            if (instruction.GetOpKind(i) != OpKind.Register)
                continue;
            Register register = instruction.GetOpRegister(i);
            if (register.IsST())
                stack |= 1u << register.GetNumber();
            else if (register.IsMM())
                stack |= 1u << (register.GetNumber() - state.Top & 7);
        }

        for (int i = 0; i < 16; i++)
        {
            if (i < 8 && (stack >> i & 1) == 0)
                state.Stack[i] = default;
            if ((slot.VectorsUsed >> i & 1) == 0)
                state.Xmm[i] = state.Upper[i] = default;
        }
    }

    private static void Copy(ref CaseMemory to, in CaseRecord from, int at, int length) =>
        ((ReadOnlySpan<byte>)from.Memory).Slice(at, length).CopyTo(((Span<byte>)to)[at..]);

    private static VAGetRegisterValue Value(CaseRecord input) => (register, _, _) =>
    {
        if (register.IsSegmentRegister())
            return register switch { Register.FS => OracleMap.FsBase, Register.GS => OracleMap.GsBase, _ => 0 };
        return register.GetFullRegister() is >= Register.RAX and <= Register.R15 and var full ? input.Registers[full - Register.RAX] : 0;
    };
}
