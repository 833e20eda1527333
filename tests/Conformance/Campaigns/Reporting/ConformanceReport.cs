using System.Globalization;
using System.Text;
using Hv.Conformance.Campaigns.Forms;

namespace Hv.Conformance.Campaigns.Reporting;

/// <summary>Renders kept runs as docs/conformance.md.</summary>
public static class ConformanceReport
{
    /// <summary>Writes the document.</summary>
    public static string Write(IReadOnlyList<RunRecord> runs, int recordedCases)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"""
            # Conformance

            Written by `dotnet run -c Release --project tests/Conformance/Campaigns -- report` from the runs kept in `tests/Conformance/Recorded`; every number below
            is from such a run. hv's software processor is compared with the processor of the machine that ran the campaign: all sixteen general registers, RIP,
            RFLAGS, 320 bytes of memory per case (and the rest of the data pages per batch), for a fault its vector, error code and address, and for x87, MMX, SSE
            and AVX instructions the whole of that state: the x87 registers with control, status, tag, opcode and pointer words, YMM0 to YMM15 and MXCSR. How it is
            done is in ADRs [0080](adr/0080-oracle-worker.md), [0081](adr/0081-what-is-compared.md), [0082](adr/0082-extended-state-in-cases.md),
            [0083](adr/0083-makers.md) and [0084](adr/0084-what-a-case-costs.md).

            ## Runs

            | campaign | date (UTC) | processor | seed | cases | million/s | million per processor-second | differences | left out |
            |---|---|---|---|---|---|---|---|---|

            """);
        foreach (RunRecord run in runs.Where(r => r.Campaign != "planted"))
            text.AppendLine(CultureInfo.InvariantCulture, $"| {run.Campaign} | {run.Date} | {run.Processor} | {run.Seed} | {run.Cases:N0} | " +
                $"{run.Cases / run.Seconds / 1e6:N2} ({run.Threads} threads) | {run.Cases / run.ProcessorSeconds / 1e6:N2} | {run.Differences:N0} " +
                $"| {run.OutsideModel:N0} |");
        foreach (RunRecord run in runs.Where(r => r.Remark is not null))
            text.AppendLine(CultureInfo.InvariantCulture, $"\n{run.Campaign}, {Whose(run)}: {run.Remark}");
        foreach (IGrouping<(string, string), RunRecord> runsOfOne in runs.SelectMany(r => r.CannotRun.Select(c => (Run: r, What: c)))
            .GroupBy(r => (r.Run.Processor, r.What), r => r.Run))
            text.AppendLine(CultureInfo.InvariantCulture, $"\n{string.Join(", ", runsOfOne.Select(r => r.Campaign))}, {Whose(runsOfOne.First())}: " +
                $"that machine runs no {runsOfOne.Key.Item2}.");
        text.AppendLine(CultureInfo.InvariantCulture, $"\n\"Left out\" are random bytes that decode to instructions which hv's model does not " +
            $"have, or whose result is the host's own. {recordedCases:N0} recorded cases are replayed by the tests on every machine.\n");
        text.AppendLine("Outcomes on silicon:\n");
        foreach (RunRecord run in runs.Where(r => r.Outcomes.Count > 0))
            text.AppendLine(CultureInfo.InvariantCulture, $"- {run.Campaign}, {Whose(run)}: " +
                $"{string.Join(", ", run.Outcomes.OrderByDescending(o => o.Value).Select(o => $"{o.Key} {o.Value:N0}"))}");

        Planted(text, runs);
        Makers(text, runs);
        // A machine without 32-bit and 16-bit code would leave most of the table empty.
        if (runs.Where(r => r.Campaign == "operands").OrderBy(r => r.CannotRun.Count).ThenByDescending(r => r.Cases).FirstOrDefault() is { } operands)
            Instructions(text, operands);
        Undefined(text);
        Excluded(text);
        return text.ToString().ReplaceLineEndings("\n");
    }

    private static void Planted(StringBuilder text, IReadOnlyList<RunRecord> runs)
    {
        if (!runs.Any(r => r.Campaign == "planted"))
            return;
        text.AppendLine("\n## Planted faults\n");
        foreach (RunRecord planted in runs.Where(r => r.Campaign == "planted"))
        {
            string notHere = planted.PlantedNotHere.Count == 0 ? ""
                : $" Not on that machine: {planted.PlantedNotHere.Count} ({string.Join("; ", planted.PlantedNotHere)}).";
            text.AppendLine(CultureInfo.InvariantCulture, $"- {planted.Planted.Values.Count(c => c)} of {planted.Planted.Count} known emulator faults, " +
                $"planted one at a time, were caught on {planted.Processor} ({planted.Date}, seed {planted.Seed}).{notHere}");
            foreach ((string name, bool found) in planted.Planted)
                if (!found)
                    text.AppendLine(CultureInfo.InvariantCulture, $"  - missed: {name}");
        }
    }

    private static void Makers(StringBuilder text, IReadOnlyList<RunRecord> runs)
    {
        Maker[] makers = [.. runs.Select(r => r.Maker).Distinct().Order()];
        text.Append("\n## Where makers' processors differ\n\nA differing case of one of these kinds is counted here and not as a " +
            "difference; the last columns count by the maker of the run's processor.\n\n| what | whose processors | do | hv | manuals |");
        text.AppendJoin("", makers.Select(m => $" cases, {Whose(m)} |")).AppendLine();
        text.Append("|---|---|---|---|---|").AppendJoin("", makers.Select(_ => "---|")).AppendLine();
        foreach (VendorDifference difference in VendorDifferences.All)
        {
            text.Append(CultureInfo.InvariantCulture, $"| {difference.What} | {Whose(difference.Maker, "both")} | {difference.Silicon} | " +
                $"{difference.Ours} | {difference.Citation} |");
            foreach (Maker maker in makers)
                text.Append(CultureInfo.InvariantCulture,
                    $" {runs.Where(r => r.Maker == maker).Sum(r => r.VendorDifferences.GetValueOrDefault(difference.What)):N0} |");
            text.AppendLine();
        }
    }

    private static string Whose(RunRecord run) =>
        string.Create(CultureInfo.InvariantCulture, $"{Whose(run.Maker)} (family {run.Family:X}h, model {run.Model:X2}h)");

    private static string Whose(Maker maker, string any = "other") => maker switch { Maker.Intel => "Intel's", Maker.Amd => "AMD's", _ => any };

    private static void Instructions(StringBuilder text, RunRecord run)
    {
        text.AppendLine(CultureInfo.InvariantCulture, $"\n## Instructions compared\n\nFrom the biggest operand campaign that ran all kinds of code, of {run.Date}, on {run.Processor}. " +
            $"A form is a row of Iced's opcode table in one code mode (64, 32 or 16 bits).\n");
        text.AppendLine("\"Left out\" are forms of the table below under \"Not compared\"; \"undefined\" are #UD on both sides.\n");
        text.AppendLine("| group (CPUID feature) | instructions | forms | compared | left out | undefined | cases | differences |");
        text.AppendLine("|---|---|---|---|---|---|---|---|");
        foreach (IGrouping<string, InstructionRecord> group in run.Instructions.GroupBy(i => i.Group).OrderBy(g => g.Key, StringComparer.Ordinal))
            text.AppendLine(CultureInfo.InvariantCulture, $"| {group.Key} | {group.Count()} | {run.Forms.GetValueOrDefault(group.Key)} | " +
                $"{group.Sum(i => i.Forms)} | {run.LeftOut.GetValueOrDefault(group.Key)} | {run.UndefinedOnBoth.GetValueOrDefault(group.Key)} | " +
                $"{group.Sum(i => i.Cases):N0} | {group.Sum(i => i.Differences):N0} |");
        text.AppendLine("\n<details><summary>By instruction</summary>\n\n| instruction | forms | cases | differences |\n|---|---|---|---|");
        foreach (InstructionRecord i in run.Instructions)
            text.AppendLine(CultureInfo.InvariantCulture, $"| {i.Name.ToUpperInvariant()} | {i.Forms} | {i.Cases:N0} | {i.Differences:N0} |");
        text.AppendLine("\n</details>\n\nForms of x86-64-v3 and of the extensions promised beside it that hv does not have (by CPUID feature): " +
            (run.Owed.Count == 0 ? "none." : string.Join(", ", run.Owed.Select(f => $"{f.Key} {f.Value}")) + "."));
        text.AppendLine("\nExtensions of the processor of that run that no model of hv has; each is #UD in a guest: " +
            string.Join(", ", run.NotInModel.Select(f => $"{f.Key} {f.Value}")) + ".");
        if (run.NotOnThisProcessor.Count > 0)
            text.AppendLine("\nNot on the processor of that run, and so skipped: " + string.Join(", ", run.NotOnThisProcessor
                .Select(f => $"{f.Key} {f.Value}")));
    }

    private static void Undefined(StringBuilder text)
    {
        text.AppendLine("\n## Undefined by the manuals\n\nOnly these are left out of a comparison, and only under their condition.\n\n| " +
            "instructions | flags | when | says |\n|---|---|---|---|");
        foreach (UndefinedRule rule in UndefinedFlags.Rules)
        {
            string flags = rule.Flags == 0 ? "" : Cases.CaseText.FlagNames(rule.Flags).Replace('+', ' ');
            string when = rule.When switch
            {
                UndefinedWhen.Always => "always",
                UndefinedWhen.CountIsNotZero => "masked count is not 0",
                UndefinedWhen.CountIsAboveOne => "masked count is above 1",
                UndefinedWhen.CountReachesSize => "masked count is the operand's size or more",
                _ => rule.Flags == 0 ? "operand of 16 bits" : "masked count is above the operand's size",
            };
            text.AppendLine(CultureInfo.InvariantCulture, $"| {string.Join(' ', rule.Instructions).ToUpperInvariant()} | " +
                $"{flags}{(rule.ResultToo ? " and the result" : "")} | {when} | {rule.Citation} |");
        }

        text.AppendLine(CultureInfo.InvariantCulture, $"| {string.Join(' ', RoundedResults.Instructions).ToUpperInvariant()} | " +
            $"C1, and the result by one unit in the last place | always | {RoundedResults.Citation} |");
    }

    private static void Excluded(StringBuilder text)
    {
        text.AppendLine("\n## Not compared\n\n| reason | instructions |\n|---|---|");
        foreach (IGrouping<string, (string Instruction, string Reason)> group in NotCompared.All.GroupBy(n => n.Reason))
            text.AppendLine(CultureInfo.InvariantCulture, $"| {group.Key} | " +
                $"{string.Join(' ', group.Select(n => n.Instruction.ToUpperInvariant()))} |");
        text.AppendLine("\nRing 0, exception delivery and real mode have no native oracle in a user process; they are held by tables from the " +
            "manuals and by other implementations, below.");
    }
}
