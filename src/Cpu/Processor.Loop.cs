using System.Runtime.CompilerServices;
using Hv.Core.Registers;
using Hv.Cpu.Blocks;
using Hv.Cpu.Decode;
using Hv.Cpu.Execute;
using Hv.Cpu.State;
using Hv.Cpu.System;
using Hv.Cpu.Virtualization;

namespace Hv.Cpu;

/// <summary>What the run loop needs and does not depend on the layer: pending events, flags, completion.</summary>
// SAFETY: State.Block is the block that ran last, and it is alive until the loop goes on.
public abstract unsafe partial class Processor
{
    private const ulong RflagsIf = 1 << 9;

    // What InstructionsRetired will be when State.Remaining is 0: one counter serves both.
    private ulong _end;
    private bool _performing;
    private ulong _givenFlags;

    // An event has left the guest, and nobody has asked for the arithmetic bits of RFLAGS since.
    private bool _owesFlags;

    private PendingEvent _pending, _interrupted;

    // What of the fields here the loop must look at, so that it looks at one word when there is nothing.
    private Wants _wants;

    /// <summary>An event that is delivered before the next instruction: injected, or interrupted by an exit during its delivery.</summary>
    public PendingEvent Pending
    {
        get => _pending;
        set
        {
            _pending = value;
            Want(Wants.Delivery, value.Kind != PendingEventKind.None);
        }
    }

    /// <summary>Bytes of the instruction that raised <see cref="Pending"/> when it is a software interrupt or exception, else 0.</summary>
    public int PendingLength;

    /// <summary>The event whose delivery raised the exception in <see cref="Event"/>; kind None when an instruction raised it.</summary>
    public PendingEvent Interrupted
    {
        get => _interrupted;
        set
        {
            _interrupted = value;
            Want(Wants.Forgetting, value.Kind != PendingEventKind.None);
        }
    }

    /// <summary>Whether there is a <see cref="Pending"/> or an <see cref="Interrupted"/> event.</summary>
    public bool HasDelivery => (_wants & (Wants.Delivery | Wants.Forgetting)) != 0;

    /// <summary>An external interrupt waits, with <see cref="InterruptVector"/>.</summary>
    public bool InterruptPending
    {
        get => (_wants & Wants.Interrupt) != 0;
        set => Want(Wants.Interrupt, value);
    }

    /// <summary>The waiting interrupt's vector.</summary>
    public byte InterruptVector;

    /// <summary>The loop is to raise <see cref="Virtualization.CpuEventKind.InterruptWindow"/> when an interrupt could be taken.</summary>
    public bool InterruptWindowWanted
    {
        get => (_wants & Wants.Window) != 0;
        set => Want(Wants.Window, value);
    }

    /// <summary>Instructions retired since creation; a delivered event and a chunk of a REP count as one each.</summary>
    public ulong InstructionsRetired => _end - (ulong)State.Remaining;

    /// <summary>The present key, for a block of one instruction.</summary>
    private protected ModeKey SingleKey => new(_key.Value | ModeKey.Single);

    /// <summary>Makes a running or the next run return soon. May be called from any thread.</summary>
    public void RequestStop() => Volatile.Write(ref State.StopRequested, 1);

    /// <summary>The instruction of <see cref="Event"/> is done: RIP moves past it, the interrupt shadow ends, it is counted. For native effects, and
    /// for backends that
    /// complete an intercepted event; its single-step trap then follows in the next run.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Retire() => RetireTo(TruncateRip(State.Gpr.Rip + Event.Length));

    /// <summary>As <see cref="Retire"/>, for a caller that knows where the next instruction is.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void RetireTo(ulong rip)
    {
        ref CpuState s = ref State;
        s.Gpr.Rip = rip;
        if ((s.Sys.Shadow & (InterruptShadow.Sti | InterruptShadow.MovSs)) != 0)
            s.Sys.Shadow &= ~(InterruptShadow.Sti | InterruptShadow.MovSs);
        if (IsReplaying)
            ForgetReplays();
        s.Remaining--;
        if (DebugTraps.IsDue(ref s) && !_performing)
            DebugTraps.AfterInstruction(ref s, s.Gpr.Rflags, InterruptShadow.None);
    }

    /// <summary>Counts an instruction that a layer executed for the guest, apart from a run.</summary>
    public void CountInstruction() => State.Remaining--;

    /// <summary>As <see cref="Retire"/>, for an instruction that has set RIP itself.</summary>
    internal void RetireJump()
    {
        Event.Length = 0;
        RetireTo(TruncateRip(State.Gpr.Rip));
    }

    /// <summary>Delivers an event before the next instruction.</summary>
    /// <param name="e">The event.</param>
    /// <param name="length">Bytes of the instruction that raised it when it is a software interrupt or exception, else 0.</param>
    public void Deliver(in PendingEvent e, int length)
    {
        Pending = e;
        PendingLength = length;
    }

    /// <summary>Records an exception of the instruction at RIP, outside a handler: it is delivered by the next run.</summary>
    public void RaiseAt(byte vector)
    {
        State.Fault = new FaultRecord { Vector = vector };
        State.Attention |= Attention.Fault;
        ForgetReplays();
    }

    /// <summary>As <see cref="RaiseAt(byte)"/>, with an error code.</summary>
    /// <param name="vector">The vector.</param>
    /// <param name="errorCode">The error code.</param>
    /// <param name="address">For #PF the linear address.</param>
    public void RaiseAt(byte vector, uint errorCode, ulong address = 0)
    {
        RaiseAt(vector);
        State.Fault.HasErrorCode = true;
        State.Fault.ErrorCode = errorCode;
        State.Fault.Address = address;
    }

    /// <summary>Whether an external interrupt would be taken now (SDM 3A 6.8.1).</summary>
    public bool CanInterrupt(ref CpuState s) =>
        (s.Gpr.Rflags & RflagsIf) != 0 && (s.Sys.Shadow & (InterruptShadow.Sti | InterruptShadow.MovSs)) == 0
        && s.Sys.Activity is ActivityState.Running or ActivityState.Halted && s.Attention == 0 && Pending.Kind == PendingEventKind.None
            && !IsReplaying;

    /// <summary>Forgets what an exit that was not completed left: the state was replaced or reset.</summary>
    public void ForgetEvent()
    {
        Pending = default;
        PendingLength = 0;
        Interrupted = default;
        InterruptPending = false;
        ForgetReplays();
    }

    private protected void BeginRun(ref CpuState s, long budget)
    {
        _end += (ulong)(budget - s.Remaining);
        s.Remaining = budget;
        TakeFlags(ref s);
    }

    /// <summary>Leaves one instruction of the budget, so that a block of one ends the run of blocks; the count of retired ones stays exact.</summary>
    /// <returns>What <see cref="GiveBack"/> gives back.</returns>
    private protected long KeepOne(ref CpuState s)
    {
        long rest = s.Remaining - 1;
        s.Remaining = 1;
        _end -= (ulong)rest;
        return rest;
    }

    /// <summary>Ends <see cref="KeepOne"/>.</summary>
    private protected void GiveBack(ref CpuState s, long rest)
    {
        s.Remaining += rest;
        _end += (ulong)rest;
    }

    /// <summary>Around an event's native effect: its traps are the loop's business.</summary>
    private protected void Performing(bool value) => _performing = value;

    /// <summary>Turns a recorded fault into an event for the layer.</summary>
    private protected void OfferFault(ref CpuState s) => Event = new CpuEvent
    {
        Kind = CpuEventKind.Exception,
        Index = s.Fault.Vector,
        HasErrorCode = s.Fault.HasErrorCode,
        Value = s.Fault.ErrorCode,
        Address = s.Fault.Address,
    };

    /// <summary>The lazy flags take over from RFLAGS. Where nobody changed RFLAGS since it was made exact they still hold, and an exit costs no
    /// conversion.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private protected void TakeFlags(ref CpuState s)
    {
        if (!_owesFlags && s.Gpr.Rflags != _givenFlags)
            Flags.Put(ref s, s.Gpr.Rflags);
        _owesFlags = false;
    }

    /// <summary>RFLAGS is made exact.</summary>
    private protected void GiveFlags(ref CpuState s)
    {
        _givenFlags = s.Gpr.Rflags = s.Gpr.Rflags & ~Flags.All | Flags.Get(ref s);
        _owesFlags = false;
    }

    /// <summary>RFLAGS will be made exact if somebody asks.</summary>
    private protected void OweFlags() => _owesFlags = true;

    /// <summary>The general registers, RIP and RFLAGS, exact between two runs and while a layer answers an event. Where an event has left the guest the
    /// arithmetic bits in <see cref="State"/> may be stale until this was read: most exits are answered without.</summary>
    public ref GeneralRegisters ExactRegisters
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get
        {
            SettleFlags();
            return ref State.Gpr;
        }
    }

    /// <summary>Makes the arithmetic bits of RFLAGS in <see cref="State"/> exact.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void SettleFlags()
    {
        if (_owesFlags)
            GiveFlags(ref State);
    }

    /// <summary>Whether RFLAGS was written since an event left the guest; the next run takes it.</summary>
    public bool RflagsWritten => !_owesFlags && State.Gpr.Rflags != _givenFlags;

    /// <summary>Whether something other than running blocks is to be done before the next instruction: any bit of any of its reasons.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private protected bool HasErrand(ref CpuState s) =>
        ((uint)s.Attention | (uint)s.StopRequested | (uint)(_wants & Wants.BeforeBlocks) | (uint)s.Sys.Activity | DebugTraps.StepReasons(ref s)) != 0
        || s.Remaining <= 0;

    /// <summary>Whether the next block may begin without the loop: neither an errand nor leftovers. A stop and the budget's end are left to
    /// <c>Threading.Enter</c>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private protected bool IsPlain(ref CpuState s) =>
        ((uint)s.Attention | (uint)_wants | (uint)s.Sys.Activity | DebugTraps.StepReasons(ref s)) == 0;

    /// <summary>One instruction is executed by itself, with traps to see to after it: its event is the loop's to offer.</summary>
    private protected bool IsAlone;

    /// <summary>Offers <see cref="Event"/>, which the running instruction has just raised with nothing after it in its block, and lets the layer answer it.
    /// True: the guest goes on at RIP. False: the loop has something to do first.</summary>
    internal abstract bool TryAnswer(ref CpuState s);

    private void Want(Wants what, bool wanted) => _wants = wanted ? _wants | what : _wants & ~what;

    /// <summary>Whether an event's delivery, or a branch without a link, has left something to be dealt with where blocks begin.</summary>
    private protected bool HasLeftovers => (_wants & ~Wants.BeforeBlocks) != 0;

    /// <summary>What the loop has to do beside running blocks.</summary>
    [Flags]
    private enum Wants : uint
    {
        /// <summary><see cref="Pending"/>.</summary>
        Delivery = 1,

        /// <summary><see cref="InterruptPending"/>.</summary>
        Interrupt = 2,

        /// <summary><see cref="InterruptWindowWanted"/>.</summary>
        Window = 4,

        /// <summary><see cref="IsReplaying"/>.</summary>
        Replay = 8,

        /// <summary><see cref="Interrupted"/> is void once an instruction runs.</summary>
        Forgetting = 16,

        /// <summary><see cref="WantsLink"/>.</summary>
        Link = 32,

        BeforeBlocks = Delivery | Interrupt | Window | Replay,
    }

    /// <summary>A fault or event that did not name its operation belongs to the block's last instruction: system instructions end blocks.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private protected void PlaceFault(ref CpuState s)
    {
        if ((s.Attention & Attention.Placed) == 0)
        {
            ref BlockHeader header = ref Unsafe.AsRef<BlockHeader>((void*)s.Block);
            // SAFETY: the running block's operations follow its header; the last instruction is number Count - 1.
            ref Op last = ref Unsafe.Add(ref Unsafe.As<BlockHeader, Op>(ref Unsafe.Add(ref header, 1)), (nint)(header.Count - 1));
            Abort(ref s, ref last);
        }
    }

    private protected void BeginReplay() => _replayNext = 0;

    /// <summary>An instruction that completed or faulted needs its answers no more; one that waits for a further answer keeps them.</summary>
    private protected void EndReplay(ref CpuState s)
    {
        if ((s.Attention & Attention.Event) == 0)
            ForgetReplays();
    }
}
