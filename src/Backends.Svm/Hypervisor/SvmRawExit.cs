using Hv.Backends.Svm.Silicon;
using Hv.Core.Registers;

namespace Hv.Backends.Svm.Hypervisor;

/// <summary>What the hypervisor's instruction emulator found out about an access that the VMCB does not describe: NPF and OUTS exits.</summary>
/// <param name="Size">Bytes of the access, 1..8.</param>
/// <param name="IsWrite">Whether the step that waits writes. An instruction that reads and then writes waits for its read first, though its nested
/// fault says W.</param>
/// <param name="Value">For a write, the bytes, zero-extended.</param>
public readonly record struct EmulatedOperand(byte Size, bool IsWrite, ulong Value);

/// <summary>Everything that <see cref="SvmExitCapture"/> reads: the VMCB after a #VMEXIT, the general registers that the VMCB does not hold, and
/// the emulator's finding.</summary>
public readonly ref struct SvmRawExit
{
    /// <summary>The VMCB as the silicon left it.</summary>
    public readonly ref readonly Vmcb Vmcb;

    /// <summary>The guest's general registers; RAX, RSP, RIP and RFLAGS are read from the VMCB instead.</summary>
    public readonly ref readonly GeneralRegisters Registers;

    /// <summary>The emulator's finding, where the exit needs one.</summary>
    public readonly EmulatedOperand Operand;

    public SvmRawExit(ref readonly Vmcb vmcb, ref readonly GeneralRegisters registers, EmulatedOperand operand)
    {
        Vmcb = ref vmcb;
        Registers = ref registers;
        Operand = operand;
    }
}
