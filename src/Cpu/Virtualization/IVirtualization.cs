using Hv.Core;

namespace Hv.Cpu.Virtualization;

/// <summary>
/// What a backend adds to the processor. A struct type argument of <c>Processor&lt;TVirtualization&gt;</c>, so that its calls are bound at compile
/// time; asked only at
/// events and at translation-cache misses, never per ordinary instruction.
/// </summary>
public interface IVirtualization
{
    /// <summary>
    /// Whether <paramref name="e"/> leaves the guest. True: <c>Run</c> returns with the event in <c>Processor.Event</c>, RIP on the instruction,
    /// nothing executed. False: the
    /// processor does what it does without virtualization; for a vendor instruction, an unknown MSR or a hole in memory that is #UD, #GP(0), and
    /// reads of ones.
    /// The layer may have changed <see cref="CpuEvent.Value"/> before it answers false: the processor then uses that value, as control-register
    /// shadows and time-stamp
    /// offsets need (SDM 3C 26.3; APM 2 15.5.1).
    /// </summary>
    bool Intercepts(Processor processor, ref CpuEvent e);

    /// <summary>Answers the event that <see cref="Intercepts"/> has taken, on the spot: the layer has completed it as it would after <c>Run</c>, and the
    /// processor goes on. False: <c>Run</c> returns.</summary>
    bool Answers(Processor processor);

    /// <summary>Translates a guest-physical page to the address that memory slots are looked up by. Identity without nested paging.</summary>
    /// <param name="address">The guest-physical address.</param>
    /// <param name="access">What it is accessed for.</param>
    /// <param name="host">The address among the memory slots.</param>
    /// <param name="writable">Whether the nested mapping also allows writes, so that the translation cache may.</param>
    /// <returns>False when the nested tables refuse: the processor raises <see cref="CpuEventKind.GuestPhysicalAccess"/>.</returns>
    bool TranslateGuestPhysical(ulong address, GuestAccess access, out Gpa host, out bool writable);
}
