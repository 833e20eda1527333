using Hv.Backends.Kvm.Tests.LockStep;
using Hv.Contracts;
using Hv.Contracts.Guests;
using Hv.Core;
using Hv.Core.Exits;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Backends.Kvm.Tests;

/// <summary>
/// More guests in lock-step than the contracts have (<see cref="LockStepBackend"/>): every kind of exit in every mode, and arithmetic at random.
/// At CPL 3 this holds our processor against real silicon, at CPL 0 against that or the kernel's emulator.
/// </summary>
public class LockStepTests
{
    private const ulong Hole = GuestLayout.RamSize;
    private const int MostExits = 200;

    public static TheoryData<CodeMode, string> Guests => new(
        from mode in new[] { CodeMode.Real16, CodeMode.Protected32, CodeMode.Paged32, CodeMode.Pae32, CodeMode.Long64 }
        from guest in s_bodies.Keys
        select new TheoryDataRow<CodeMode, string>(mode, guest));

    private static readonly Dictionary<string, Action<GuestCode>> s_bodies = new()
    {
        ["ports"] = c =>
        {
            c.mov(eax, 0x89ABCDEF);
            c.@out(0x10, al);
            c.@out(0x10, eax);
            c.@in(al, 0x71);
            c.@in(ax, 0x71);
            c.@in(eax, 0x71);
            c.mov(dx, 0x3F8);
            c.@out(dx, ax);
        },
        ["string ports"] = c =>
        {
            c.mov(edi, (int)GuestLayout.Results);
            c.mov(ecx, 3);
            c.mov(dx, 0x300);
            c.rep.insw();
            c.mov(esi, (int)GuestLayout.Results);
            c.mov(ecx, 3);
            c.rep.outsb();
        },
        ["registers of the model"] = c =>
        {
            c.Wrmsr(GuestCode.ApiMagic, 0x1234_5678_9ABC_DEF0);
            c.Rdmsr(GuestCode.ApiMagic);
            c.Store(0, eax);
            c.Store(1, edx);
        },
        ["hypercalls"] = c =>
        {
            for (uint i = 0; i < 5; i++)
            {
                c.Hypercall(i, 0x11 * i, 0x22);
                c.Store((int)i, eax);
            }
        },
        ["strings"] = c =>
        {
            c.mov(edi, (int)GuestLayout.Results);
            c.mov(eax, 0x5A5A1234);
            c.mov(ecx, 20);
            c.cld();
            c.rep.stosd();
            c.mov(esi, (int)GuestLayout.Results);
            c.mov(edi, (int)GuestLayout.Results + 0x40);
            c.mov(ecx, 13);
            c.rep.movsb();
            c.mov(ecx, 40);
            c.mov(esi, (int)GuestLayout.Results);
            c.mov(edi, (int)GuestLayout.Results + 1);
            c.repe.cmpsb();
            c.@out(0x10, al);
        },
        ["arithmetic"] = c => Arithmetic(c, new Random(4711), 300),
    };

    [Theory]
    [MemberData(nameof(Guests))]
    public void Kvm_and_the_software_processor_agree_at_each_exit(CodeMode mode, string guest)
    {
        KvmBackend kvm = Device.Require(mode.Needs());
        RunOnBoth(kvm, Image(mode, kvm, s_bodies[guest]));
    }

    [Fact]
    public void A_hole_is_read_and_written_alike()
    {
        KvmBackend kvm = Device.Require(BackendCapabilities.Long64);
        RunOnBoth(kvm, Image(CodeMode.Long64, kvm, c =>
        {
            c.mov(ebx, (int)Hole);
            c.mov(eax, __dword_ptr[rbx + 8]);
            c.mov(__word_ptr[rbx + 2], ax);
            c.add(__dword_ptr[rbx + 16], eax);
            c.movzx(ecx, __byte_ptr[rbx + 1]);
            c.@lock.xadd(__dword_ptr[rbx + 4], ecx);
        }));
    }

    [Fact]
    public void Faults_are_delivered_alike()
    {
        KvmBackend kvm = Device.Require(BackendCapabilities.Long64 | BackendCapabilities.Long64Exceptions);
        RunOnBoth(kvm, Image(CodeMode.Long64, kvm, c =>
        {
            c.Guard(c.ud2);
            c.xor(ecx, ecx);
            c.Guard(() => c.div(ecx));
            c.mov(rax, 0x8000_0000_0000_0000);
            c.Guard(() => c.mov(rbx, __qword_ptr[rax]));
            c.mov(eax, 0xFFF8);
            c.Guard(() => c.mov(es, eax));
            c.@out(0x10, al);
        }));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void User_code_runs_as_on_silicon(int seed)
    {
        KvmBackend kvm = Device.Require(BackendCapabilities.Long64 | BackendCapabilities.UserMode | BackendCapabilities.Long64Exceptions);
        RunOnBoth(kvm, Image(CodeMode.Long64, kvm, c => c.EnterUser()).WithCode(GuestLayout.SecondCode, c =>
        {
            Arithmetic(c, new Random(seed), 400);
            c.hlt(); // #GP: the handler notes it and ends the guest
        }));
    }

    private static GuestImage Image(CodeMode mode, IBackend backend, Action<GuestCode> body) => GuestImage.Of(mode, c =>
    {
        body(c);
        c.Done();
    }).With(GuestLayout.Stub, MachineHarness.StubOf(backend));

    /// <summary>Instructions whose results are defined to the last flag but AF, on registers and on memory.</summary>
    private static void Arithmetic(GuestCode c, Random random, int count)
    {
        Iced.Intel.AssemblerRegister32[] registers = [eax, ebx, ecx, edx, esi, edi, ebp];
        for (int i = 0; i < count; i++)
        {
            Iced.Intel.AssemblerRegister32 a = registers[random.Next(registers.Length)], b = registers[random.Next(registers.Length)];
            var memory = __dword_ptr[(long)GuestLayout.Results + random.Next(60) * 4];
            switch (random.Next(16))
            {
                case 0: c.mov(a, random.Next()); break;
                case 1: c.add(a, b); break;
                case 2: c.sub(a, b); break;
                case 3: c.adc(a, b); break;
                case 4: c.sbb(a, b); break;
                case 5: c.and(a, b); break;
                case 6: c.or(a, b); break;
                case 7: c.xor(a, b); break;
                case 8: c.inc(a); break;
                case 9: c.neg(a); break;
                case 10: c.not(a); break;
                case 11: c.xchg(a, b); break;
                case 12: c.add(memory, a); break;
                case 13: c.mov(a, memory); break;
                case 14: c.rol(a, 1); break;
                default: c.cmp(a, memory); break;
            }
        }
    }

    private static void RunOnBoth(KvmBackend kvm, GuestImage image)
    {
        using var run = new VcpuHarness(new LockStepBackend(kvm, Subject.HypercallPort), image) { HostCannot = Subject.LockStep.HostCannot };
        for (int exits = 0; exits < MostExits; exits++)
        {
            VmExit exit = run.Run();
            if (exit.Reason == ExitReason.Halt)
                return;
            bool wants = exit.Reason is ExitReason.Hypercall or ExitReason.MsrRead || (exit.Reason == ExitReason.PortIo && !exit.PortIo.IsWrite)
                || (exit.Reason == ExitReason.MemoryAccess && !exit.Memory.IsWrite);
            run.Complete(wants ? ExitCompletion.RetireWith(0x31UL + (ulong)exits) : ExitCompletion.Retire);
        }

        Assert.Fail($"the guest had not ended after {MostExits} exits");
    }
}
