using Hv.Cpu.Decode;
using Hv.Cpu.State;
using Hv.Cpu.Virtualization;

namespace Hv.Cpu;

/// <summary>
/// Accesses that memory does not answer. The instruction is abandoned without a trace, the layer or the host answers, and the instruction is executed
/// again with the answers so far taken from a list, in order, until it completes (docs/adr/0023-device-accesses-are-replayed.md).
/// </summary>
public abstract partial class Processor
{
    // More than any instruction needs: FXRSTOR reads 64 words, each of which may cross a page.
    private const int MostReplays = 256;

    private readonly ulong[] _replays = new ulong[MostReplays];
    private int _replayCount, _replayNext;

    /// <summary>Whether the instruction is executed again with answered accesses: string instructions then stop after one element.</summary>
    internal bool IsReplaying => (_wants & Wants.Replay) != 0;

    /// <summary>Answers a <see cref="CpuEventKind.GuestPhysicalAccess"/> or <see cref="CpuEventKind.StringIo"/>: the next run executes the
    /// instruction again with
    /// this value in place of the access.</summary>
    /// <param name="value">What a read gives; ignored for a write.</param>
    public void CompleteDeviceAccess(ulong value)
    {
        if (_replayCount < MostReplays)
            _replays[_replayCount++] = value;
        _wants |= Wants.Replay;
    }

    /// <summary>Takes the next answered access of the instruction. False: none is left.</summary>
    public bool TryReplay(ref ulong value)
    {
        if (_replayNext >= _replayCount)
            return false;
        value = _replays[_replayNext++];
        return true;
    }

    private bool DeviceAccess(ref CpuState s, ulong physical, ulong linear, int size, GuestAccess access, bool isWrite, ulong value, ref ulong result)
    {
        if (TryReplay(ref result))
        {
            result = Mask(result, size);
            return true;
        }

        if (_replayCount == MostReplays)
        {
            result = Mask(ulong.MaxValue, size);
            return true;
        }

        Event = new CpuEvent
        {
            Kind = CpuEventKind.GuestPhysicalAccess,
            Address = physical,
            LinearAddress = linear,
            Access = access,
            Size = (byte)size,
            IsWrite = isWrite,
            Value = value,
        };
        s.Attention |= Attention.Event;
        return false;
    }

    private protected void ForgetReplays()
    {
        _replayCount = _replayNext = 0;
        _wants &= ~Wants.Replay;
    }
}
