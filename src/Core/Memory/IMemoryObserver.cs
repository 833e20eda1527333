namespace Hv.Core.Memory;

/// <summary>Told of changes to guest memory that a backend's caches (translations, decoded code) must follow.</summary>
public interface IMemoryObserver
{
    /// <summary>The host wrote into guest memory.</summary>
    void OnHostWrite(Gpa address, ulong length);

    /// <summary>Slots were added or removed: every cached translation of a guest-physical address is void.</summary>
    void OnSlotsChanged();

    /// <summary>The dirty log of a slot is about to be read: a backend whose guest writes without asking adds what it knows by
    /// <see cref="MemorySlot.AddDirty"/>. Most backends mark pages as they hand them out and have nothing to add.</summary>
    void OnDirtyLogRead(MemorySlot slot)
    {
    }

    /// <summary>The dirty log was collected: the next write to any page must be marked again.</summary>
    void OnDirtyLogCollected();
}
