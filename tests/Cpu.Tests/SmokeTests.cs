using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Cpu.Tests;

public sealed class SmokeTests
{
    [Theory]
    [InlineData(16)]
    [InlineData(32)]
    [InlineData(64)]
    public void A_loop_adds_up(int bits)
    {
        using Guest guest = Guest.OfBits(bits).With(a =>
        {
            Label top = a.CreateLabel();
            a.mov(eax, 0);
            a.mov(ecx, 1000);
            a.Label(ref top);
            a.add(eax, ecx);
            a.dec(ecx);
            a.jne(top);
            a.hlt();
        });
        guest.RunToHalt();
        Assert.Equal(500500UL, guest.Gpr.Rax);
        Assert.Equal(3002UL, guest.Cpu.InstructionsRetired);
    }

    [Theory]
    [InlineData(16)]
    [InlineData(32)]
    [InlineData(64)]
    public void Calls_and_the_stack(int bits)
    {
        using Guest guest = Guest.OfBits(bits).With(a =>
        {
            Label function = a.CreateLabel();
            a.mov(eax, 1);
            a.call(function);
            a.call(function);
            a.hlt();
            a.Label(ref function);
            if (bits == 64)
                a.push(rax);
            else
                a.push(eax);
            a.add(eax, eax);
            if (bits == 64)
                a.pop(rbx);
            else
                a.pop(ebx);
            a.ret();
        });
        guest.RunToHalt();
        Assert.Equal(4UL, guest.Gpr.Rax);
        Assert.Equal(2UL, guest.Gpr.Rbx);
        Assert.Equal(Guest.Stack, guest.Gpr.Rsp);
    }
}
