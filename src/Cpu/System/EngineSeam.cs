using Hv.Cpu.Decode;
using Hv.Cpu.State;

namespace Hv.Cpu
{
    // What the system half uses of the engine beside the skeleton. The engine's own definitions replace this file.
    public abstract unsafe partial class Processor
    {
        internal ulong ReadTable(ulong address, int size) => throw new NotImplementedException();

        internal bool TryLinear(ref CpuState s, ref Op op, SegmentNumber segment, ulong offset, int size, bool write, out ulong linear) =>
            throw new NotImplementedException();
    }
}

namespace Hv.Cpu.Execute
{
    internal static class Flags
    {
        internal const ulong All = 0x8D5;

        internal static ulong Get(ref CpuState s) => s.Gpr.Rflags & All;

        internal static void Put(ref CpuState s, ulong rflags)
        {
        }
    }
}
