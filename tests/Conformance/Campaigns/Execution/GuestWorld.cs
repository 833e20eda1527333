using Hv.Conformance.Oracle;
using Hv.Core;
using Hv.Core.Memory;
using Hv.Core.Registers;

namespace Hv.Conformance.Campaigns.Execution;

/// <summary>
/// The guest that stands opposite the worker process: the same pages at the same linear addresses with the same permissions, the descriptor table
/// that Linux
/// gives a process, ring 3.
/// </summary>
public static class GuestWorld
{
    public const ulong MemorySize = 1 << 20;

    // Guest-physical layout. The data pages are out of order, so that an access across them must translate twice.
    public const ulong CodePages = 0x1_0000, WritableCodePages = 0x2_0000, FirstDataPage = 0x3_1000, SecondDataPage = 0x3_0000,
        ReadOnlyPage = 0x3_2000;
    private const ulong Pml4 = 0x1000, Pdpt = 0x2000, Directory = 0x3000, Tables = 0x4000, HighPdpt = 0x8000, HighDirectory = 0x9000,
        HighTable = 0xA000;
    private const ulong DescriptorPage = 0xB000, DescriptorAddress = 0xFFFF_FFFF_FF00_0000;
    private const int LdtOffset = 0x800, TssOffset = 0xC00;
    private const ulong Present = 1, Writable = 2, User = 4, NoExecute = 1UL << 63;

    // Linux arch/x86/kernel/cpu/common.c, gdt_page: the user segments; the kernel's own are out of reach at CPL 3.
    private const ulong UserCode32 = 0x00CF_FB00_0000_FFFF, UserData = 0x00CF_F300_0000_FFFF, UserCode64 = 0x00AF_FB00_0000_FFFF;
    private const ulong KernelCode32 = 0x00CF_9B00_0000_FFFF, KernelCode64 = 0x00AF_9B00_0000_FFFF, KernelData = 0x00CF_9300_0000_FFFF;
    private const ulong Tss = 0x0000_8B00_0000_0067, Ldt = 0x0000_8200_0000_001F;
    private const ulong CpuNumber = 0x0040_F500_0000_0000;   // limit 0 on processor 0; nothing compared reads it
    private const uint Code64Attributes = 0xA0FB, Code32Attributes = 0xC0FB, DataAttributes = 0xC0F3, Code16Attributes = 0x00FB,
        Data16Attributes = 0x00F3;

    /// <summary>Builds memory with page tables and the descriptors that the oracle's machine has.</summary>
    public static GuestMemory BuildMemory(OracleCapabilities machine)
    {
        GuestMemory memory = GuestMemory.OfSize(MemorySize);
        const ulong Table = Present | Writable | User;
        Put(memory, Pml4, Pdpt | Table);
        Put(memory, Pdpt, Directory | Table);
        MapRange(memory, 0, OracleMap.Code, CodePages, OracleMap.CodeSize, Present | User);
        MapRange(memory, 1, OracleMap.WritableCode, WritableCodePages, OracleMap.WritableCodeSize, Present | User | Writable);
        MapRange(memory, 2, OracleMap.Data, FirstDataPage, OracleMap.PageSize, Present | User | Writable | NoExecute);
        MapRange(memory, 2, OracleMap.Data + OracleMap.PageSize, SecondDataPage, OracleMap.PageSize, Present | User | Writable | NoExecute);
        MapRange(memory, 3, OracleMap.ReadOnly, ReadOnlyPage, OracleMap.ReadOnlySize, Present | User | NoExecute);

        Put(memory, Pml4 + 511 * 8, HighPdpt | Present | Writable);
        Put(memory, HighPdpt + 511 * 8, HighDirectory | Present | Writable);
        Put(memory, HighDirectory + (DescriptorAddress >> 21 & 511) * 8, HighTable | Present | Writable);
        Put(memory, HighTable + (DescriptorAddress >> 12 & 511) * 8, DescriptorPage | Present | Writable | NoExecute);
        Put(memory, DescriptorPage + 1 * 8, KernelCode32);
        Put(memory, DescriptorPage + 2 * 8, KernelCode64);
        Put(memory, DescriptorPage + 3 * 8, KernelData);
        if (machine.NoCode32 is null)
            Put(memory, DescriptorPage + 4 * 8, UserCode32);
        Put(memory, DescriptorPage + 5 * 8, UserData);
        Put(memory, DescriptorPage + 6 * 8, UserCode64);
        Put(memory, DescriptorPage + 15 * 8, CpuNumber);
        PutSystem(memory, 8, Tss, DescriptorAddress + TssOffset);
        PutSystem(memory, 10, Ldt, DescriptorAddress + LdtOffset);
        if (machine.NoCode16 is null)
        {
            Put(memory, DescriptorPage + LdtOffset, Segment16(OracleMap.Code, Code16Attributes));
            Put(memory, DescriptorPage + LdtOffset + 8, Segment16(OracleMap.Data, Data16Attributes));
        }

        if (machine.NoLocalData is null)
        {
            Put(memory, DescriptorPage + LdtOffset + 16, UserData);
            Put(memory, DescriptorPage + LdtOffset + 24, UserData);
        }

        byte[] readOnly = new byte[OracleMap.ReadOnlySize];
        for (int i = 0; i < readOnly.Length; i++)
            readOnly[i] = OracleMap.ReadOnlyByte(i);
        memory.TryWrite(new Gpa(ReadOnlyPage), readOnly);
        return memory;
    }

    /// <summary>The system registers of a Linux process.</summary>
    public static void SetSystem(ref SystemRegisters sys, OracleCapabilities machine)
    {
        sys.Cr0 = 0x8005_0033;             // PG AM WP NE ET MP PE, as the worker's kernel sets them
        sys.Cr3 = Pml4;
        sys.Cr4 = 0x5_06A0;                // PAE PGE OSFXSR OSXMMEXCPT FSGSBASE OSXSAVE
        sys.Xcr0 = 7;                      // x87, SSE and AVX
        sys.Efer = 0xD01;                  // SCE LME LMA NXE
        sys.Cpl = 3;
        sys.Gdtr = new TableRegister { Base = DescriptorAddress, Limit = 0x7F };
        sys.Idtr = new TableRegister { Base = DescriptorAddress + TssOffset, Limit = 0 };
        sys.Ldtr = machine.HasLdt
            ? new SegmentRegister { Base = DescriptorAddress + LdtOffset, Limit = 0x1F, Attributes = 0x82, Selector = 0x50 }
            : new SegmentRegister { Attributes = SegmentRegister.UnusableBit };
        sys.Tr = new SegmentRegister { Base = DescriptorAddress + TssOffset, Limit = 0x67, Attributes = 0x8B, Selector = 0x40 };
        sys.Fs = new SegmentRegister { Base = OracleMap.FsBase, Attributes = SegmentRegister.UnusableBit };
        sys.Gs = new SegmentRegister { Base = OracleMap.GsBase, Attributes = SegmentRegister.UnusableBit };
    }

    /// <summary>Loads CS, SS, DS and ES with the worker's selectors.</summary>
    public static void SetSegments(ref SystemRegisters sys, ushort code, OracleCapabilities machine)
    {
        bool is16 = code == OracleMap.Code16;
        sys.Cs = is16 ? new SegmentRegister { Base = OracleMap.Code, Limit = 0xFFFF, Attributes = Code16Attributes, Selector = code }
            : new SegmentRegister
            {
                Limit = uint.MaxValue,
                Attributes = code == OracleMap.Code64 ? Code64Attributes : Code32Attributes,
                Selector = code
            };
        sys.Ss = is16 ? new SegmentRegister { Base = OracleMap.Data, Limit = 0xFFFF, Attributes = Data16Attributes, Selector = OracleMap.Data16 }
            : new SegmentRegister { Limit = uint.MaxValue, Attributes = DataAttributes, Selector = OracleMap.Data32 };
        sys.Ds = sys.Es = sys.Ss;
        if (is16 || machine.NoLocalData is not null)
            return;
        sys.Ds.Selector = OracleMap.Other32;
        sys.Es.Selector = OracleMap.Extra32;
    }

    private static ulong Segment16(uint segmentBase, uint attributes) =>
        0xFFFF | ((ulong)(segmentBase & 0xFF_FFFF) << 16) | ((ulong)attributes << 40) | ((ulong)(segmentBase >> 24) << 56);

    private static void PutSystem(GuestMemory memory, int index, ulong low, ulong address)
    {
        Put(memory, DescriptorPage + (ulong)index * 8, low | ((address & 0xFF_FFFF) << 16) | ((address >> 24 & 0xFF) << 56));
        Put(memory, DescriptorPage + (ulong)index * 8 + 8, address >> 32);
    }

    private static void MapRange(GuestMemory memory, int table, ulong linear, ulong physical, int size, ulong bits)
    {
        ulong page = Tables + (ulong)table * 0x1000;
        Put(memory, Directory + (linear >> 21 & 511) * 8, page | Present | Writable | User);
        for (ulong at = 0; at < (ulong)size; at += OracleMap.PageSize)
            Put(memory, page + ((linear + at) >> 12 & 511) * 8, (physical + at) | bits);
    }

    private static void Put(GuestMemory memory, ulong address, ulong value) => memory.TryWrite(new Gpa(address), value);
}
