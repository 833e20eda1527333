using Hv.Conformance.Ring0.Cases;
using Hv.Conformance.Ring0.Guest;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Conformance.Ring0.Families;

/// <summary>POPF and IRET to the same level: which flags an image may change.</summary>
public sealed class FlagFamily() : Family("flags", "POPF and IRET to the same level: which flags change by CPL, IOPL and operand size")
{
    private const uint Arithmetic = 0x8D5, Tf = 0x100, If = 0x200, Df = 0x400, IoplMask = 0x3000, Nt = 0x4000, Rf = 0x1_0000, Ac = 0x4_0000,
        Id = 0x20_0000, Fixed = 2;

    private const uint Pad = Layout.UserCode + 0x800;

    /// <inheritdoc/>
    public override Ring0Case Make(CaseRandom random, int index)
    {
        bool isLong = random.OneIn(2), byReturn = random.OneIn(2);
        int cpl = isLong ? random.Pick(0, 3) : random.Below(4), iopl = random.Below(4), size = random.OneIn(3) ? byReturn ? 4 : 2 : isLong ? 8 : 4;
        uint some = (uint)random.Next();
        // No TF in what the case begins with, and none where an IRET follows that would trap.
        uint before = (some & (Arithmetic | If | Nt & (byReturn ? 0 : Nt) | Ac | Id)) | Fixed | (uint)iopl << 12;
        uint image = (uint)random.Next() & (Arithmetic | Tf | If | Df | IoplMask | Nt | Ac | Id | Rf) | Fixed;
        var builder = new CaseBuilder(isLong ? BootMode.Long : BootMode.Protected);
        Assembler c = builder.AtPrivilege(cpl, before);
        uint changes = (Arithmetic | Tf | Df | Nt | Ac | Id) & (size == 2 ? 0xFFFFu : uint.MaxValue);
        if (cpl <= iopl)
            changes |= If;
        if (cpl == 0)
            changes |= IoplMask;
        if (!byReturn)
        {
            PushWord(c, size, image);
            builder.Test(c);
            if (size == 2)
                c.popf();
            else if (isLong)
                c.popfq();
            else
                c.popfd();
        }
        else
        {
            WriteFrame(c, isLong, size, image, cpl);
            builder.Test(c);
            if (size == 8)
                c.iretq();
            else
                c.iretd();
        }

        builder.End(byReturn ? builder.CodeAt(isLong ? 64 : 32, Pad) : c, "end");
        uint expected = (before & ~changes) | (image & changes);
        return builder.Build($"{Name}/{(isLong ? "long" : "protected")}/cpl{cpl}/iopl{iopl}/{(byReturn ? "iret" : "popf")}{size * 8}/" +
            $"{before:x}-{image:x}/{index}",
            new Expectation("end", byReturn ? "SDM 2A IRET, RETURN-TO-SAME-PRIVILEGE-LEVEL" : "SDM 2B POPF, table 4-16")
            {
                SavedFlags = (~(ulong)Rf, expected),
            });
    }

    private static void PushWord(Assembler c, int size, uint value)
    {
        c.mov(eax, value);
        if (size == 2)
            c.push(ax);
        else if (c.Bitness == 64)
            c.push(rax);
        else
            c.push(eax);
    }

    /// <summary>A frame that returns to the pad; in 64-bit code IRET pops RSP and SS too.</summary>
    private static void WriteFrame(Assembler c, bool isLong, int size, uint image, int cpl)
    {
        List<uint> words = isLong
            ? [Pad, cpl == 3 ? Selectors.UserCode64 : Selectors.Code64, image, cpl == 3 ? Layout.Stack3 - 0x400 : Layout.Stack - 0x400,
                cpl == 3 ? Selectors.UserData : Selectors.Data]
            : [Pad, cpl switch { 0 => Selectors.Code32, 1 => Selectors.Ring1Code, 2 => Selectors.Ring2Code, _ => Selectors.UserCode32 }, image];
        if (isLong && size == 4)
        {
            // 64-bit code pushes 8 bytes at a time, and IRETD pops 4.
            c.sub(rsp, words.Count * 4);
            for (int i = 0; i < words.Count; i++)
                c.mov(__dword_ptr[rsp + i * 4], words[i]);
            return;
        }

        for (int i = words.Count - 1; i >= 0; i--)
            PushWord(c, size, words[i]);
    }
}
