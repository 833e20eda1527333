using Hv.Core.Machine;
using Hv.Core.Memory;

namespace Hv.Core.Hypercalls;

/// <summary>(gpa, length): writes guest memory to the console, at most <see cref="LongestWrite"/> bytes a call, all or nothing.</summary>
public sealed class ConsoleWriteHypercall(IConsole console) : IHypercallHandler
{
    /// <summary>The most bytes of one call; more is −KVM_EINVAL.</summary>
    public const ulong LongestWrite = 64 * 1024;

    private const int ChunkBytes = 512;

    /// <inheritdoc/>
    public ulong Number => HypercallNumbers.ConsoleWrite;

    /// <inheritdoc/>
    public HypercallOutcome Invoke(VirtualCpu vcpu, in HypercallArguments arguments)
    {
        GuestMemory memory = vcpu.Machine.Memory;
        var address = new Gpa(arguments.A0);
        ulong left = arguments.A1;
        if (left > LongestWrite || !memory.IsBacked(address, left, writable: false))
            return HypercallOutcome.Invalid;
        Span<byte> chunk = stackalloc byte[ChunkBytes];
        while (left != 0)
        {
            Span<byte> part = chunk[..(int)Math.Min(left, ChunkBytes)];
            // Only a slot removed meanwhile by the host can fail here.
            if (!memory.TryRead(address, part))
                return HypercallOutcome.Invalid;
            console.Write(part);
            address += (ulong)part.Length;
            left -= (ulong)part.Length;
        }

        return HypercallOutcome.Return(0);
    }
}
