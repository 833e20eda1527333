using Hv.Conformance.Ring0.Guest;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Conformance.Ring0.Cases;

/// <summary>Puts a case together: code that begins at CPL 0 in the case's mode, code for elsewhere, and changes to tables.</summary>
public sealed class CaseBuilder
{
    private readonly List<(uint Address, byte[] Bytes)> _pokes = [];
    private readonly List<(Assembler Code, uint Address, ulong Rip)> _codes = [];
    private readonly List<(Assembler Code, Label Label, string Name)> _marks = [];
    private readonly Dictionary<ulong, string> _aliases = [];
    private readonly BootMode _mode;

    /// <summary>Begins a case.</summary>
    public CaseBuilder(BootMode mode)
    {
        _mode = mode;
        Code = new Assembler(mode switch { BootMode.Real => 16, BootMode.Protected => 32, _ => 64 });
        _codes.Add((Code, Layout.Code, mode == BootMode.Real ? Layout.Code - Layout.Arena : Layout.Code));
    }

    /// <summary>The code that the case begins with.</summary>
    public Assembler Code { get; }

    /// <summary>Code at another address of the arena.</summary>
    /// <param name="bits">Its code size.</param>
    /// <param name="address">Where it lies.</param>
    /// <param name="based">Whether its segment's base is the arena's start, so that RIP counts from there.</param>
    public Assembler CodeAt(int bits, uint address, bool based = false)
    {
        var code = new Assembler(bits);
        _codes.Add((code, address, based ? address - Layout.Arena : address));
        return code;
    }

    /// <summary>The next instruction is the one under test.</summary>
    public void Test(Assembler code) => Mark(code, Ring0Case.Test);

    /// <summary>A place whose name an outcome shows.</summary>
    public void Mark(Assembler code, string name)
    {
        Label label = code.CreateLabel();
        code.Label(ref label);
        _marks.Add((code, label, name));
    }

    /// <summary>Another RIP that an outcome shows by name, for code reached through another mapping.</summary>
    public void Alias(ulong rip, string name) => _aliases[rip] = name;

    /// <summary>An end of the case: UD2, which is #UD in every mode and at every privilege.</summary>
    public void End(Assembler code, string name)
    {
        Mark(code, name);
        code.ud2();
    }

    public void Bytes(uint address, params byte[] bytes) => _pokes.Add((address, bytes));

    public void Word16(uint address, ushort value) => Bytes(address, BitConverter.GetBytes(value));

    public void Word32(uint address, uint value) => Bytes(address, BitConverter.GetBytes(value));

    public void Word64(uint address, ulong value) => Bytes(address, BitConverter.GetBytes(value));

    /// <summary>A GDT or LDT slot; the selector's RPL does not matter.</summary>
    public void Descriptor(ushort selector, ulong low, ulong? high = null)
    {
        uint at = ((selector & 4) != 0 ? Layout.Ldt : Layout.Gdt) + (selector & 0xFFF8u);
        Word64(at, low);
        if (high is { } upper)
            Word64(at + 8, upper);
    }

    /// <summary>An IDT gate of the mode.</summary>
    public void Gate(byte vector, ushort selector, ulong offset, uint access, uint ist = 0)
    {
        uint at = Layout.Idt + vector * (_mode == BootMode.Long ? 16u : 8u);
        Word64(at, Descriptors.Gate(selector, offset, access, ist));
        if (_mode == BootMode.Long)
            Word64(at + 8, offset >> 32);
    }

    /// <summary>From CPL 0 to other code by IRET; RFLAGS there is <paramref name="flags"/>, the stack ends below <paramref name="stack"/>.</summary>
    public void EnterBy(ushort codeSelector, ulong rip, ushort stackSelector, uint stack, uint flags = 2)
    {
        Assembler c = Code;
        if (_mode == BootMode.Long)
        {
            c.push(stackSelector);
            c.push((int)stack);
            c.push((int)flags);
            c.push(codeSelector);
            c.push((int)rip);
            c.iretq();
            return;
        }

        c.push(stackSelector);
        c.push((int)stack);
        c.push((int)flags);
        c.push(codeSelector);
        c.push((int)rip);
        c.iretd();
    }

    /// <summary>To code of the mode's own size at a privilege level, with user data in DS and ES; returns the code there.</summary>
    public Assembler AtPrivilege(int cpl, uint flags = 2, bool compatibility = false)
    {
        bool wide = _mode == BootMode.Long && !compatibility;
        if (cpl == 0 && flags == 2 && !compatibility)
            return Code;
        if (!wide)
            LoadUserData();
        (ushort code, ushort stack, uint top) = cpl switch
        {
            0 => (compatibility ? Selectors.Code32 : wide ? Selectors.Code64 : Selectors.Code32, Selectors.Data, Layout.Stack - 0x80),
            1 => (Selectors.Ring1Code, Selectors.Ring1Data, Layout.Stack1 - 0x800),
            2 => (Selectors.Ring2Code, Selectors.Ring2Data, Layout.Stack2 - 0x800),
            _ => (wide ? Selectors.UserCode64 : Selectors.UserCode32, Selectors.UserData, Layout.Stack3 - 0x800),
        };
        if (cpl == 0 && _mode == BootMode.Protected)
        {
            Code.push((int)flags);
            Code.popfd();
            return Code;
        }

        uint at = cpl == 0 ? Layout.Code + 0x800 : Layout.UserCode;
        EnterBy(code, at, stack, top, flags);
        return CodeAt(wide ? 64 : 32, at);
    }

    /// <summary>To virtual-8086 code at <see cref="Layout.UserCode"/>, in segments that begin with the arena.</summary>
    public void EnterVirtual8086(uint flags)
    {
        const uint VirtualMode = 1 << 17;
        for (int i = 0; i < 4; i++)
            Code.push(Layout.RealSegment); // GS, FS, DS, ES
        EnterBy(Layout.RealSegment, Layout.UserCode - Layout.Arena, Layout.RealSegment, Layout.Stack3 - 0x800 - Layout.Arena, flags | VirtualMode);
    }

    /// <summary>DS and ES of user data, which an IRET to any level keeps.</summary>
    public void LoadUserData()
    {
        Code.mov(eax, Selectors.UserData);
        Code.mov(ds, ax);
        Code.mov(es, ax);
    }

    /// <summary>Ends the building.</summary>
    public Ring0Case Build(string name, Expectation? expected = null)
    {
        var marks = new Dictionary<ulong, string>(_aliases);
        foreach ((Assembler code, uint address, ulong rip) in _codes)
        {
            Label[] labels = [.. _marks.Where(m => m.Code == code).Select(m => m.Label)];
            string[] names = [.. _marks.Where(m => m.Code == code).Select(m => m.Name)];
            byte[] bytes = MachineCode.Assemble(code, rip, labels, out ulong[] places);
            _pokes.Add((address, bytes));
            for (int i = 0; i < places.Length; i++)
                marks.TryAdd(places[i], names[i]);
        }

        return new Ring0Case { Name = name, Mode = _mode, Pokes = _pokes, Marks = marks, Expected = expected };
    }
}
