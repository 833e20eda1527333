using System.Buffers.Binary;
using Hv.Core;
using Hv.Core.Memory;
using Hv.Core.Registers;
using Iced.Intel;

namespace Hv.Contracts.Guests;

/// <summary>
/// A contract guest: code, descriptor tables, page tables, handlers, stub, and the state to start it in. Written once and run by every backend.
/// </summary>
public sealed class GuestImage
{
    private readonly List<(Gpa Address, byte[] Bytes)> _content = [];
    private readonly List<(ulong Fault, ulong Resume)> _recovery = [];
    private readonly List<Action<VcpuState>> _adjustments = [];
    private readonly List<Action<GuestMemory>> _slots = [];

    private GuestImage(CodeMode mode)
    {
        Mode = mode;
        if (mode is CodeMode.Paged32 or CodeMode.Pae32 or CodeMode.Long64)
            Tables = new PageTables(mode).MapIdentity(0, 2 * GuestLayout.RamSize);
        AddTables();
        AddStub(GuestLayout.Stub);
    }

    public CodeMode Mode { get; }

    /// <summary>The page tables, where the mode has them: the first 2 MiB mapped to themselves, readable, writable and executable at every
    /// privilege.</summary>
    public PageTables? Tables { get; }

    /// <summary>Bytes of RAM at 0.</summary>
    public ulong RamSize { get; private set; } = GuestLayout.RamSize;

    /// <summary>A guest that starts with <paramref name="program"/>.</summary>
    public static GuestImage Of(CodeMode mode, Action<GuestCode> program) => new GuestImage(mode).WithCode(GuestLayout.Code, program);

    /// <summary>Adds code at another address, in the guest's own or another code size.</summary>
    public GuestImage WithCode(ulong address, Action<GuestCode> program, CodeMode? mode = null)
    {
        var code = new GuestCode(mode ?? Mode);
        program(code);
        (byte[] bytes, List<(ulong, ulong)> recovery, _) = code.Finish(address);
        _recovery.AddRange(recovery);
        return With(address, bytes);
    }

    /// <summary>Adds bytes.</summary>
    public GuestImage With(ulong address, params byte[] bytes)
    {
        _content.Add((new Gpa(address), bytes));
        return this;
    }

    /// <summary>Adds a 64-bit value.</summary>
    public GuestImage With(ulong address, ulong value)
    {
        byte[] bytes = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        return With(address, bytes);
    }

    /// <summary>Adds a para state record as a guest of 2007 fills it: versions, size, <c>ret</c> preset to -1.</summary>
    public GuestImage WithParaState(ulong address = GuestLayout.ParaState, ulong hypercall = GuestLayout.Stub, uint guestVersion = 1,
        uint size = 4096) =>
        With(address, EncodeParaState(hypercall, guestVersion, size));

    /// <summary>The bytes of a para state record; host_version and ret are -1, so that a host that does not write them is seen.</summary>
    public static byte[] EncodeParaState(ulong hypercall = GuestLayout.Stub, uint guestVersion = 1, uint size = 4096)
    {
        byte[] record = new byte[24];
        BinaryPrimitives.WriteUInt32LittleEndian(record, guestVersion);
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(4), 0xFFFFFFFF);
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(8), size);
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(12), 0xFFFFFFFF);
        BinaryPrimitives.WriteUInt64LittleEndian(record.AsSpan(16), hypercall);
        return record;
    }

    /// <summary>The stub as the guest of 2007 has it before it registers: MOV EAX, -38; RET. In 16-bit code the operand-size prefix is
    /// added.</summary>
    public GuestImage AddStub(ulong address) => With(address, Mode == CodeMode.Real16 ? [0x66, .. UnpatchedStub] : UnpatchedStub);

    /// <summary>MOV EAX, -38 (-ENOSYS); RET.</summary>
    public static byte[] UnpatchedStub => [0xB8, 0xDA, 0xFF, 0xFF, 0xFF, 0xC3];

    /// <summary>Changes the state that vCPU 0 starts in.</summary>
    public GuestImage WithState(Action<VcpuState> adjust)
    {
        _adjustments.Add(adjust);
        return this;
    }

    /// <summary>Adds a memory slot.</summary>
    public GuestImage WithSlot(ulong start, ulong size, SlotKind kind)
    {
        _slots.Add(m => m.AddSlot(new Gpa(start), size, kind));
        return this;
    }

    /// <summary>Ends RAM at another address.</summary>
    public GuestImage WithRam(ulong size)
    {
        RamSize = size;
        return this;
    }

    /// <summary>Makes the guest's memory, with everything in it.</summary>
    public GuestMemory CreateMemory()
    {
        GuestMemory memory = GuestMemory.OfSize(RamSize);
        foreach (Action<GuestMemory> add in _slots)
            add(memory);
        if (Tables is not null)
        {
            foreach ((Gpa address, byte[] bytes) in Tables.Pages)
                Load(memory, address, bytes);
        }

        foreach ((Gpa address, byte[] bytes) in _content)
            Load(memory, address, bytes);
        Load(memory, ExceptionHandlers.RecoveryTable, ExceptionHandlers.EncodeRecovery(_recovery));
        memory.TryWrite(ExceptionHandlers.RecoveryCountAddress, (ulong)_recovery.Count);
        return memory;
    }

    /// <summary>Puts the state to start in into <paramref name="state"/>, which was saved from a vCPU at reset.</summary>
    public void ApplyEntry(VcpuState state)
    {
        Descriptors.Enter(Mode, Tables?.Root ?? 0, state);
        foreach (Action<VcpuState> adjust in _adjustments)
            adjust(state);
    }

    private static void Load(GuestMemory memory, Gpa address, byte[] bytes)
    {
        if (!memory.TryLoad(address, bytes))
            throw new InvalidOperationException($"the contract guest's bytes at {address} lie outside its memory");
    }

    private void AddTables()
    {
        (byte[] code, ulong[] entries) = ExceptionHandlers.Assemble(Mode);
        With(GuestLayout.Handlers, code);
        if (Mode == CodeMode.Real16)
        {
            for (int vector = 0; vector < entries.Length; vector++)
            {
                byte[] pointer = new byte[4];
                BinaryPrimitives.WriteUInt16LittleEndian(pointer, (ushort)entries[vector]);
                With((ulong)vector * 4, pointer);
            }

            return;
        }

        ulong at = GuestLayout.Gdt;
        foreach (ulong descriptor in Descriptors.Table(Mode))
        {
            With(at, descriptor);
            at += 8;
        }

        for (int vector = 0; vector < entries.Length; vector++)
            AddGate(vector, entries[vector]);
        byte[] tss = new byte[Descriptors.TssLimit + 1];
        if (Mode == CodeMode.Long64)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(tss.AsSpan(4), GuestLayout.InterruptStackTop);
        }
        else
        {
            BinaryPrimitives.WriteUInt32LittleEndian(tss.AsSpan(4), (uint)GuestLayout.InterruptStackTop);
            BinaryPrimitives.WriteUInt32LittleEndian(tss.AsSpan(8), Descriptors.KernelData);
        }

        BinaryPrimitives.WriteUInt16LittleEndian(tss.AsSpan(102), 104);
        tss.AsSpan(104).Fill(0xFF); // no port is open to CPL 3
        With(GuestLayout.Tss, tss);
    }

    /// <summary>An interrupt gate (SDM 3A 6.11 and 6.14.1); INT3, INTO and vectors from 48 on may be called at CPL 3.</summary>
    private void AddGate(int vector, ulong entry)
    {
        ulong access = vector is 3 or 4 or >= 48 ? 0xEEUL : 0x8EUL;
        ulong low = (entry & 0xFFFF) | ((ulong)Descriptors.KernelCode << 16) | (access << 40) | ((entry >> 16 & 0xFFFF) << 48);
        if (Mode == CodeMode.Long64)
            With(GuestLayout.Idt + (ulong)vector * 16, low).With(GuestLayout.Idt + (ulong)vector * 16 + 8, entry >> 32);
        else
            With(GuestLayout.Idt + (ulong)vector * 8, low);
    }
}
