namespace Hv.Backends.Vmx.Silicon.Translation;

/// <summary>How an EPT walk ended.</summary>
public enum EptOutcome : byte
{
    Translated,

    /// <summary>An entry is not present or does not allow the access (SDM 3C 29.3.3.2).</summary>
    Violation,

    /// <summary>An entry holds settings that are reserved (SDM 3C 29.3.3.1).</summary>
    Misconfiguration,
}

/// <summary>What a walk found.</summary>
/// <param name="Outcome">How it ended.</param>
/// <param name="Host">The host-physical address, for <see cref="EptOutcome.Translated"/>.</param>
/// <param name="Permissions">R, W and X (bits 0 to 2) that all entries on the way allow; 0 past an entry that is not present.</param>
public readonly record struct EptWalk(EptOutcome Outcome, ulong Host, ulong Permissions);

/// <summary>The 4-level walk from guest-physical to host-physical addresses (SDM 3C 29.3.2).</summary>
public static class Ept
{
    /// <summary>Guest-physical address bits that 4 levels translate.</summary>
    public const int AddressBits = 48;

    private const int Levels = 4, IndexBits = 9, PageBits = 12;

    /// <summary>Walks the tables.</summary>
    /// <param name="memory">Where they are.</param>
    /// <param name="eptp">The EPT pointer.</param>
    /// <param name="address">The guest-physical address.</param>
    /// <param name="access">The wanted permissions: bits of <see cref="EptEntry.AllAccess"/>.</param>
    public static EptWalk Walk(HostPhysicalMemory memory, ulong eptp, ulong address, ulong access)
    {
        if (address >> AddressBits != 0)
            return new(EptOutcome.Violation, 0, 0);
        ulong table = eptp & EptEntry.AddressMask;
        ulong permissions = EptEntry.AllAccess;
        for (int level = Levels; ; level--)
        {
            int shift = PageBits + ((level - 1) * IndexBits);
            ulong index = (address >> shift) & ((1 << IndexBits) - 1);
            var entry = new EptEntry(memory.Read(table + (index * sizeof(ulong))));
            if (!entry.IsPresent)
                return new(EptOutcome.Violation, 0, 0);
            if (IsMisconfigured(entry, level))
                return new(EptOutcome.Misconfiguration, 0, 0);
            permissions &= entry.Permissions;
            if (entry.IsLeaf(level))
            {
                ulong offset = address & ((1UL << shift) - 1);
                return (permissions & access) == access
                    ? new(EptOutcome.Translated, entry.Address | offset, permissions)
                    : new(EptOutcome.Violation, 0, permissions);
            }

            table = entry.Address;
        }
    }

    // SDM 3C 29.3.3.1. Execute-only and 2-MByte and 1-GByte pages are supported, so the settings that remain are these.
    private static bool IsMisconfigured(EptEntry entry, int level)
    {
        if ((entry.Permissions & (EptEntry.Read | EptEntry.Write)) == EptEntry.Write)
            return true;
        if (!entry.IsLeaf(level))
        {
            ulong reserved = level == Levels ? 0xF8UL : 0x78UL;
            return (entry.Value & reserved) != 0;
        }

        ulong memoryType = (entry.Value >> EptEntry.MemoryTypeShift) & 7;
        ulong unaligned = entry.Address & ((1UL << (PageBits + ((level - 1) * IndexBits))) - 1);
        return memoryType is 2 or 3 or 7 || unaligned != 0;
    }
}
