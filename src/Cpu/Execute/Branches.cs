using System.Runtime.CompilerServices;
using Hv.Core.Registers;
using Hv.Cpu.Decode;
using Hv.Cpu.Memory;
using Hv.Cpu.State;

namespace Hv.Cpu.Execute;

/// <summary>Near branches. A target outside CS's limit or not canonical is #GP(0) on the branch itself (SDM 2A, CALL and JMP).</summary>
internal static class BranchHandlers
{
    [MethodImpl(Threading.Handler)]
    internal static void Jcc<TCondition>(ref CpuState s, ref Op op, Processor p) where TCondition : struct, ICondition
    {
        if (TCondition.Holds(ref s))
            Threading.Follow(ref s, ref op, p, 0);
        else
            Threading.Follow(ref s, ref op, p, 1);
    }

    [MethodImpl(Threading.Handler)]
    internal static void Jmp(ref CpuState s, ref Op op, Processor p) => Threading.Follow(ref s, ref op, p, 0);

    [MethodImpl(Threading.Handler)]
    internal static void Call<TW, TStack>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth where TStack : struct, IStack
    {
        ulong pointer = TStack.Wrap(TStack.Pointer(ref s) - (ulong)(TW.Bits / 8));
        ulong at = TStack.Linear(ref s, ref op, p, pointer, TW.Bits / 8, true);
        ulong next = s.BlockRip + op.RipDelta + op.Length;
        ref TlbEntry entry = ref TranslationCache.Entry(s.WriteTlb, at);
        if (entry.Tag == TranslationCache.Tag<TW>(at))
            TW.Store((nint)at + entry.Addend, next);
        else if (!p.StoreStackSlow(ref s, ref op, at, TW.Bits / 8, next))
            return;
        TStack.SetPointer(ref s, pointer);
        Threading.Follow(ref s, ref op, p, 0);
    }

    [MethodImpl(Threading.Handler)]
    internal static void CallIndirect<TW, TStack>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth where TStack : struct, IStack
    {
        ulong target = Operand.Read<TW>(ref s, ref op, p);
        if (s.Attention != 0)
            return;
        ulong pointer = TStack.Wrap(TStack.Pointer(ref s) - (ulong)(TW.Bits / 8));
        ulong at = TStack.Linear(ref s, ref op, p, pointer, TW.Bits / 8, true);
        ulong next = s.BlockRip + op.RipDelta + op.Length;
        ref TlbEntry entry = ref TranslationCache.Entry(s.WriteTlb, at);
        if (entry.Tag == TranslationCache.Tag<TW>(at))
            TW.Store((nint)at + entry.Addend, next);
        else if (!p.StoreStackSlow(ref s, ref op, at, TW.Bits / 8, next))
            return;

        // The return address is stored before the target is checked, as on both makers' processors; the manuals' pseudo-code has it the other way.
        if (!p.IsBranchTarget(ref s, target))
        {
            p.Raise(ref s, ref op, ExceptionVector.GeneralProtection, 0);
            return;
        }

        TStack.SetPointer(ref s, pointer);
        Threading.Jump(ref s, p, target);
    }

    /// <summary>A direct CALL whose target may not be executed stores the return address and then faults.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void CallBadTarget<TW, TStack>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth where TStack : struct, IStack
    {
        ulong pointer = TStack.Wrap(TStack.Pointer(ref s) - (ulong)(TW.Bits / 8));
        ulong at = TStack.Linear(ref s, ref op, p, pointer, TW.Bits / 8, true);
        if (p.StoreStackSlow(ref s, ref op, at, TW.Bits / 8, s.BlockRip + op.RipDelta + op.Length))
            p.Raise(ref s, ref op, ExceptionVector.GeneralProtection, 0);
    }

    [MethodImpl(Threading.Handler)]
    internal static void JmpIndirect<TW>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth
    {
        ulong target = Operand.Read<TW>(ref s, ref op, p);
        if (s.Attention != 0)
            return;
        if (!p.IsBranchTarget(ref s, target))
        {
            p.Raise(ref s, ref op, ExceptionVector.GeneralProtection, 0);
            return;
        }

        Threading.Jump(ref s, p, target);
    }

    [MethodImpl(Threading.Handler)]
    internal static void Ret<TW, TStack>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth where TStack : struct, IStack
    {
        ulong pointer = TStack.Pointer(ref s);
        ulong at = TStack.Linear(ref s, ref op, p, pointer, TW.Bits / 8, false);
        ref TlbEntry entry = ref TranslationCache.Entry(s.ReadTlb, at);
        ulong target;
        if (entry.Tag == TranslationCache.Tag<TW>(at))
        {
            target = TW.Load((nint)at + entry.Addend);
        }
        else
        {
            target = p.LoadStackSlow(ref s, ref op, at, TW.Bits / 8);
            if (s.Attention != 0)
                return;
        }

        if (!p.IsBranchTarget(ref s, target))
        {
            p.Raise(ref s, ref op, ExceptionVector.GeneralProtection, 0);
            return;
        }

        TStack.SetPointer(ref s, TStack.Wrap(pointer + (ulong)(TW.Bits / 8) + op.Immediate));
        Threading.Jump(ref s, p, target);
    }

    /// <summary>LOOP, LOOPE, LOOPNE and JCXZ; the counter has the address size.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void Loop<TAddress>(ref CpuState s, ref Op op, Processor p) where TAddress : struct, IWidth
    {
        ulong count = TAddress.Get(ref s, Registers.Rcx);
        bool taken = count == 0;
        if (op.Kind != OpKind.Jcxz)
        {
            count = TAddress.Truncate(count - 1);
            TAddress.Set(ref s, Registers.Rcx, count);
            taken = count != 0 && (op.Kind == OpKind.Loop || Flags.Zero(ref s) == (op.Kind == OpKind.Loope));
        }

        if (taken)
            Threading.Follow(ref s, ref op, p, 0);
        else
            Threading.Follow(ref s, ref op, p, 1);
    }

    /// <summary>A direct branch whose target may not be executed, for conditional ones when they are taken.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void BadTarget(ref CpuState s, ref Op op, Processor p)
    {
        if (!IsTaken(ref s, op))
        {
            Threading.Follow(ref s, ref op, p, 1);
            return;
        }

        p.Raise(ref s, ref op, ExceptionVector.GeneralProtection, 0);
    }

    private static bool IsTaken(ref CpuState s, in Op op)
    {
        if (op.Kind is >= OpKind.Jo and <= OpKind.Jg)
            return ConditionalHandlers.Holds(ref s, op.Kind - OpKind.Jo);
        if (op.Kind == OpKind.Jmp)
            return true;
        int size = (int)(op.Form & OpForm.AddressMask) >> 2;
        ulong count = Operand.Get(ref s, Registers.Rcx, size + 1);
        if (op.Kind == OpKind.Jcxz)
            return count == 0;
        bool taken = count != 1 && (op.Kind == OpKind.Loop || Flags.Zero(ref s) == (op.Kind == OpKind.Loope));
        if (!taken)
            Operand.Set(ref s, Registers.Rcx, size + 1, count - 1);
        return taken;
    }
}

/// <summary>Chooses among <see cref="BranchHandlers"/>.</summary>
// SAFETY: only takes the addresses of static methods that have the handlers' signature.
internal static unsafe class BranchBinder
{
    // SAFETY: function pointers to static methods of the handlers' signature, for Op.Handler, throughout.
    internal static nint Bind(in Op op, BindContext context)
    {
        delegate*<ref CpuState, ref Op, Processor, void> handler;
        if (OpInfo.Targets(op.Kind) != 0 && (context.Key.Is64 ? !Processor.IsCanonical(op.Immediate) : op.Immediate > context.Limit))
            return op.Kind == OpKind.Call ? Stack(in op, context, badTarget: true) : Control.BadTarget;

        switch (op.Kind)
        {
            case OpKind.Call or OpKind.CallIndirect or OpKind.Ret:
                return Stack(in op, context, badTarget: false);
            case OpKind.Jmp:
                handler = &BranchHandlers.Jmp;
                return (nint)handler;
            case OpKind.JmpIndirect:
                handler = op.SizeLog2 == 1 ? &BranchHandlers.JmpIndirect<W16> : op.SizeLog2 == 2 ? &BranchHandlers.JmpIndirect<W32>
                    : &BranchHandlers.JmpIndirect<W64>;
                return (nint)handler;
            case >= OpKind.Jo and <= OpKind.Jg:
                return Jcc(op.Kind - OpKind.Jo);
        }

        handler = (op.Form & OpForm.AddressMask) switch
        {
            OpForm.Address64 => &BranchHandlers.Loop<W64>,
            OpForm.Address32 => &BranchHandlers.Loop<W32>,
            _ => &BranchHandlers.Loop<W16>,
        };
        return (nint)handler;
    }

    private static nint Stack(in Op op, BindContext context, bool badTarget) => op.SizeLog2 switch
    {
        1 => Stack<W16>(op.Kind, context, badTarget),
        2 => Stack<W32>(op.Kind, context, badTarget),
        _ => Stack<W64>(op.Kind, context, badTarget),
    };

    private static nint Stack<TW>(OpKind kind, BindContext context, bool badTarget) where TW : struct, IWidth => context.StackForm switch
    {
        0 => Stack<TW, Stack64>(kind, badTarget),
        1 => Stack<TW, Stack32>(kind, badTarget),
        2 => Stack<TW, StackSegmented32>(kind, badTarget),
        _ => Stack<TW, Stack16>(kind, badTarget),
    };

    private static nint Stack<TW, TStack>(OpKind kind, bool badTarget) where TW : struct, IWidth where TStack : struct, IStack
    {
        delegate*<ref CpuState, ref Op, Processor, void> handler = kind switch
        {
            OpKind.Call when badTarget => &BranchHandlers.CallBadTarget<TW, TStack>,
            OpKind.Call => &BranchHandlers.Call<TW, TStack>,
            OpKind.CallIndirect => &BranchHandlers.CallIndirect<TW, TStack>,
            _ => &BranchHandlers.Ret<TW, TStack>,
        };
        return (nint)handler;
    }

    private static nint Jcc(int condition) => (condition >> 1) switch
    {
        0 => Jcc<CondO>(condition),
        1 => Jcc<CondB>(condition),
        2 => Jcc<CondE>(condition),
        3 => Jcc<CondBe>(condition),
        4 => Jcc<CondS>(condition),
        5 => Jcc<CondP>(condition),
        6 => Jcc<CondL>(condition),
        _ => Jcc<CondLe>(condition),
    };

    private static nint Jcc<TCondition>(int condition) where TCondition : struct, ICondition
    {
        delegate*<ref CpuState, ref Op, Processor, void> handler =
            (condition & 1) == 0 ? &BranchHandlers.Jcc<TCondition> : &BranchHandlers.Jcc<Not<TCondition>>;
        return (nint)handler;
    }
}
