using System.Runtime.InteropServices;

namespace Hv.Cpu.Blocks;

/// <summary>What precedes a block's operations in the code cache; as large as two operations, so that the operations stay aligned.</summary>
[StructLayout(LayoutKind.Sequential, Size = 64)]
internal struct BlockHeader
{
    /// <summary>RIP of the first instruction.</summary>
    public ulong Rip;

    /// <summary>Instructions.</summary>
    public long Count;

    /// <summary>The mode that it was decoded for.</summary>
    public ulong Key;

    /// <summary>The address among the memory slots of the first byte, and of the second page's first byte when an instruction crosses (else
    /// 0).</summary>
    public ulong Physical, SecondPage;

    /// <summary>The next block with the same hash, and the next in the same page.</summary>
    public nint NextInBucket, NextInPage;

    /// <summary>Bytes of code.</summary>
    public int Bytes;

    /// <summary>Not 0 when a <c>BlockEnd</c> follows the instructions.</summary>
    public byte EndsByFalling;
}

/// <summary>A direct branch's way to its successor; follows the branch among the operations, one for each target.</summary>
[StructLayout(LayoutKind.Sequential, Size = 32)]
internal struct LinkSlot
{
    /// <summary>The successor, while <see cref="Ticket"/> is the processor's.</summary>
    public nint Block;
    public ulong Ticket;

    /// <summary>RIP of the target.</summary>
    public ulong Rip;
}

/// <summary>One entry of the table from RIP to block that indirect branches use.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct LookupEntry
{
    public ulong Rip;
    public ulong Ticket;
    public nint Block;
    private readonly nint _padding;

    /// <summary>Entries in the table; a power of two.</summary>
    public const int Count = 4096;
}
