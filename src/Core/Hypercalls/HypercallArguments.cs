using Hv.Core.Registers;

namespace Hv.Core.Hypercalls;

/// <summary>
/// A hypercall's number and arguments by the convention of 2007 (docs/abi.md): with EFER.LMA set RAX, then RDI RSI RDX RCX R8 R9; otherwise EBX, then
/// EAX ECX EDX ESI EDI EBP, each truncated to 32 bits. EFER.LMA decides, not CS.L, so compatibility mode uses the first form.
/// </summary>
/// <param name="Number">The call's number.</param>
/// <param name="A0">The first argument.</param>
/// <param name="A1">The second argument.</param>
/// <param name="A2">The third argument.</param>
/// <param name="A3">The fourth argument.</param>
/// <param name="A4">The fifth argument.</param>
/// <param name="A5">The sixth argument.</param>
/// <param name="LongMode">Whether EFER.LMA was set.</param>
public readonly record struct HypercallArguments(ulong Number, ulong A0, ulong A1, ulong A2, ulong A3, ulong A4, ulong A5, bool LongMode)
{
    /// <summary>Reads them from the registers at the exit.</summary>
    public static HypercallArguments From(in GeneralRegisters r, bool longMode) => longMode
        ? new(r.Rax, r.Rdi, r.Rsi, r.Rdx, r.Rcx, r.R8, r.R9, true)
        : new((uint)r.Rbx, (uint)r.Rax, (uint)r.Rcx, (uint)r.Rdx, (uint)r.Rsi, (uint)r.Rdi, (uint)r.Rbp, false);

    /// <summary>A result as the guest's RAX receives it: outside long mode its low 32 bits, zero-extended (docs/adr/0011-result-width.md).</summary>
    public ulong Fit(ulong result) => LongMode ? result : (uint)result;
}
