using System.Runtime.CompilerServices;

namespace Hv.Cpu.State;

/// <summary>Values of model-specific registers that have no effect in this processor but that system software reads back (SDM 3A 12.11; rows in
/// <c>ModelSpecificRegisters</c>).</summary>
[InlineArray(Count)]
public struct KeptMsrs
{
    /// <summary>Slots: 16 variable-range MTRR values, 11 fixed-range ones, and single registers.</summary>
    public const int Count = 32;
    private ulong _value;
}
