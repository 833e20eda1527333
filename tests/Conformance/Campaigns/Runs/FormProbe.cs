using Hv.Conformance.Campaigns.Cases;
using Hv.Conformance.Campaigns.Execution;
using Hv.Conformance.Campaigns.Forms;

namespace Hv.Conformance.Campaigns.Runs;

/// <summary>Asks both processors which forms they have: by executing some cases of each, not by believing a list.</summary>
public static class FormProbe
{
    private const int Encodings = 8;
    private const uint UndefinedOpcode = 6;

    /// <summary>The status of each of <paramref name="forms"/>.</summary>
    public static Dictionary<Form, FormStatus> Run(CaseRunner runner, IReadOnlyList<Form> forms)
    {
        var random = new Prng(1, 0);
        var states = new OperandState(1);
        var result = new Dictionary<Form, FormStatus>();
        var groups = new List<(Form Form, int First, int Count)>();
        runner.Begin();
        foreach (Form form in forms)
        {
            if (form.NotComparedBecause is not null)
            {
                result[form] = FormStatus.HostDependent;
                continue;
            }

            if (runner.WhyNot(form.Mode) is not null)
            {
                result[form] = FormStatus.ModeNotOnThisMachine;
                continue;
            }

            int first = runner.Count;
            for (int i = 0; i < Encodings; i++)
            {
                if (FormBytes.Make(form, random, 0, out _) is not { } bytes)
                    break;
                uint offset = (uint)(runner.Count % OperandCampaign.SlotPlaces * CodeSlot.Stride);
                Displacements.Aim(bytes, form.Mode, OracleRip(form.Mode, offset), random);
                var slot = new CodeSlot(bytes, form.Mode, form.Way, offset);
                runner.Place(slot);
                states.Fill(ref runner.Add(slot), slot, random);
            }

            groups.Add((form, first, runner.Count - first));
            if (runner.Count > OperandCampaign.SlotPlaces - Encodings)
                Judge(runner, groups, result);
        }

        Judge(runner, groups, result);
        return result;
    }

    /// <summary>RIP of a slot's code in its segment.</summary>
    public static ulong OracleRip(CodeMode mode, uint offset) => mode == CodeMode.Bits16 ? offset : Oracle.OracleMap.Code + offset;

    private static void Judge(CaseRunner runner, List<(Form Form, int First, int Count)> groups, Dictionary<Form, FormStatus> result)
    {
        runner.Run(new Tally(), confirm: false);
        foreach ((Form form, int first, int count) in groups)
        {
            bool completes = false;
            bool silicon = false;
            bool ours = false;
            bool here = runner.Native.HasAvx || !ExtendedForms.NeedsUpperHalves(form);
            for (int i = first; i < first + count; i++)
            {
                completes |= runner.Native.Outputs[i].Vector == Oracle.Outcome.Completed;
                bool executes = here && runner.Native.Outputs[i].Vector != UndefinedOpcode;
                silicon |= executes;
                // What hv leaves out because makers differ is compared: the differences are counted there.
                ours |= runner.OursOf(i).Vector != UndefinedOpcode || (executes && VendorDifferences.Find(runner.SlotOf(i),
                    in runner.Native.Inputs[i], in runner.Native.Outputs[i], in runner.OursOf(i)) is not null);
            }

            result[form] = count == 0 ? FormStatus.NotEncodable
                : silicon && ours ? completes ? FormStatus.Compared : FormStatus.ComparedFaulting
                : !silicon && !ours ? FormStatus.UndefinedOnBoth
                : silicon ? FormStatus.NotInModel : FormStatus.NotOnThisProcessor;
        }

        groups.Clear();
        runner.Begin();
    }
}
