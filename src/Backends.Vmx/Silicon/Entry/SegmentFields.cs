using Hv.Backends.Vmx.Silicon.Fields;
using Hv.Core.Registers;

namespace Hv.Backends.Vmx.Silicon.Entry;

/// <summary>The four fields of one guest segment register.</summary>
/// <param name="Name">The register's name.</param>
/// <param name="Number">Its place among the fields: ES CS SS DS FS GS LDTR TR.</param>
internal sealed record SegmentFields(string Name, uint Number)
{
    public static readonly SegmentFields Es = new("ES", 0), Cs = new("CS", 1), Ss = new("SS", 2), Ds = new("DS", 3), Fs = new("FS", 4),
        Gs = new("GS", 5),
        Ldtr = new("LDTR", 6), Tr = new("TR", 7);

    /// <summary>The registers that hold code and data segments.</summary>
    public static readonly SegmentFields[] CodeAndData = [Cs, Ss, Ds, Es, Fs, Gs];

    public VmcsField Selector => VmcsField.GuestEsSelector + (2 * Number);

    public VmcsField Limit => VmcsField.GuestEsLimit + (2 * Number);

    public VmcsField AccessRights => VmcsField.GuestEsAccessRights + (2 * Number);

    public VmcsField Base => VmcsField.GuestEsBase + (2 * Number);

    /// <summary>The register as a VMCS holds it. The access rights are laid out as <see cref="SegmentRegister.Attributes"/> is (SDM 3C table
    /// 25-2).</summary>
    public SegmentRegister Of(EntryContext c) => new()
    {
        Selector = (ushort)c[Selector],
        Base = c[Base],
        Limit = (uint)c[Limit],
        Attributes = (uint)c[AccessRights],
    };
}
