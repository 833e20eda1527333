using Hv.Contracts.Guests;
using Hv.Core.Registers;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Contracts;

/// <summary>A guest that changes its own mode, as every kernel does when it starts: protected mode without paging to 64-bit mode and back (SDM 3A
/// 9.8.5).</summary>
public abstract class ModeSwitchContract(BackendUnderTest subject) : ContractTest(subject)
{
    private const uint Pe = 1, Ne = 1 << 5, Pg = 1U << 31, Pae = 1 << 5, Efer = 0xC000_0080, Lme = 1 << 8;
    private const uint LongModeActive = 1 << 10;
    private const ulong ThirdCode = GuestLayout.SecondCode + 0x800;

    /// <summary>Starts at <see cref="GuestLayout.Code"/> in 32-bit protected mode without paging, IA-32e mode off.</summary>
    private VcpuHarness Begin(uint control, Action<GuestCode> in64)
    {
        GuestImage image = GuestImage.Of(CodeMode.Long64, _ => { });
        image.WithCode(GuestLayout.Code, c =>
        {
            c.mov(eax, Pae);
            c.mov(cr4, eax);
            c.mov(eax, (uint)GuestLayout.PageTables);
            c.mov(cr3, eax);
            c.Wrmsr(Efer, Lme);
            c.mov(eax, control);
            c.mov(cr0, eax);
            c.jmp(Descriptors.KernelCode, (uint)GuestLayout.SecondCode);
        }, CodeMode.Protected32);
        image.WithCode(GuestLayout.SecondCode, in64);
        image.WithCode(ThirdCode, c =>
        {
            c.mov(eax, Pe);
            c.mov(cr0, eax);
            c.mov(eax, cr0);
            c.Store(0, eax);
            c.Rdmsr(Efer);
            c.Store(1, eax);
            c.Done();
        }, CodeMode.Protected32);
        return Start(image.WithState(s =>
        {
            ref SystemRegisters y = ref s.System;
            (y.Cr0, y.Cr3, y.Cr4, y.Efer) = (y.Cr0 & ~(ulong)(Pg | Ne), 0, 0, 0);
            y.Cs.Selector = Descriptors.CompatibilityCode;
            y.Cs.Attributes = 0xC09B;
        }));
    }

    [Theory]
    [InlineData(Pe | Pg)]
    [InlineData(Pe | Pg | Ne)]   // NE and paging in one write, as Xen does
    public void A_kernel_enters_64_bit_mode(uint control)
    {
        using VcpuHarness run = Begin(control, c =>
        {
            c.mov(rax, 0x1122_3344_5566_7788UL);
            c.Store(0, rax);
            c.Rdmsr(Efer);
            c.Store(1, eax);
            c.mov(rax, cr0);
            c.Store(2, rax);
            c.Done();
        });
        run.RunToEnd();
        Assert.Equal(0x1122_3344_5566_7788UL, run.Result(0));
        Assert.Equal(Lme | LongModeActive, run.Result(1) & (Lme | LongModeActive));
        Assert.Equal(control, run.Result(2) & (Pe | Pg | Ne));
    }

    [Fact]
    public void A_kernel_leaves_64_bit_mode_again()
    {
        using VcpuHarness run = Begin(Pe | Pg | Ne, c =>
        {
            c.push(Descriptors.CompatibilityCode);
            c.push((int)ThirdCode);
            c.db(0x48, 0xCB);   // RETFQ
        });
        run.RunToEnd();
        Assert.Equal(Pe, run.Result(0) & (Pe | Pg));
        Assert.Equal(0UL, run.Result(1) & LongModeActive);
    }
}
