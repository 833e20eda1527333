using Hv.Backends.Kvm.Abi;
using Hv.Backends.Kvm.Native;

namespace Hv.Backends.Kvm;

/// <summary>What KVM reported when it could not go on, in one line.</summary>
internal static class KvmFailures
{
    /// <summary>Whether KVM_RUN that failed with this error is to be entered again: a signal came (EINTR), or the vCPU was woken with nothing to
    /// run yet (EAGAIN).</summary>
    public static bool MeansRunAgain(int error) => error is Libc.Eintr or Libc.Eagain;

    /// <summary>Puts an error of KVM_RUN itself into the record of its exit, where capture finds it.</summary>
    public static void Note(ref KvmRun run, int error) =>
        (run.exit_reason, run.fail_entry.hardware_entry_failure_reason) = (KvmExitReason.RunFailed, (uint)error);

    public static string Describe(in KvmRun run)
    {
        string where = $"at RIP 0x{run.regs.rip:x}";
        return run.exit_reason switch
        {
            KvmExitReason.RunFailed => $"KVM_RUN failed {where}: {Error((int)run.fail_entry.hardware_entry_failure_reason)}",
            KvmExitReason.FailEntry => $"KVM_EXIT_FAIL_ENTRY {where}: hardware entry failure reason "
                + $"0x{run.fail_entry.hardware_entry_failure_reason:x} on processor {run.fail_entry.cpu}",
            KvmExitReason.Unknown => $"KVM_EXIT_UNKNOWN {where}: hardware exit reason 0x{run.fail_entry.hardware_entry_failure_reason:x}",
            KvmExitReason.InternalError => $"KVM_EXIT_INTERNAL_ERROR {where}: {Suberror(run.@internal)}",
            _ => $"KVM exit reason {(uint)run.exit_reason} {where}, which this backend does not know",
        };
    }

    private static string Suberror(in KvmRun.InternalRecord record) => record.suberror switch
    {
        1 => $"suberror 1, the kernel cannot emulate the instruction{Bytes(record)}; run this guest on a software backend",
        2 => $"suberror 2, simultaneous exceptions{Data(record)}",
        3 => $"suberror 3, an exit while an event was being delivered{Data(record)}",
        4 => $"suberror 4, an exit reason that the kernel does not expect{Data(record)}",
        _ => $"suberror {record.suberror}{Data(record)}",
    };

    private static string Data(in KvmRun.InternalRecord record)
    {
        ReadOnlySpan<ulong> words = [record.data0, record.data1, record.data2, record.data3];
        string text = "";
        foreach (ulong word in words[..(int)Math.Min(record.ndata, (uint)words.Length)])
            text += $" 0x{word:x}";
        return text.Length == 0 ? "" : $"; data{text}";
    }

    /// <summary>internal.data of an emulation failure: flags (bit 0: bytes present), then size and up to 15 instruction bytes (KVM API,
    /// emulation_failure).</summary>
    private static string Bytes(in KvmRun.InternalRecord record)
    {
        int size = (int)(record.data1 & 0xFF);
        if (record.ndata < 2 || (record.data0 & 1) == 0 || size is 0 or > 15)
            return "";
        Span<byte> bytes = stackalloc byte[24];
        BitConverter.TryWriteBytes(bytes, record.data1 >> 8);
        BitConverter.TryWriteBytes(bytes[7..], record.data2);
        return " " + Convert.ToHexString(bytes[..size]);
    }

    private static string Error(int error) => error switch
    {
        Libc.Efault => "EFAULT: the guest reached memory that the host cannot provide",
        _ => $"{System.Runtime.InteropServices.Marshal.GetPInvokeErrorMessage(error)} (errno {error})",
    };
}
