using Hv.Core;
using Hv.Core.Exits;
using Hv.Core.Memory;
using Iced.Intel;

namespace Hv.Host.Running;

/// <summary>Shows a guest's instruction as text, without any effect on the guest. For traces and dumps.</summary>
internal sealed class GuestCode
{
    private const int LongestInstruction = 15;

    private readonly NasmFormatter _formatter = new();
    private readonly StringOutput _text = new();

    /// <summary>The instruction at <paramref name="linear"/>, or why there is none to show.</summary>
    public string Disassemble(IVcpu vcpu, GuestMemory memory, ulong linear, GuestMode mode)
    {
        Span<byte> code = stackalloc byte[LongestInstruction];
        int length = 0;
        while (length < code.Length && vcpu.TryTranslate(new Gva(linear + (ulong)length), out Gpa physical)
            && memory.TryRead(physical, code.Slice(length, 1)))
            length++;
        if (length == 0)
            return "(no memory there)";
        byte[] bytes = code[..length].ToArray();
        int bits = (mode & GuestMode.Code64) != 0 ? 64 : (mode & GuestMode.Code32) != 0 ? 32 : 16;
        var decoder = Decoder.Create(bits, new ByteArrayCodeReader(bytes), linear);
        decoder.Decode(out Instruction instruction);
        if (instruction.IsInvalid)
            return $"(undefined: {Convert.ToHexString(bytes)})";
        _formatter.Format(instruction, _text);
        return _text.ToStringAndReset();
    }

    /// <summary>The mode that a vCPU is in.</summary>
    public static GuestMode ModeOf(in Core.Registers.SystemRegisters s, ulong rflags)
    {
        GuestMode mode = (s.Cr0 & 1) != 0 ? GuestMode.Protected : GuestMode.Real;
        if ((s.Efer & (1 << 10)) != 0)
            mode |= GuestMode.LongModeActive | (s.Cs.Long ? GuestMode.Code64 : 0);
        if ((rflags & (1 << 17)) != 0)
            return mode | GuestMode.Virtual8086;
        return mode | (s.Cs.Default ? GuestMode.Code32 : 0);
    }
}
