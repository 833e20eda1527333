namespace Hv.Backends.Svm.Silicon;

/// <summary>Facts about exception vectors (APM 2 8.2, table 8-1).</summary>
public static class ExceptionVectors
{
    public const byte Debug = 1, Nmi = 2, Breakpoint = 3, Overflow = 4, InvalidOpcode = 6, DoubleFault = 8, GeneralProtection = 13, PageFault = 14;

    // #DF #TS #NP #SS #GP #PF #AC #CP #VC #SX
    private const uint ErrorCodes = 1u << 8 | 1u << 10 | 1u << 11 | 1u << 12 | 1u << 13 | 1u << 14 | 1u << 17 | 1u << 21 | 1u << 29 | 1u << 30;

    /// <summary>Whether delivering the exception pushes an error code.</summary>
    public static bool PushErrorCode(byte vector) => vector < 32 && (ErrorCodes >> vector & 1) != 0;
}
