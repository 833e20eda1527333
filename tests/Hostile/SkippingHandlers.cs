using Hv.Contracts.Guests;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Hostile;

/// <summary>Handlers that go on one byte behind a fault, so that random code gets further than its first one.</summary>
internal static class SkippingHandlers
{
    private const ulong WithCode = GuestLayout.SecondCode, WithoutCode = GuestLayout.SecondCode + 0x100;

    public static void Add(GuestImage image)
    {
        image.WithCode(WithCode, c => Handler(c, hasErrorCode: true)).WithCode(WithoutCode, c => Handler(c, hasErrorCode: false));
        for (int vector = 0; vector < GuestLayout.Vectors; vector++)
        {
            bool hasErrorCode = vector < 32 && (ExceptionHandlers.ErrorCodeVectors >> vector & 1) != 0;
            byte[] entry = BitConverter.GetBytes((ushort)(hasErrorCode ? WithCode : WithoutCode));
            ulong gate = image.Mode switch
            {
                CodeMode.Real16 => (ulong)vector * 4,
                CodeMode.Long64 => GuestLayout.Idt + (ulong)vector * 16,
                _ => GuestLayout.Idt + (ulong)vector * 8,
            };
            image.With(gate, entry);
        }
    }

    private static void Handler(GuestCode c, bool hasErrorCode)
    {
        switch (c.Mode.Bits())
        {
            case 16:
                c.push(bp);
                c.mov(bp, sp);
                c.inc(__word_ptr[bp + 2]);
                c.pop(bp);
                c.iret();
                break;
            case 32:
                if (hasErrorCode)
                    c.add(esp, 4);
                c.inc(__dword_ptr[esp]);
                c.iretd();
                break;
            default:
                if (hasErrorCode)
                    c.add(rsp, 8);
                c.inc(__qword_ptr[rsp]);
                c.iretq();
                break;
        }
    }
}
