using Hv.Core.Exits;

namespace Hv.Host.Running;

/// <summary>Neutral exits in words.</summary>
internal static class ExitText
{
    /// <summary>The reason with its payload, for example <c>PortIo out 0x3f8 byte 0x41</c>.</summary>
    public static string Of(in VmExit exit) => exit.Reason switch
    {
        ExitReason.PortIo => PortIo(exit.PortIo),
        ExitReason.MemoryAccess => Memory(exit.Memory),
        ExitReason.MsrRead => $"{nameof(ExitReason.MsrRead)} 0x{exit.Msr.Index:x}",
        ExitReason.MsrWrite => $"{nameof(ExitReason.MsrWrite)} 0x{exit.Msr.Index:x} = 0x{exit.Msr.Value:x}",
        ExitReason.Cpuid => $"{nameof(ExitReason.Cpuid)} leaf 0x{exit.Cpuid.Leaf:x} subleaf 0x{exit.Cpuid.Subleaf:x}",
        ExitReason.Exception => Exception(exit.Exception),
        _ => exit.Reason.ToString(),
    };

    private static string PortIo(in PortIoExit io) => io.IsWrite
        ? $"{nameof(ExitReason.PortIo)} out 0x{io.Port:x} {Size(io.Size)} 0x{io.Value:x}"
        : $"{nameof(ExitReason.PortIo)} in 0x{io.Port:x} {Size(io.Size)}";

    private static string Memory(in MemoryExit access)
    {
        if (access.IsFetch)
            return $"{nameof(ExitReason.MemoryAccess)} fetch {access.Address}";
        return access.IsWrite
            ? $"{nameof(ExitReason.MemoryAccess)} write {access.Address} {access.Size} bytes 0x{access.Value:x}"
            : $"{nameof(ExitReason.MemoryAccess)} read {access.Address} {access.Size} bytes";
    }

    private static string Exception(in ExceptionExit e) =>
        $"{nameof(ExitReason.Exception)} {e.Vector}"
        + (e.HasErrorCode ? $" error 0x{e.ErrorCode:x}" : "")
        + (e.Vector == 14 ? $" address 0x{e.Address:x}" : "");

    private static string Size(int bytes) => bytes switch { 1 => "byte", 2 => "word", _ => "dword" };
}
