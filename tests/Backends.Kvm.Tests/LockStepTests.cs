using Hv.Backends.Emulated;
using Hv.Contracts;
using Hv.Contracts.Guests;
using Hv.Core;
using Hv.Core.Exits;
using Hv.Core.Memory;
using Hv.Core.Registers;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Backends.Kvm.Tests;

/// <summary>
/// The same guest on /dev/kvm and on the software processor, exit by exit: neutral exits, registers, system state and all memory must agree. At CPL 3 this holds
/// our processor against real silicon, at CPL 0 against that or the kernel's emulator.
/// </summary>
public class LockStepTests
{
    private const ulong Hole = GuestLayout.RamSize, AuxiliaryCarry = 1 << 4, Resume = 1 << 16;
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
        Compare(kvm, backend => Image(mode, backend, s_bodies[guest]));
    }

    [Fact]
    public void A_hole_is_read_and_written_alike()
    {
        KvmBackend kvm = Device.Require(BackendCapabilities.Long64);
        Compare(kvm, backend => Image(CodeMode.Long64, backend, c =>
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
        Compare(kvm, backend => Image(CodeMode.Long64, backend, c =>
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
        Compare(kvm, backend => Image(CodeMode.Long64, backend, c => c.EnterUser()).WithCode(GuestLayout.SecondCode, c =>
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

    private static void Compare(KvmBackend kvm, Func<IBackend, GuestImage> image)
    {
        var software = new EmulatedBackend();
        using var left = new VcpuHarness(kvm, image(kvm));
        using var right = new VcpuHarness(software, image(software));
        for (int exits = 0; exits < MostExits; exits++)
        {
            VmExit a = left.Run(), b = right.Run();
            Assert.SkipWhen(a.Reason == ExitReason.InternalError && left.Vcpu.LastFailure!.Contains("cannot emulate", StringComparison.Ordinal),
                left.Vcpu.LastFailure ?? "");
            Assert.True(a.Reason == b.Reason, $"exit {exits}: Kvm {a.Reason} at {a.Rip:x} ({left.Vcpu.LastFailure}), Emulated {b.Reason} at {b.Rip:x}");
            SamePayload(in a, in b);
            Assert.Equal((b.Mode, b.Cpl), (a.Mode, a.Cpl));
            // Elements of a string are batched by the kernel's emulator, and a write to a hole has been executed when it exits: registers and memory agree again at
            // the next exit. An OUT has been stepped over and changes nothing else.
            bool element = b.Reason == ExitReason.PortIo && b.PortIo.IsString;
            if (!element && !(a.Reason == ExitReason.MemoryAccess && a.Memory.IsWrite))
            {
                SameRegisters(left.Registers, right.Registers, withRip: !(a.Reason == ExitReason.PortIo && a.PortIo.IsWrite));
                SameMemory(left.Memory, right.Memory);
            }

            if (a.Reason == ExitReason.Halt)
            {
                SameSystem(left.Save().System, right.Save().System);
                Assert.Equal(right.Exceptions, left.Exceptions);
                return;
            }

            bool wants = a.Reason is ExitReason.Hypercall or ExitReason.MsrRead || (a.Reason == ExitReason.PortIo && !a.PortIo.IsWrite)
                || (a.Reason == ExitReason.MemoryAccess && !a.Memory.IsWrite);
            ExitCompletion answer = wants ? ExitCompletion.RetireWith(0x31UL + (ulong)exits) : ExitCompletion.Retire;
            left.Complete(answer);
            right.Complete(answer);
        }

        Assert.Fail($"the guest had not ended after {MostExits} exits");
    }

    private static void SamePayload(in VmExit a, in VmExit b)
    {
        switch (a.Reason)
        {
            case ExitReason.PortIo:
                Assert.Equal(b.PortIo with { IsString = a.PortIo.IsString }, a.PortIo);
                break;
            case ExitReason.MemoryAccess:
                Assert.Equal(b.Memory, a.Memory);
                break;
            case ExitReason.MsrRead or ExitReason.MsrWrite:
                Assert.Equal(b.Msr, a.Msr);
                break;
        }
    }

    private static void SameRegisters(GeneralRegisters a, GeneralRegisters b, bool withRip)
    {
        for (int i = 0; i < 16; i++)
            Assert.True(a[i] == b[i], $"register {i}: Kvm {a[i]:x}, Emulated {b[i]:x}, at RIP {a.Rip:x}");
        const ulong Ignored = AuxiliaryCarry | Resume;
        Assert.True((a.Rflags & ~Ignored) == (b.Rflags & ~Ignored), $"RFLAGS: Kvm {a.Rflags:x}, Emulated {b.Rflags:x}, at RIP {a.Rip:x}");
        if (withRip)
            Assert.Equal(b.Rip, a.Rip);
    }

    private static void SameMemory(GuestMemory a, GuestMemory b)
    {
        byte[] left = new byte[GuestLayout.RamSize], right = new byte[GuestLayout.RamSize];
        Assert.True(a.TryRead(new Gpa(0), left));
        Assert.True(b.TryRead(new Gpa(0), right));
        // The stub holds each backend's own exit instruction.
        left.AsSpan((int)GuestLayout.Stub, 8).Clear();
        right.AsSpan((int)GuestLayout.Stub, 8).Clear();
        int at = left.AsSpan().CommonPrefixLength(right);
        Assert.True(at == left.Length, at == left.Length ? "" : $"memory at {at:x}: Kvm {left[at]:x}, Emulated {right[at]:x}");
    }

    private static void SameSystem(in SystemRegisters a, in SystemRegisters b)
    {
        Assert.Equal((b.Cr0, b.Cr2, b.Cr3, b.Cr4, b.Efer), (a.Cr0, a.Cr2, a.Cr3, a.Cr4, a.Efer));
        Assert.Equal((b.Cs.Selector, b.Cs.Base, b.Ss.Selector, b.Ds.Selector, b.Es.Selector), (a.Cs.Selector, a.Cs.Base, a.Ss.Selector, a.Ds.Selector, a.Es.Selector));
        Assert.Equal((b.Gdtr.Base, b.Gdtr.Limit, b.Idtr.Base, b.Idtr.Limit), (a.Gdtr.Base, a.Gdtr.Limit, a.Idtr.Base, a.Idtr.Limit));
        Assert.Equal((b.Cpl, b.Activity), (a.Cpl, a.Activity));
    }
}
