using Hv.Backends.Vmx.Silicon;
using Hv.Backends.Vmx.Silicon.Fields;
using Hv.Core.Exits;
using Hv.Core.Memory;
using Hv.Cpu.Virtualization;
using Iced.Intel;
using static Hv.Backends.Vmx.Silicon.Fields.VmcsField;
using Table = Hv.Backends.Vmx.Silicon.Exit.Intercepts;

namespace Hv.Backends.Vmx.Tests.Intercepts;

/// <summary>
/// Iced's OpCodeInfo says of each instruction whether Intel's VMX always or possibly exits on it. Ours must agree, but for a reviewed list.
/// </summary>
public sealed class IcedOracleTests
{
    private enum Answer
    {
        Never,
        May,
        Always,
        NotModelled,
    }

    /// <summary>The event that an instruction raises in the processor.</summary>
    private static readonly Dictionary<Mnemonic, CpuEvent> s_events = new()
    {
        [Mnemonic.Cpuid] = Of(CpuEventKind.Cpuid),
        [Mnemonic.Invd] = Of(CpuEventKind.Invd),
        [Mnemonic.Xsetbv] = Of(CpuEventKind.Xsetbv),
        [Mnemonic.Vmcall] = Of(VendorInstruction.Vmcall),
        [Mnemonic.Vmclear] = Of(VendorInstruction.Vmclear),
        [Mnemonic.Vmlaunch] = Of(VendorInstruction.Vmlaunch),
        [Mnemonic.Vmptrld] = Of(VendorInstruction.Vmptrld),
        [Mnemonic.Vmptrst] = Of(VendorInstruction.Vmptrst),
        [Mnemonic.Vmresume] = Of(VendorInstruction.Vmresume),
        [Mnemonic.Vmxoff] = Of(VendorInstruction.Vmxoff),
        [Mnemonic.Vmxon] = Of(VendorInstruction.Vmxon),
        [Mnemonic.Invept] = Of(VendorInstruction.Invept),
        [Mnemonic.Invvpid] = Of(VendorInstruction.Invvpid),
        [Mnemonic.Vmread] = Of(VendorInstruction.Vmread),
        [Mnemonic.Vmwrite] = Of(VendorInstruction.Vmwrite),
        [Mnemonic.Vmfunc] = Of(VendorInstruction.Vmfunc),
        [Mnemonic.Rsm] = Of(CpuEventKind.Rsm),
        [Mnemonic.Int1] = Of(CpuEventKind.Exception) with { Index = 1, Length = 1 },
        [Mnemonic.Int3] = Of(CpuEventKind.Exception) with { Index = 3, Length = 1 },
        [Mnemonic.Ud0] = Of(CpuEventKind.Exception) with { Index = 6 },
        [Mnemonic.Ud1] = Of(CpuEventKind.Exception) with { Index = 6 },
        [Mnemonic.Ud2] = Of(CpuEventKind.Exception) with { Index = 6 },
        [Mnemonic.Bound] = Of(CpuEventKind.Exception) with { Index = 5 },
        [Mnemonic.Into] = Of(CpuEventKind.Exception) with { Index = 4, Length = 1 },
        [Mnemonic.Hlt] = Of(CpuEventKind.Hlt),
        [Mnemonic.In] = Of(CpuEventKind.PortIo) with { Port = new PortIoExit(0, 1, false, 0, false) },
        [Mnemonic.Out] = Of(CpuEventKind.PortIo) with { Port = new PortIoExit(0, 1, true, 0, false) },
        [Mnemonic.Insb] = Of(CpuEventKind.StringIo) with { Port = new PortIoExit(0, 1, false, 0, true) },
        [Mnemonic.Insw] = Of(CpuEventKind.StringIo) with { Port = new PortIoExit(0, 2, false, 0, true) },
        [Mnemonic.Insd] = Of(CpuEventKind.StringIo) with { Port = new PortIoExit(0, 4, false, 0, true) },
        [Mnemonic.Outsb] = Of(CpuEventKind.StringIo) with { Port = new PortIoExit(0, 1, true, 0, true) },
        [Mnemonic.Outsw] = Of(CpuEventKind.StringIo) with { Port = new PortIoExit(0, 2, true, 0, true) },
        [Mnemonic.Outsd] = Of(CpuEventKind.StringIo) with { Port = new PortIoExit(0, 4, true, 0, true) },
        [Mnemonic.Invlpg] = Of(CpuEventKind.Invlpg),
        [Mnemonic.Clts] = Of(CpuEventKind.Clts),
        [Mnemonic.Lmsw] = Of(CpuEventKind.Lmsw) with { Value = 15 },
        [Mnemonic.Smsw] = Of(CpuEventKind.Smsw),
        [Mnemonic.Mov] = Of(CpuEventKind.CrWrite) with { Index = 3 },
        [Mnemonic.Lgdt] = Of(CpuEventKind.GdtrIdtr) with { Index = 2 },
        [Mnemonic.Lidt] = Of(CpuEventKind.GdtrIdtr) with { Index = 3 },
        [Mnemonic.Sgdt] = Of(CpuEventKind.GdtrIdtr) with { Index = 0 },
        [Mnemonic.Sidt] = Of(CpuEventKind.GdtrIdtr) with { Index = 1 },
        [Mnemonic.Lldt] = Of(CpuEventKind.LdtrTr) with { Index = 2 },
        [Mnemonic.Ltr] = Of(CpuEventKind.LdtrTr) with { Index = 3 },
        [Mnemonic.Sldt] = Of(CpuEventKind.LdtrTr) with { Index = 0 },
        [Mnemonic.Str] = Of(CpuEventKind.LdtrTr) with { Index = 1 },
        [Mnemonic.Monitor] = Of(CpuEventKind.Monitor),
        [Mnemonic.Mwait] = Of(CpuEventKind.Mwait),
        [Mnemonic.Pause] = Of(CpuEventKind.Pause),
        [Mnemonic.Rdmsr] = Of(CpuEventKind.Rdmsr) with { Index = 0x10 },
        [Mnemonic.Wrmsr] = Of(CpuEventKind.Wrmsr) with { Index = 0x10 },
        [Mnemonic.Rdpmc] = Of(CpuEventKind.Rdpmc),
        [Mnemonic.Rdtsc] = Of(CpuEventKind.Rdtsc),
        [Mnemonic.Rdtscp] = Of(CpuEventKind.Rdtscp),
        [Mnemonic.Wbinvd] = Of(CpuEventKind.Wbinvd),
        [Mnemonic.Wbnoinvd] = Of(CpuEventKind.Wbinvd),
        // Far transfers exit by the task switch that they may be.
        [Mnemonic.Call] = Of(CpuEventKind.Iret),
        [Mnemonic.Jmp] = Of(CpuEventKind.Iret),
        [Mnemonic.Int] = Of(CpuEventKind.SoftwareInterrupt),
        [Mnemonic.Iret] = Of(CpuEventKind.Iret),
        [Mnemonic.Iretd] = Of(CpuEventKind.Iret),
        [Mnemonic.Iretq] = Of(CpuEventKind.Iret),
    };

    /// <summary>Reviewed: where ours differs, what it answers, and why.</summary>
    private static readonly Dictionary<Mnemonic, (Answer Ours, string Reason)> s_differences = new()
    {
        [Mnemonic.Int1] = (Answer.May, "it exits by the exception bitmap alone (SDM 3C 26.2)"),
        [Mnemonic.Int3] = (Answer.May, "as INT1"),
        [Mnemonic.Ud0] = (Answer.May, "#UD exits by the exception bitmap alone"),
        [Mnemonic.Ud1] = (Answer.May, "as UD0"),
        [Mnemonic.Ud2] = (Answer.May, "as UD0"),
        [Mnemonic.Rsm] = (Answer.Never, "it exits in SMM under dual-monitor treatment; elsewhere it is #UD (SDM 3C 26.1.3)"),
        [Mnemonic.Smsw] = (Answer.Never, "it reads the CR0 shadow and does not exit (SDM 3C 26.3)"),
        [Mnemonic.Vmread] = (Answer.Always, "without VMCS shadowing it always exits (SDM 3C 26.1.3)"),
        [Mnemonic.Vmwrite] = (Answer.Always, "as VMREAD"),
        [Mnemonic.Vmfunc] = (Answer.Never, "without enable VM functions it is #UD (SDM 3C 26.5.6.2)"),
        [Mnemonic.Call] = (Answer.Never, "the far call itself does not exit; a task switch is an event of its own, which always does"),
        [Mnemonic.Jmp] = (Answer.Never, "as CALL"),
        [Mnemonic.Int] = (Answer.Never, "as CALL"),
        [Mnemonic.Iret] = (Answer.Never, "as CALL"),
        [Mnemonic.Iretd] = (Answer.Never, "as CALL"),
        [Mnemonic.Iretq] = (Answer.Never, "as CALL"),
        [Mnemonic.Getsec] = (Answer.NotModelled, "no SMX: #UD"),
        [Mnemonic.Getsecq] = (Answer.NotModelled, "no SMX: #UD"),
        [Mnemonic.Seamcall] = (Answer.NotModelled, "no TDX: #UD"),
        [Mnemonic.Tdcall] = (Answer.NotModelled, "no TDX: #UD"),
        [Mnemonic.Encls] = (Answer.NotModelled, "no SGX: #UD"),
        [Mnemonic.Enclv] = (Answer.NotModelled, "no SGX: #UD"),
        [Mnemonic.Enqcmd] = (Answer.NotModelled, "no ENQCMD: #UD"),
        [Mnemonic.Enqcmds] = (Answer.NotModelled, "no ENQCMD: #UD"),
        [Mnemonic.Invpcid] = (Answer.NotModelled, "enable INVPCID is 0: #UD"),
        [Mnemonic.Loadiwkey] = (Answer.NotModelled, "no Key Locker: #UD"),
        [Mnemonic.Pcommit] = (Answer.NotModelled, "withdrawn by Intel: #UD"),
        [Mnemonic.Pconfig] = (Answer.NotModelled, "no PCONFIG: #UD"),
        [Mnemonic.Rdmsrlist] = (Answer.NotModelled, "no MSRLIST: #UD"),
        [Mnemonic.Wrmsrlist] = (Answer.NotModelled, "no MSRLIST: #UD"),
        [Mnemonic.Wrmsrns] = (Answer.NotModelled, "no WRMSRNS: #UD"),
        [Mnemonic.Rdrand] = (Answer.NotModelled, "RDRAND exiting is not offered"),
        [Mnemonic.Rdseed] = (Answer.NotModelled, "RDSEED exiting is not offered"),
        [Mnemonic.Senduipi] = (Answer.NotModelled, "no user interrupts: #UD"),
        [Mnemonic.Tpause] = (Answer.NotModelled, "enable user wait and pause is 0: #UD"),
        [Mnemonic.Umwait] = (Answer.NotModelled, "as TPAUSE"),
        [Mnemonic.Xrstors] = (Answer.NotModelled, "enable XSAVES/XRSTORS is 0: #UD"),
        [Mnemonic.Xrstors64] = (Answer.NotModelled, "as XRSTORS"),
        [Mnemonic.Xsaves] = (Answer.NotModelled, "as XRSTORS"),
        [Mnemonic.Xsaves64] = (Answer.NotModelled, "as XRSTORS"),
        [Mnemonic.Rdmsr] = (Answer.Always, "it always exits where MSR bitmaps are not used, which is what no controls means"),
        [Mnemonic.Wrmsr] = (Answer.Always, "as RDMSR"),
    };

    public static TheoryData<string> Instructions
    {
        get
        {
            var data = new TheoryData<string>();
            foreach (Mnemonic mnemonic in Flags().Keys.Order())
                data.Add(mnemonic.ToString());
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Instructions))]
    public void Ours_agrees_with_Iced(string name)
    {
        Mnemonic mnemonic = Enum.Parse<Mnemonic>(name);
        Answer iced = Flags()[mnemonic], ours = Ours(mnemonic);
        if (s_differences.TryGetValue(mnemonic, out (Answer Ours, string Reason) difference))
        {
            Assert.Equal(difference.Ours, ours);
            Assert.NotEqual(iced, ours);
        }
        else
        {
            Assert.Equal(iced, ours);
        }
    }

    [Fact]
    public void No_instruction_that_exits_with_us_is_unknown_to_Iced()
    {
        Dictionary<Mnemonic, Answer> flags = Flags();
        Assert.All(s_events.Keys, mnemonic => Assert.True(flags.ContainsKey(mnemonic), mnemonic.ToString()));
        Assert.All(s_differences.Keys, mnemonic => Assert.True(flags.ContainsKey(mnemonic), mnemonic.ToString()));
    }

    private static Answer Ours(Mnemonic mnemonic)
    {
        if (!s_events.TryGetValue(mnemonic, out CpuEvent e))
            return Answer.NotModelled;
        using GuestMemory guest = GuestMemory.OfSize(0x1000);
        var memory = new HostPhysicalMemory(guest);
        var nothing = new Vmcs(new GuestRegisters());
        if (Table.Exits(nothing, memory, e, out _))
            return Answer.Always;
        var everything = new Vmcs(new GuestRegisters());
        // Every control but the bitmaps, whose absence makes all ports and MSRs exit.
        everything.Write(PrimaryControls, uint.MaxValue & ~((1u << 25) | (1u << 28)));
        everything.Write(SecondaryControls, uint.MaxValue);
        everything.Write(ExceptionBitmap, uint.MaxValue);
        everything.Write(Cr0Mask, ulong.MaxValue);
        everything.Write(Cr4Mask, ulong.MaxValue);
        everything.Write(Cr0ReadShadow, 8);
        return Table.Exits(everything, memory, e, out _) ? Answer.May : Answer.Never;
    }

    private static Dictionary<Mnemonic, Answer> Flags()
    {
        var flags = new Dictionary<Mnemonic, Answer>();
        foreach (Code code in Enum.GetValues<Code>())
        {
            OpCodeInfo info = code.ToOpCode();
            if (!info.IsInstruction || !(info.IntelVmExit || info.IntelMayVmExit))
                continue;
            flags[code.Mnemonic()] = info.IntelVmExit ? Answer.Always : Answer.May;
        }

        return flags;
    }

    private static CpuEvent Of(CpuEventKind kind) => new() { Kind = kind };

    private static CpuEvent Of(VendorInstruction instruction) => new() { Kind = CpuEventKind.VendorInstruction, Instruction = instruction };
}
