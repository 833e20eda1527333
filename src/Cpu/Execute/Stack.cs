using System.Runtime.CompilerServices;
using Hv.Cpu.Decode;
using Hv.Cpu.Memory;
using Hv.Cpu.State;

namespace Hv.Cpu.Execute;

/// <summary>PUSH, POP, PUSHA, POPA, ENTER, LEAVE.</summary>
internal static class StackHandlers
{
    [MethodImpl(Threading.Handler)]
    internal static void PushSource<TW, TStack, TS>(ref CpuState s, ref Op op, Processor p)
        where TW : struct, IWidth where TStack : struct, IStack where TS : struct, ISource
    {
        ulong value = TS.Get<TW>(ref s, ref op);
        ulong pointer = TStack.Wrap(TStack.Pointer(ref s) - (ulong)(TW.Bits / 8));
        ulong at = TStack.Linear(ref s, ref op, p, pointer, TW.Bits / 8, true);
        ref TlbEntry entry = ref TranslationCache.Entry(s.WriteTlb, at);
        if (entry.Tag == TranslationCache.Tag<TW>(at))
            TW.Store((nint)at + entry.Addend, value);
        else if (!p.StoreStackSlow(ref s, ref op, at, TW.Bits / 8, value))
            return;
        TStack.SetPointer(ref s, pointer);
        Threading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void PushMemory<TW, TStack>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth where TStack : struct, IStack
    {
        ulong value = Operand.ReadMemory<TW>(ref s, ref op, p);
        if (s.Attention != 0 || !Push<TW, TStack>(ref s, ref op, p, value))
            return;
        Threading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void PopReg<TW, TStack>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth where TStack : struct, IStack
    {
        ulong pointer = TStack.Pointer(ref s);
        ulong at = TStack.Linear(ref s, ref op, p, pointer, TW.Bits / 8, false);
        ref TlbEntry entry = ref TranslationCache.Entry(s.ReadTlb, at);
        ulong value;
        if (entry.Tag == TranslationCache.Tag<TW>(at))
        {
            value = TW.Load((nint)at + entry.Addend);
        }
        else
        {
            value = p.LoadStackSlow(ref s, ref op, at, TW.Bits / 8);
            if (s.Attention != 0)
                return;
        }

        TStack.SetPointer(ref s, TStack.Wrap(pointer + (ulong)(TW.Bits / 8)));
        TW.Set(ref s, op.Rm, value);
        Threading.Next(ref s, ref op, p);
    }

    /// <summary>POP to memory forms its address with the stack pointer already moved (SDM 2B, POP).</summary>
    [MethodImpl(Threading.Handler)]
    internal static void PopMemory<TW, TStack>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth where TStack : struct, IStack
    {
        ulong old = s.Gpr.Rsp;
        ulong pointer = TStack.Pointer(ref s);
        ulong value = PopAt<TW, TStack>(ref s, ref op, p, pointer);
        if (s.Attention != 0)
            return;
        TStack.SetPointer(ref s, TStack.Wrap(pointer + (ulong)(TW.Bits / 8)));
        if (!Operand.WriteMemory<TW>(ref s, ref op, p, value))
        {
            s.Gpr.Rsp = old;
            return;
        }

        Threading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void Pusha<TW, TStack>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth where TStack : struct, IStack
    {
        // A fault in the middle leaves RSP, and in memory what was pushed before it, as on Intel's processors.
        ulong old = s.Gpr.Rsp;
        for (int register = Registers.Rax; register <= Registers.Rdi; register += 8)
        {
            ulong value = register == Registers.Rsp ? TW.Truncate(old) : TW.Get(ref s, register);
            if (!Push<TW, TStack>(ref s, ref op, p, value))
            {
                s.Gpr.Rsp = old;
                return;
            }
        }

        Threading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void Popa<TW, TStack>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth where TStack : struct, IStack
    {
        ulong pointer = TStack.Pointer(ref s);
        int register = Registers.Rdi;
        for (; register >= Registers.Rax; register -= 8)
        {
            p.Scratch[register / 8] = PopAt<TW, TStack>(ref s, ref op, p, pointer);
            if (s.Attention != 0)
                break;
            pointer = TStack.Wrap(pointer + (ulong)(TW.Bits / 8));
        }

        // A fault leaves RSP, but the registers popped before it stay changed, as on both makers' processors. An access that a device answers
        // leaves nothing: the instruction begins again.
        if ((s.Attention & Attention.Event) != 0)
            return;
        for (int popped = Registers.Rdi; popped > register; popped -= 8)
        {
            if (popped != Registers.Rsp)
                TW.Set(ref s, popped, p.Scratch[popped / 8]);
        }

        if (s.Attention != 0)
            return;
        TStack.SetPointer(ref s, pointer);
        Threading.Next(ref s, ref op, p);
    }

    /// <summary>ENTER (SDM 2A): the frame is probed with the last push, so that a fault leaves no trace.</summary>
    [MethodImpl(Threading.Handler)]
    internal static void Enter<TW, TStack>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth where TStack : struct, IStack
    {
        ulong size = op.Immediate & 0xFFFF;
        int level = (int)(op.Immediate >> 16) & 31;
        ulong oldSp = s.Gpr.Rsp, frame = s.Gpr.Rbp;
        ulong bytes = (ulong)(TW.Bits / 8);
        bool ok = Push<TW, TStack>(ref s, ref op, p, TW.Get(ref s, Registers.Rbp));
        ulong temporary = s.Gpr.Rsp;
        for (int i = 1; ok && i < level; i++)
        {
            frame -= bytes;
            ulong value = PopAt<TW, TStack>(ref s, ref op, p, TStack.Wrap(frame));
            ok = s.Attention == 0 && Push<TW, TStack>(ref s, ref op, p, value);
        }

        if (ok && level > 0)
            ok = Push<TW, TStack>(ref s, ref op, p, TW.Truncate(temporary));
        ulong bottom = TStack.Wrap(TStack.Pointer(ref s) - size);
        if (!ok || !p.TryProbeStack<TStack>(ref s, ref op, bottom, (int)bytes))
        {
            s.Gpr.Rsp = oldSp;
            return;
        }

        TStack.SetPointer(ref s, bottom);
        TW.Set(ref s, Registers.Rbp, TW.Truncate(temporary));
        Threading.Next(ref s, ref op, p);
    }

    [MethodImpl(Threading.Handler)]
    internal static void Leave<TW, TStack>(ref CpuState s, ref Op op, Processor p) where TW : struct, IWidth where TStack : struct, IStack
    {
        ulong pointer = TStack.Wrap(s.Gpr.Rbp);
        ulong value = PopAt<TW, TStack>(ref s, ref op, p, pointer);
        if (s.Attention != 0)
            return;
        TStack.SetPointer(ref s, TStack.Wrap(pointer + (ulong)(TW.Bits / 8)));
        TW.Set(ref s, Registers.Rbp, value);
        Threading.Next(ref s, ref op, p);
    }

    /// <summary>Pushes a value. False: return at once; the stack pointer has not moved.</summary>
    internal static bool Push<TW, TStack>(ref CpuState s, ref Op op, Processor p, ulong value) where TW : struct, IWidth where TStack : struct, IStack
    {
        ulong pointer = TStack.Wrap(TStack.Pointer(ref s) - (ulong)(TW.Bits / 8));
        ulong at = TStack.Linear(ref s, ref op, p, pointer, TW.Bits / 8, true);
        if (!p.StoreStackSlow(ref s, ref op, at, TW.Bits / 8, value))
            return false;
        TStack.SetPointer(ref s, pointer);
        return true;
    }

    private static ulong PopAt<TW, TStack>(ref CpuState s, ref Op op, Processor p, ulong pointer)
        where TW : struct, IWidth where TStack : struct, IStack
    {
        ulong at = TStack.Linear(ref s, ref op, p, pointer, TW.Bits / 8, false);
        ref TlbEntry entry = ref TranslationCache.Entry(s.ReadTlb, at);
        return entry.Tag == TranslationCache.Tag<TW>(at) ? TW.Load((nint)at + entry.Addend) : p.LoadStackSlow(ref s, ref op, at, TW.Bits / 8);
    }
}

/// <summary>Chooses among <see cref="StackHandlers"/>.</summary>
// SAFETY: only takes the addresses of static methods that have the handlers' signature.
internal static unsafe class StackBinder
{
    internal static nint Bind(in Op op, BindContext context) => op.SizeLog2 switch
    {
        1 => Width<W16>(op, context),
        2 => Width<W32>(op, context),
        _ => Width<W64>(op, context),
    };

    private static nint Width<TW>(in Op op, BindContext context) where TW : struct, IWidth => context.StackForm switch
    {
        0 => Kind<TW, Stack64>(op),
        1 => Kind<TW, Stack32>(op),
        2 => Kind<TW, StackSegmented32>(op),
        _ => Kind<TW, Stack16>(op),
    };

    private static nint Kind<TW, TStack>(in Op op) where TW : struct, IWidth where TStack : struct, IStack
    {
        // SAFETY: function pointers to static methods of the handlers' signature, for Op.Handler.
        delegate*<ref CpuState, ref Op, Processor, void> handler = op.Kind switch
        {
            OpKind.Push when op.Shape == OpShape.Imm => &StackHandlers.PushSource<TW, TStack, ImmSource>,
            OpKind.Push when op.IsMemory => &StackHandlers.PushMemory<TW, TStack>,
            OpKind.Push => &StackHandlers.PushSource<TW, TStack, RmSource>,
            OpKind.Pop when op.IsMemory => &StackHandlers.PopMemory<TW, TStack>,
            OpKind.Pop => &StackHandlers.PopReg<TW, TStack>,
            OpKind.Pusha => &StackHandlers.Pusha<TW, TStack>,
            OpKind.Popa => &StackHandlers.Popa<TW, TStack>,
            OpKind.Enter => &StackHandlers.Enter<TW, TStack>,
            _ => &StackHandlers.Leave<TW, TStack>,
        };
        return (nint)handler;
    }
}
