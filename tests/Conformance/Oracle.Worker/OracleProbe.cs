namespace Hv.Conformance.Oracle;

/// <summary>
/// The oracle's self-test and its question what this machine can run, both asked of the worker. LAR shows what a program's descriptors are and never
/// faults (SDM 2A LAR); then a NOP runs in each kind of code, the way cases are entered.
/// </summary>
internal static class OracleProbe
{
    private const int Stride = 64;
    private const ulong Flags = 0x202, ZeroFlag = 0x40;

    // What LAR gives, in the places of a descriptor's second half: present, code or data, code, D, L (SDM 3A 3.4.5).
    private const ulong Present = 0x8000, NotSystem = 0x1000, IsCode = 0x800, Big = 0x40_0000, Long = 0x20_0000;
    private static readonly (ushort Selector, ulong Kind)[] _wanted =
    [
        (OracleMap.Code64, IsCode | Long), (OracleMap.Data32, Big), (OracleMap.Code32, IsCode | Big), (OracleMap.Code16, IsCode),
        (OracleMap.Data16, 0), (OracleMap.Extra32, Big), (OracleMap.Other32, Big),
    ];

    /// <summary>Runs both.</summary>
    /// <exception cref="OracleFailedException">Not even 64-bit code runs.</exception>
    public static OracleCapabilities Run(NativeOracle oracle)
    {
        HashSet<ushort> missing = MissingSelectors(oracle);
        if (missing.Contains(OracleMap.Code64) || missing.Contains(OracleMap.Data32))
            throw Failed(oracle, "finds no segments at the selectors 33h and 2Bh, which Linux gives every program");
        const string NoLdt = "modify_ldt(2) brings no descriptors that the processor sees";
        var found = new OracleCapabilities
        {
            NoCode32 = missing.Contains(OracleMap.Code32) ? "the kernel has no 32-bit code segment (selector 23h), being without IA-32 emulation" : null,
            NoCode16 = missing.Contains(OracleMap.Code16) || missing.Contains(OracleMap.Data16) ? $"{NoLdt} (selectors 07h, 0Fh)" : null,
            NoLocalData = missing.Contains(OracleMap.Extra32) || missing.Contains(OracleMap.Other32) ? $"{NoLdt} (selectors 17h, 1Fh)" : null,
        };
        if (!Enters(oracle, found, 64))
            throw Failed(oracle, "does not run a NOP of 64-bit code that IRETQ enters");
        found = found with
        {
            NoCode32 = found.NoCode32 ?? (Enters(oracle, found, 32) ? null : "the worker dies when it enters it"),
            NoCode16 = found.NoCode16 ?? (Enters(oracle, found, 16) ? null : "the worker dies when it enters it"),
        };
        // A case may read the code pages, and hv's are empty.
        oracle.Code.Clear();
        return found;
    }

    private static HashSet<ushort> MissingSelectors(NativeOracle oracle)
    {
        ReadOnlySpan<byte> lar = [0x0F, 0x02, 0xC1];   // LAR EAX, ECX
        lar.CopyTo(oracle.Code);
        NativeOracle.WriteEnd(oracle.Code[lar.Length..], OracleMap.Code + (uint)lar.Length, 64);
        for (int i = 0; i < _wanted.Length; i++)
        {
            ref CaseRecord input = ref Prepare(oracle, i, OracleMap.Code);
            input.Registers[1] = _wanted[i].Selector;
            // Once with x87, SSE and AVX state: loading and storing that is tested too.
            input.HasExtended = i == 0 ? 1u : 0;
        }

        oracle.Start(_wanted.Length);
        oracle.Wait();
        var missing = new HashSet<ushort>();
        for (int i = 0; i < _wanted.Length; i++)
        {
            ref readonly CaseRecord output = ref oracle.Outputs[i];
            if (output.Vector != Outcome.Completed)
                throw Failed(oracle, "does not run LAR in 64-bit code");
            const ulong Mask = Present | NotSystem | IsCode | Big | Long;
            if ((output.Rflags & ZeroFlag) == 0 || (output.Registers[0] & Mask) != (Present | NotSystem | _wanted[i].Kind))
                missing.Add(_wanted[i].Selector);
        }

        return missing;
    }

    /// <summary>Whether a NOP of a code width completes.</summary>
    private static bool Enters(NativeOracle oracle, OracleCapabilities found, int bits)
    {
        oracle.Code[Stride] = 0x90;
        NativeOracle.WriteEnd(oracle.Code[(Stride + 1)..], OracleMap.Code + Stride + 1, bits);
        ref CaseRecord input = ref Prepare(oracle, 0, bits == 16 ? Stride : OracleMap.Code + Stride);
        input.Cs = bits switch { 64 => OracleMap.Code64, 32 => OracleMap.Code32, _ => OracleMap.Code16 };
        input.Ss = input.Ds = input.Es = bits == 16 ? OracleMap.Data16 : OracleMap.Data32;
        if (bits != 16 && found.NoLocalData is null)
            (input.Ds, input.Es) = (OracleMap.Other32, OracleMap.Extra32);
        oracle.Start(1);
        oracle.Wait();
        return oracle.Outputs[0].Vector == Outcome.Completed;
    }

    private static ref CaseRecord Prepare(NativeOracle oracle, int index, uint rip)
    {
        ref CaseRecord input = ref oracle.Inputs[index];
        input = default;
        input.Registers[4] = 0x1000;
        input.Rflags = Flags;
        input.Rip = rip;
        return ref input;
    }

    private static OracleFailedException Failed(NativeOracle oracle, string what) =>
        new($"the oracle's worker {what}{(oracle.Deaths == 0 ? "" : $" ({oracle.LastEnding})")}; a program should be able to. Run it outside of containers " +
            $"and sandboxes that filter system calls, or on another machine");
}
