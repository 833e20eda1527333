using System.Buffers.Binary;

namespace Hv.Conformance.Oracle;

/// <summary>
/// The seccomp program that keeps a case from making system calls: only the worker's own pages may (Linux
/// Documentation/userspace-api/seccomp_filter.rst).
/// Any other call becomes SIGSYS, which the worker reports as an outcome.
/// </summary>
internal static class SyscallFilter
{
    private const ushort LoadWord = 0x20, JumpEqual = 0x15, JumpGreaterEqual = 0x35, Return = 0x06;
    private const uint ArchitectureField = 4, InstructionPointerLow = 8, InstructionPointerHigh = 12;
    private const uint ArchitectureX64 = 0xC000_003E, Allow = 0x7FFF_0000, Trap = 0x0003_0000;

    /// <summary>Instructions of the program; 8 bytes each.</summary>
    public const int Count = 9;

    /// <summary>Writes the program.</summary>
    public static void Write(Span<byte> destination)
    {
        Instruction(destination, 0, LoadWord, 0, 0, ArchitectureField);
        Instruction(destination, 1, JumpEqual, 0, 6, ArchitectureX64);
        Instruction(destination, 2, LoadWord, 0, 0, InstructionPointerHigh);
        Instruction(destination, 3, JumpEqual, 0, 4, 0);
        Instruction(destination, 4, LoadWord, 0, 0, InstructionPointerLow);
        Instruction(destination, 5, JumpGreaterEqual, 0, 2, WorkerLayout.Text);
        Instruction(destination, 6, JumpGreaterEqual, 1, 0, WorkerLayout.Text + WorkerLayout.TextSize);
        Instruction(destination, 7, Return, 0, 0, Allow);
        Instruction(destination, 8, Return, 0, 0, Trap);
    }

    private static void Instruction(Span<byte> program, int index, ushort code, byte ifTrue, byte ifFalse, uint operand)
    {
        Span<byte> i = program.Slice(index * 8, 8);
        BinaryPrimitives.WriteUInt16LittleEndian(i, code);
        i[2] = ifTrue;
        i[3] = ifFalse;
        BinaryPrimitives.WriteUInt32LittleEndian(i[4..], operand);
    }
}
