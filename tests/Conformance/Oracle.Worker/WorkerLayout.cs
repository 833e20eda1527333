namespace Hv.Conformance.Oracle;

/// <summary>Where things lie in the worker process and in the file that it shares with the campaign.</summary>
internal static class WorkerLayout
{
    // The worker's own two low pages of code and data, below 2 GiB for absolute addressing.
    public const uint Text = OracleMap.Reserved;
    public const int TextSize = 2 * OracleMap.PageSize;
    public const uint Save = Text + TextSize;

    /// <summary>The save area's fields after the image of a <see cref="CaseRecord"/>'s first 192 bytes.</summary>
    public const uint CurrentIn = Save + 192, CurrentOut = Save + 200, Remaining = Save + 208;
    public const uint HasExtended = Save + 232, Target = Save + 240, Command = Save + 248, SelectorsDirty = Save + 256;

    /// <summary>Constants: what the start-up code hands to the kernel.</summary>
    public const uint Constants = Save + 0x400;

    /// <summary>Among the constants: the bytes of state that a case carries, <see cref="ExtendedState.Size"/> or, without AVX,
    /// <see cref="ExtendedState.LegacySize"/>.</summary>
    public const uint StateSize = Constants + 0x2F0;

    /// <summary>Among the constants: 1 where the kernel keeps what WRFSBASE and WRGSBASE write.</summary>
    public const uint HasFsGsBase = Constants + 0x2F4;

    /// <summary>The shared file from <see cref="HeaderOffset"/> on, far from every address that 32 bits reach.</summary>
    public const ulong Mailbox = 0x7000_0000_0000;

    /// <summary>The worker's stack and its signal stack, private to it.</summary>
    public const ulong Stacks = 0x6FFF_0000_0000;
    public const int StackSize = 0x1_0000, SignalStackSize = 0x1_0000;

    // File offsets. The test pages come first.
    public const int CodeOffset = 0;
    public const int WritableCodeOffset = CodeOffset + OracleMap.CodeSize;
    public const int DataOffset = WritableCodeOffset + OracleMap.WritableCodeSize;
    public const int ReadOnlyOffset = DataOffset + OracleMap.DataSize;
    public const int HeaderOffset = ReadOnlyOffset + OracleMap.ReadOnlySize;

    // The header, at the mailbox's start: how many cases, how many are done.
    public const int CountField = 0, DoneField = 16;
    public const int HeaderSize = OracleMap.PageSize;

    /// <summary>The most cases of one batch.</summary>
    public const int Capacity = 2048;

    public const int InField = HeaderSize;
    public const int OutField = InField + Capacity * CaseRecord.Size;
    public const int MailboxSize = OutField + Capacity * CaseRecord.Size;
    public const int FileSize = HeaderOffset + MailboxSize;
}
