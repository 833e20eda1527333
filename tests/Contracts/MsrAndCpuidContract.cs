using Hv.Contracts.Guests;
using Hv.Core;
using Hv.Core.Cpuid;
using Hv.Core.Exits;
using Hv.Core.Machine;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Contracts;

/// <summary>RDMSR, WRMSR and CPUID (SDM 2B RDMSR; 2D WRMSR; 2A CPUID): registers that the backend does not keep reach the host, whatever their
/// index.</summary>
public abstract class MsrAndCpuidContract(BackendUnderTest subject) : ContractTest(subject)
{
    /// <summary>Indices on both sides of the ranges that a vendor's MSR bitmap covers (SDM 3C 25.6.9; APM 2 15.11).</summary>
    public static TheoryData<uint> UnknownIndices => [0x87655678, 0x4B564D00, 0x40000000, 0x1FFF, 0x2000, 0xC0001FFF, 0xC0002000, 0xFFFFFFFF];

    [Theory]
    [MemberData(nameof(UnknownIndices))]
    public void Rdmsr_of_an_unknown_register_exits_and_takes_the_answer(uint index)
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c =>
        {
            c.mov(rax, -1);
            c.mov(rdx, -1);
            c.Rdmsr(index);
            c.Done();
        }));
        VmExit exit = run.Expect(ExitReason.MsrRead);
        Assert.Equal(index, exit.Msr.Index);
        Assert.Equal(2, exit.InstructionLength);
        run.Complete(ExitCompletion.RetireWith(0x1122334455667788));
        run.RunToEnd();
        Assert.Equal((0x55667788UL, 0x11223344UL, (ulong)index), (run.Registers.Rax, run.Registers.Rdx, run.Registers.Rcx));
    }

    [Theory]
    [MemberData(nameof(UnknownIndices))]
    public void Wrmsr_of_an_unknown_register_exits_with_edx_eax(uint index)
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c =>
        {
            c.mov(rcx, 0x7777_7777_0000_0000 | index); // the upper halves of all three are ignored
            c.mov(rax, 0x5555_5555_89AB_CDEF);
            c.mov(rdx, 0x6666_6666_0123_4567);
            c.wrmsr();
            c.Done();
        }));
        VmExit exit = run.Expect(ExitReason.MsrWrite);
        Assert.Equal(new MsrExit(index, 0x0123456789ABCDEF), exit.Msr);
        run.Complete(ExitCompletion.Retire);
        run.RunToEnd();
        Assert.Equal((0x5555_5555_89AB_CDEFUL, 0x6666_6666_0123_4567UL), (run.Registers.Rax, run.Registers.Rdx));
    }

    /// <summary>RDMSR of 10H reads what RDTSC reads (SDM 3B 18.17): between two RDTSCs in a run it is between their values.</summary>
    [Fact]
    public void Rdmsr_of_the_time_stamp_counter_agrees_with_rdtsc()
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c =>
        {
            for (int i = 0; i < 100; i++)
                c.nop();
            c.rdtsc();
            c.shl(rdx, 32);
            c.lea(rsi, __[rdx + rax]);
            c.Rdmsr(0x10);
            c.shl(rdx, 32);
            c.lea(rdi, __[rdx + rax]);
            c.rdtsc();
            c.shl(rdx, 32);
            c.add(rax, rdx);
            // Compared by the guest: the values differ from run to run where the counter is a real one.
            c.cmp(rsi, rdi);
            c.setb(cl);
            c.cmp(rdi, rax);
            c.setb(dl);
            c.movzx(esi, cl);
            c.movzx(edi, dl);
            c.xor(ecx, ecx);
            c.xor(edx, edx);
            c.xor(eax, eax);
            c.Done();
        }));
        run.RunToEnd();
        Assert.Equal((1UL, 1UL), (run.Registers.Rsi, run.Registers.Rdi));
    }

    [Theory]
    [MemberData(nameof(Modes.Sizes), MemberType = typeof(Modes))]
    public void Msr_accesses_exit_in_each_mode_and_a_refusal_is_gp(CodeMode mode)
    {
        using VcpuHarness run = Start(GuestImage.Of(mode, c =>
        {
            c.Rdmsr(GuestCode.ApiMagic);
            c.Wrmsr(GuestCode.ApiMagic, 0x8000);
            c.Done();
        }), BackendCapabilities.GuestExceptions);
        ulong read = run.Expect(ExitReason.MsrRead).Rip;
        run.Complete(ExitCompletion.GeneralProtection);
        VmExit write = run.Expect(ExitReason.MsrWrite);
        Assert.Equal(0x8000UL, write.Msr.Value);
        run.Complete(ExitCompletion.GeneralProtection);
        run.RunToEnd();
        Assert.Equal([(13, 0u, read), (13, 0u, write.Rip)], run.Exceptions.Select(e => ((int)e.Vector, e.ErrorCode, e.Rip)));
    }

    [Theory]
    [MemberData(nameof(Modes.Protected), MemberType = typeof(Modes))]
    public void At_cpl_3_rdmsr_and_wrmsr_are_gp_without_exit(CodeMode mode)
    {
        using VcpuHarness run = Start(GuestImage.Of(mode, c => c.EnterUser()).WithCode(GuestLayout.SecondCode, c =>
        {
            c.Rdmsr(GuestCode.ApiMagic);
            c.Wrmsr(GuestCode.ApiMagic, 0);
            c.hlt();
        }, mode), BackendCapabilities.UserMode | BackendCapabilities.GuestExceptions);
        run.RunToEnd();
        Assert.Equal([13, 13, 13], run.Exceptions.Select(e => (int)e.Vector));
    }

    [Fact]
    public void The_processors_own_registers_keep_what_is_written()
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c =>
        {
            c.Wrmsr(0xC0000102, 0x12345678_9ABCD000); // KERNEL_GS_BASE: non-canonical, refused
            c.Wrmsr(0xC0000102, 0x00001234_9ABCD000);
            c.xor(eax, eax);
            c.xor(edx, edx);
            c.Rdmsr(0xC0000102);
            c.Store(0, eax);
            c.Store(1, edx);
            c.Wrmsr(0x174, 0x8); // SYSENTER_CS
            c.xor(eax, eax);
            c.Rdmsr(0x174);
            c.Store(2, eax);
            c.Done();
        }), BackendCapabilities.GuestExceptions);
        run.RunToEnd();
        Assert.Equal((0x9ABCD000UL, 0x1234UL, 8UL), (run.Result(0), run.Result(1), run.Result(2)));
        Assert.Equal((13, 0u), (Assert.Single(run.Exceptions).Vector, run.Exceptions[0].ErrorCode));
        Assert.Equal(0x00001234_9ABCD000UL, run.Save().System.KernelGsBase);
    }

    [Theory]
    [MemberData(nameof(Modes.Sizes), MemberType = typeof(Modes))]
    public void Cpuid_exits_with_leaf_and_subleaf(CodeMode mode)
    {
        using VcpuHarness run = Start(GuestImage.Of(mode, c =>
        {
            c.mov(eax, 0x40000001);
            c.mov(ecx, 7);
            c.cpuid();
            c.Done();
        }));
        Holds(Rules.CpuidExits, () =>
        {
            VmExit exit = run.Expect(ExitReason.Cpuid);
            Assert.Equal(new CpuidExit(0x40000001, 7), exit.Cpuid);
            Assert.Equal(2, exit.InstructionLength);
            run.Registers.Rax = 1;
            run.Registers.Rbx = 2;
            run.Registers.Rcx = 3;
            run.Registers.Rdx = 4;
            run.Complete(ExitCompletion.Retire);
            run.RunToEnd();
            Assert.Equal((1UL, 2UL, 3UL, 4UL), (run.Registers.Rax, run.Registers.Rbx, run.Registers.Rcx, run.Registers.Rdx));
        });
    }

    [Fact]
    public void A_guest_finds_the_machines_table_and_nothing_beyond_it()
    {
        CpuidTable table = CpuidTables.Level1;
        using MachineHarness run = Boot(GuestImage.Of(CodeMode.Long64, c =>
        {
            int slot = 0;
            foreach (uint leaf in (uint[])[0, 1, 7])
            {
                c.mov(eax, leaf);
                c.xor(ecx, ecx);
                c.cpuid();
                c.Store(slot++, ebx);
                c.Store(slot++, ecx);
                c.Store(slot++, edx);
            }

            c.Done();
        }), new VirtualMachineOptions { Cpuid = table });
        run.RunToEnd();
        CpuidResult name = table.Query(0, 0), first = table.Query(1, 0), seventh = table.Query(7, 0);
        Assert.Equal((name.Ebx, name.Ecx, name.Edx), ((uint)run.Result(0), (uint)run.Result(1), (uint)run.Result(2)));
        Holds(Rules.CpuidKeepsToTheTable, () =>
        {
            Assert.Equal(0u, (uint)run.Result(4) & ~first.Ecx);
            Assert.Equal(0u, (uint)run.Result(5) & ~first.Edx);
            Assert.Equal(0u, (uint)run.Result(6) & ~seventh.Ebx);
            Assert.Equal(0u, (uint)run.Result(7) & ~seventh.Ecx);
        });
    }

    [Fact]
    public void Cpuid_exits_at_cpl_3()
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c => c.EnterUser()).WithCode(GuestLayout.SecondCode, c =>
        {
            c.mov(eax, 1);
            c.cpuid();
            c.hlt();
        }), BackendCapabilities.UserMode | BackendCapabilities.GuestExceptions);
        Holds(Rules.CpuidExits, () =>
        {
            VmExit exit = run.Expect(ExitReason.Cpuid);
            Assert.Equal(3, exit.Cpl);
            run.Complete(ExitCompletion.Retire);
            run.RunToEnd();
        });
    }
}
