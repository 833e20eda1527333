using System.Buffers.Binary;
using System.Text;

namespace Hv.Conformance.Oracle;

/// <summary>The worker's data page as its executable file has it: what start-up hands to the kernel, and what differs from machine to machine.</summary>
internal static class WorkerData
{
    /// <summary>The address of the shared file's path.</summary>
    public const uint Path = WorkerLayout.Constants;

    /// <summary>Addresses of the stack_t, the struct sigaction and the two filter structures.</summary>
    public const uint SignalStack = Path + 0x200, Action = Path + 0x220, FilterHeader = Path + 0x260, Filter = Path + 0x270;

    /// <summary>The address of the struct sigaction of a signal that is ignored.</summary>
    public const uint Ignored = Path + 0x300;

    /// <summary>Addresses of struct user_desc, one for each entry of the LDT.</summary>
    public const uint CodeDescriptor = Path + 0x240, DataDescriptor = Path + 0x250, ExtraDescriptor = Path + 0x2D0, OtherDescriptor = Path + 0x2E0;

    /// <summary>SA_SIGINFO | SA_RESTORER | SA_ONSTACK | SA_NODEFER.</summary>
    private const ulong SignalFlags = 4 | 0x0400_0000 | 0x0800_0000 | 0x4000_0000;

    // Flags of struct user_desc: contents in bits 2:1; 32 bits wide and a limit in pages.
    private const uint CodeContents = 2 << 1, Flat = 1 | 1 << 4, UseableBit = 1 << 6;

    /// <summary>Makes the page.</summary>
    /// <param name="sharedPath">The file of <see cref="WorkerLayout"/>.</param>
    /// <param name="avx">Whether cases carry the upper halves of the YMM registers.</param>
    /// <param name="fsGsBase">Whether the kernel keeps what WRFSBASE and WRGSBASE write.</param>
    public static byte[] Build(string sharedPath, bool avx, bool fsGsBase)
    {
        byte[] data = new byte[OracleMap.PageSize];
        Encoding.UTF8.GetBytes(sharedPath).CopyTo(At(data, Path));
        Span<byte> stack = At(data, SignalStack);
        BinaryPrimitives.WriteUInt64LittleEndian(stack, WorkerLayout.Stacks + WorkerLayout.StackSize);
        BinaryPrimitives.WriteUInt64LittleEndian(stack[16..], WorkerLayout.SignalStackSize);
        BinaryPrimitives.WriteUInt64LittleEndian(At(data, Action)[8..], SignalFlags);
        BinaryPrimitives.WriteUInt64LittleEndian(At(data, Ignored), 1);   // SIG_IGN
        Describe(At(data, CodeDescriptor), 0, OracleMap.Code, CodeContents);
        Describe(At(data, DataDescriptor), 1, OracleMap.Data, 0);
        Describe(At(data, ExtraDescriptor), 2, 0, Flat);
        Describe(At(data, OtherDescriptor), 3, 0, Flat);
        BinaryPrimitives.WriteInt32LittleEndian(At(data, WorkerLayout.StateSize), avx ? ExtendedState.Size : ExtendedState.LegacySize);
        BinaryPrimitives.WriteInt32LittleEndian(At(data, WorkerLayout.HasFsGsBase), fsGsBase ? 1 : 0);
        Span<byte> filter = At(data, FilterHeader);
        BinaryPrimitives.WriteUInt16LittleEndian(filter, SyscallFilter.Count);
        BinaryPrimitives.WriteUInt64LittleEndian(filter[8..], Filter);
        SyscallFilter.Write(At(data, Filter));
        return data;
    }

    private static Span<byte> At(byte[] data, uint address) => data.AsSpan((int)(address - WorkerLayout.Save));

    /// <summary>Linux struct user_desc (arch/x86/include/uapi/asm/ldt.h): a segment of 64 KiB, or of 4 GiB when it is flat.</summary>
    private static void Describe(Span<byte> d, uint entry, uint segmentBase, uint attributes)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(d, entry);
        BinaryPrimitives.WriteUInt32LittleEndian(d[4..], segmentBase);
        BinaryPrimitives.WriteUInt32LittleEndian(d[8..], attributes == Flat ? 0xF_FFFF : 0xFFFFu);
        BinaryPrimitives.WriteUInt32LittleEndian(d[12..], attributes | UseableBit);
    }
}
