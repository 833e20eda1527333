using Hv.Core.Exits;

namespace Hv.Core.Tests.Fakes;

/// <summary>Exits as values, for scripts and assertions.</summary>
public static class MadeExit
{
    public static VmExit Plain(ExitReason reason, in ExitSite site, in RawExit raw)
    {
        VmExit.Plain(reason, site, raw, out VmExit exit);
        return exit;
    }

    public static VmExit FromPortIo(in ExitSite site, in RawExit raw, in PortIoExit payload)
    {
        VmExit.FromPortIo(site, raw, payload, out VmExit exit);
        return exit;
    }

    public static VmExit FromMemory(in ExitSite site, in RawExit raw, in MemoryExit payload)
    {
        VmExit.FromMemory(site, raw, payload, out VmExit exit);
        return exit;
    }

    public static VmExit FromMsrRead(in ExitSite site, in RawExit raw, uint index)
    {
        VmExit.FromMsrRead(site, raw, index, out VmExit exit);
        return exit;
    }

    public static VmExit FromMsrWrite(in ExitSite site, in RawExit raw, uint index, ulong value)
    {
        VmExit.FromMsrWrite(site, raw, index, value, out VmExit exit);
        return exit;
    }

    public static VmExit FromCpuid(in ExitSite site, in RawExit raw, uint leaf, uint subleaf)
    {
        VmExit.FromCpuid(site, raw, leaf, subleaf, out VmExit exit);
        return exit;
    }

    public static VmExit FromException(in ExitSite site, in RawExit raw, in ExceptionExit payload)
    {
        VmExit.FromException(site, raw, payload, out VmExit exit);
        return exit;
    }
}
