namespace Hv.Backends.Svm.Silicon;

/// <summary>The host's model-specific registers that govern SVM: EFER.SVME, VM_CR and VM_HSAVE_PA (APM 2 15.4, 15.30).</summary>
public sealed class HostMsrs(SiliconModel model)
{
    public const uint Efer = 0xC000_0080, VmCr = 0xC001_0114, VmHsavePa = 0xC001_0117;

    /// <summary>EFER.SVME.</summary>
    public const ulong SvmeBit = 1ul << 12;

    /// <summary>VM_CR: LOCK makes itself and SVMDIS read-only, SVMDIS makes EFER.SVME a bit that must be zero.</summary>
    public const ulong LockBit = 1ul << 3, SvmDisableBit = 1ul << 4;

    private const ulong VmCrBits = 0x1F;

    private ulong _efer, _vmCr, _hostSaveArea;

    /// <summary>Whether the SVM instructions are defined.</summary>
    public bool SvmEnabled => (_efer & SvmeBit) != 0;

    /// <summary>The page that VMRUN may use for host state; 0 until the host has set it.</summary>
    public Hpa HostSaveArea => new(_hostSaveArea);

    /// <summary>RDMSR. False is #GP(0).</summary>
    public bool TryRead(uint index, out ulong value)
    {
        value = index switch { Efer => _efer, VmCr => _vmCr, VmHsavePa => _hostSaveArea, _ => 0 };
        return index is Efer or VmCr or VmHsavePa;
    }

    /// <summary>WRMSR. False is #GP(0), with nothing changed.</summary>
    public bool TryWrite(uint index, ulong value)
    {
        switch (index)
        {
            case Efer:
                if ((value & ~model.EferBits) != 0 || ((value & SvmeBit) != 0 && (_vmCr & SvmDisableBit) != 0))
                    return false;
                _efer = value;
                return true;

            case VmCr:
                if ((value & ~VmCrBits) != 0 || ((value & SvmDisableBit) != 0 && SvmEnabled))
                    return false;
                const ulong Locked = LockBit | SvmDisableBit;
                _vmCr = (_vmCr & LockBit) != 0 ? (value & ~Locked) | (_vmCr & Locked) : value;
                return true;

            case VmHsavePa:
                if (!new Hpa(value).IsPageAligned || value >= model.PhysicalLimit)
                    return false;
                _hostSaveArea = value;
                return true;

            default:
                return false;
        }
    }
}
