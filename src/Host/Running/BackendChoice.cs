using Hv.Core;
using Hv.Core.Machine;
using Hv.Host.Configuration;
using Hv.Host.Loading;

namespace Hv.Host.Running;

/// <summary>Which backend runs a guest: the one that was named, or by <c>auto</c> the fastest that can do what the guest is known to need
/// (docs/adr/0076-auto-weighs-speed.md).</summary>
internal static class BackendChoice
{
    /// <summary>The name that stands for a choice.</summary>
    public const string Auto = "auto";

    /// <summary>What <c>auto</c> tries: the real processor where it runs guests itself, then the fast software one, which can do everything, and
    /// last the real processor where a kernel interprets the guest's ring 0.</summary>
    private static readonly (string Name, BackendCapabilities MustHave)[] s_order =
        [("Kvm", BackendCapabilities.NativeSpeed), ("Emulated", BackendCapabilities.None), ("Kvm", BackendCapabilities.None)];

    /// <summary>Finds the backend that <paramref name="options"/> name.</summary>
    /// <exception cref="CommandException">There is none of that name, it cannot run here, or it cannot keep to a limit or a seed that is
    /// set.</exception>
    public static IBackend Named(BackendCatalog backends, HypervisorOptions options)
    {
        if (!backends.TryFind(options.Backend, out IBackend? backend, out string problem))
            throw CommandException.Usage($"{HypervisorOptions.BackendKey} (--backend): {problem}, {Auto}");
        BackendAvailability availability = backend.Availability;
        if (!availability.IsAvailable)
            throw new CommandException(ExitCode.BackendUnavailable, $"backend {backend.Name} cannot run here: {availability.Reason}");
        if (backend.Capabilities.HasFlag(BackendCapabilities.Deterministic))
            return backend;
        if (CountsInstructions(options))
        {
            throw CommandException.Usage($"backend {backend.Name} does not count instructions, so {HypervisorOptions.MaxInstructionsKey} "
                + $"(--max-instructions) and {HypervisorOptions.Section}:{nameof(HypervisorOptions.Clock)}={GuestClock.Instructions} "
                + "have no meaning on it; use --timeout, or a software backend (--backend emulated)");
        }

        return options.RandomSeed is null
            ? backend
            : throw CommandException.Usage($"backend {backend.Name} leaves RDRAND and RDSEED to the processor, so {HypervisorOptions.RandomSeedKey} "
                + "(--seed) has no meaning on it; leave it out, or use a software backend (--backend emulated)");
    }

    /// <summary>Chooses a backend for a guest.</summary>
    /// <param name="backends">Those to choose from.</param>
    /// <param name="needs">What the guest needs; see <see cref="NeedsOf"/>.</param>
    /// <returns>The backend, and one line: which, and why not an earlier one.</returns>
    /// <exception cref="CommandException">None can.</exception>
    public static (IBackend Backend, string Why) Choose(BackendCatalog backends, BackendCapabilities needs)
    {
        var refusals = new List<string>();
        foreach ((string name, BackendCapabilities mustHave) in s_order)
        {
            if (!backends.TryFind(name, out IBackend? backend, out _))
                continue;
            if (WhyNot(backend, needs, mustHave) is not { } refusal)
            {
                string why = refusals.Count == 0 ? $", which has what this guest needs ({needs})" : $"; {string.Join("; ", refusals)}";
                return (backend, $"{Auto}: backend {backend.Name}{why}");
            }

            refusals.Add(refusal);
        }

        throw new CommandException(ExitCode.BackendUnavailable, $"{Auto}: no backend has what this guest needs; {string.Join("; ", refusals)}");
    }

    private static string? WhyNot(IBackend backend, BackendCapabilities needs, BackendCapabilities mustHave)
    {
        BackendAvailability availability = backend.Availability;
        if (!availability.IsAvailable)
            return $"{backend.Name} cannot run here: {availability.Reason}";
        BackendCapabilities missing = needs & ~backend.Capabilities;
        if (missing != 0)
            return $"{backend.Name} lacks {missing} here";
        return (mustHave & ~backend.Capabilities) == 0 ? null
            : $"{backend.Name} could, but here a kernel interprets the guest's ring 0, which is far slower (hv backends has the figures)";
    }

    /// <summary>What a guest that starts in a mode will use, as far as the mode and the options tell: a 32-bit kernel pages and takes interrupts;
    /// limits and clocks in instructions need a backend that counts them, and a seed needs one whose runs repeat.</summary>
    public static BackendCapabilities NeedsOf(EntryMode mode, HypervisorOptions options)
    {
        BackendCapabilities needs = mode switch
        {
            EntryMode.Real => BackendCapabilities.RealMode | BackendCapabilities.RealExceptions,
            EntryMode.Protected => BackendCapabilities.Protected32 | BackendCapabilities.Protected32Exceptions | BackendCapabilities.Paging32,
            _ => BackendCapabilities.Long64 | BackendCapabilities.Long64Exceptions,
        };
        if (CountsInstructions(options) || options.RandomSeed is not null)
            needs |= BackendCapabilities.Deterministic;
        return options.AllowUserModeHypercalls ? needs | BackendCapabilities.UserHypercalls : needs;
    }

    private static bool CountsInstructions(HypervisorOptions options) =>
        options.MaxInstructions is not null || options.Clock == GuestClock.Instructions;
}
