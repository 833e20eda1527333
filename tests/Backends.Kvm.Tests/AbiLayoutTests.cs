using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Hv.Backends.Kvm.Abi;
using Hv.Backends.Kvm.Native;
using Xunit;

namespace Hv.Backends.Kvm.Tests;

/// <summary>Our copies of the kernel's records against the kernel's own header, compiled on this machine, and against constants where there is no
/// compiler.</summary>
public class AbiLayoutTests
{
    private static readonly (Type Ours, string Theirs, int Size)[] s_records =
    [
        (typeof(KvmRegs), "struct kvm_regs", 144), (typeof(KvmSegment), "struct kvm_segment", 24), (typeof(KvmDtable), "struct kvm_dtable", 16),
        (typeof(KvmSregs), "struct kvm_sregs", 312),
        (typeof(KvmVcpuEvents), "struct kvm_vcpu_events", 64), (typeof(KvmDebugRegs), "struct kvm_debugregs", 128),
        (typeof(KvmXcrs), "struct kvm_xcrs", 392), (typeof(KvmMsrEntry), "struct kvm_msr_entry", 16),
        (typeof(KvmCpuidEntry), "struct kvm_cpuid_entry2", 40), (typeof(KvmUserspaceMemoryRegion), "struct kvm_userspace_memory_region", 32),
        (typeof(KvmDirtyLog), "struct kvm_dirty_log", 16), (typeof(KvmEnableCap), "struct kvm_enable_cap", 104),
        (typeof(KvmMsrFilter), "struct kvm_msr_filter", 392), (typeof(KvmRun), "struct kvm_run", 2352),
        (typeof(KvmCpuidHead), "struct kvm_cpuid2", 8), (typeof(KvmXsave), "struct kvm_xsave", 4096),
    ];

    private static readonly (string Name, string Theirs)[] s_memberPaths =
    [
        ("KvmVcpuEvents.exception_injected", "exception.injected"), ("KvmVcpuEvents.exception_nr", "exception.nr"),
        ("KvmVcpuEvents.exception_has_error_code", "exception.has_error_code"), ("KvmVcpuEvents.exception_pending", "exception.pending"),
        ("KvmVcpuEvents.exception_error_code", "exception.error_code"), ("KvmVcpuEvents.interrupt_injected", "interrupt.injected"),
        ("KvmVcpuEvents.interrupt_nr", "interrupt.nr"), ("KvmVcpuEvents.interrupt_soft", "interrupt.soft"),
        ("KvmVcpuEvents.interrupt_shadow", "interrupt.shadow"),
        ("KvmVcpuEvents.nmi_injected", "nmi.injected"), ("KvmVcpuEvents.nmi_pending", "nmi.pending"), ("KvmVcpuEvents.nmi_masked", "nmi.masked"),
        ("KvmVcpuEvents.triple_fault_pending", "triple_fault.pending"), ("KvmDebugRegs.db0", "db[0]"), ("KvmDebugRegs.db1", "db[1]"),
        ("KvmDebugRegs.db2", "db[2]"), ("KvmDebugRegs.db3", "db[3]"), ("KvmXcrs.xcr", "xcrs[0].xcr"), ("KvmXcrs.value", "xcrs[0].value"),
        ("KvmDtable.padding0", "padding[0]"), ("KvmDtable.padding1", "padding[1]"), ("KvmDtable.padding2", "padding[2]"),
        ("KvmEnableCap.arg0", "args[0]"), ("KvmEnableCap.arg1", "args[1]"), ("KvmEnableCap.arg2", "args[2]"), ("KvmEnableCap.arg3", "args[3]"),
        ("KvmMsrFilter.range", "ranges[0]"),
        ("KvmRun.system_event_type", "system_event.type"), ("KvmRun.regs", "s.regs.regs"), ("KvmRun.sregs", "s.regs.sregs"),
        ("KvmRun.events", "s.regs.events"),
        ("KvmDirtyLog.padding", "padding1"),
    ];

    private static string? Compiler => new[] { "/usr/bin/gcc", "/usr/bin/cc", "/usr/bin/clang" }.FirstOrDefault(File.Exists);

    [Fact]
    public void Records_have_the_kernels_sizes()
    {
        foreach ((Type ours, string theirs, int size) in s_records)
            Assert.True(Marshal.SizeOf(ours) == size, $"{theirs} has {size} bytes, ours {Marshal.SizeOf(ours)}");
    }

    [Fact]
    public void Every_member_lies_where_the_kernels_header_puts_it()
    {
        Assert.SkipUnless(Compiler is not null && File.Exists("/usr/include/linux/kvm.h"), "no C compiler or no linux/kvm.h here to compare with");
        var program = new StringBuilder("#include <stddef.h>\n#include <linux/kvm.h>\n");
        int checks = 0;
        foreach ((Type ours, string theirs, int size) in s_records)
        {
            program.Append(CultureInfo.InvariantCulture, $"_Static_assert(sizeof({theirs}) == {size}, \"{theirs}\");\n");
            foreach (FieldInfo field in ours.GetFields(BindingFlags.Instance | BindingFlags.Public))
            {
                string member = s_memberPaths.FirstOrDefault(p => p.Name == $"{ours.Name}.{field.Name}").Theirs ?? field.Name;
                // The header of Debian 12 does not have it yet; its place is in the constants above.
                if (member == "triple_fault.pending")
                    continue;
                program.Append(CultureInfo.InvariantCulture,
                    $"_Static_assert(offsetof({theirs}, {member}) == {Marshal.OffsetOf(ours, field.Name)}, \"{ours.Name}.{member}\");\n");
                checks++;
            }
        }

        (string, int)[] members =
        [
            ("io.data_offset", 40), ("mmio.len", 48), ("mmio.is_write", 52), ("msr.index", 44), ("msr.data", 48),
            ("internal.data", 40),
            ("fail_entry.hardware_entry_failure_reason", 32), ("fail_entry.cpu", 40), ("hw.hardware_exit_reason", 32),
        ];
        foreach ((string member, int offset) in members)
            program.Append(CultureInfo.InvariantCulture, $"_Static_assert(offsetof(struct kvm_run, {member}) == {offset}, \"{member}\");\n");
        foreach ((string name, nuint value) in Requests())
            program.Append(CultureInfo.InvariantCulture, $"_Static_assert({name} == {value}u, \"{name}\");\n");
        string directory = Directory.CreateTempSubdirectory("hv-kvm-abi-").FullName;
        try
        {
            string file = Path.Combine(directory, "abi.c");
            File.WriteAllText(file, program.ToString());
            using Process compiler = Process.Start(new ProcessStartInfo(Compiler!, ["-fsyntax-only", file]) { RedirectStandardError = true })!;
            string errors = compiler.StandardError.ReadToEnd();
            compiler.WaitForExit();
            Assert.True(compiler.ExitCode == 0, errors);
            Assert.True(checks > 100);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    [Fact]
    public void The_union_of_exit_records_is_laid_out_as_the_API_document_says()
    {
        var run = default(KvmRun);
        ref byte start = ref Unsafe.As<KvmRun, byte>(ref run);
        Assert.Equal(32, Offset(ref start, ref run.io.direction));
        Assert.Equal(34, Offset(ref start, ref Unsafe.As<ushort, byte>(ref run.io.port)));
        Assert.Equal(40, Offset(ref start, ref Unsafe.As<ulong, byte>(ref run.mmio.data)));
        Assert.Equal(52, Offset(ref start, ref run.mmio.is_write));
        Assert.Equal(44, Offset(ref start, ref Unsafe.As<uint, byte>(ref run.msr.index)));
        Assert.Equal(48, Offset(ref start, ref Unsafe.As<ulong, byte>(ref run.msr.data)));
        Assert.Equal(40, Offset(ref start, ref Unsafe.As<ulong, byte>(ref run.@internal.data0)));
        Assert.Equal(40, Offset(ref start, ref Unsafe.As<uint, byte>(ref run.fail_entry.cpu)));
    }

    private static long Offset(ref byte start, ref byte member) => Unsafe.ByteOffset(ref start, ref member);

    private static (string Name, nuint Value)[] Requests() =>
    [
        ("KVM_GET_API_VERSION", KvmIoctl.GetApiVersion), ("KVM_CREATE_VM", KvmIoctl.CreateVm), ("KVM_CHECK_EXTENSION", KvmIoctl.CheckExtension),
        ("KVM_GET_VCPU_MMAP_SIZE", KvmIoctl.GetVcpuMmapSize), ("KVM_CREATE_VCPU", KvmIoctl.CreateVcpu), ("KVM_GET_DIRTY_LOG", KvmIoctl.GetDirtyLog),
        ("KVM_SET_USER_MEMORY_REGION", KvmIoctl.SetUserMemoryRegion), ("KVM_RUN", KvmIoctl.Run), ("KVM_GET_REGS", KvmIoctl.GetRegs),
        ("KVM_SET_REGS", KvmIoctl.SetRegs), ("KVM_GET_SREGS", KvmIoctl.GetSregs), ("KVM_SET_SREGS", KvmIoctl.SetSregs),
        ("KVM_INTERRUPT", KvmIoctl.Interrupt), ("KVM_GET_MSRS", KvmIoctl.GetMsrs), ("KVM_SET_MSRS", KvmIoctl.SetMsrs),
        ("KVM_SET_CPUID2", KvmIoctl.SetCpuid2), ("KVM_GET_SUPPORTED_CPUID", KvmIoctl.GetSupportedCpuid),
        ("KVM_GET_VCPU_EVENTS", KvmIoctl.GetVcpuEvents), ("KVM_SET_VCPU_EVENTS", KvmIoctl.SetVcpuEvents),
        ("KVM_GET_DEBUGREGS", KvmIoctl.GetDebugRegs),
        ("KVM_SET_DEBUGREGS", KvmIoctl.SetDebugRegs), ("KVM_ENABLE_CAP", KvmIoctl.EnableCap), ("KVM_GET_XSAVE", KvmIoctl.GetXsave),
        ("KVM_SET_XSAVE", KvmIoctl.SetXsave), ("KVM_GET_XCRS", KvmIoctl.GetXcrs), ("KVM_SET_XCRS", KvmIoctl.SetXcrs),
        ("KVM_X86_SET_MSR_FILTER", KvmIoctl.SetMsrFilter),
    ];
}
