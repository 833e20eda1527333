using Hv.Core.Registers;
using Hv.Cpu.Decode;
using Hv.Cpu.State;

namespace Hv.Cpu
{
    // What the system half uses of the engine beside the skeleton. The engine's own definitions replace this file.
    public abstract unsafe partial class Processor
    {
        public PendingEvent Pending;

        public int PendingLength;

        public PendingEvent Interrupted;

        public void Deliver(in PendingEvent e, int length) => (Pending, PendingLength) = (e, length);

        public void Retire() => throw new NotImplementedException();

        public void CompleteDeviceAccess(ulong value) => throw new NotImplementedException();

        public bool TryReplay(ref ulong value) => throw new NotImplementedException();

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
