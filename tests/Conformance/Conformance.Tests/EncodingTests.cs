using Hv.Conformance.Campaigns.Cases;
using Hv.Conformance.Campaigns.Execution;
using Hv.Conformance.Campaigns.Forms;
using Hv.Conformance.Campaigns.Runs;
using Hv.Conformance.Oracle;
using Xunit;

namespace Hv.Conformance.Tests;

/// <summary>Encodings that random bytes meet rarely: what no instruction has is #UD, here and on silicon, or a row says whose processors take it.</summary>
public sealed class EncodingTests
{
    private const uint Undefined = 6, Page = 14;

    [Fact]
    public void Undefined_VEX_encodings_are_undefined_on_silicon_too()
    {
        Native.Require();
        using var runner = new CaseRunner();
        var differing = new List<string>();
        runner.OnDifference = (index, difference) => differing.Add($"{Convert.ToHexStringLower(runner.SlotOf(index).Bytes)}: {difference}");
        var tally = new Tally();
        runner.Begin();
        foreach (byte[] bytes in VexEncodings())
        {
            var slot = new CodeSlot(bytes, CodeMode.Bits64, EntryWay.Stepped, (uint)(runner.Count * CodeSlot.Stride));
            if (!slot.Instruction.IsInvalid)
                continue;
            runner.Place(slot);
            ref CaseRecord input = ref runner.Add(slot);
            input = CaseText.Default();
            input.Registers[1] = OracleMap.Window;
            input.Rflags |= 0x100;
            slot.Enter(ref input);
            if (runner.Count < OperandCampaign.SlotPlaces)
                continue;
            runner.Run(tally);
            runner.Begin();
        }

        runner.Run(tally);
        Assert.True(differing.Count == 0, $"{differing.Count} of {tally.Cases} differ:\n{string.Join('\n', differing.Take(20))}");
        Assert.True(tally.Cases > 10_000 && tally.Outcomes[Undefined] > tally.Cases / 2, $"{tally.Cases} cases:\n{tally.Histogram()}");
    }

    [Theory]
    [InlineData("c4617c41c1", "opmask")]        // KANDW k8, k0, k1 (VEX.R)
    [InlineData("c4e13441c1", "opmask")]        // KANDW k0, k9, k1 (VEX.vvvv)
    [InlineData("c54d45d4", "opmask")]          // the two-byte prefix
    [InlineData("62f17c1814d3", "EVEX")]        // VUNPCKLPS of registers with EVEX.b
    [InlineData("c4e37d00c101", "VPERMQ")]      // W0
    [InlineData("f00f0029", "LOCK VERW")]       // LOCK VERW [RCX]
    [InlineData("f00f00e9", null)]              // LOCK VERW of a register: #UD on AMD's too
    [InlineData("f00f0021", null)]              // LOCK VERR
    [InlineData("c4e37d02c101", null)]          // VPBLENDD with vvvv
    [InlineData("c4e17141c1", null)]            // opcode 41 without L: no KAND
    public void A_row_for_encodings_is_about_those_alone(string hex, string? row)
    {
        var slot = new CodeSlot(Convert.FromHexString(hex), CodeMode.Bits64, EntryWay.Stepped, 0x400);
        CaseRecord input = default, silicon = default, ours = default;
        ours.Vector = Undefined;
        silicon.Vector = Outcome.Completed;
        string?[] found = [.. VendorDifferences.All.Where(d => d.Maker == Maker.Amd && d.Applies(slot, in input, in silicon, in ours))
            .Select(d => d.What)];
        if (row is null)
            Assert.Empty(found);
        else
            Assert.StartsWith(row, Assert.Single(found), StringComparison.Ordinal);
    }

    [Fact]
    public void SYSRET_outside_64_bit_code_is_there_on_one_makers_processors()
    {
        // SDM 2B SYSRET: #UD outside 64-bit mode; APM 3 SYSRET: #GP above CPL 0.
        var slot = new CodeSlot([0x0F, 0x07], CodeMode.Bits32, EntryWay.Selectors, 0x400);
        CaseRecord input = default, silicon = default, ours = default;
        (silicon.Vector, ours.Vector) = (13, Undefined);
        Assert.Single(VendorDifferences.All, d => d.Maker == Maker.Amd && d.Applies(slot, in input, in silicon, in ours));
        silicon.Vector = Page;
        Assert.DoesNotContain(VendorDifferences.All, d => d.Maker == Maker.Amd && d.Applies(slot, in input, in silicon, in ours));
    }

    /// <summary>All opcodes of the three maps with every prefix, length and W, with and without VEX.R, with a register and a memory operand.</summary>
    private static IEnumerable<byte[]> VexEncodings()
    {
        for (int bits = 0; bits < 16; bits++)
            for (int opcode = 0; opcode < 3 * 256; opcode++)
                foreach (int inverted in (int[])[7, 3])
                    foreach (byte modRm in (byte[])[0xC1, 0x01])
                        yield return [0xC4, (byte)(inverted << 5 | (opcode >> 8) + 1), (byte)((bits & 8) << 4 | 0x78 | bits & 7), (byte)opcode, modRm, 0, 0];
    }
}
