using Hv.Cpu.Decode;
using Hv.Cpu.Execute;
using Hv.Cpu.Floating;
using Hv.Cpu.State;

namespace Hv.Cpu.X87;

/// <summary>An x87 instruction, as a type.</summary>
internal interface IX87Instruction
{
    /// <summary>Whether a pending unmasked exception is reported first: not for the control instructions whose mnemonics have an N (SDM 1
    /// 8.3.11, 8.3.12).</summary>
    static virtual bool Waits => true;

    /// <summary>Whether it becomes the last instruction (SDM 1 8.1.8: not the control instructions).</summary>
    static virtual bool IsRecorded => true;

    /// <summary>Whether C1 is clear unless the instruction sets it.</summary>
    static virtual bool ClearsC1 => true;

    /// <summary>Executes. False: a fault or an event is recorded, and nothing but the status word has changed; the caller restores that.</summary>
    static abstract bool Execute(ref CpuState s, ref Op op, Processor p);
}

/// <summary>The eight escape opcodes D8 to DF as tables in the order of ModRM (SDM 2D, tables ). The decoder gives the 11 bits of the
/// opcode register in the immediate.</summary>
// SAFETY: only takes the addresses of static methods that have the handlers' signature.
internal static unsafe class X87Decoding
{
    // SAFETY: only addresses of static methods are taken, of the one signature that Threading calls.
    private static readonly nint[] s_memory = MemoryForms(), s_register = RegisterForms();

    /// <summary>0 for D8 to 7 for DF.</summary>
    public static int Escape(in Op op) => (int)op.Immediate >> 8 & 7;

    /// <summary>i of ST(i). REX.B does not count.</summary>
    public static int StackIndex(in Op op) => op.Rm >> 3 & 7;

    /// <summary>The low three bits of the escape and the ModRM byte, as the opcode register has them (SDM 1 8.1.9).</summary>
    public static ushort Opcode(in Op op) => (ushort)op.Immediate;

    /// <summary>The handler; 0 for an undefined encoding.</summary>
    public static nint Bind(in Op op) => op.IsMemory
        ? s_memory[Escape(in op) << 3 | Digit(in op)]
        : s_register[Escape(in op) << 6 | Digit(in op) << 3 | StackIndex(in op)];

    private static int Digit(in Op op) => op.Reg >> 3 & 7;

    private static nint[] MemoryForms() =>
    [
        .. Arithmetic<Memory32Real>(),
        H<LoadMemory<Memory32Real>>(), 0, H<StoreReal<Single32, Keep>>(), H<StoreReal<Single32, Popped>>(), H<LoadEnvironment>(), H<LoadControl>(),
        H<StoreEnvironment>(), H<StoreControl>(),
        .. Arithmetic<Memory32Integer>(),
        H<LoadMemory<Memory32Integer>>(), H<StoreInteger<Memory32Integer, Truncated, Popped>>(), H<StoreInteger<Memory32Integer, ByControl, Keep>>(),
        H<StoreInteger<Memory32Integer, ByControl, Popped>>(), 0, H<LoadExtended>(), 0, H<StoreExtended>(),
        .. Arithmetic<Memory64Real>(),
        H<LoadMemory<Memory64Real>>(), H<StoreInteger<Memory64Integer, Truncated, Popped>>(), H<StoreReal<Double64, Keep>>(),
        H<StoreReal<Double64, Popped>>(),
        H<RestoreState>(), 0, H<SaveState>(), H<StoreStatus>(),
        .. Arithmetic<Memory16Integer>(),
        H<LoadMemory<Memory16Integer>>(), H<StoreInteger<Memory16Integer, Truncated, Popped>>(), H<StoreInteger<Memory16Integer, ByControl, Keep>>(),
        H<StoreInteger<Memory16Integer, ByControl, Popped>>(), H<LoadDecimal>(), H<LoadMemory<Memory64Integer>>(), H<StoreDecimal>(),
        H<StoreInteger<Memory64Integer, ByControl, Popped>>(),
    ];

    private static nint[] RegisterForms()
    {
        nint[] d9 =
        [
            .. All(H<LoadRegister>()), .. All(H<Exchange>()), H<NoOperation>(), 0, 0, 0, 0, 0, 0, 0, .. All(H<StoreRegisterNoFault>()),
            H<SetSign<Negated>>(), H<SetSign<Absolute>>(), 0, 0, H<TestTop>(), H<Examine>(), 0, 0,
            H<LoadConstant<One>>(), H<LoadConstant<Log2Of10>>(), H<LoadConstant<Log2OfE>>(), H<LoadConstant<Pi>>(), H<LoadConstant<Log10Of2>>(),
            H<LoadConstant<LnOf2>>(), H<LoadConstant<Zero>>(), 0,
            H<UnaryTop<PowerOperation>>(), H<FunctionOfTwo<LogarithmOperation>>(), H<CircularPush<TangentFunction, PushedOne>>(),
            H<FunctionOfTwo<AngleOperation>>(), H<Extract>(), H<PartialRemainder<ByControl>>(), H<MoveTop<Down>>(), H<MoveTop<Up>>(),
            H<PartialRemainder<Truncated>>(), H<FunctionOfTwo<LogarithmPlus1Operation>>(), H<UnaryTop<SquareRootOperation>>(),
            H<CircularPush<SineFunction, PushedCosine>>(), H<UnaryTop<RoundOperation>>(), H<Scale>(), H<Circular<SineFunction>>(),
            H<Circular<CosineFunction>>(),
        ];
        return
        [
            .. Registers<ToTop>(H<CompareRegister<Fcom>>(), H<CompareRegister<Fcomp>>()),
            .. d9,
            .. All(H<ConditionalMove<CondB>>()), .. All(H<ConditionalMove<CondE>>()), .. All(H<ConditionalMove<CondBe>>()),
            .. All(H<ConditionalMove<CondP>>()),
            .. All(0), 0, H<CompareRegister<Fucompp>>(), 0, 0, 0, 0, 0, 0, .. All(0), .. All(0),
            .. All(H<ConditionalMove<CondB>>()), .. All(H<ConditionalMove<CondE>>()), .. All(H<ConditionalMove<CondBe>>()),
            .. All(H<ConditionalMove<CondP>>()),
            H<NoControl>(), H<NoControl>(), H<ClearExceptions>(), H<InitializeState>(), H<NoControl>(), 0, 0, 0, .. All(H<CompareRegister<Fucomi>>()),
            .. All(H<CompareRegister<Fcomi>>()), .. All(0),
            .. Registers<ToOther>(H<CompareRegister<Fcom>>(), H<CompareRegister<Fcomp>>()),
            .. All(H<FreeRegister<Keep>>()), .. All(H<Exchange>()), .. All(H<StoreRegister<Keep>>()), .. All(H<StoreRegister<Popped>>()),
            .. All(H<CompareRegister<Fucom>>()), .. All(H<CompareRegister<Fucomp>>()), .. All(0), .. All(0),
            .. Registers<ToOtherPop>(H<CompareRegister<Fcomp>>(), 0),
            .. All(H<FreeRegister<Popped>>()), .. All(H<Exchange>()), .. All(H<StoreRegister<Popped>>()), .. All(H<StoreRegister<Popped>>()),
            H<StoreStatus>(), 0, 0, 0, 0, 0, 0, 0, .. All(H<CompareRegister<Fucomip>>()), .. All(H<CompareRegister<Fcomip>>()), .. All(0),
        ];
    }

    /// <summary>The eight memory forms of an arithmetic escape.</summary>
    private static nint[] Arithmetic<TMemory>() where TMemory : struct, IX87Memory =>
    [
        H<ArithmeticMemory<AddOperation, TMemory>>(), H<ArithmeticMemory<MultiplyOperation, TMemory>>(),
        H<CompareMemory<TMemory, Keep>>(), H<CompareMemory<TMemory, Popped>>(),
        H<ArithmeticMemory<SubtractOperation, TMemory>>(), H<ArithmeticMemory<ReverseSubtractOperation, TMemory>>(),
        H<ArithmeticMemory<DivideOperation, TMemory>>(), H<ArithmeticMemory<ReverseDivideOperation, TMemory>>(),
    ];

    /// <summary>The register forms of an arithmetic escape. Where ST(i) is the destination the encodings of the reversed forms are exchanged; the
    /// third comparison row of DE is FCOMPP at one place only.</summary>
    private static nint[] Registers<TForm>(nint compare, nint comparePop) where TForm : struct, IX87RegisterForm
    {
        nint subtract = H<ArithmeticRegister<SubtractOperation, TForm>>(), reverseSubtract = H<ArithmeticRegister<ReverseSubtractOperation, TForm>>();
        nint divide = H<ArithmeticRegister<DivideOperation, TForm>>(), reverseDivide = H<ArithmeticRegister<ReverseDivideOperation, TForm>>();
        nint[] popping = comparePop != 0 ? All(comparePop) : [0, H<CompareRegister<Fcompp>>(), 0, 0, 0, 0, 0, 0];
        return
        [
            .. All(H<ArithmeticRegister<AddOperation, TForm>>()), .. All(H<ArithmeticRegister<MultiplyOperation, TForm>>()), .. All(compare),
            .. popping,
            .. All(TForm.ToOther ? reverseSubtract : subtract), .. All(TForm.ToOther ? subtract : reverseSubtract),
            .. All(TForm.ToOther ? reverseDivide : divide), .. All(TForm.ToOther ? divide : reverseDivide),
        ];
    }

    private static nint[] All(nint handler)
    {
        nint[] eight = new nint[8];
        Array.Fill(eight, handler);
        return eight;
    }

    // SAFETY: the signature that every handler has.
    private static nint H<TInstruction>() where TInstruction : struct, IX87Instruction =>
        (nint)(delegate*<ref CpuState, ref Op, Processor, void>)&Run<TInstruction>;

    [global::System.Runtime.CompilerServices.MethodImpl(Threading.Handler)]
    private static void Run<TInstruction>(ref CpuState s, ref Op op, Processor p) where TInstruction : struct, IX87Instruction
    {
        if (Execute<TInstruction>(ref s, ref op, p))
            Threading.Next(ref s, ref op, p);
    }

    // Never inlined: locals of it whose address is taken would keep Run from jumping to the next handler.
    [global::System.Runtime.CompilerServices.MethodImpl(global::System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
    private static bool Execute<TInstruction>(ref CpuState s, ref Op op, Processor p) where TInstruction : struct, IX87Instruction
    {
        if (!X87Stack.IsUsable(ref s, ref op, p) || (TInstruction.Waits && !X87Stack.IsClear(ref s, ref op, p)))
            return false;
        ushort status = s.Fpu.Status;
        if (TInstruction.ClearsC1)
            s.Fpu.Status &= unchecked((ushort)~X87Stack.C1);
        if (!TInstruction.Execute(ref s, ref op, p))
        {
            s.Fpu.Status = status;
            return false;
        }

        if (TInstruction.IsRecorded)
            X87Stack.Record(ref s, ref op, p);
        return true;
    }
}
