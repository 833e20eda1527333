using Hv.Conformance.Campaigns.Cases;
using Hv.Conformance.Oracle;

namespace Hv.Conformance.Campaigns.Execution;

/// <summary>A fault planted into hv's side: changes its result as an emulator with that fault would.</summary>
public interface IPerturbation
{
    /// <summary>Changes <paramref name="ours"/>, hv's result from <paramref name="input"/>, if the fault shows there.</summary>
    void Apply(CodeSlot slot, in CaseRecord input, ref CaseRecord ours);
}
