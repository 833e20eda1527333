using System.Runtime.InteropServices;
using Hv.Contracts.Guests;
using Hv.Core;
using Hv.Core.Hypercalls;
using Hv.Core.Machine;
using Hv.Core.Memory;
using Hv.Core.Paravirt;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Hostile.Kinds;

/// <summary>Random para states and pointers, registered again and again while a second vCPU scribbles over the record and the stub, and
/// called.</summary>
internal sealed class ParaKind : IHostileKind
{
    private const ulong Page = GuestLayout.ParaState, Rom = 0x18_0000;

    public string Name => "para";

    public string Run(IBackend backend, SeededRandom random)
    {
        CodeMode mode = random.Pick(CodeMode.Protected32, CodeMode.Long64);
        var options = new VirtualMachineOptions { VcpuCount = 2, Quantum = 1 + random.Below(20), AllowUserModeHypercalls = random.OneIn(2) };
        using var machine = new HostileMachine(backend, mode, skipFaults: random.OneIn(2), options);
        if (random.OneIn(2))
            machine.Memory.AddSlot(new Gpa(Rom), 0x1000, SlotKind.ReadOnly);
        byte[] record = GuestImage.EncodeParaState();
        if (random.OneIn(2))
            MemoryMarshal.Write(record, (uint)random.Number());
        ulong stub = random.OneIn(3) ? GuestLayout.Stub : Address(random);
        MemoryMarshal.Write(record.AsSpan(16), stub);
        machine.Put(Page, record);

        var code = new GuestCode(mode);
        code.Hypercall((uint)HypercallNumbers.StartVcpu, 1, (uint)GuestLayout.Free, 0);
        code.Wrmsr(GuestCode.ApiMagic, Page);
        code.Hypercall((uint)HypercallNumbers.StartVcpu, 1, (uint)GuestLayout.Free, 0);
        for (int i = 0; i < 8; i++)
        {
            code.Wrmsr(GuestCode.ApiMagic, random.OneIn(3) ? Address(random) : Page);
            code.SetCall(random.Pick(0u, 1u, (uint)HypercallNumbers.ConsoleWrite, (uint)HypercallNumbers.Clock, (uint)random.Number()),
                (uint)random.Number(), (uint)random.Number());
            code.CallStub(stub < GuestLayout.RamSize && random.OneIn(2) ? stub : GuestLayout.Stub);
        }

        code.Done();
        (byte[] bytes, List<(ulong, ulong)> recovery, _) = code.Finish(GuestLayout.Code);
        machine.Put(GuestLayout.Code, bytes);
        machine.Put(ExceptionHandlers.RecoveryTable.Value, ExceptionHandlers.EncodeRecovery(recovery));
        machine.Put(ExceptionHandlers.RecoveryCountAddress.Value, (ulong)recovery.Count);
        machine.Put(GuestLayout.Free, Scribbler(mode, random));
        string outcome = machine.Run();
        machine.Memory.TryRead(new Gpa(Page), out ParaState after);
        string ret = after.Ret switch { 0 => "ret 0", -1 => "ret -1", _ => "ret scribbled" };
        int registered = machine.Machine.Vcpus.Count(v => v.Registration is not null);
        return $"{outcome}; {ret}, {registered} registered";
    }

    /// <summary>The second vCPU: writes to the record, the stub and the first one's code for ever.</summary>
    private static byte[] Scribbler(CodeMode mode, SeededRandom random)
    {
        var code = new GuestCode(mode);
        Iced.Intel.Label loop = code.CreateLabel();
        code.Label(ref loop);
        for (int i = 0; i < 4; i++)
        {
            ulong target = random.Pick(Page + (ulong)random.Below(24), Page + 16, GuestLayout.Stub + (ulong)random.Below(6),
                GuestLayout.Code + (ulong)random.Below(64));
            switch (random.Below(3))
            {
                case 0: code.mov(__dword_ptr[(long)target], (int)random.Number()); break;
                case 1: code.xor(__byte_ptr[(long)target], 1 << random.Below(7)); break;
                default: code.inc(__dword_ptr[(long)target]); break;
            }
        }

        code.jmp(loop);
        return code.Finish(GuestLayout.Free).Bytes;
    }

    /// <summary>An address on one side or the other of what a pointer or a stub may be.</summary>
    private static ulong Address(SeededRandom random) => random.Below(8) switch
    {
        0 => Page + (ulong)random.Below(32),
        1 => GuestLayout.RamSize - (ulong)random.Below(6),
        2 => Rom + (ulong)random.Below(8),
        3 => GuestLayout.Free + 0x1000 - (ulong)random.Below(6),
        4 => GuestLayout.PageTables + (ulong)random.Below(0x8000),
        5 => (ulong)random.Below((int)GuestLayout.RamSize) & ~0xFFFUL,
        6 => GuestLayout.Code + (ulong)random.Below(200),
        _ => random.Number(),
    };
}
