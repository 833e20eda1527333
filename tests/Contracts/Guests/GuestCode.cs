using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Contracts.Guests;

/// <summary>A guest program while it is written: Iced's assembler, and the few things that most contract guests do, in any mode.</summary>
public sealed class GuestCode : Assembler
{
    /// <summary>The magic MSR of the 2007 interface.</summary>
    public const uint ApiMagic = 0x87655678;

    private readonly List<(Label? FaultLabel, ulong FaultAddress, Label Resume)> _guards = [];

    public GuestCode(CodeMode mode) : base(mode.Bits()) => Mode = mode;

    public CodeMode Mode { get; }

    /// <summary>Emits instructions of which the first may fault; the guest then goes on behind them.</summary>
    public void Guard(Action instructions)
    {
        Label fault = CreateLabel(), resume = CreateLabel();
        Label(ref fault);
        instructions();
        Label(ref resume);
        zero_bytes();
        _guards.Add((fault, 0, resume));
    }

    /// <summary>Emits instructions during which a fault at <paramref name="address"/> may happen; the guest then goes on behind them, with the stack
    /// pointer as the fault left it.</summary>
    public void GuardAt(ulong address, Action instructions)
    {
        Label resume = CreateLabel();
        instructions();
        Label(ref resume);
        zero_bytes();
        _guards.Add((null, address, resume));
    }

    /// <summary>WRMSR of a constant. Changes EAX, ECX, EDX.</summary>
    public void Wrmsr(uint index, ulong value)
    {
        mov(ecx, index);
        mov(eax, (uint)value);
        mov(edx, (uint)(value >> 32));
        Guard(wrmsr);
    }

    /// <summary>RDMSR. Changes EAX, ECX, EDX.</summary>
    public void Rdmsr(uint index)
    {
        mov(ecx, index);
        Guard(rdmsr);
    }

    /// <summary>Stores 32 bits of a register into a result slot.</summary>
    public void Store(int slot, AssemblerRegister32 register) => mov(__dword_ptr[(long)GuestLayout.Results + slot * 8], register);

    /// <summary>Stores 64 bits of a register into a result slot; only 64-bit code.</summary>
    public void Store(int slot, AssemblerRegister64 register) => mov(__qword_ptr[(long)GuestLayout.Results + slot * 8], register);

    /// <summary>Stores a constant into a result slot: a mark that the guest came by.</summary>
    public void Mark(int slot, int value = 1) => mov(__dword_ptr[(long)GuestLayout.Results + slot * 8], value);

    /// <summary>Calls the stub.</summary>
    public void CallStub(ulong address = GuestLayout.Stub) => call(address);

    /// <summary>Sets the number and up to six arguments of a hypercall by the convention of 2007: RAX; RDI RSI RDX RCX R8 R9 when long mode is
    /// active, else
    /// EBX; EAX ECX EDX ESI EDI EBP.</summary>
    public void SetCall(uint number, params ReadOnlySpan<uint> arguments)
    {
        if (Mode == CodeMode.Long64)
        {
            ReadOnlySpan<AssemblerRegister32> registers = [edi, esi, edx, ecx, r8d, r9d];
            for (int i = 0; i < arguments.Length; i++)
                mov(registers[i], arguments[i]);
            mov(eax, number);
        }
        else
        {
            ReadOnlySpan<AssemblerRegister32> registers = [eax, ecx, edx, esi, edi, ebp];
            for (int i = 0; i < arguments.Length; i++)
                mov(registers[i], arguments[i]);
            mov(ebx, number);
        }
    }

    /// <summary>A hypercall through the stub.</summary>
    public void Hypercall(uint number, params ReadOnlySpan<uint> arguments)
    {
        SetCall(number, arguments);
        CallStub();
    }

    /// <summary>Ends the guest: HLT with interrupts off.</summary>
    public void Done()
    {
        Label end = CreateLabel();
        Label(ref end);
        cli();
        hlt();
        jmp(end);
    }

    /// <summary>The word that was pushed last, while nothing else is on the stack.</summary>
    public AssemblerMemoryOperand StackTopWord => Mode.Bits() switch
    {
        // 16-bit code has no SP-relative form: the stack is at a known place.
        16 => __word_ptr[(long)GuestLayout.StackTop - 2],
        32 => __word_ptr[esp],
        _ => __word_ptr[rsp],
    };

    /// <summary>Clears TF; the three instructions are still stepped over. The stack must be empty.</summary>
    public void StopStepping()
    {
        pushf();
        and(StackTopWord, unchecked((short)0xFEFF));
        popf();
    }

    /// <summary>IRET to an address with a code segment; for CPL 3 also to the user stack. Changes RAX.</summary>
    public void EnterAt(ulong address, ushort codeSegment, uint rflags = 2)
    {
        bool user = (codeSegment & 3) == 3;
        if (Mode == CodeMode.Long64)
        {
            push(user ? Descriptors.UserData : Descriptors.KernelData);
            push((int)(user ? GuestLayout.UserStackTop : GuestLayout.StackTop));
            push((int)rflags);
            push(codeSegment);
            push((int)address);
            iretq();
            return;
        }

        if (user)
        {
            push(Descriptors.UserData);
            push((int)GuestLayout.UserStackTop);
        }

        push((int)rflags);
        push(codeSegment);
        push((int)address);
        iretd();
    }

    /// <summary>IRET to CPL 3 at <see cref="GuestLayout.SecondCode"/>, with user data segments.</summary>
    public void EnterUser(uint rflags = 2)
    {
        mov(eax, Descriptors.UserData);
        mov(ds, eax);
        mov(es, eax);
        EnterAt(GuestLayout.SecondCode, Descriptors.UserCode, rflags);
    }

    /// <summary>IRET from 32-bit CPL 0 to virtual-8086 code at 0:<see cref="GuestLayout.SecondCode"/>, all segments 0.</summary>
    public void EnterVirtual8086(uint rflags = 2)
    {
        const uint Vm = 1 << 17;
        for (int i = 0; i < 4; i++) // GS, FS, DS, ES
            push(0);
        push(0);
        push((int)GuestLayout.UserStackTop);
        push((int)(rflags | Vm));
        push(0);
        push((int)GuestLayout.SecondCode);
        iretd();
    }

    /// <summary>Assembles the program for <paramref name="origin"/>.</summary>
    /// <returns>The bytes, the recovery table, and a look-up of labels.</returns>
    internal (byte[] Bytes, List<(ulong Fault, ulong Resume)> Recovery, AssemblerResult Result) Finish(ulong origin)
    {
        using var stream = new MemoryStream();
        AssemblerResult result = Assemble(new StreamCodeWriter(stream), origin, BlockEncoderOptions.ReturnNewInstructionOffsets);
        var recovery = _guards.Select(g => (g.FaultLabel is { } label ? result.GetLabelRIP(label) : g.FaultAddress,
            result.GetLabelRIP(g.Resume))).ToList();
        return (stream.ToArray(), recovery, result);
    }
}
