using System.Runtime.Intrinsics;
using Hv.Cpu.State;

namespace Hv.Cpu.Tests.Simd;

/// <summary>The predicates of VCMPSD and CMPSD, by the manuals' table (SDM 2A CMPPD, table 3-1).</summary>
public sealed class ComparePredicateTests
{
    /// <summary>For predicates 0 to 15: greater, less, equal, unordered, and whether a quiet NaN raises invalid; the last is the other way round for
    /// those from 16 on.</summary>
    private static readonly string[] s_table =
    [
        "FFTF-", "FTFFS", "FTTFS", "FFFT-", "TTFT-", "TFTTS", "TFFTS", "TTTF-",
        "FFTT-", "FTFTS", "FTTTS", "FFFF-", "TTFF-", "TFTFS", "TFFFS", "TTTT-",
    ];

    /// <summary>Bits above the predicate are ignored.</summary>
    public static TheoryData<int, bool> Predicates()
    {
        var data = new TheoryData<int, bool>();
        for (int predicate = 0; predicate < 40; predicate++)
        {
            data.Add(predicate, true);
            data.Add(predicate, false);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Predicates))]
    public void Predicates_are_the_manuals(int predicate, bool vex)
    {
        (double A, double B)[] relations = [(2, 1), (1, 2), (1, 1), (double.NaN, 1)];
        using Guest guest = VectorGuest.Create();
        ref CpuState s = ref guest.Cpu.State;
        for (int relation = 0; relation < relations.Length; relation++)
        {
            s.Fpu.Vectors[0] = s.Fpu.Vectors[1] = Vector256.Create(relations[relation].A).AsByte();
            s.Fpu.Vectors[2] = Vector256.Create(relations[relation].B).AsByte();
            s.Fpu.Mxcsr = FpuState.MxcsrDefault;
            ReadOnlySpan<byte> code = vex ? [0xC5, 0xF3, 0xC2, 0xC2, (byte)predicate] : [0xF2, 0x0F, 0xC2, 0xC2, (byte)predicate];
            Assert.Equal(RunResult.Budget, guest.Execute(1, code));
            string row = s_table[predicate & (vex ? 15 : 7)];
            Assert.Equal(row[relation] == 'T' ? ulong.MaxValue : 0, s.Fpu.Vectors[0].AsUInt64()[0]);
            bool signals = row[4] == 'S' != (vex && (predicate & 16) != 0);
            Assert.Equal(FpuState.MxcsrDefault | (relation == 3 && signals ? 1u : 0), s.Fpu.Mxcsr);
        }
    }
}
