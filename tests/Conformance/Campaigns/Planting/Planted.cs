using Hv.Conformance.Campaigns.Cases;
using Hv.Conformance.Campaigns.Execution;
using Hv.Conformance.Oracle;
using Iced.Intel;

namespace Hv.Conformance.Campaigns.Planting;

/// <summary>A known kind of emulator fault that can be planted into hv's side.</summary>
/// <param name="Name">What is wrong, in words.</param>
/// <param name="Instruction">The instruction it is in; <see cref="Mnemonic.INVALID"/> for all.</param>
public abstract record Planted(string Name, Mnemonic Instruction) : IPerturbation
{
    /// <inheritdoc/>
    public abstract void Apply(CodeSlot slot, in CaseRecord input, ref CaseRecord ours);
}
