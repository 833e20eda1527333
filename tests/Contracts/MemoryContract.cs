using Hv.Contracts.Guests;
using Hv.Core;
using Hv.Core.Exits;
using Hv.Core.Memory;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Contracts;

/// <summary>Guest-physical memory: holes and read-only slots exit, RAM does not, and what the host changes is seen at once.</summary>
public abstract class MemoryContract(BackendUnderTest subject) : ContractTest(subject)
{
    private const ulong Hole = GuestLayout.RamSize, Rom = 0x18_0000;

    [Theory]
    [InlineData(1, 0xF00DUL)]
    [InlineData(2, 0xF00DUL)]
    [InlineData(4, 0xF00DUL)]
    [InlineData(8, 0xF00DUL)]
    public void A_read_of_a_hole_exits_with_address_and_size_and_takes_the_answer(int size, ulong answer)
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c =>
        {
            c.mov(rax, -1);
            switch (size)
            {
                case 1: c.mov(al, __byte_ptr[(long)Hole + 0x10]); break;
                case 2: c.mov(ax, __word_ptr[(long)Hole + 0x10]); break;
                case 4: c.mov(eax, __dword_ptr[(long)Hole + 0x10]); break;
                default: c.mov(rax, __qword_ptr[(long)Hole + 0x10]); break;
            }

            c.Done();
        }));
        Holds(Rules.MemoryExitCarriesValue, () =>
        {
            VmExit exit = run.Expect(ExitReason.MemoryAccess);
            Assert.Equal(new MemoryExit(new Gpa(Hole + 0x10), (byte)size, false, false, 0), exit.Memory);
            run.Complete(ExitCompletion.RetireWith(answer & (size == 8 ? ulong.MaxValue : (1UL << (size * 8)) - 1)));
            run.RunToEnd();
            ulong expected = size switch { 1 => 0xFFFF_FFFF_FFFF_FF0D, 2 => 0xFFFF_FFFF_FFFF_F00D, _ => 0xF00D };
            Assert.Equal(expected, run.Registers.Rax);
        });
    }

    [Theory]
    [MemberData(nameof(Modes.Protected), MemberType = typeof(Modes))]
    public void A_write_to_a_hole_exits_with_the_value(CodeMode mode)
    {
        using VcpuHarness run = Start(GuestImage.Of(mode, c =>
        {
            c.mov(eax, 0x87654321);
            c.mov(__byte_ptr[(long)Hole], al);
            c.mov(__word_ptr[(long)Hole + 2], ax);
            c.mov(__dword_ptr[(long)Hole + 4], eax);
            c.mov(__dword_ptr[(long)Hole + 8], 0x55AA);
            c.Done();
        }));
        Holds(Rules.MemoryExitCarriesValue, () =>
        {
            foreach ((ulong offset, byte size, ulong value) in ((ulong, byte, ulong)[])[(0, 1, 0x21), (2, 2, 0x4321), (4, 4, 0x87654321),
                (8, 4, 0x55AA)])
            {
                Assert.Equal(new MemoryExit(new Gpa(Hole + offset), size, true, false, value), run.Expect(ExitReason.MemoryAccess).Memory);
                run.Complete(ExitCompletion.Retire);
            }

            run.RunToEnd();
        });
    }

    [Fact]
    public void A_read_modify_write_of_a_hole_reads_then_writes()
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c =>
        {
            c.mov(eax, 5);
            c.@lock.add(__dword_ptr[(long)Hole], eax);
            c.Done();
        }));
        Holds(Rules.MemoryExitCarriesValue, () =>
        {
            Assert.Equal(new MemoryExit(new Gpa(Hole), 4, false, false, 0), run.Expect(ExitReason.MemoryAccess).Memory);
            run.Complete(ExitCompletion.RetireWith(0xFFFFFFFE));
            Assert.Equal(new MemoryExit(new Gpa(Hole), 4, true, false, 3), run.Expect(ExitReason.MemoryAccess).Memory);
            run.Complete(ExitCompletion.Retire);
            run.RunToEnd();
            Assert.Equal(1UL, run.Registers.Rflags & 1); // the carry of FFFFFFFE + 5
        });
    }

    [Fact]
    public void An_access_across_pages_exits_once_per_page()
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c =>
        {
            c.mov(rax, __qword_ptr[(long)Hole + 0xFFD]);
            c.mov(__qword_ptr[(long)Hole + 0xFFD], rax);
            c.Done();
        }));
        Holds(Rules.MemoryExitCarriesValue, () =>
        {
            Assert.Equal(new MemoryExit(new Gpa(Hole + 0xFFD), 3, false, false, 0), run.Expect(ExitReason.MemoryAccess).Memory);
            run.Complete(ExitCompletion.RetireWith(0x332211));
            Assert.Equal(new MemoryExit(new Gpa(Hole + 0x1000), 5, false, false, 0), run.Expect(ExitReason.MemoryAccess).Memory);
            run.Complete(ExitCompletion.RetireWith(0x88_7766_5544));
            Assert.Equal(new MemoryExit(new Gpa(Hole + 0xFFD), 3, true, false, 0x332211), run.Expect(ExitReason.MemoryAccess).Memory);
            run.Complete(ExitCompletion.Retire);
            Assert.Equal(new MemoryExit(new Gpa(Hole + 0x1000), 5, true, false, 0x88_7766_5544), run.Expect(ExitReason.MemoryAccess).Memory);
            run.Complete(ExitCompletion.Retire);
            run.RunToEnd();
            Assert.Equal(0x88_7766_5544_3322_11UL, run.Registers.Rax);
        });
    }

    [Fact]
    public void An_access_half_in_ram_exits_for_the_half_in_the_hole()
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c =>
        {
            c.mov(rax, __qword_ptr[(long)Hole - 4]);
            c.Done();
        }).With(Hole - 4, 1, 2, 3, 4));
        Holds(Rules.MemoryExitCarriesValue, () =>
        {
            Assert.Equal(new MemoryExit(new Gpa(Hole), 4, false, false, 0), run.Expect(ExitReason.MemoryAccess).Memory);
            run.Complete(ExitCompletion.RetireWith(0x08070605));
            run.RunToEnd();
            Assert.Equal(0x0807060504030201UL, run.Registers.Rax);
        });
    }

    [Fact]
    public void String_instructions_exit_once_per_element_in_a_hole()
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c =>
        {
            c.mov(edi, (int)Hole);
            c.mov(esi, (int)GuestLayout.Free);
            c.mov(ecx, 2);
            c.rep.movsd();
            c.Done();
        }).With(GuestLayout.Free, 0x2222_2222_1111_1111));
        Holds(Rules.MemoryExitCarriesValue, () =>
        {
            Assert.Equal(new MemoryExit(new Gpa(Hole), 4, true, false, 0x11111111), run.Expect(ExitReason.MemoryAccess).Memory);
            run.Complete(ExitCompletion.Retire);
            Assert.Equal(new MemoryExit(new Gpa(Hole + 4), 4, true, false, 0x22222222), run.Expect(ExitReason.MemoryAccess).Memory);
            run.Complete(ExitCompletion.Retire);
            run.RunToEnd();
            Assert.Equal((0UL, Hole + 8, GuestLayout.Free + 8), (run.Registers.Rcx, run.Registers.Rdi, run.Registers.Rsi));
        });
    }

    [Theory]
    [MemberData(nameof(Modes.Protected), MemberType = typeof(Modes))]
    public void A_fetch_from_a_hole_exits_and_can_be_refused(CodeMode mode)
    {
        using VcpuHarness run = Start(GuestImage.Of(mode, c =>
        {
            c.GuardAt(Hole + 0x20, () => c.jmp(Hole + 0x20));
            c.Done();
        }), BackendCapabilities.GuestExceptions);
        VmExit exit = run.Expect(ExitReason.MemoryAccess);
        Assert.True(exit.Memory.IsFetch);
        Assert.Equal((Hole + 0x20, Hole + 0x20), (exit.Memory.Address.Value, exit.Rip));
        run.Complete(ExitCompletion.GeneralProtection);
        run.RunToEnd();
        Assert.Equal((13, Hole + 0x20), (Assert.Single(run.Exceptions).Vector, run.Exceptions[0].Rip));
    }

    [Fact]
    public void A_read_only_slot_is_read_and_run_but_a_write_exits_and_changes_nothing()
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c =>
        {
            c.call(Rom);
            c.mov(ebx, __dword_ptr[(long)Rom + 0x100]);
            c.mov(__dword_ptr[(long)Rom + 0x100], eax);
            c.Done();
        }).WithSlot(Rom, 0x1000, SlotKind.ReadOnly).With(Rom, 0xB8, 0x34, 0x12, 0, 0, 0xC3).With(Rom + 0x100, 0xCC, 0xDD, 0xEE, 0xFF));
        Holds(Rules.MemoryExitCarriesValue, () =>
        {
            Assert.Equal(new MemoryExit(new Gpa(Rom + 0x100), 4, true, false, 0x1234), run.Expect(ExitReason.MemoryAccess).Memory);
            run.Complete(ExitCompletion.Retire);
            run.RunToEnd();
            Assert.Equal(0xFFEEDDCCUL, run.Registers.Rbx);
            Assert.Equal(0xFFEEDDCC, run.Read<uint>(Rom + 0x100));
        });
    }

    [Fact]
    public void A_refused_access_to_a_hole_faults_in_the_guest()
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c =>
        {
            c.mov(eax, 7);
            c.Guard(() => c.mov(eax, __dword_ptr[(long)Hole]));
            c.Done();
        }), BackendCapabilities.GuestExceptions);
        VmExit exit = run.Expect(ExitReason.MemoryAccess);
        run.Complete(ExitCompletion.GeneralProtection);
        run.RunToEnd();
        Assert.Equal((13, exit.Rip, 7UL), (Assert.Single(run.Exceptions).Vector, run.Exceptions[0].Rip, run.Registers.Rax));
    }

    [Fact]
    public void A_slot_that_is_added_or_removed_counts_at_once()
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c =>
        {
            for (int i = 0; i < 3; i++)
            {
                c.mov(eax, __dword_ptr[(long)Hole + 0x40]);
                c.@out(0x10, eax);
            }

            c.Done();
        }));
        MemorySlot slot = run.Memory.AddSlot(new Gpa(Hole), 0x1000, SlotKind.Ram);
        run.Memory.TryWrite(new Gpa(Hole + 0x40), 0x600DU);
        Assert.Equal(0x600Du, run.Expect(ExitReason.PortIo).PortIo.Value);
        run.Complete(ExitCompletion.Retire);
        run.Memory.RemoveSlot(slot);
        Assert.Equal(Hole + 0x40, run.Expect(ExitReason.MemoryAccess).Memory.Address.Value);
        run.Complete(ExitCompletion.RetireWith(0xBAD));
        Assert.Equal(0xBADu, run.Expect(ExitReason.PortIo).PortIo.Value);
        run.Complete(ExitCompletion.Retire);
        run.Memory.AddSlot(new Gpa(Hole), 0x1000, SlotKind.Ram);
        Assert.Equal(0u, run.Expect(ExitReason.PortIo).PortIo.Value);
        run.Complete(ExitCompletion.Retire);
        run.RunToEnd();
    }

    [Theory]
    [MemberData(nameof(Modes.All), MemberType = typeof(Modes))]
    public void Code_that_the_guest_changes_runs_changed_even_the_next_instruction(CodeMode mode)
    {
        const ulong Patched = GuestLayout.SecondCode;
        using VcpuHarness run = Start(GuestImage.Of(mode, c =>
        {
            c.call(Patched);
            c.Store(0, ebx);
            c.mov(__byte_ptr[(long)Patched + (mode.Bits() == 16 ? 2 : 1)], 0x22);
            c.call(Patched);
            c.Store(1, ebx);
            c.Done();
        }).WithCode(Patched, c =>
        {
            c.mov(ebx, 0x11);
            c.ret();
        }));
        run.RunToEnd();
        Assert.Equal((0x11UL, 0x22UL), (run.Result(0), run.Result(1)));
    }

    [Fact]
    public void Code_that_the_host_changes_runs_changed()
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Long64, c =>
        {
            c.call(GuestLayout.SecondCode);
            c.@out(0x10, al);
            c.call(GuestLayout.SecondCode);
            c.Done();
        }).WithCode(GuestLayout.SecondCode, c =>
        {
            c.mov(eax, 0x11);
            c.ret();
        }));
        Assert.Equal(0x11u, run.Expect(ExitReason.PortIo).PortIo.Value);
        run.Complete(ExitCompletion.Retire);
        run.Memory.TryWrite(new Gpa(GuestLayout.SecondCode + 1), 0x99U);
        run.RunToEnd();
        Assert.Equal(0x99UL, run.Registers.Rax);
    }

    [Fact]
    public void The_dirty_log_names_each_written_page_once_and_starts_anew()
    {
        using VcpuHarness run = Start(GuestImage.Of(CodeMode.Protected32, c =>
        {
            c.mov(eax, __dword_ptr[0x50000]);
            c.mov(__dword_ptr[0x60000], eax);
            c.mov(__dword_ptr[0x60004], eax);
            c.mov(__dword_ptr[0x70FFE], eax); // across two pages
            c.@out(0x10, al);
            c.mov(__dword_ptr[0x60008], eax);
            c.Done();
        }));
        MemorySlot slot = run.Memory.Slots[0];
        var bitmap = new ulong[slot.Size / Gpa.PageSize / 64];
        run.Memory.CollectDirty(slot, bitmap);
        run.Expect(ExitReason.PortIo);
        run.Memory.CollectDirty(slot, bitmap);
        Assert.Equal([0x60, 0x70, 0x71], Pages(bitmap));
        run.Complete(ExitCompletion.Retire);
        run.RunToEnd();
        run.Memory.CollectDirty(slot, bitmap);
        Assert.Equal([0x60], Pages(bitmap));
    }

    private static IEnumerable<int> Pages(ulong[] bitmap) =>
        Enumerable.Range(0, bitmap.Length * 64).Where(n => (bitmap[n / 64] >> (n % 64) & 1) != 0);
}
