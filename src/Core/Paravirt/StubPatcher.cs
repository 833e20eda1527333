using System.Buffers.Binary;
using System.Diagnostics;
using Hv.Core.Exits;
using Hv.Core.Memory;

namespace Hv.Core.Paravirt;

/// <summary>Writes hypercall stubs: a backend's exit instruction and a RET, all or nothing, never past what the guest owns.</summary>
public static class StubPatcher
{
    /// <summary>Bytes that every guest of this interface sets aside: what both hosts of 2007 wrote.</summary>
    public const int LeastRoom = 4;

    private const byte Ret = 0xC3;

    /// <summary>Patches a stub that the guest has named.</summary>
    /// <param name="memory">The guest's memory.</param>
    /// <param name="stub">The first byte; any alignment, may cross a page.</param>
    /// <param name="paraState">The para state, whose fields the stub must not cover.</param>
    /// <param name="encoding">The backend's exit instruction.</param>
    /// <param name="earlier">A patch of the same stub still in force, if any: it knows the guest's own bytes.</param>
    /// <param name="patch">What was written.</param>
    public static StubOutcome Patch(GuestMemory memory, Gpa stub, Gpa paraState, ExitEncoding encoding, PatchedStub? earlier, out PatchedStub patch)
    {
        patch = default;
        int length = encoding.Length + 1;
        if (CoversFields(stub, length, paraState))
            return StubOutcome.OverlapsParaState;
        if (!memory.IsBacked(stub, (ulong)length, writable: true))
            return StubOutcome.NotWritable;

        Span<byte> bytes = stackalloc byte[ExitEncoding.MaxLength + 1];
        if (earlier is { } known && known.Address == stub && known.Encoding == encoding && Holds(memory, known))
        {
            patch = known;
        }
        else
        {
            int room = length;
            while (room < LeastRoom && memory.IsBacked(stub, (ulong)room + 1, writable: true) && !CoversFields(stub, room + 1, paraState))
                room++;
            bytes.Clear();
            if (!memory.TryRead(stub, bytes[..room]))
                return StubOutcome.NotWritable;
            patch = new PatchedStub(stub, encoding, (byte)room, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        }

        return memory.TryWrite(stub, Image(encoding, bytes)) ? StubOutcome.Patched : StubOutcome.NotWritable;
    }

    /// <summary>Rewrites a patched stub with another backend's exit instruction, if the stub still is what was patched and there is room. One that
    /// holds it
    /// already is left as it is.</summary>
    /// <param name="memory">The guest's memory.</param>
    /// <param name="patch">What was written before; on success what is there now.</param>
    /// <param name="encoding">The present backend's exit instruction.</param>
    public static StubOutcome Rewrite(GuestMemory memory, ref PatchedStub patch, ExitEncoding encoding)
    {
        if (encoding.Length + 1 > patch.Room)
            return StubOutcome.NoRoom;
        PatchedStub wanted = patch with { Encoding = encoding };
        if (Holds(memory, wanted))
        {
            patch = wanted;
            return StubOutcome.Patched;
        }

        if (!Holds(memory, patch))
            return StubOutcome.BytesChanged;
        // The bytes behind a shorter stub are the guest's again.
        Span<byte> bytes = stackalloc byte[ExitEncoding.MaxLength + 1];
        int written = Math.Max(patch.Length, encoding.Length + 1);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, patch.Original);
        Image(encoding, bytes);
        if (!memory.TryWrite(patch.Address, bytes[..written]))
            return StubOutcome.NotWritable;
        patch = wanted;
        return StubOutcome.Patched;
    }

    /// <summary>Gives the guest its own bytes back, if the stub still is what was patched.</summary>
    public static StubOutcome Revert(GuestMemory memory, in PatchedStub patch)
    {
        if (!Holds(memory, patch))
            return StubOutcome.BytesChanged;
        Span<byte> bytes = stackalloc byte[ExitEncoding.MaxLength + 1];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, patch.Original);
        return memory.TryWrite(patch.Address, bytes[..patch.Length]) ? StubOutcome.Reverted : StubOutcome.NotWritable;
    }

    private static bool Holds(GuestMemory memory, in PatchedStub patch)
    {
        Span<byte> present = stackalloc byte[ExitEncoding.MaxLength + 1];
        Span<byte> written = stackalloc byte[ExitEncoding.MaxLength + 1];
        present = present[..patch.Length];
        return memory.TryRead(patch.Address, present) && present.SequenceEqual(Image(patch.Encoding, written));
    }

    private static bool CoversFields(Gpa stub, int length, Gpa paraState)
    {
        Debug.Assert(paraState.IsPageAligned);
        return stub.Value < paraState.Value + ParaState.FieldBytes && stub.Value + (ulong)length > paraState.Value;
    }

    private static Span<byte> Image(ExitEncoding encoding, Span<byte> destination)
    {
        encoding.CopyTo(destination);
        destination[encoding.Length] = Ret;
        return destination[..(encoding.Length + 1)];
    }
}
