using Hv.Core.Exits;

namespace Hv.Core.Paravirt;

/// <summary>What the core wrote at a hypercall stub, and what was there before.</summary>
/// <param name="Address">The stub's first byte.</param>
/// <param name="Encoding">The exit instruction written there; a RET follows it.</param>
/// <param name="Room">Bytes from <paramref name="Address"/> on that may ever be patched (docs/adr/0013-stub-room.md).</param>
/// <param name="Original">The <paramref name="Room"/> bytes before the first patch, little-endian.</param>
public readonly record struct PatchedStub(Gpa Address, ExitEncoding Encoding, byte Room, ulong Original)
{
    /// <summary>Bytes of the exit instruction and its RET.</summary>
    public int Length => Encoding.Length + 1;
}

/// <summary>What became of patching a stub.</summary>
public enum StubOutcome : byte
{
    /// <summary>The stub holds the exit instruction and a RET.</summary>
    Patched,

    /// <summary>A byte of the stub is in a hole or in a read-only slot; nothing was written.</summary>
    NotWritable,

    /// <summary>The stub would cover fields of the para state; nothing was written.</summary>
    OverlapsParaState,

    /// <summary>The bytes are no longer those that were patched: the guest has used the place for something else; nothing was written.</summary>
    BytesChanged,

    /// <summary>This backend's exit instruction needs more bytes than the guest set aside; nothing was written.</summary>
    NoRoom,

    /// <summary>The guest's own bytes are back.</summary>
    Reverted,
}
