using Hv.Conformance.Ring0.Cases;
using Hv.Conformance.Ring0.Engines;
using Hv.Conformance.Ring0.Families;
using Hv.Conformance.Ring0.Guest;
using Hv.Conformance.Ring0.Results;

namespace Hv.Conformance.Ring0;

/// <summary>Draws cases from a seed, runs them on every engine that is here, and holds the results against the manual and each other.</summary>
public sealed class Ring0Campaign(ulong seed, IReadOnlyList<Family> families)
{
    /// <summary>Cases in one image: what the boot sector's disk holds, with room to spare.</summary>
    private const int CasesPerImage = 4000;

    /// <summary>Every family.</summary>
    public static IReadOnlyList<Family> AllFamilies =>
    [
        new SegmentLoadFamily(), new SegmentQueryFamily(), new SystemSegmentFamily(), new TransferFamily(), new ReturnFamily(), new DeliveryFamily(),
        new TaskFamily(), new PagingFamily(), new ControlRegisterFamily(), new ModelSpecificFamily(), new PrivilegeFamily(), new PortFamily(),
        new FlagFamily(), new SyscallFamily(), new DebugFamily(), new RealFamily(), new VirtualFamily(),
    ];

    /// <summary>Every family, or the one of this name.</summary>
    /// <exception cref="ArgumentException">There is none; the message names those that exist.</exception>
    public static IReadOnlyList<Family> FamiliesNamed(string? name)
    {
        IReadOnlyList<Family> found = [.. AllFamilies.Where(f => name is null || f.Name == name)];
        return found.Count > 0 ? found
            : throw new ArgumentException($"no family '{name}'; the families are {string.Join(", ", AllFamilies.Select(f => f.Name))}");
    }

    /// <summary>The case numbers from <paramref name="first"/> on, the families in turn.</summary>
    public IReadOnlyList<Ring0Case> Draw(int first, int count)
    {
        var cases = new List<Ring0Case>(count);
        for (int i = first; i < first + count; i++)
        {
            Family family = families[i % families.Count];
            cases.Add(family.Make(new CaseRandom(seed, (ulong)i), i / families.Count));
        }

        return cases;
    }

    /// <summary>Runs the first <paramref name="count"/> cases.</summary>
    public void Run(int count, IReadOnlyList<Engine> engines, CampaignOutcome outcome)
    {
        for (int first = 0; first < count; first += CasesPerImage)
        {
            IReadOnlyList<Ring0Case> cases = Draw(first, Math.Min(CasesPerImage, count - first));
            CaseResult?[][] results = [.. engines.Select(e => e.Run(cases))];
            for (int i = 0; i < cases.Count; i++)
                outcome.Add(cases[i], engines, [.. results.Select(r => r[i])]);
        }
    }
}
