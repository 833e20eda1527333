using System.Globalization;

namespace Hv.Conformance.Oracle;

/// <summary>
/// Asks which software interrupts something below the kernel takes for itself. INT n of a vector that is closed to programs is #GP at the instruction
/// with the error code 8n + 2 (SDM 3A 6.12.1.2, 6.13); under one hypervisor INT 17h, 19h and 1Bh were other faults, and INT 1Ah answered as CPUID does.
/// </summary>
public static class InterruptProbe
{
    private const uint General = 13, Offset = 0x400, ErrorPerVector = 8, ErrorOfTable = 2;
    private const ulong Flags = 0x202, Stack = OracleMap.Window + 0x80;

    // INT n, then UD2: an interrupt that comes back must not run on.
    private static readonly byte[] _after = [0x0F, 0x0B];
    private static readonly Lazy<IReadOnlyList<byte>> _diverted = new(Run);

    /// <summary>The vectors that Linux opens to programs: #BP, #OF and system calls of 32-bit programs.</summary>
    public static IReadOnlyList<byte> Open { get; } = [3, 4, 0x80];

    /// <summary>The vectors beside <see cref="Open"/> that do not behave, ascending; found once, by trying each on a worker of its own.</summary>
    /// <exception cref="OracleFailedException">More interrupts never end than workers may die.</exception>
    public static IReadOnlyList<byte> Diverted => _diverted.Value;

    /// <summary>What is left out for that, and why, in one line; null where there is nothing.</summary>
    public static string? WhyNot(IReadOnlyList<byte> diverted) => diverted.Count == 0 ? null
        : $"INT {string.Join(", ", diverted.Select(v => v.ToString("X2", CultureInfo.InvariantCulture) + "h"))}: they are not the #GP of a vector that is " +
            "closed to programs (SDM 3A 6.12.1.2), so something below the kernel takes them";

    private static IReadOnlyList<byte> Run()
    {
        using var oracle = new NativeOracle();
        return Try(oracle, vector => [0xCD, vector]);
    }

    /// <summary>Tries each vector.</summary>
    /// <param name="oracle">A worker that may be lost: an interrupt that never ends costs one.</param>
    /// <param name="interrupt">The code that stands for INT of a vector, of at most 16 bytes.</param>
    public static IReadOnlyList<byte> Try(NativeOracle oracle, Func<byte, byte[]> interrupt)
    {
        var diverted = new List<byte>();
        for (int vector = 0; vector <= byte.MaxValue; vector++)
        {
            if (Open.Contains((byte)vector))
                continue;
            byte[] code = interrupt((byte)vector);
            code.CopyTo(oracle.Code[(int)Offset..]);
            _after.CopyTo(oracle.Code[((int)Offset + code.Length)..]);
            ref CaseRecord input = ref oracle.Inputs[0];
            input = default;
            input.Registers[4] = Stack;
            input.Rflags = Flags;
            input.Rip = OracleMap.Code + Offset;
            oracle.Start(1);
            oracle.Wait();
            ref readonly CaseRecord output = ref oracle.Outputs[0];
            if (output.Vector != General || output.ErrorCode != (uint)vector * ErrorPerVector + ErrorOfTable || output.Rip != input.Rip)
                diverted.Add((byte)vector);
        }

        return diverted;
    }
}
