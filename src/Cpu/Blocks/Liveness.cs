using System.Runtime.CompilerServices;
using Hv.Cpu.Decode;
using Hv.Cpu.Execute;
using Hv.Cpu.State;

namespace Hv.Cpu.Blocks;

/// <summary>Binds a block's operations to handlers, from the last to the first, dropping flag computations that nothing can see: those overwritten in full
/// before any operation that reads flags, faults or leaves.</summary>
internal static class Liveness
{
    internal static void Bind(ref Op first, int count, ModeKey key, ulong limit)
    {
        bool live = true;
        for (int i = count - 1; i >= 0; i--)
        {
            ref Op op = ref Unsafe.Add(ref first, i);
            op.Handler = Binder.Bind(ref op, new BindContext(key, live, limit));
            if (OpInfo.OverwritesFlags(op))
                live = false;
            else if (!OpInfo.IgnoresFlags(op))
                live = true;
        }
    }
}
