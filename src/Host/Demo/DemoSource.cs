using System.Text;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Host.Demo;

/// <summary>
/// The demo guest's source, from which <c>DemoImages.cs</c> is made. Compiled into the tests, which compare the two: hv itself starts faster from
/// bytes. 32-bit registers and addresses throughout, so that one text serves 16, 32 and 64 bits; only the calling convention differs.
/// </summary>
internal sealed class DemoSource
{
    private const uint Magic = 0x8765_5678, Version = 1, RecordSize = 4096;
    private const uint TestCall = 0, ConsoleWrite = 0x4856_0000, Exit = 0x4856_0001, Clock = 0x4856_0002;
    private const int TestResult = 0x5A5A, HexDigits = 8;

    // The image: code, the stub, texts. The record is in the next page; the guest keeps its own variables behind the record's fields.
    private const uint StubDistance = 0x1F8, TextDistance = 0x200, RecordDistance = 0x1000;
    private const int HostVersion = 4, Size = 8, Ret = 12, Stub = 16, Probe = 0x100, FirstTime = 0x104;

    private readonly Assembler _a;
    private readonly int _bits;
    private readonly uint _origin;
    private readonly StringBuilder _texts = new();
    private Label _failed, _hex;

    private DemoSource(int bits, uint origin)
    {
        _bits = bits;
        _origin = origin;
        _a = new Assembler(bits);
        _failed = _a.CreateLabel();
        _hex = _a.CreateLabel();
    }

    /// <summary>As in 2007 the unpatched stub answers by itself: MOV EAX, -ENOSYS; RET (with an operand-size prefix in 16-bit code). What is left of
    /// its 8 bytes is room for longer exit instructions.</summary>
    private byte[] StubBytes => _bits == 16 ? [0x66, 0xB8, 0xDA, 0xFF, 0xFF, 0xFF, 0xC3, 0x90] : [0xB8, 0xDA, 0xFF, 0xFF, 0xFF, 0xC3, 0x90, 0x90];

    /// <summary>Assembles the guest for 16, 32 or 64 bits at its load address.</summary>
    public static byte[] Assemble(int bits, uint origin)
    {
        var source = new DemoSource(bits, origin);
        source.EmitProgram();
        source.EmitHex();
        using var stream = new MemoryStream();
        source._a.Assemble(new StreamCodeWriter(stream), origin);
        if (stream.Length > StubDistance)
            throw new InvalidOperationException($"the code is {stream.Length} bytes long and reaches the stub at {StubDistance}");
        stream.SetLength(StubDistance);
        stream.Position = StubDistance;
        stream.Write(source.StubBytes);
        stream.Write(Encoding.ASCII.GetBytes(source._texts.ToString()));
        return stream.ToArray();
    }

    private void EmitProgram()
    {
        _a.mov(ebp, _origin + RecordDistance);

        // Probe: on an hv host RDMSR succeeds and gives 0, because nothing is registered yet. Elsewhere it raises #GP.
        _a.mov(ecx, Magic);
        _a.rdmsr();
        _a.mov(__dword_ptr[ebp + Probe], eax);

        // Register: fill the record, tell the host where it is, look at its answer.
        _a.mov(__dword_ptr[ebp], Version);
        _a.mov(__dword_ptr[ebp + Size], RecordSize);
        _a.mov(__dword_ptr[ebp + Ret], -1);
        _a.mov(__dword_ptr[ebp + Stub], _origin + StubDistance);
        _a.mov(__dword_ptr[ebp + Stub + 4], 0);
        _a.mov(eax, ebp);
        _a.xor(edx, edx);
        _a.mov(ecx, Magic);
        _a.wrmsr();
        _a.cmp(__dword_ptr[ebp + Ret], 0);
        _a.jne(_failed);

        Print($"Hello from a {_bits}-bit guest.\n");
        _a.mov(eax, __dword_ptr[ebp + Probe]);
        PrintHex("  RDMSR 87655678 before registering: ");
        _a.mov(eax, __dword_ptr[ebp + HostVersion]);
        PrintHex("  registered, host version:          ");
        _a.mov(edi, _origin + StubDistance);
        _a.mov(eax, __dword_ptr[edi]);
        _a.bswap(eax);
        PrintHex("  the stub's first bytes are now:    ");
        Call(TestCall, 0);
        _a.cmp(eax, TestResult);
        _a.jne(_failed);
        PrintHex("  call 0 returned:                   ");

        // Outside long mode only the clock's low half arrives; a difference modulo 2^32 is enough for two calls in a row.
        Call(Clock, 0);
        _a.mov(__dword_ptr[ebp + FirstTime], eax);
        Call(Clock, 0);
        _a.sub(eax, __dword_ptr[ebp + FirstTime]);
        _a.js(_failed);
        Print("  the clock moves forward\n");
        Call(Exit, 0);

        _a.Label(ref _failed);
        Call(Exit, 1);
    }

    /// <summary>A hypercall with one argument: number and argument by the convention of 2007 (docs/abi.md), then a near call of the stub.</summary>
    private void Call(uint number, uint argument)
    {
        if (_bits == 64)
            _a.mov(edi, argument);
        _a.mov(_bits == 64 ? eax : ebx, number);
        if (_bits != 64)
            _a.mov(eax, argument);
        _a.call((ulong)(_origin + StubDistance));
    }

    private void Print(string text) => PrintAt(AddText(text), text.Length);

    /// <summary>Prints a text with EAX in hexadecimal behind it.</summary>
    private void PrintHex(string text)
    {
        uint address = AddText(text + new string('0', HexDigits) + "\n");
        _a.mov(edi, address + (uint)text.Length);
        _a.call(_hex);
        PrintAt(address, text.Length + HexDigits + 1);
    }

    private void PrintAt(uint text, int length)
    {
        if (_bits == 64)
        {
            _a.mov(edi, text);
            _a.mov(esi, length);
            _a.mov(eax, ConsoleWrite);
        }
        else
        {
            _a.mov(eax, text);
            _a.mov(ecx, length);
            _a.mov(ebx, ConsoleWrite);
        }

        _a.call((ulong)(_origin + StubDistance));
    }

    private uint AddText(string text)
    {
        uint address = _origin + TextDistance + (uint)_texts.Length;
        _texts.Append(text);
        return address;
    }

    /// <summary>Writes EAX as 8 hexadecimal digits at [EDI]. Changes EAX, ECX, EDX, EDI.</summary>
    private void EmitHex()
    {
        Label digit = _a.CreateLabel(), decimalDigit = _a.CreateLabel();
        _a.Label(ref _hex);
        _a.mov(ecx, HexDigits);
        _a.Label(ref digit);
        _a.rol(eax, 4);
        _a.mov(edx, eax);
        _a.and(edx, 15);
        _a.cmp(edx, 10);
        _a.jb(decimalDigit);
        _a.add(edx, 'A' - '0' - 10);
        _a.Label(ref decimalDigit);
        _a.add(edx, '0');
        _a.mov(__byte_ptr[edi], dl);
        _a.inc(edi);
        _a.dec(ecx);
        _a.jne(digit);
        _a.ret();
    }
}
