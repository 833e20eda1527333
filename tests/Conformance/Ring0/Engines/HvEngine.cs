using System.Text;
using Hv.Backends.Emulated;
using Hv.Conformance.Ring0.Guest;
using Hv.Conformance.Ring0.Results;
using Hv.Core;
using Hv.Core.Cpuid;
using Hv.Core.Exits;
using Hv.Core.Memory;
using Hv.Core.Registers;

namespace Hv.Conformance.Ring0.Engines;

/// <summary>hv's software processor, in this process.</summary>
public sealed class HvEngine() : Engine("hv")
{
    private const ulong MemorySize = 16 << 20;
    private const long InstructionsPerExit = 3_000_000;

    /// <inheritdoc/>
    public override string? Missing => null;

    /// <inheritdoc/>
    public override string Version => "hv, backend Emulated";

    /// <inheritdoc/>
    protected override (string Output, string End) Boot(GuestImage image, int first)
    {
        using var memory = GuestMemory.OfSize(MemorySize);
        if (!memory.TryLoad(new Gpa(Layout.Image), image.From(first)))
            throw new InvalidOperationException("the image does not fit the guest's memory");
        using IPartition partition = new EmulatedBackend().CreatePartition(memory, new PartitionOptions { Cpuid = CpuidTables.Default });
        using IVcpu vcpu = partition.CreateVcpu(0);
        var state = new VcpuState();
        vcpu.SaveState(state);
        EnterProtectedMode(state);
        vcpu.LoadState(state);
        var output = new StringBuilder();
        string end = Run(vcpu, output);
        return (output.ToString(), end);
    }

    private static string Run(IVcpu vcpu, StringBuilder output)
    {
        while (true)
        {
            vcpu.Run(InstructionsPerExit, out VmExit exit);
            switch (exit.Reason)
            {
                case ExitReason.PortIo when exit.PortIo.IsWrite:
                    if (exit.PortIo.Port == Layout.EndPort)
                        return CaseResult.Hang;
                    if (exit.PortIo.Port == Layout.OutputPort)
                        output.Append((char)(byte)exit.PortIo.Value);
                    vcpu.Complete(ExitCompletion.Retire);
                    break;
                case ExitReason.PortIo:
                case ExitReason.MemoryAccess when !exit.Memory.IsWrite:
                    vcpu.Complete(ExitCompletion.RetireWith(ulong.MaxValue));
                    break;
                case ExitReason.MemoryAccess:
                    vcpu.Complete(ExitCompletion.Retire);
                    break;
                case ExitReason.MsrRead or ExitReason.MsrWrite:
                    vcpu.Complete(ExitCompletion.GeneralProtection);
                    break;
                case ExitReason.Shutdown:
                    return CaseResult.Shutdown;
                case ExitReason.Cpuid:
                    CpuidResult answer = CpuidTables.Default.Query(exit.Cpuid.Leaf, exit.Cpuid.Subleaf);
                    ref GeneralRegisters registers = ref vcpu.Registers;
                    (registers.Rax, registers.Rbx, registers.Rcx, registers.Rdx) = (answer.Eax, answer.Ebx, answer.Ecx, answer.Edx);
                    vcpu.Complete(ExitCompletion.Retire);
                    break;
                default:
                    return CaseResult.Hang;
            }
        }
    }

    /// <summary>What a multiboot loader leaves: flat 32-bit protected mode without paging.</summary>
    private static void EnterProtectedMode(VcpuState state)
    {
        ref SystemRegisters s = ref state.System;
        var data = new SegmentRegister { Selector = 0x10, Limit = uint.MaxValue, Attributes = 0xC093 };
        s.Es = s.Ss = s.Ds = s.Fs = s.Gs = data;
        s.Cs = data with { Selector = 0x08, Attributes = 0xC09B };
        s.Cr0 = 0x11;
        state.General.Rip = Layout.MonitorCode;
        state.General.Rflags = 2;
    }
}
