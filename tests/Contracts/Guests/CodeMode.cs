using Hv.Core;

namespace Hv.Contracts.Guests;

/// <summary>The processor mode in which a contract guest starts.</summary>
public enum CodeMode
{
    /// <summary>Real-address mode, all segment bases 0.</summary>
    Real16,

    /// <summary>Protected mode, flat 32-bit segments, no paging.</summary>
    Protected32,

    /// <summary>Protected mode with 32-bit paging, identity-mapped.</summary>
    Paged32,

    /// <summary>Protected mode with PAE paging, identity-mapped.</summary>
    Pae32,

    /// <summary>64-bit mode with 4-level paging, identity-mapped.</summary>
    Long64,
}

/// <summary>What a <see cref="CodeMode"/> implies.</summary>
public static class CodeModes
{
    /// <summary>16, 32 or 64: the default operand size of code.</summary>
    public static int Bits(this CodeMode mode) => mode switch
    {
        CodeMode.Real16 => 16,
        CodeMode.Long64 => 64,
        _ => 32,
    };

    /// <summary>What a backend must be able to do to run it.</summary>
    public static BackendCapabilities Needs(this CodeMode mode) => mode switch
    {
        CodeMode.Real16 => BackendCapabilities.RealMode,
        CodeMode.Protected32 => BackendCapabilities.Protected32,
        CodeMode.Paged32 or CodeMode.Pae32 => BackendCapabilities.Protected32 | BackendCapabilities.Paging32,
        _ => BackendCapabilities.Long64,
    };

    /// <summary>A guest of this mode that needs <see cref="BackendCapabilities.GuestExceptions"/> needs them in its own mode only.</summary>
    public static BackendCapabilities Narrow(this CodeMode mode, BackendCapabilities needs)
    {
        if ((needs & BackendCapabilities.GuestExceptions) != BackendCapabilities.GuestExceptions)
            return needs;
        return (needs & ~BackendCapabilities.GuestExceptions) | mode switch
        {
            CodeMode.Real16 => BackendCapabilities.RealExceptions,
            CodeMode.Long64 => BackendCapabilities.Long64Exceptions,
            _ => BackendCapabilities.Protected32Exceptions,
        };
    }
}
