using Hv.Contracts.Guests;
using Hv.Core;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Hostile.Kinds;

/// <summary>Random reads and writes of model-specific registers, followed by a little ordinary code that must still work or fault.</summary>
internal sealed class MsrKind : IHostileKind
{
    private const int Accesses = 24;

    /// <summary>Registers that do something: APIC base, PAT, MTRRs, SYSENTER, EFER and its family, TSC, debug control, the 2007 register,
    /// VM_HSAVE_PA, VM_CR.</summary>
    private static readonly uint[] Known =
    [
        0x10, 0x1B, 0x3A, 0x8B, 0xE7, 0xFE, 0x174, 0x175, 0x176, 0x179, 0x1A0, 0x1D9, 0x200, 0x201, 0x250, 0x268, 0x277, 0x2FF, 0x480, 0x48B, 0x600,
        0x802, 0xDA0, 0x87655678,
        0x40000000, 0x40000001, 0x4B564D00, 0x4B564D01, 0xC0000080, 0xC0000081, 0xC0000082, 0xC0000083, 0xC0000084, 0xC0000100, 0xC0000101,
        0xC0000102, 0xC0000103, 0xC0010015, 0xC0010114,
        0xC0010117,
    ];

    public string Name => "msr";

    public string Run(IBackend backend, SeededRandom random)
    {
        CodeMode mode = random.Pick(CodeMode.Real16, CodeMode.Protected32, CodeMode.Paged32, CodeMode.Pae32, CodeMode.Long64, CodeMode.Long64);
        using var machine = new HostileMachine(backend, mode, skipFaults: false);
        var code = new GuestCode(mode);
        for (int i = 0; i < Accesses; i++)
        {
            uint index = random.OneIn(4) ? (uint)random.Number() : random.Pick<uint>(Known) + (uint)(random.OneIn(6) ? random.Below(5) - 2 : 0);
            if (random.OneIn(3))
                code.Rdmsr(index);
            else
                code.Wrmsr(index, random.Number());
            code.inc(__dword_ptr[(long)GuestLayout.Results]);
            code.mov(ebx, __dword_ptr[(long)GuestLayout.Results]);
        }

        code.Done();
        (byte[] bytes, List<(ulong, ulong)> recovery, _) = code.Finish(GuestLayout.Code);
        machine.Put(GuestLayout.Code, bytes);
        machine.Put(ExceptionHandlers.RecoveryTable.Value, ExceptionHandlers.EncodeRecovery(recovery));
        machine.Put(ExceptionHandlers.RecoveryCountAddress.Value, (ulong)recovery.Count);
        string outcome = machine.Run();
        int faults = Math.Min(ExceptionHandlers.ReadLog(machine.Memory).Count, Accesses);
        return $"{outcome}; {faults / 4 * 4}.. of {Accesses} refused";
    }
}
