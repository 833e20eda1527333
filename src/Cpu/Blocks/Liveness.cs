using System.Runtime.CompilerServices;
using Hv.Cpu.Decode;
using Hv.Cpu.Execute;
using Hv.Cpu.State;

namespace Hv.Cpu.Blocks;

/// <summary>Binds a block's operations to handlers, from the last to the first, dropping flag computations that nothing can see: those overwritten in
/// full
/// before any operation that reads flags, faults or leaves.</summary>
internal static class Liveness
{
    internal static void Bind(ref Op first, int count, ModeKey key, ulong limit)
    {
        bool live = true;
        for (int i = count - 1; i >= 0; i--)
        {
            ref Op op = ref Unsafe.Add(ref first, i);
            var context = new BindContext(key, live, limit);
            op.Handler = Binder.Bind(ref op, context);
            if (i == count - 2 && !key.Has(ModeKey.Single))
                Fuse(ref op, context);
            if (OpInfo.OverwritesFlags(op))
                live = false;
            else if (!OpInfo.IgnoresFlags(op))
                live = true;
        }
    }

    /// <summary>Binds the block's last two operations to one handler when there is one for the pair.</summary>
    private static void Fuse(ref Op op, BindContext context)
    {
        ref Op branch = ref Unsafe.Add(ref op, 1);
        if (branch.Handler == Control.BadTarget)
            return;
        nint fused = FusedBinder.Bind(op, branch.Kind, context);
        if (fused != 0)
            op.Handler = fused;
    }
}
