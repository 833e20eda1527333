using System.Runtime.CompilerServices;
using Hv.Cpu.Decode;
using Hv.Cpu.State;

namespace Hv.Cpu.Execute;

/// <summary>SETcc and CMOVcc. CMOVcc reads its source, and clears the upper half of a 32-bit destination, whatever the condition (SDM 2A,
/// CMOVcc).</summary>
internal static class ConditionalHandlers
{
    internal static bool Holds(ref CpuState s, int condition)
    {
        bool holds = (condition >> 1) switch
        {
            0 => CondO.Holds(ref s),
            1 => CondB.Holds(ref s),
            2 => CondE.Holds(ref s),
            3 => CondBe.Holds(ref s),
            4 => CondS.Holds(ref s),
            5 => CondP.Holds(ref s),
            6 => CondL.Holds(ref s),
            _ => CondLe.Holds(ref s),
        };
        return holds != ((condition & 1) != 0);
    }

    [MethodImpl(Threading.Handler)]
    internal static void Set<TCondition>(ref CpuState s, ref Op op, Processor p) where TCondition : struct, ICondition
    {
        ulong value = TCondition.Holds(ref s) ? 1UL : 0;
        if (!Operand.Write<W8>(ref s, ref op, p, value))
            return;
        Threading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void Cmov<TCondition, TW>(ref CpuState s, ref Op op, Processor p) where TCondition : struct, ICondition where TW : struct, IWidth
    {
        ulong value = Operand.Read<TW>(ref s, ref op, p);
        if (s.Attention != 0)
            return;
        TW.Set(ref s, op.Reg, TCondition.Holds(ref s) ? value : TW.Get(ref s, op.Reg));
        Threading.Next(ref s, ref op, p);
    }
}

/// <summary>Chooses among <see cref="ConditionalHandlers"/>.</summary>
// SAFETY: only takes the addresses of static methods that have the handlers' signature.
internal static unsafe class ConditionalBinder
{
    internal static nint Bind(in Op op, BindContext context)
    {
        int condition = (op.Kind - OpKind.Seto) & 15;
        return (condition >> 1) switch
        {
            0 => Sense<CondO>(op, condition),
            1 => Sense<CondB>(op, condition),
            2 => Sense<CondE>(op, condition),
            3 => Sense<CondBe>(op, condition),
            4 => Sense<CondS>(op, condition),
            5 => Sense<CondP>(op, condition),
            6 => Sense<CondL>(op, condition),
            _ => Sense<CondLe>(op, condition),
        };
    }

    private static nint Sense<TCondition>(in Op op, int condition) where TCondition : struct, ICondition =>
        (condition & 1) == 0 ? Kind<TCondition>(op) : Kind<Not<TCondition>>(op);

    private static nint Kind<TCondition>(in Op op) where TCondition : struct, ICondition
    {
        // SAFETY: function pointers to static methods of the handlers' signature, for Op.Handler.
        delegate*<ref CpuState, ref Op, Processor, void> handler;
        if (op.Kind <= OpKind.Setg)
            handler = &ConditionalHandlers.Set<TCondition>;
        else
            handler = op.SizeLog2 == 1 ? &ConditionalHandlers.Cmov<TCondition, W16> : op.SizeLog2 == 2 ? &ConditionalHandlers.Cmov<TCondition, W32>
                : &ConditionalHandlers.Cmov<TCondition, W64>;
        return (nint)handler;
    }
}
