using Hv.Backends.Kvm.Abi;
using Hv.Core;
using Hv.Core.Memory;

namespace Hv.Backends.Kvm;

/// <summary>
/// The guest's page tables, read without a trace (SDM 3A 4.3 to 4.5). KVM_TRANSLATE does not serve: it sets accessed bits in the guest's tables,
/// and takes non-canonical addresses.
/// </summary>
internal static class KvmPageWalk
{
    private const ulong Paging = 1UL << 31, LargePages32 = 1 << 4, Pae = 1 << 5, FiveLevels = 1 << 12, LongModeActive = 1 << 10;
    private const ulong Present = 1, Large = 1 << 7, Frame = 0x000F_FFFF_FFFF_F000;

    /// <summary>Translates a linear address.</summary>
    /// <returns>False where it is not mapped, not canonical, or a table lies outside memory.</returns>
    public static bool TryTranslate(GuestMemory memory, in KvmSregs sregs, ulong linear, out Gpa physical)
    {
        if ((sregs.cr0 & Paging) == 0)
        {
            physical = new Gpa((uint)linear);
            return true;
        }

        if ((sregs.efer & LongModeActive) == 0)
        {
            return (sregs.cr4 & Pae) == 0
                ? Walk32(memory, in sregs, (uint)linear, out physical)
                : Walk(memory, sregs.cr3 & 0xFFFF_FFE0, (uint)linear, levels: 3, out physical);
        }

        int levels = (sregs.cr4 & FiveLevels) != 0 ? 5 : 4, unused = 64 - 12 - 9 * levels;
        physical = default;
        return (ulong)((long)(linear << unused) >> unused) == linear && Walk(memory, sregs.cr3 & Frame, linear, levels, out physical);
    }

    /// <summary>Tables of 512 entries of 8 bytes. Level 2 has pages of 2 MiB, level 3 of 1 GiB; PAE's level 3 has neither that bit nor more than 4
    /// entries.</summary>
    private static bool Walk(GuestMemory memory, ulong table, ulong linear, int levels, out Gpa physical)
    {
        physical = default;
        for (int level = levels; level > 0; level--)
        {
            int shift = 12 + 9 * (level - 1);
            if (!memory.TryRead(new Gpa(table + ((linear >> shift) & 511) * 8), out ulong entry) || (entry & Present) == 0)
                return false;
            if (level == 1 || ((entry & Large) != 0 && (level == 2 || (level == 3 && levels > 3))))
            {
                ulong offset = (1UL << shift) - 1;
                physical = new Gpa((entry & Frame & ~offset) | (linear & offset));
                return true;
            }

            table = entry & Frame;
        }

        return false;
    }

    /// <summary>Two tables of 1,024 entries of 4 bytes; a page of 4 MiB has address bits 32 to 39 in its bits 13 to 20 (SDM 3A table 4-4).</summary>
    private static bool Walk32(GuestMemory memory, in KvmSregs sregs, uint linear, out Gpa physical)
    {
        physical = default;
        if (!memory.TryRead(new Gpa((sregs.cr3 & 0xFFFF_F000) + (linear >> 22) * 4), out uint entry) || (entry & Present) == 0)
            return false;
        if ((entry & Large) != 0 && (sregs.cr4 & LargePages32) != 0)
        {
            physical = new Gpa(((ulong)(entry & 0x1F_E000) << 19) | (entry & 0xFFC0_0000) | (linear & 0x3F_FFFF));
            return true;
        }

        if (!memory.TryRead(new Gpa((entry & 0xFFFF_F000) + ((linear >> 12) & 1023) * 4), out entry) || (entry & Present) == 0)
            return false;
        physical = new Gpa((entry & 0xFFFF_F000) | (linear & 0xFFF));
        return true;
    }
}
