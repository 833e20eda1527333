using System.Runtime.CompilerServices;
using Hv.Cpu.Blocks;
using Hv.Cpu.Decode;
using Hv.Cpu.Memory;
using Hv.Cpu.State;
using Hv.Cpu.System;
using Hv.Cpu.Virtualization;

namespace Hv.Cpu;

// Finding the block at RIP, building it where there is none, and linking a branch to its successor.
// SAFETY: blocks and look-up entries are the code cache's and the processor's own; a ticket shows that a block kept by address is alive.
public abstract unsafe partial class Processor
{
    // The link slot of the branch that left last, and the ticket it was seen under.
    private nint _unlinked;
    private ulong _unlinkedTicket;

    private protected static long CountOf(nint block)
    {
        // SAFETY: block is a live block of the code cache.
        return Unsafe.AsRef<BlockHeader>((void*)block).Count;
    }

    /// <summary>The block at RIP under the present key, or 0 where the look-up table does not hold it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private protected static nint LookUp(ref CpuState s)
    {
        ulong rip = s.Gpr.Rip;
        // SAFETY: the table holds LookupEntry.Count entries for the processor's life.
        LookupEntry* entry = (LookupEntry*)s.Lookup + (uint)(rip ^ (rip >> 12)) % LookupEntry.Count;
        return entry->Rip == rip && entry->Ticket == s.Ticket ? entry->Block : 0;
    }

    /// <summary>Finds or builds the block at RIP. 0: the fault of fetching it is recorded.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private protected nint FindBlock(ref CpuState s, ModeKey key)
    {
        ulong rip = s.Gpr.Rip;
        bool single = key.Has(ModeKey.Single);
        // SAFETY: the table holds LookupEntry.Count entries for the processor's life.
        LookupEntry* entry = (LookupEntry*)s.Lookup + (uint)(rip ^ (rip >> 12)) % LookupEntry.Count;
        if (!single && entry->Rip == rip && entry->Ticket == s.Ticket)
            return entry->Block;

        ulong limit = key.Is64 ? ulong.MaxValue : s.Sys.Cs.Limit;
        if (rip > limit || !TryFetch(ref s, rip, out nint host, out ulong physical))
        {
            if (rip > limit)
                Faults.GeneralProtection(ref s);
            return 0;
        }

        nint block = Code.Find(physical, rip, key.Value);
        if (block != 0)
        {
            ref BlockHeader header = ref Unsafe.AsRef<BlockHeader>((void*)block);
            if (header.SecondPage != 0)
            {
                ulong second = (rip & ~0xFFFUL) + 0x1000;
                if (!key.Is64)
                    second = rip + (4096 - (physical & 0xFFF));
                if (!TryFetch(ref s, second, out _, out ulong secondPhysical))
                {
                    return 0;
                }

                if (secondPhysical != header.SecondPage)
                    block = 0;
            }
        }

        if (block == 0)
            block = BlockBuilder.Build(this, ref s, new BlockBuilder.Source(host, physical, rip, key, limit));
        if (block != 0 && !single)
            *entry = new LookupEntry { Rip = rip, Ticket = s.Ticket, Block = block };
        return block;
    }

    /// <summary>Resolves a code address. False: the fault is recorded.</summary>
    internal bool TryFetch(ref CpuState s, ulong rip, out nint host, out ulong physical)
    {
        host = 0;
        physical = 0;
        ulong linear = _key.Is64 ? rip : (uint)(rip + s.Sys.Cs.Base);
        if (!IsCanonical(linear))
        {
            Faults.GeneralProtection(ref s);
            return false;
        }

        if (!TryResolve(ref s, linear, AccessKind.Execute, IsUser, false, out Resolved resolved))
            return false;
        if (resolved.Host == 0)
        {
            // A hole reads as ones, and FF FF is undefined: what the layer does not take becomes #UD.
            ulong ignored = 0;
            if (DeviceAccess(ref s, resolved.Physical, linear, 1, GuestAccess.Execute | (IsUser ? GuestAccess.User : 0), false, 0, ref ignored))
            {
                ForgetReplays();
                Faults.Undefined(ref s);
            }

            return false;
        }

        NoteFetch(linear);
        host = resolved.Host;
        physical = resolved.Slot;
        return true;
    }

    /// <summary>A branch's link is void: looks the successor up, links it, and goes on there.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal void FollowSlow(ref CpuState s, ref LinkSlot slot)
    {
        s.Gpr.Rip = slot.Rip;
        // SAFETY: the table holds LookupEntry.Count entries for the processor's life.
        LookupEntry* entry = (LookupEntry*)s.Lookup + (uint)(slot.Rip ^ (slot.Rip >> 12)) % LookupEntry.Count;
        if (entry->Rip == slot.Rip && entry->Ticket == s.Ticket)
        {
            slot.Block = entry->Block;
            slot.Ticket = s.Ticket;
        }
        else
        {
            _unlinked = (nint)Unsafe.AsPointer(ref slot);
            _wants |= Wants.Link;
            _unlinkedTicket = s.Ticket;
        }
    }

    /// <summary>Whether a branch left for want of a link.</summary>
    private protected bool WantsLink => (_wants & Wants.Link) != 0;

    /// <summary>Links the branch that left for want of a link to the block that was found for it.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private protected void LinkTo(ref CpuState s, nint block)
    {
        if (_unlinkedTicket == s.Ticket)
        {
            // SAFETY: the ticket is the one under which the slot was seen, so the code cache has not been emptied since.
            ref LinkSlot slot = ref Unsafe.AsRef<LinkSlot>((void*)_unlinked);
            if (slot.Rip == s.Gpr.Rip)
                (slot.Block, slot.Ticket) = (block, s.Ticket);
        }

        _unlinked = 0;
        _wants &= ~Wants.Link;
    }
}
