using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Hv.Conformance.Oracle;
using Hv.Cpu.State;

namespace Hv.Conformance.Campaigns.Execution;

/// <summary>Carries x87, SSE and AVX state between a case's record and hv's processor, as XRSTOR and XSAVE would (SDM 1 13.8, 13.7).</summary>
internal static class SoftwareExtended
{
    /// <summary>Loads a case's state.</summary>
    public static void Load(ref FpuState f, ref readonly ExtendedState state)
    {
        f.Control = state.Control;
        f.Status = state.Status;
        f.Tags = state.Tags;
        f.Opcode = state.Opcode;
        f.InstructionPointer = state.InstructionPointer;
        f.OperandPointer = state.OperandPointer;
        f.Mxcsr = state.Mxcsr;
        int top = state.Top;
        for (int i = 0; i < 8; i++)
        {
            ref X87Register to = ref f.X87[top + i & 7];
            ref readonly StackRegister from = ref state.Stack[i];
            to.Significand = from.Significand;
            to.SignExponent = from.SignExponent;
        }

        for (int i = 0; i < 16; i++)
            f.Vectors[i] = Vector256.Create(state.Xmm[i], state.Upper[i]);
    }

    /// <summary>Reports the state reached.</summary>
    public static void Store(ref readonly FpuState f, ref ExtendedState state)
    {
        state.Control = f.Control;
        state.Status = f.Status;
        state.Tags = f.Tags;
        Unsafe.Add(ref state.Tags, 1) = 0;
        state.Opcode = f.Opcode;
        state.InstructionPointer = f.InstructionPointer;
        state.OperandPointer = f.OperandPointer;
        state.Mxcsr = f.Mxcsr;
        state.Parts = ExtendedState.AllParts;
        int top = state.Top;
        for (int i = 0; i < 8; i++)
        {
            ref readonly X87Register from = ref f.X87[top + i & 7];
            state.Stack[i] = new StackRegister { Significand = from.Significand, SignExponent = from.SignExponent };
        }

        for (int i = 0; i < 16; i++)
        {
            Vector256<byte> vector = f.Vectors[i];
            state.Xmm[i] = vector.GetLower();
            state.Upper[i] = vector.GetUpper();
        }
    }
}
