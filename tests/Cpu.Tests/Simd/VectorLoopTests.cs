using System.Runtime.Intrinsics;
using static Iced.Intel.AssemblerRegisters;

namespace Hv.Cpu.Tests.Simd;

/// <summary>Long runs of vector instructions, which would exhaust the host's stack if handlers left frames on it.
/// <see cref="PortablePathTests"/> runs them without the host's vector instructions too.</summary>
public sealed class VectorLoopTests : VectorInstructionTest
{
    [Fact]
    public void A_loop_of_vector_instructions_ends_and_every_instruction_counts()
    {
        const ulong Iterations = 50_000;
        Guest.Gpr.Rcx = Iterations;
        Guest.Gpr.Rbx = Guest.Data;
        Ymm(1) = Vector256.Create((byte)1);
        Ymm(2) = Vector256.CreateSequence(0, 1).AsByte();
        Guest.With(a =>
        {
            Iced.Intel.Label again = a.CreateLabel();
            a.Label(ref again);
            a.paddd(xmm0, xmm1);
            a.vpaddd(ymm3, ymm3, ymm1);
            a.vpermd(ymm4, ymm2, ymm3);
            a.vpermq(ymm5, ymm4, 0xE4);
            a.pshufd(xmm6, xmm0, 0xE4);
            a.vmovdqu(__ymmword_ptr[rbx], ymm5);
            a.vpsubd(ymm7, ymm7, __ymmword_ptr[rbx]);
            a.vptest(ymm7, ymm7);
            a.pmovmskb(edx, xmm7);
            a.movq(mm0, rcx);
            a.dec(rcx);
            a.jne(again);
            a.hlt();
        });
        Guest.RunToHalt();
        uint sum = unchecked((uint)Iterations * 0x0101_0101u);
        Assert.Equal(Vector256.Create(sum).AsByte(), Ymm(5));
        Assert.Equal(Vector128.Create(sum), Ymm(6).GetLower().AsUInt32());
        Assert.Equal(12 * Iterations, Guest.Cpu.InstructionsRetired);
    }
}
