using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace Hv.Core.Registers;

/// <summary>
/// The general registers of one vCPU, in the order of their encodings in ModRM and REX (SDM 2A 2.1.5, table 2-2),
/// so that a register number is an index.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public struct GeneralRegisters
{
    public ulong Rax, Rcx, Rdx, Rbx, Rsp, Rbp, Rsi, Rdi;
    public ulong R8, R9, R10, R11, R12, R13, R14, R15;
    public ulong Rip;

    /// <summary>RFLAGS with bit 1 set and the reserved bits clear (SDM 1 3.4.3).</summary>
    public ulong Rflags;

    /// <summary>The register with encoding <paramref name="number"/>, 0 (RAX) to 15 (R15).</summary>
    /// <exception cref="IndexOutOfRangeException">The number is not 0..15.</exception>
    [UnscopedRef]
    public ref ulong this[int number] => ref MemoryMarshal.CreateSpan(ref Rax, 16)[number];
}
