using System.Buffers.Binary;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using Hv.Backends.Vmx.Silicon.Fields;
using Hv.Core;
using static Hv.Backends.Vmx.Silicon.RegisterBits;

namespace Hv.Backends.Vmx.Silicon.Operation;

/// <summary>
/// One logical processor's VMX operation: the instructions as SDM 3C chapter 31 defines them, over a current VMCS that is kept on chip. VM entry and
/// exit are in <c>LogicalProcessor.Entry.cs</c>.
/// </summary>
public sealed partial class LogicalProcessor
{
    private const ulong NoPointer = ulong.MaxValue;
    private const uint ShadowIndicator = 1u << 31;
    private const ulong FeatureControlLock = 1, FeatureControlVmxOutsideSmx = 4;

    // A VMCS region: revision, abort indicator, then this processor's own format: launch state, fields.
    private const int LaunchStateOffset = 8, DataOffset = 16;

    private readonly VmxCapabilities _capabilities;
    private readonly HostPhysicalMemory _memory;
    private readonly bool[] _exists = new bool[VmcsEncoding.SlotCount];
    private ulong _vmxonPointer = NoPointer, _current = NoPointer;
    private bool _inVmxOperation;

    /// <summary>The registers of VMX root operation.</summary>
    public RootState Root = RootState.LongModeHost;

    /// <summary>What VMX instructions consult.</summary>
    public VmxCapabilities Capabilities => _capabilities;

    /// <summary>VMXON: enters VMX operation.</summary>
    public VmxResult Vmxon(ulong region)
    {
        if ((Root.Cr4 & Cr4Vmxe) == 0 || (Root.Cr0 & Cr0Pe) == 0)
            return VmxResult.InvalidOpcode;
        if (_inVmxOperation)
            return Root.Cpl != 0 ? VmxResult.GeneralProtection : Fail(VmxError.VmxonInRoot);
        bool fixedBits = IsFixed(Root.Cr0, _capabilities.Cr0Fixed0, _capabilities.Cr0Fixed1) && IsFixed(Root.Cr4, _capabilities.Cr4Fixed0,
            _capabilities.Cr4Fixed1);
        const ulong Enabled = FeatureControlLock | FeatureControlVmxOutsideSmx;
        if (Root.Cpl != 0 || !fixedBits || (Root.FeatureControl & Enabled) != Enabled)
            return VmxResult.GeneralProtection;
        if (!IsRegionAddress(region) || Revision(region) != VmxCapabilities.RevisionId)
            return VmxResult.FailInvalid;
        _vmxonPointer = region;
        _current = NoPointer;
        _inVmxOperation = true;
        return VmxResult.Succeed;
    }

    /// <summary>VMXOFF: leaves VMX operation.</summary>
    public VmxResult Vmxoff()
    {
        if (!MayExecute(out VmxResult fault))
            return fault;
        FlushCurrent();
        _inVmxOperation = false;
        _vmxonPointer = _current = NoPointer;
        return VmxResult.Succeed;
    }

    /// <summary>VMCLEAR: writes the VMCS back to its region and makes its launch state clear.</summary>
    public VmxResult Vmclear(ulong region)
    {
        if (!MayExecute(out VmxResult fault))
            return fault;
        if (!IsRegionAddress(region))
            return Fail(VmxError.VmclearInvalidAddress);
        if (region == _vmxonPointer)
            return Fail(VmxError.VmclearVmxonPointer);
        if (region == _current)
        {
            FlushCurrent();
            _current = NoPointer;
        }

        Span<byte> page = _memory.Page(region);
        if (!page.IsEmpty)
            page[LaunchStateOffset] = (byte)VmcsLaunchState.Clear;
        return VmxResult.Succeed;
    }

    /// <summary>VMPTRLD: makes a VMCS current.</summary>
    public VmxResult Vmptrld(ulong region)
    {
        if (!MayExecute(out VmxResult fault))
            return fault;
        if (!IsRegionAddress(region))
            return Fail(VmxError.VmptrldInvalidAddress);
        if (region == _vmxonPointer)
            return Fail(VmxError.VmptrldVmxonPointer);
        uint revision = Revision(region);
        bool shadow = (revision & ShadowIndicator) != 0;
        if ((revision & ~ShadowIndicator) != VmxCapabilities.RevisionId || (shadow && !_capabilities.Has(VmcsFeature.VmcsShadowing)))
            return Fail(VmxError.VmptrldWrongRevision);
        if (region == _current)
            return VmxResult.Succeed;
        FlushCurrent();
        _current = region;
        Span<byte> page = _memory.Page(region);
        Vmcs.LaunchState = (VmcsLaunchState)page[LaunchStateOffset];
        Vmcs.Load(page[DataOffset..]);
        return VmxResult.Succeed;
    }

    /// <summary>VMPTRST: the address of the current VMCS, all ones when there is none.</summary>
    public VmxResult Vmptrst(out ulong region)
    {
        region = _current;
        return MayExecute(out VmxResult fault) ? VmxResult.Succeed : fault;
    }

    /// <summary>VMREAD in 64-bit mode.</summary>
    /// <param name="field">The field's encoding; bits 63:32 must be 0.</param>
    /// <param name="value">Its value, zero-extended.</param>
    public VmxResult Vmread(ulong field, out ulong value)
    {
        value = 0;
        if (!MayExecute(out VmxResult fault))
            return fault;
        if (_current == NoPointer)
            return VmxResult.FailInvalid;
        if (!Exists(field))
            return Fail(VmxError.UnsupportedComponent);
        var encoding = new VmcsEncoding((uint)field);
        value = Vmcs[(VmcsField)(encoding.Value & ~1u)];
        if (encoding.IsHigh)
            value >>= 32;
        return VmxResult.Succeed;
    }

    /// <summary>VMWRITE in 64-bit mode.</summary>
    /// <param name="field">The field's encoding; bits 63:32 must be 0.</param>
    /// <param name="value">The value, cut to the field's width.</param>
    public VmxResult Vmwrite(ulong field, ulong value)
    {
        if (!MayExecute(out VmxResult fault))
            return fault;
        if (_current == NoPointer)
            return VmxResult.FailInvalid;
        if (!Exists(field))
            return Fail(VmxError.UnsupportedComponent);
        var encoding = new VmcsEncoding((uint)field);
        const ulong WritesAnyField = 1UL << 29;
        if (encoding.Type == VmcsFieldType.ReadOnlyData && (_capabilities.Misc & WritesAnyField) == 0)
            return Fail(VmxError.VmwriteReadOnly);
        var full = (VmcsField)(encoding.Value & ~1u);
        Vmcs.Write(full, encoding.IsHigh ? (value << 32) | (uint)Vmcs[full] : value);
        return VmxResult.Succeed;
    }

    /// <summary>VMREAD of a field that exists, in root operation at CPL 0 with a current VMCS: what the checks of the full form come to
    /// there.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong Vmread(VmcsField field)
    {
        Debug.Assert(_inVmxOperation && Root.Cpl == 0 && _current != NoPointer && Exists((ulong)field));
        return Vmcs[field];
    }

    /// <summary>VMWRITE under the same conditions, of a field that is not read-only.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Vmwrite(VmcsField field, ulong value)
    {
        Debug.Assert(_inVmxOperation && Root.Cpl == 0 && _current != NoPointer && Exists((ulong)field));
        Debug.Assert(new VmcsEncoding((uint)field).Type != VmcsFieldType.ReadOnlyData);
        Vmcs.Write(field, value);
    }

    /// <summary>INVEPT: drops translations that EPT gave.</summary>
    /// <param name="type">1 single context, 2 all contexts.</param>
    /// <param name="eptp">The EPT pointer of the single context.</param>
    public VmxResult Invept(ulong type, ulong eptp)
    {
        if (!MayExecute(out VmxResult fault))
            return fault;
        const int SingleContext = 25;
        bool supported = type is 1 or 2 && ((_capabilities.EptVpid >> (SingleContext - 1 + (int)type)) & 1) != 0;
        if (!supported || (type == 1 && !VmxCapabilities.IsPhysical(eptp)))
            return Fail(VmxError.InvalidInvalidationOperand);
        FlushTranslations();
        return VmxResult.Succeed;
    }

    /// <summary>INVVPID: drops linear translations.</summary>
    /// <param name="type">0 individual address, 1 single context, 2 all contexts, 3 single context but for globals.</param>
    /// <param name="vpid">The VPID, not 0 but for all contexts.</param>
    /// <param name="linear">For an individual address.</param>
    public VmxResult Invvpid(ulong type, ushort vpid, ulong linear)
    {
        if (!MayExecute(out VmxResult fault))
            return fault;
        const int IndividualAddress = 40;
        bool supported = type <= 3 && ((_capabilities.EptVpid >> (IndividualAddress + (int)type)) & 1) != 0;
        if (!supported || (type != 2 && vpid == 0) || (type == 0 && !IsCanonical(linear)))
            return Fail(VmxError.InvalidInvalidationOperand);
        FlushTranslations();
        return VmxResult.Succeed;
    }

    private static bool IsFixed(ulong value, ulong fixed0, ulong fixed1) => (value & fixed0) == fixed0 && (value & ~fixed1) == 0;

    private static bool IsRegionAddress(ulong address) => (address & (Gpa.PageSize - 1)) == 0 && VmxCapabilities.IsPhysical(address);

    // Where no VMX structure lies the bus reads ones, which is nobody's revision.
    private uint Revision(ulong region)
    {
        Span<byte> page = _memory.Page(region);
        return page.IsEmpty ? uint.MaxValue : BinaryPrimitives.ReadUInt32LittleEndian(page);
    }

    private bool Exists(ulong field) => field <= uint.MaxValue && new VmcsEncoding((uint)field) is { IsWellFormed: true } e && _exists[e.Slot];

    private bool MayExecute(out VmxResult fault)
    {
        fault = !_inVmxOperation ? VmxResult.InvalidOpcode : Root.Cpl != 0 ? VmxResult.GeneralProtection : VmxResult.Succeed;
        return fault.IsSuccess;
    }

    private VmxResult Fail(VmxError error)
    {
        if (_current == NoPointer)
            return VmxResult.FailInvalid;
        Vmcs.Record(VmcsField.InstructionError, (ulong)error);
        return new VmxResult(VmxOutcome.FailValid, error);
    }

    private void FlushCurrent()
    {
        if (_current == NoPointer)
            return;
        Span<byte> page = _memory.Page(_current);
        page[LaunchStateOffset] = (byte)Vmcs.LaunchState;
        Vmcs.Save(page[DataOffset..]);
    }
}
