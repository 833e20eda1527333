using Hv.Conformance.Ring0.Cases;
using Hv.Conformance.Ring0.Guest;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Conformance.Ring0.Families;

/// <summary>IN and OUT by privilege, IOPL and the I/O permission map.</summary>
public sealed class PortFamily() : Family("ports", "IN and OUT: CPL, IOPL, the I/O permission map and its limits, virtual-8086 mode")
{
    private sealed record Access(bool Virtual, int Cpl, int Iopl, int Port, int Size, uint MapBase, uint Limit, ulong Denied)
    {
        /// <summary>The map's bytes of the port, both of which are read (SDM 1 19.5.2).</summary>
        public bool MapHasIt => MapBase + (uint)Port / 8 + 1 <= Limit;
        public bool IsDenied => (Denied >> (Port & 7) & ((1u << Size) - 1)) != 0;
    }

    private static readonly RuleTable<Access> _rules = new(
        new("protected mode, CPL at most IOPL", a => !a.Virtual && a.Cpl <= a.Iopl, _ => "end", "SDM 2A IN"),
        new("the map ends before the port", a => !a.MapHasIt, _ => "#GP(0)", "SDM 2A IN; SDM 1 19.5.2"),
        new("a bit of the map is set", a => a.IsDenied, _ => "#GP(0)", "SDM 2A IN; SDM 1 19.5.2"),
        new("all bits of the map are clear", _ => true, _ => "end", "SDM 2A IN; SDM 1 19.5.2"));

    /// <inheritdoc/>
    public override IReadOnlyList<IRuleTable> Tables => [_rules];

    /// <inheritdoc/>
    public override Ring0Case Make(CaseRandom random, int index)
    {
        bool isLong = random.OneIn(2), isVirtual = !isLong && random.OneIn(4);
        int cpl = isVirtual || isLong ? 3 : random.Below(4), iopl = isVirtual ? 3 : random.Below(4), size = random.Pick(1, 2, 4);
        int port = random.Pick(0x240, 0x241, 0x243, 0x245, 0x246, 0x247, 0x8123);
        uint mapBase = random.OneIn(6) ? random.Pick(0x68u + 0x40, 0xFFFFu, Layout.TssLimit - 0x49, Layout.TssLimit - 0x48) : 0x68;
        ulong denied = random.OneIn(3) ? 0 : random.Next() & 0xFFFF;
        if (mapBase != 0x68)
            denied = 0;
        var access = new Access(isVirtual, cpl, iopl, port, size, mapBase, Layout.TssLimit, denied);
        var builder = new CaseBuilder(isLong ? BootMode.Long : BootMode.Protected);
        builder.Word16(Layout.Tss + 0x66, (ushort)mapBase);
        uint at = Layout.Tss + mapBase + (uint)port / 8;
        if (access.MapHasIt)
            builder.Word16(at, (ushort)denied);
        Assembler c;
        uint flags = (uint)(2 | iopl << 12);
        if (isVirtual)
        {
            builder.EnterVirtual8086(flags);
            c = builder.CodeAt(16, Layout.UserCode, true);
        }
        else
        {
            c = builder.AtPrivilege(cpl, flags);
        }

        bool output = random.OneIn(2);
        c.mov(edx, port);
        c.mov(eax, -1);
        builder.Test(c);
        // By bytes, so that one shape serves every code size: EC IN, EE OUT; +1 and a prefix for other sizes.
        if (size == (isVirtual ? 4 : 2))
            c.db(0x66);
        c.db((byte)((output ? 0xEE : 0xEC) + (size == 1 ? 0 : 1)));
        c.xor(eax, eax); // what an idle bus reads is the machine's own
        builder.End(c, "end");
        return builder.Build($"{Name}/{(isLong ? "long" : isVirtual ? "virtual" : "protected")}/cpl{cpl}/iopl{iopl}/" +
            $"{(output ? "out" : "in")}{size}/" +
            $"port={port:x}/map={mapBase:x}-{denied:x}/{index}", _rules.Decide(access));
    }
}
