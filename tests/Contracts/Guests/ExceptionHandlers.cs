using System.Buffers.Binary;
using Hv.Core;
using Hv.Core.Memory;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Contracts.Guests;

/// <summary>One delivered exception or interrupt, as the guest's handler saw it.</summary>
public readonly record struct ExceptionRecord(byte Vector, uint ErrorCode, ulong Rip, ushort Cs, ulong Rflags, ulong Rsp, ulong Cr2);

/// <summary>
/// The handlers of a contract guest. Each writes a record to the log at <see cref="GuestLayout.Log"/> and changes no register. If RIP is in the
/// recovery table it goes on at the address beside it; else traps and interrupts return, and faults end the guest with CLI, HLT.
/// </summary>
public static class ExceptionHandlers
{
    /// <summary>Vectors that push an error code (SDM 3A 6.15): #DF, #TS, #NP, #SS, #GP, #PF, #AC, #CP.</summary>
    public const uint ErrorCodeVectors = 1 << 8 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 17 | 1 << 21;

    private const int MaxRecords = 28, RecordSize = 64;
    private const long Count = (long)GuestLayout.Log, RecoveryCount = Count + 8, Records = Count + 0x100, Recovery = Count + 0x800;

    /// <summary>Reads the log.</summary>
    public static IReadOnlyList<ExceptionRecord> ReadLog(GuestMemory memory)
    {
        memory.TryRead(new Gpa(GuestLayout.Log), out ulong count);
        var records = new List<ExceptionRecord>();
        byte[] record = new byte[RecordSize];
        for (ulong i = 0; i < Math.Min(count, MaxRecords); i++)
        {
            memory.TryRead(new Gpa((ulong)Records + i * RecordSize), record);
            ulong Word(int n) => BinaryPrimitives.ReadUInt64LittleEndian(record.AsSpan(n * 8));
            records.Add(new ExceptionRecord((byte)Word(0), (uint)Word(1), Word(2), (ushort)Word(3), Word(4), Word(5), Word(6)));
        }

        return records;
    }

    /// <summary>The recovery table's bytes: it is at <see cref="RecoveryTable"/>, its count at <see cref="RecoveryCountAddress"/>.</summary>
    public static byte[] EncodeRecovery(IReadOnlyCollection<(ulong Fault, ulong Resume)> entries)
    {
        byte[] bytes = new byte[entries.Count * 16];
        int at = 0;
        foreach ((ulong fault, ulong resume) in entries)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(at), fault);
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(at + 8), resume);
            at += 16;
        }

        return bytes;
    }

    public static Gpa RecoveryTable => new((ulong)Recovery);

    public static Gpa RecoveryCountAddress => new((ulong)RecoveryCount);

    /// <summary>Assembles the handlers.</summary>
    /// <returns>The code, for <see cref="GuestLayout.Handlers"/>, and the entry of each vector.</returns>
    public static (byte[] Code, ulong[] Entries) Assemble(CodeMode mode)
    {
        var c = new Assembler(mode.Bits());
        var entries = new Label[GuestLayout.Vectors];
        Label common = c.CreateLabel();
        for (int vector = 0; vector < entries.Length; vector++)
        {
            entries[vector] = c.CreateLabel();
            c.Label(ref entries[vector]);
            if (mode != CodeMode.Real16 && (vector >= 32 || (ErrorCodeVectors >> vector & 1) == 0))
                c.push(0);
            c.push(vector);
            c.jmp(common);
        }

        c.Label(ref common);
        switch (mode.Bits())
        {
            case 16: Common16(c); break;
            case 32: Common32(c); break;
            default: Common64(c); break;
        }

        using var stream = new MemoryStream();
        AssemblerResult result = c.Assemble(new StreamCodeWriter(stream), GuestLayout.Handlers, BlockEncoderOptions.ReturnNewInstructionOffsets);
        return (stream.ToArray(), [.. entries.Select(e => result.GetLabelRIP(e))]);
    }

    private static void Common64(Assembler c)
    {
        Label full = c.CreateLabel(), search = c.CreateLabel(), found = c.CreateLabel(), unknown = c.CreateLabel(), leave = c.CreateLabel();
        c.push(rax);
        c.push(rbx);
        c.push(rcx);
        c.push(rdx);
        c.mov(rbx, __qword_ptr[Count]);
        c.cmp(rbx, MaxRecords);
        c.jae(full);
        c.shl(rbx, 6);
        c.add(rbx, (int)Records);
        foreach ((int from, int to) in ((int, int)[])[(32, 0), (40, 8), (48, 16), (56, 24), (64, 32), (72, 40), (80, 56)])
        {
            c.mov(rax, __qword_ptr[rsp + from]);
            c.mov(__qword_ptr[rbx + to], rax);
        }

        c.mov(rax, cr2);
        c.mov(__qword_ptr[rbx + 48], rax);
        c.inc(__qword_ptr[Count]);
        c.Label(ref full);
        c.mov(rcx, __qword_ptr[RecoveryCount]);
        c.mov(ebx, (int)Recovery);
        c.mov(rax, __qword_ptr[rsp + 48]);
        c.Label(ref search);
        c.test(rcx, rcx);
        c.jz(unknown);
        c.cmp(rax, __qword_ptr[rbx]);
        c.je(found);
        c.add(rbx, 16);
        c.dec(rcx);
        c.jmp(search);
        c.Label(ref found);
        c.mov(rax, __qword_ptr[rbx + 8]);
        c.mov(__qword_ptr[rsp + 48], rax);
        c.jmp(leave);
        c.Label(ref unknown);
        c.mov(rax, __qword_ptr[rsp + 32]);
        LeaveForTraps(c, leave, n => c.cmp(rax, n));
        c.Label(ref leave);
        c.pop(rdx);
        c.pop(rcx);
        c.pop(rbx);
        c.pop(rax);
        c.add(rsp, 16);
        c.iretq();
    }

    private static void Common32(Assembler c)
    {
        Label full = c.CreateLabel(), same = c.CreateLabel(), stored = c.CreateLabel(), search = c.CreateLabel(), found = c.CreateLabel(),
            unknown = c.CreateLabel(), leave = c.CreateLabel();
        c.push(eax);
        c.push(ebx);
        c.push(ecx);
        c.push(edx);
        c.push(ds);
        c.mov(eax, Descriptors.KernelData);
        c.mov(ds, eax);
        c.mov(ebx, __dword_ptr[Count]);
        c.cmp(ebx, MaxRecords);
        c.jae(full);
        c.shl(ebx, 6);
        c.add(ebx, (int)Records);
        foreach ((int from, int to) in ((int, int)[])[(20, 0), (24, 8), (28, 16), (32, 24), (36, 32)])
        {
            c.mov(eax, __dword_ptr[esp + from]);
            c.mov(__dword_ptr[ebx + to], eax);
        }

        // The frame holds ESP only when the privilege level changed (SDM 3A 6.12.1).
        c.test(__dword_ptr[esp + 36], 1 << 17);
        c.jnz(same);
        c.test(__dword_ptr[esp + 32], 3);
        c.jnz(same);
        c.lea(eax, __dword_ptr[esp + 40]);
        c.mov(__dword_ptr[ebx + 40], eax);
        c.jmp(stored);
        c.Label(ref same);
        c.mov(eax, __dword_ptr[esp + 40]);
        c.mov(__dword_ptr[ebx + 40], eax);
        c.Label(ref stored);
        c.mov(eax, cr2);
        c.mov(__dword_ptr[ebx + 48], eax);
        c.inc(__dword_ptr[Count]);
        c.Label(ref full);
        c.mov(ecx, __dword_ptr[RecoveryCount]);
        c.mov(ebx, (int)Recovery);
        c.mov(eax, __dword_ptr[esp + 28]);
        c.Label(ref search);
        c.test(ecx, ecx);
        c.jz(unknown);
        c.cmp(eax, __dword_ptr[ebx]);
        c.je(found);
        c.add(ebx, 16);
        c.dec(ecx);
        c.jmp(search);
        c.Label(ref found);
        c.mov(eax, __dword_ptr[ebx + 8]);
        c.mov(__dword_ptr[esp + 28], eax);
        c.jmp(leave);
        c.Label(ref unknown);
        c.mov(eax, __dword_ptr[esp + 20]);
        LeaveForTraps(c, leave, n => c.cmp(eax, n));
        c.Label(ref leave);
        c.pop(ds);
        c.pop(edx);
        c.pop(ecx);
        c.pop(ebx);
        c.pop(eax);
        c.add(esp, 8);
        c.iretd();
    }

    private static void Common16(Assembler c)
    {
        Label full = c.CreateLabel(), search = c.CreateLabel(), found = c.CreateLabel(), unknown = c.CreateLabel(), leave = c.CreateLabel();
        c.push(bp);
        c.mov(bp, sp);
        c.push(ax);
        c.push(bx);
        c.push(cx);
        c.push(ds);
        c.xor(ax, ax);
        c.mov(ds, ax);
        c.mov(bx, __word_ptr[Count]);
        c.cmp(bx, MaxRecords);
        c.jae(full);
        c.shl(bx, 6);
        c.add(bx, (int)Records);
        foreach ((int from, int to) in ((int, int)[])[(2, 0), (4, 16), (6, 24), (8, 32)])
        {
            c.mov(ax, __word_ptr[bp + from]);
            c.mov(__word_ptr[bx + to], ax);
        }

        c.lea(ax, __word_ptr[bp + 10]);
        c.mov(__word_ptr[bx + 40], ax);
        c.inc(__word_ptr[Count]);
        c.Label(ref full);
        c.mov(cx, __word_ptr[RecoveryCount]);
        c.mov(bx, (int)Recovery);
        c.mov(ax, __word_ptr[bp + 4]);
        c.Label(ref search);
        c.test(cx, cx);
        c.jz(unknown);
        c.cmp(ax, __word_ptr[bx]);
        c.je(found);
        c.add(bx, 16);
        c.dec(cx);
        c.jmp(search);
        c.Label(ref found);
        c.mov(ax, __word_ptr[bx + 8]);
        c.mov(__word_ptr[bp + 4], ax);
        c.jmp(leave);
        c.Label(ref unknown);
        c.mov(ax, __word_ptr[bp + 2]);
        LeaveForTraps(c, leave, n => c.cmp(ax, (short)n));
        c.Label(ref leave);
        c.pop(ds);
        c.pop(cx);
        c.pop(bx);
        c.pop(ax);
        c.pop(bp);
        c.add(sp, 2);
        c.iret();
    }

    private static void LeaveForTraps(Assembler c, Label leave, Action<int> compare)
    {
        foreach (int trap in (int[])[1, 3, 4])
        {
            compare(trap);
            c.je(leave);
        }

        compare(32);
        c.jae(leave);
        Label dead = c.CreateLabel();
        c.Label(ref dead);
        c.cli();
        c.hlt();
        c.jmp(dead);
    }
}
