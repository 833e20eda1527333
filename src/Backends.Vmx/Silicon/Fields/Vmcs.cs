using System.Buffers.Binary;
using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Hv.Backends.Vmx.Silicon.Fields;

/// <summary>Whether VMLAUNCH or VMRESUME may enter with a VMCS (SDM 3C 25.1).</summary>
public enum VmcsLaunchState : byte
{
    Clear,
    Launched,
}

/// <summary>
/// The current VMCS, on chip: one 64-bit place a field, found by arithmetic on the encoding. Guest-state fields are views: a field that was written
/// since the last VM entry (or never entered with) is <em>pending</em> and lives here; any other is the processor's own register, read through
/// <see cref="GuestRegisters"/>, so that a VM exit copies nothing (docs/adr/0041-guest-state-is-a-view.md).
/// </summary>
public sealed class Vmcs
{
    private const int WordsPerType = 64;

    // Guest-state fields without a register behind them: always "pending", which is to say stored here. One word a width.
    private static readonly ulong[] s_stored = StoredFields();

    // Inside the object: a field with a constant encoding is then one access, without a bounds check.
    private Slots _values;
    private PendingWords _pending;
    private ToLoad _toLoad;
    private readonly GuestRegisters _guest;

    /// <summary>Makes a VMCS image whose guest-state fields are all pending.</summary>
    /// <param name="guest">The processor's registers behind the fields that are not.</param>
    public Vmcs(GuestRegisters guest)
    {
        _guest = guest;
        MarkAllPending();
    }

    /// <summary>Launch state.</summary>
    public VmcsLaunchState LaunchState { get; set; }

    /// <summary>The groups of fields written since the last successful VM entry; bits of <see cref="VmcsGroup"/>.</summary>
    public VmcsGroup Written { get; private set; } = VmcsGroup.All;

    /// <summary>The value of a field, zero-extended. The field must exist.</summary>
    public ulong this[VmcsField field]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get
        {
            var encoding = new VmcsEncoding((uint)field);
            if (encoding.Type == VmcsFieldType.GuestState && !IsPending(encoding.Slot))
                return _guest.Read(field);
            return _values[encoding.Slot];
        }
    }

    /// <summary>A field without a register behind it, for the processor's own writes at a VM exit: no group is marked.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Record(VmcsField field, ulong value)
    {
        var encoding = new VmcsEncoding((uint)field);
        Debug.Assert(encoding.Type != VmcsFieldType.GuestState || IsStored(encoding.Slot));
        _values[encoding.Slot] = value;
    }

    /// <summary>Writes a field as VMWRITE does: the value is cut to the field's width, and the field's group is marked.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Write(VmcsField field, ulong value)
    {
        var encoding = new VmcsEncoding((uint)field);
        int slot = encoding.Slot;
        _values[slot] = Truncate(encoding.Width, value);
        // The timer and RIP are written at most entries: for these constants the rest folds away.
        if (field == VmcsField.PreemptionTimer)
            return;
        Written |= field == VmcsField.GuestRip ? VmcsGroup.Rip : VmcsGroups.Of(slot);
        if (encoding.Type == VmcsFieldType.GuestState)
        {
            _pending[(int)encoding.Width] |= 1UL << (slot & (WordsPerType - 1));
            if (field == VmcsField.GuestRip)
                _toLoad |= ToLoad.Rip;
            else if (!IsStored(slot))
                _toLoad |= ToLoad.Others;
        }
    }

    /// <summary>Whether a guest-state field's value waits here for the next VM entry.</summary>
    public bool IsPending(VmcsField field) => IsPending(new VmcsEncoding((uint)field).Slot);

    /// <summary>VM entry succeeded: every pending field goes into the processor, and nothing is marked any more.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void LoadGuest()
    {
        if (_toLoad == ToLoad.Rip)
        {
            // The usual entry, after an instruction that the hypervisor has emulated.
            int slot = new VmcsEncoding((uint)VmcsField.GuestRip).Slot;
            _guest.LoadRip(_values[slot]);
            _pending[(int)VmcsFieldWidth.Natural] &= ~(1UL << (slot & (WordsPerType - 1)));
        }
        else if (_toLoad != ToLoad.None)
        {
            LoadPending();
        }

        _toLoad = ToLoad.None;
        Written = VmcsGroup.None;
    }

    /// <summary>Writes the image into a VMCS region's data area, guest state included (VMCLEAR).</summary>
    /// <param name="data">Room for all fields of the table, 8 bytes each, from offset 8 of the region.</param>
    public void Save(Span<byte> data)
    {
        foreach (ref readonly VmcsFieldInfo row in VmcsFieldTable.All)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(data, this[row.Field]);
            data = data[8..];
        }
    }

    /// <summary>Reads the image from a VMCS region's data area (VMPTRLD). All guest-state fields become pending.</summary>
    public void Load(ReadOnlySpan<byte> data)
    {
        foreach (ref readonly VmcsFieldInfo row in VmcsFieldTable.All)
        {
            _values[row.Encoding.Slot] = Truncate(row.Encoding.Width, BinaryPrimitives.ReadUInt64LittleEndian(data));
            data = data[8..];
        }

        MarkAllPending();
    }

    private void MarkAllPending()
    {
        ((Span<ulong>)_pending).Fill(ulong.MaxValue);
        _toLoad = ToLoad.Rip | ToLoad.Others;
        Written = VmcsGroup.All;
    }

    private void LoadPending()
    {
        foreach (ref readonly VmcsFieldInfo row in VmcsFieldTable.All)
        {
            if (row.Encoding.Type == VmcsFieldType.GuestState && IsPending(row.Encoding.Slot) && !IsStored(row.Encoding.Slot))
                _guest.Load(row.Field, _values[row.Encoding.Slot]);
        }

        _guest.Loaded();
        s_stored.CopyTo(_pending);
    }

    private static bool IsStored(int slot) => ((s_stored[slot >> 8] >> (slot & (WordsPerType - 1))) & 1) != 0;

    private static ulong[] StoredFields()
    {
        ulong[] stored = [ulong.MaxValue, ulong.MaxValue, ulong.MaxValue, ulong.MaxValue];
        foreach (VmcsField field in GuestRegisters.Fields)
        {
            int slot = new VmcsEncoding((uint)field).Slot;
            stored[slot >> 8] &= ~(1UL << (slot & (WordsPerType - 1)));
        }

        return stored;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool IsPending(int slot) => ((_pending[slot >> 8] >> (slot & (WordsPerType - 1))) & 1) != 0;

    [InlineArray(VmcsEncoding.SlotCount)]
    private struct Slots
    {
        private ulong _slot;
    }

    /// <summary>What the pending fields come to for the next VM entry.</summary>
    [Flags]
    private enum ToLoad : byte
    {
        None = 0,
        Rip = 1,
        Others = 2,
    }

    [InlineArray(4)]
    private struct PendingWords
    {
        private ulong _word;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Truncate(VmcsFieldWidth width, ulong value) => width switch
    {
        VmcsFieldWidth.Bits16 => (ushort)value,
        VmcsFieldWidth.Bits32 => (uint)value,
        _ => value,
    };
}
