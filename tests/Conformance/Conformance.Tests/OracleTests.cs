using System.Runtime.Intrinsics;
using Hv.Conformance.Campaigns.Cases;
using Hv.Conformance.Campaigns.Forms;
using Hv.Conformance.Oracle;
using Xunit;

namespace Hv.Conformance.Tests;

/// <summary>The worker process: that it reports what the manuals say this processor does, and survives what kills it.</summary>
public sealed class OracleTests
{
    private const uint Offset = 0x400;

    [Fact]
    public void An_addition_sets_registers_and_flags()
    {
        // SDM 2A ADD: 7FFFFFFFFFFFFFFF + 1 overflows; AF from bit 3, PF of 00.
        CaseRecord result = Run("4801c8", CodeMode.Bits64, EntryWay.Quick, r =>
        {
            r[0] = 0x7FFF_FFFF_FFFF_FFFF;
            r[1] = 1;
        });
        Assert.Equal(Outcome.Completed, result.Vector);
        Assert.Equal(0x8000_0000_0000_0000, result.Registers[0]);
        Assert.Equal(0x202ul | UndefinedFlags.Of | UndefinedFlags.Sf | UndefinedFlags.Af | UndefinedFlags.Pf, result.Rflags);
    }

    [Theory]
    [InlineData("0f0b", 6, 0, 0)]             // UD2
    [InlineData("f7f1", 0, 0, 0)]             // DIV ECX by 0
    [InlineData("f4", 13, 0, 0)]              // HLT at CPL 3
    [InlineData("8b0425", 14, 4, 0x1C00_0000)]   // MOV EAX, [...]: a read of nothing
    [InlineData("890425", 14, 6, 0x1C00_0000)]   // MOV [...], EAX
    [InlineData("cd99", 13, 0x99 * 8 + 2, 0)]     // INT n without the privilege: SDM 3A 6.12.1.2
    public void A_fault_has_its_vector_error_code_and_address(string bytes, uint vector, uint errorCode, ulong address)
    {
        if (vector == 14)
            bytes += "0000001c";
        CaseRecord result = Run(bytes, CodeMode.Bits64, EntryWay.Quick);
        Assert.Equal(vector, result.Vector);
        Assert.Equal(errorCode, result.ErrorCode);
        if (vector == 14)
            Assert.Equal(address, result.Address);
        Assert.Equal(OracleMap.Code + Offset, result.Rip);
    }

    [Theory]
    [InlineData("40", CodeMode.Bits32)]     // INC EAX, which exists outside 64-bit code only
    [InlineData("6640", CodeMode.Bits16)]
    public void Code_of_32_and_16_bits_runs(string bytes, CodeMode mode)
    {
        Native.Require(mode);
        Assert.Equal(0x1_0000ul, Run(bytes, mode, EntryWay.Selectors, r => r[0] = 0xFFFF).Registers[0]);
    }

    [Theory]
    [InlineData(CodeMode.Bits32)]
    [InlineData(CodeMode.Bits16)]
    public void Code_that_the_machine_cannot_run_is_refused_with_the_reason(CodeMode mode)
    {
        Native.Require();
        if (Native.Capabilities.WhyNot((int)mode) is not { } reason)
        {
            Assert.Skip($"this machine runs {(int)mode}-bit code");
            return;
        }

        Assert.Contains(reason, Assert.Throws<InvalidOperationException>(() => Run("90", mode, EntryWay.Selectors)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_selectors_of_a_case_are_those_that_the_machine_has()
    {
        // MOV EAX, DS; MOV ECX, ES
        CaseRecord result = Run("8cd88cc1", CodeMode.Bits64, EntryWay.Selectors);
        Assert.Equal(Outcome.Completed, result.Vector);
        bool local = Native.Capabilities.NoLocalData is null;
        Assert.Equal(local ? OracleMap.Other32 : OracleMap.Data32, result.Registers[0]);
        Assert.Equal(local ? OracleMap.Extra32 : OracleMap.Data32, result.Registers[1]);
    }

    [Theory]
    [InlineData("f3480faec0", OracleMap.FsBase)]   // RDFSBASE RAX
    [InlineData("f3480faec8", OracleMap.GsBase)]   // RDGSBASE RAX
    public void The_bases_outlast_task_switches(string bytes, ulong expected)
    {
        Native.Require();
        using var native = new NativeOracle();
        // The first case waits for a few time slices before its end; with the trap flag clear nothing sets the bases again for the second.
        var wait = new CodeSlot(Convert.FromHexString("b90000000348ffc975fb"), CodeMode.Bits64, EntryWay.Quick, Offset);   // MOV ECX, 3000000h; DEC RCX; JNZ
        var read = new CodeSlot(Convert.FromHexString(bytes), CodeMode.Bits64, EntryWay.Quick, Offset + CodeSlot.Stride);
        for (int i = 0; i < 8; i++)
        {
            CodeSlot slot = i == 7 ? read : wait;
            slot.WriteTo(native.Code);
            native.Inputs[i] = CaseText.Default();
            slot.Enter(ref native.Inputs[i]);
        }

        native.Start(8);
        native.Wait();
        if (native.Outputs[7].Vector == 6)
            Assert.Skip("this processor or kernel has not FSGSBASE");
        Assert.Equal(expected, native.Outputs[7].Registers[0]);
    }

    [Fact]
    public void A_new_oracle_has_empty_pages()
    {
        Native.Require();
        using var native = new NativeOracle();
        foreach (byte[] pages in (byte[][])[native.Code.ToArray(), native.WritableCode.ToArray(), native.Data.ToArray()])
            Assert.DoesNotContain(pages, b => b != 0);
    }

    [Fact]
    public void Workers_that_die_of_each_case_end_the_campaign()
    {
        Native.Require();
        using var native = new NativeOracle();
        // JMP to the worker's own code, in its middle: a fault there ends it.
        var deadly = new CodeSlot([0xFF, 0xE2], CodeMode.Bits64, EntryWay.Quick, Offset);   // JMP RDX
        deadly.WriteTo(native.Code);
        for (int i = 0; i < 200; i++)
        {
            native.Inputs[i] = CaseText.Default();
            deadly.Enter(ref native.Inputs[i]);
            native.Inputs[i].Registers[2] = OracleMap.Reserved + 0x1FF8;   // zeros: ADD [RAX], AL
        }

        native.Start(200);
        OracleFailedException e = Assert.Throws<OracleFailedException>(native.Wait);
        Assert.Contains("workers of the oracle died", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', e.Message);
        Assert.InRange(native.Deaths, 2, 50);
    }

    [Fact]
    public void The_trap_flag_ends_a_case_where_its_branch_went()
    {
        CaseRecord result = Run("eb70", CodeMode.Bits64, EntryWay.Stepped);
        Assert.Equal(1u, result.Vector);
        Assert.Equal(OracleMap.Code + Offset + 2 + 0x70, result.Rip);
    }

    [Fact]
    public void A_system_call_is_refused_and_reported()
    {
        Assert.Equal(Outcome.SystemCall, Run("0f05", CodeMode.Bits64, EntryWay.Quick, r => r[0] = 39).Vector);
    }

    [Fact]
    public void A_system_call_of_32_bit_programs_is_refused_and_reported()
    {
        // A kernel without IA-32 emulation has neither the code segment nor the gate.
        Native.Require(CodeMode.Bits32);
        Assert.Equal(Outcome.SystemCall, Run("cd80", CodeMode.Bits64, EntryWay.Quick, r => r[0] = 20).Vector);
    }

    [Fact]
    public void Interrupts_that_do_not_reach_the_kernel_are_found_and_named()
    {
        Native.Require();
        using var native = new NativeOracle();
        byte[][] standIns = [[0x0F, 0x0B], [0xEB, 0xFE], [0x90], [0xF4]];   // UD2; an endless JMP; NOP; HLT: #GP, but its error code is 0
        IReadOnlyList<byte> found = InterruptProbe.Try(native, v => v is >= 0x20 and < 0x24 ? standIns[v - 0x20] : [0xCD, v]);
        byte[] expected = [.. InterruptProbe.Diverted, 0x20, 0x21, 0x22, 0x23];
        Assert.Equal(expected.Order(), found);
        Assert.Equal(1, native.Deaths);
        Assert.StartsWith("INT 20h, 2Fh: ", InterruptProbe.WhyNot([0x20, 0x2F]), StringComparison.Ordinal);
        Assert.Null(InterruptProbe.WhyNot([]));
    }

    [Fact]
    public void A_case_that_never_ends_is_the_finding_and_the_next_one_runs()
    {
        Native.Require();
        using var native = new NativeOracle();
        var endless = new CodeSlot([0xEB, 0xFE], CodeMode.Bits64, EntryWay.Quick, Offset);
        var next = new CodeSlot([0x90], CodeMode.Bits64, EntryWay.Quick, Offset + CodeSlot.Stride);
        endless.WriteTo(native.Code);
        next.WriteTo(native.Code);
        native.Inputs[0] = CaseText.Default();
        endless.Enter(ref native.Inputs[0]);
        native.Inputs[1] = CaseText.Default();
        next.Enter(ref native.Inputs[1]);
        native.Start(2);
        native.Wait();
        Assert.Equal(Outcome.WorkerDied, native.Outputs[0].Vector);
        Assert.Equal(Outcome.Completed, native.Outputs[1].Vector);
        Assert.Equal(1, native.Deaths);
    }

    [Fact]
    public void Vector_state_goes_in_and_comes_out()
    {
        Native.Require();
        using var native = new NativeOracle();
        var slot = new CodeSlot([0x0F, 0x58, 0xC1], CodeMode.Bits64, EntryWay.Quick, Offset);   // ADDPS XMM0, XMM1
        slot.WriteTo(native.Code);
        native.Inputs[0] = CaseText.Default();
        slot.Enter(ref native.Inputs[0]);
        ref ExtendedState state = ref native.Inputs[0].Extended;
        state.Xmm[0] = Vector128.CreateScalar(1.5f).AsByte();
        state.Xmm[1] = Vector128.CreateScalar(2.25f).AsByte();
        native.Start(1);
        native.Wait();
        Assert.Equal(Outcome.Completed, native.Outputs[0].Vector);
        Assert.Equal(3.75f, native.Outputs[0].Extended.Xmm[0].AsSingle().ToScalar());
    }

    [Theory]
    [InlineData("0f5ec1", 19)]   // DIVPS XMM0, XMM1 by 0, SDM 1 11.5.2.3
    [InlineData("d9e8", 16)]     // FLD1 with an unmasked exception waiting, SDM 1 8.7
    public void An_unmasked_exception_is_a_fault_that_leaves_the_registers(string bytes, uint vector)
    {
        CaseRecord result = Run(bytes, CodeMode.Bits64, EntryWay.Quick, extended: (ref ExtendedState state) =>
        {
            state.Xmm[0] = Vector128.Create(2f).AsByte();
            state.Mxcsr = 0x1D80;      // ZM clear
            state.Control = 0x37E;     // IM clear
            state.Status = 0x8081;     // IE, ES and B
        });
        Assert.Equal(vector, result.Vector);
        Assert.Equal(OracleMap.Code + Offset, result.Rip);
        Assert.Equal(Vector128.Create(2f).AsByte(), result.Extended.Xmm[0]);
        Assert.Equal(0, result.Extended.Tags);
        Assert.Equal(vector == 19 ? 0x1D84u : 0x1D80, result.Extended.Mxcsr);
    }

    [Fact]
    public void X87_state_goes_in_and_comes_out()
    {
        // FLD1 (SDM 2A): TOP 0 becomes 7, the tag of physical register 7 is set.
        CaseRecord result = Run("d9e8", CodeMode.Bits64, EntryWay.Quick);
        Assert.Equal(Outcome.Completed, result.Vector);
        Assert.Equal(0x3800, result.Extended.Status);
        Assert.Equal(0x80, result.Extended.Tags);
        Assert.Equal(0x3FFFul, result.Extended.Stack[0].SignExponent);
        Assert.Equal(0x8000_0000_0000_0000, result.Extended.Stack[0].Significand);
    }

    private delegate void ChangeExtended(ref ExtendedState state);

    private delegate void Change(Span<ulong> registers);

    private static CaseRecord Run(string hex, CodeMode mode, EntryWay way, Change? change = null, ChangeExtended? extended = null)
    {
        Native.Require();
        using var native = new NativeOracle();
        var slot = new CodeSlot(Convert.FromHexString(hex), mode, way, Offset);
        slot.WriteTo(native.Code);
        CaseRecord record = CaseText.Default();
        if (way == EntryWay.Stepped)
            record.Rflags |= 0x100;
        if (mode == CodeMode.Bits16)
            record.Registers[4] = 0x1000;
        slot.Enter(ref record);
        change?.Invoke(record.Registers);
        extended?.Invoke(ref record.Extended);
        native.Inputs[0] = record;
        native.Start(1);
        native.Wait();
        return native.Outputs[0];
    }
}
