using System.Globalization;
using Hv.Backends.Svm.Silicon;
using Hv.Core.Exits;

namespace Hv.Backends.Svm.Hypervisor;

/// <summary>A raw exit in the manual's words, for traces: the code's name and what EXITINFO1 and EXITINFO2 say (APM 2 appendix C).</summary>
public static class SvmExitDescription
{
    /// <summary>The manual's name of an exit code, for example <c>VMEXIT_IOIO</c>; an unknown one is its number in hexadecimal.</summary>
    public static string NameOf(SvmExitCode code) => code switch
    {
        >= SvmExitCode.CR0_READ and < SvmExitCode.CR0_READ + 16 => Numbered("VMEXIT_CR", code - SvmExitCode.CR0_READ, "_READ"),
        >= SvmExitCode.CR0_WRITE and < SvmExitCode.CR0_WRITE + 16 => Numbered("VMEXIT_CR", code - SvmExitCode.CR0_WRITE, "_WRITE"),
        >= SvmExitCode.DR0_READ and < SvmExitCode.DR0_READ + 16 => Numbered("VMEXIT_DR", code - SvmExitCode.DR0_READ, "_READ"),
        >= SvmExitCode.DR0_WRITE and < SvmExitCode.DR0_WRITE + 16 => Numbered("VMEXIT_DR", code - SvmExitCode.DR0_WRITE, "_WRITE"),
        >= SvmExitCode.EXCP0 and < SvmExitCode.EXCP0 + 32 => Numbered("VMEXIT_EXCP", code - SvmExitCode.EXCP0, ""),
        >= SvmExitCode.CR0_WRITE_TRAP and < SvmExitCode.CR0_WRITE_TRAP + 16 =>
            Numbered("VMEXIT_CR", code - SvmExitCode.CR0_WRITE_TRAP, "_WRITE_TRAP"),
        _ => Enum.GetName(code) is { } name ? "VMEXIT_" + name : $"exit code {(long)code:X}H",
    };

    /// <summary>The name, and what the details say where the code has any.</summary>
    public static string Describe(in RawExit raw)
    {
        var code = (SvmExitCode)raw.Code;
        string details = Details(code, raw);
        return details.Length == 0 ? NameOf(code) : $"{NameOf(code)} {details}";
    }

    private static string Details(SvmExitCode code, in RawExit raw) => code switch
    {
        SvmExitCode.IOIO => DescribeIo(new IoInformation(raw.Info1), raw.Info2),
        SvmExitCode.MSR => raw.Info1 == 0 ? "RDMSR" : "WRMSR",
        SvmExitCode.NPF => DescribeNestedFault((NestedFault)raw.Info1, raw.Info2),
        SvmExitCode.EXCP0 + ExceptionVectors.PageFault => $"error 0x{raw.Info1:x} address 0x{raw.Info2:x}",
        >= SvmExitCode.EXCP0 and < SvmExitCode.EXCP0 + 32 =>
            ExceptionVectors.PushErrorCode((byte)(code - SvmExitCode.EXCP0)) ? $"error 0x{raw.Info1:x}" : "",
        >= SvmExitCode.CR0_READ and < SvmExitCode.DR0_READ => raw.Info1 >> 63 != 0 ? $"GPR {raw.Info1 & 0xF}" : "",
        >= SvmExitCode.DR0_READ and < SvmExitCode.EXCP0 => $"GPR {raw.Info1 & 0xF}",
        SvmExitCode.SWINT => $"vector {raw.Info1 & 0xFF}",
        SvmExitCode.INVLPG => $"address 0x{raw.Info1:x}",
        SvmExitCode.TASK_SWITCH => DescribeTaskSwitch(raw.Info1, raw.Info2),
        _ => raw.Info1 == 0 && raw.Info2 == 0 ? "" : $"EXITINFO1 0x{raw.Info1:x} EXITINFO2 0x{raw.Info2:x}",
    };

    private static string DescribeIo(IoInformation io, ulong nextRip)
    {
        string mnemonic = (io.IsRep ? "REP " : "") + (io.IsIn ? "IN" : "OUT") + (io.IsString ? "S" : "");
        return $"{mnemonic} port 0x{io.Port:x} size {io.Size} address size {io.AddressSize}"
            + (io.IsString ? $" segment {io.Segment}" : "") + $" next RIP 0x{nextRip:x}";
    }

    private static string DescribeNestedFault(NestedFault fault, ulong address)
    {
        string access = (fault & NestedFault.Fetch) != 0 ? "fetch" : (fault & NestedFault.Write) != 0 ? "write" : "read";
        string cause = (fault & NestedFault.Reserved) != 0 ? "reserved bit" : (fault & NestedFault.Present) != 0 ? "not permitted" : "not present";
        string walk = (fault & NestedFault.GuestTable) != 0 ? " of a guest page table" : "";
        return $"{access}{walk} at GPA 0x{address:x}, {cause}";
    }

    private static string DescribeTaskSwitch(ulong info1, ulong info2)
    {
        string source = (info2 >> 36 & 1) != 0 ? " by IRET" : (info2 >> 38 & 1) != 0 ? " by JMP" : "";
        string error = (info2 >> 44 & 1) != 0 ? $" error 0x{info2 & uint.MaxValue:x}" : "";
        return $"to TSS selector 0x{info1 & 0xFFFF:x}{source}{error}";
    }

    private static string Numbered(string prefix, long number, string suffix) => prefix + number.ToString(CultureInfo.InvariantCulture) + suffix;
}
