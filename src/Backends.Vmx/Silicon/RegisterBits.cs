namespace Hv.Backends.Vmx.Silicon;

/// <summary>Bits of control registers, EFER and RFLAGS that VMX rules name (SDM 3A 2.5, SDM 3A 2.2.1, SDM 1 3.4.3).</summary>
public static class RegisterBits
{
    public const ulong Cr0Pe = 1 << 0, Cr0Mp = 1 << 1, Cr0Em = 1 << 2, Cr0Ts = 1 << 3, Cr0Et = 1 << 4, Cr0Ne = 1 << 5, Cr0Wp = 1 << 16;
    public const ulong Cr0Nw = 1 << 29, Cr0Cd = 1 << 30, Cr0Pg = 1UL << 31;

    public const ulong Cr4Pae = 1 << 5, Cr4Vmxe = 1 << 13, Cr4Pcide = 1 << 17, Cr4Cet = 1 << 23;

    public const ulong EferSce = 1 << 0, EferLme = 1 << 8, EferLma = 1 << 10, EferNxe = 1 << 11;

    public const ulong RflagsTf = 1 << 8, RflagsIf = 1 << 9, RflagsVm = 1 << 17;

    /// <summary>Whether a linear address is canonical with 48 bits.</summary>
    public static bool IsCanonical(ulong address) => (ulong)((long)(address << 16) >> 16) == address;

    /// <summary>Whether each byte of a PAT value is a memory type: 0, 1, 4, 5, 6 or 7 (SDM 3A 12.12.2).</summary>
    public static bool IsPat(ulong value)
    {
        for (int i = 0; i < 8; i++)
        {
            if ((byte)(value >> (8 * i)) is not (0 or 1 or 4 or 5 or 6 or 7))
                return false;
        }

        return true;
    }
}
