using Hv.Backends.Vmx.Silicon;
using Hv.Backends.Vmx.Silicon.Entry;
using Hv.Backends.Vmx.Silicon.Fields;

namespace Hv.Backends.Vmx.Tests.Entry;

public sealed class EntryRuleTests
{
    private const string SecondaryReserved = "reserved bits in the activated secondary controls are set as IA32_VMX_PROCBASED_CTLS2 demands";

    public static TheoryData<string> Rules
    {
        get
        {
            var data = new TheoryData<string>();
            foreach (EntryRule rule in EntryRules.All)
                data.Add(rule.Name);
            return data;
        }
    }

    [Fact]
    public void The_fixture_enters()
    {
        using var fixture = new EntryFixture();
        EntryRule? broken = EntryRules.FirstBroken(fixture.Context, VmcsGroup.All);
        Assert.Null(broken?.Explain(fixture.Context));
    }

    [Theory]
    [MemberData(nameof(Rules))]
    public void A_state_just_inside_enters_and_one_just_outside_is_refused_by_the_rule(string name)
    {
        if (name == SecondaryReserved)
        {
            Rule_of_secondary_controls_consults_the_capabilities();
            return;
        }

        EntryRule rule = Named(name);
        EntryRuleCase test = Assert.Single(EntryRuleCases.All(), c => c.Rule == name);
        using (var inside = new EntryFixture { HostInLongMode = test.InsideLongMode })
        {
            Apply(inside, test.Inside);
            Assert.Null(EntryRules.FirstBroken(inside.Context, VmcsGroup.All)?.Explain(inside.Context));
        }

        using var outside = new EntryFixture { HostInLongMode = test.OutsideLongMode };
        Apply(outside, test.Outside);
        Assert.False(rule.Holds(outside.Context));
        Assert.NotNull(EntryRules.FirstBroken(outside.Context, VmcsGroup.All));
        Assert.Contains(rule.Name, rule.Explain(outside.Context), StringComparison.Ordinal);
    }

    [Fact]
    public void No_case_is_without_a_rule()
    {
        foreach (EntryRuleCase test in EntryRuleCases.All())
            Named(test.Rule);
    }

    [Fact]
    public void Names_are_unique_and_every_rule_depends_on_its_field()
    {
        var names = new HashSet<string>();
        foreach (EntryRule rule in EntryRules.All)
        {
            Assert.True(names.Add(rule.Name), rule.Name);
            Assert.True((rule.Reads & VmcsGroups.Of(new VmcsEncoding((uint)rule.Field).Slot)) != 0, rule.Name);
        }
    }

    /// <summary>A rule that is not run when a group was not written must not depend on it: every case's fields are in groups that the rule
    /// reads.</summary>
    [Theory]
    [MemberData(nameof(Rules))]
    public void The_groups_of_a_rule_cover_the_fields_that_break_it(string name)
    {
        EntryRule rule = Named(name);
        foreach (EntryRuleCase test in EntryRuleCases.All().Where(c => c.Rule == name))
        {
            using var fixture = new EntryFixture { HostInLongMode = test.OutsideLongMode };
            Apply(fixture, test.Outside);
            foreach ((VmcsField field, ulong _) in test.Outside)
            {
                // Put the field back to its value inside: where that mends the rule, the rule depends on the field.
                using var mended = new EntryFixture { HostInLongMode = test.OutsideLongMode };
                ulong original = mended.Vmcs[field];
                Apply(mended, test.Outside);
                mended.Vmcs.Write(field, original);
                if (rule.Holds(mended.Context))
                    Assert.True((rule.Reads & VmcsGroups.Of(new VmcsEncoding((uint)field).Slot)) != 0, $"{name} depends on {field}");
            }
        }
    }

    [Fact]
    public void Rule_of_secondary_controls_consults_the_capabilities()
    {
        EntryRule rule = Named(SecondaryReserved);
        using var fixture = new EntryFixture { Capabilities = VmxCapabilities.Model };
        Assert.True(rule.Holds(fixture.Context));
        fixture.Vmcs.Write(VmcsField.SecondaryControls, EntryFixture.Secondaries | (ulong)Secondary.VirtualizeApicAccesses);
        Assert.False(rule.Holds(fixture.Context));
        fixture.Vmcs.Write(VmcsField.PrimaryControls, EntryFixture.Primaries & ~(ulong)Primary.ActivateSecondaryControls);
        Assert.True(rule.Holds(fixture.Context));
    }

    [Fact]
    public void A_refusal_names_field_value_section_and_rule()
    {
        using var fixture = new EntryFixture();
        fixture.Vmcs.Write(VmcsField.GuestCsAccessRights, 0xA092);
        EntryRule? rule = EntryRules.FirstBroken(fixture.Context, VmcsGroup.Segments);
        Assert.Equal("VM entry refused: Guest CS access rights (4816H) = 0xa092: SDM 3C 27.3.1.2 "
            + "\"guest CS is an accessed code segment, or read/write data for an unrestricted guest\"", rule?.Explain(fixture.Context));
    }

    [Fact]
    public void Rules_of_groups_that_were_not_written_are_not_run()
    {
        using var fixture = new EntryFixture();
        fixture.Vmcs.Write(VmcsField.GuestCsAccessRights, 0);
        Assert.Null(EntryRules.FirstBroken(fixture.Context, VmcsGroup.Tables));
        Assert.NotNull(EntryRules.FirstBroken(fixture.Context, VmcsGroup.Segments));
    }

    private static EntryRule Named(string name)
    {
        foreach (EntryRule rule in EntryRules.All)
        {
            if (rule.Name == name)
                return rule;
        }

        throw new Xunit.Sdk.XunitException($"no entry rule is called \"{name}\"");
    }

    private static void Apply(EntryFixture fixture, (VmcsField Field, ulong Value)[] changes)
    {
        foreach ((VmcsField field, ulong value) in changes)
            fixture.Vmcs.Write(field, value);
    }
}
