using Hv.Conformance.Campaigns.Cases;
using Hv.Conformance.Campaigns.Execution;
using Hv.Conformance.Campaigns.Forms;
using Hv.Conformance.Campaigns.Replay;
using Hv.Conformance.Oracle;
using Xunit;

namespace Hv.Conformance.Tests;

/// <summary>Rows of <see cref="VendorDifferences"/>, on every machine: results of an AMD processor that they excuse, and that they do not excuse any
/// more once something else differs too.</summary>
public sealed class MakerTests
{
    private const ulong IdFlag = 0x20_0000;
    private const int UnusedVector = 11, UnusedStack = 6;

    [Fact]
    public void Amds_rows_excuse_what_their_processor_did_and_nothing_beside_it()
    {
        using var software = new SoftwareSide();
        var wrong = new List<string>();
        var seen = new HashSet<string>();
        foreach (string line in File.ReadLines(Path.Combine(AppContext.BaseDirectory, "Recorded", "amd.examples")))
        {
            if (line.StartsWith('%'))
                continue;
            int at = line.IndexOf(" | ", StringComparison.Ordinal);
            VendorDifference row = VendorDifferences.All.Single(d => d.What == line[..at]);
            Assert.Equal(Maker.Amd, row.Maker);
            seen.Add(row.What);
            (CodeSlot slot, CaseRecord input, CaseRecord silicon) = CaseText.Parse(line[(at + 3)..], RecordedCases.Offset);
            CaseRecord ours = RunSoftware(software, slot, in input);
            if (Comparison.Difference(in input, in silicon, in ours, slot) is null)
                wrong.Add($"no difference: {line}");
            if (!row.Applies(slot, in input, in silicon, in ours))
                wrong.Add($"not excused: {line}: {Comparison.Difference(in input, in silicon, in ours, slot)}");
            foreach ((string what, CaseRecord altered) in Alterations(slot, silicon))
                if (row.Applies(slot, in input, in altered, in ours))
                    wrong.Add($"excused with another {what}: {line}");
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
        Assert.True(seen.Count >= 30, $"only {seen.Count} rows have examples");
    }

    [Theory]
    [InlineData(0x8081, 0x5DCA_CCD6, 0x293_5DCA_CCD6, true)]
    [InlineData(0x0001, 0x5DCA_CCD6, 0x293_5DCA_CCD6, false)]    // nothing pending: XSAVE saves zeros
    [InlineData(0x8081, 0x5DCA_CCD7, 0x293_5DCA_CCD6, false)]    // another address
    [InlineData(0x8081, 0x5DCA_CCD6, 0x1_5DCA_CCD6, false)]      // hv has written it
    public void Pointers_cut_to_32_bits_are_mended_where_hv_kept_them(int status, ulong silicon, ulong ours, bool cut)
    {
        ExtendedState input = default, theirs = default, hvs = default;
        input.Status = (ushort)status;
        input.InstructionPointer = 0x293_5DCA_CCD6;
        theirs.InstructionPointer = silicon;
        hvs.InstructionPointer = ours;
        Assert.Equal(cut, SavedPointers.MendCut(ref theirs, in input, in hvs));
        Assert.Equal(cut ? ours : silicon, theirs.InstructionPointer);
    }

    private static CaseRecord RunSoftware(SoftwareSide software, CodeSlot slot, in CaseRecord input)
    {
        software.ClearData();
        software.Place(slot);
        CaseRecord ours = default;
        software.Execute(in input, slot.DisturbsSegments, ref ours, slot.EndRip, slot.Repeats);
        Comparison.NormaliseOurs(ref ours, slot);
        if (slot.HasExtended)
            SavedPointers.Normalise(ref ours.Extended, Maker.Amd);
        return ours;
    }

    private static IEnumerable<(string What, CaseRecord Altered)> Alterations(CodeSlot slot, CaseRecord silicon)
    {
        CaseRecord altered = silicon;
        altered.Registers[slot.Mode == CodeMode.Bits64 ? 12 : 3] ^= 0x10;
        yield return ("register", altered);
        altered = silicon;
        altered.Rflags ^= IdFlag;
        yield return ("flag", altered);
        altered = silicon;
        altered.Memory[0] ^= 0xFF;
        yield return ("byte of memory", altered);
        if (!slot.HasExtended)
            yield break;
        altered = silicon;
        altered.Extended.Stack[UnusedStack].Significand ^= 1;
        yield return ("x87 register", altered);
        if ((slot.VectorsUsed >> UnusedVector & 1) != 0)
            yield break;
        altered = silicon;
        altered.Extended.Xmm[UnusedVector] = System.Runtime.Intrinsics.Vector128<byte>.AllBitsSet;
        yield return ("vector register", altered);
    }
}
