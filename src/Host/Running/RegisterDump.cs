using System.Text;
using Hv.Core.Exits;
using Hv.Core.Machine;
using Hv.Core.Registers;

namespace Hv.Host.Running;

/// <summary>A vCPU's state for a person who looks for the reason why a guest died.</summary>
internal static class RegisterDump
{
    private static readonly string[] Names =
    [
        "RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI", "R8 ", "R9 ", "R10", "R11", "R12", "R13", "R14", "R15",
    ];

    /// <summary>Several lines, the last one ended.</summary>
    /// <param name="vcpu">Whose state; its machine must not be running.</param>
    /// <param name="lastExit">What stopped it, in words; null when it did not stop the machine.</param>
    public static string Format(VirtualCpu vcpu, string? lastExit)
    {
        var state = new VcpuState();
        vcpu.Processor.SaveState(state);
        SystemRegisters s = state.System;
        GeneralRegisters g = state.General;
        GuestMode mode = GuestCode.ModeOf(s, g.Rflags);
        var text = new StringBuilder();
        text.AppendLine($"vCPU {vcpu.Index}: {(lastExit is null ? "" : $"last exit {lastExit}, ")}mode {mode}, CPL {s.Cpl}");
        text.AppendLine($"  RIP {g.Rip:x16}  RFLAGS {g.Rflags:x8}  instructions {vcpu.Processor.InstructionsRetired}");
        ulong linear = ((mode & GuestMode.Code64) != 0 ? 0 : s.Cs.Base) + g.Rip;
        text.AppendLine($"  at RIP: {new GuestCode().Disassemble(vcpu.Processor, vcpu.Machine.Memory, linear, mode)}");
        for (int row = 0; row < 16; row += 4)
        {
            text.Append(' ');
            for (int i = row; i < row + 4; i++)
                text.Append($" {Names[i]} {g[i]:x16}");
            text.AppendLine();
        }

        text.AppendLine($"  CR0 {s.Cr0:x8}  CR2 {s.Cr2:x16}  CR3 {s.Cr3:x16}  CR4 {s.Cr4:x8}  EFER {s.Efer:x}");
        AppendSegment(text, "CS  ", s.Cs);
        AppendSegment(text, "SS  ", s.Ss);
        AppendSegment(text, "DS  ", s.Ds);
        AppendSegment(text, "ES  ", s.Es);
        AppendSegment(text, "FS  ", s.Fs);
        AppendSegment(text, "GS  ", s.Gs);
        AppendSegment(text, "TR  ", s.Tr);
        AppendSegment(text, "LDTR", s.Ldtr);
        text.AppendLine($"  GDTR base {s.Gdtr.Base:x16} limit {s.Gdtr.Limit:x4}  IDTR base {s.Idtr.Base:x16} limit {s.Idtr.Limit:x4}");
        return text.ToString();
    }

    private static void AppendSegment(StringBuilder text, string name, in SegmentRegister s) =>
        text.AppendLine(
            $"  {name} {s.Selector:x4}  base {s.Base:x16}  limit {s.Limit:x8}  attributes {s.Attributes & 0xFFFF:x4}"
            + (s.Usable ? "" : "  unusable"));
}
