using System.Runtime.CompilerServices;
using Hv.Core.Cpuid;
using Hv.Core.Memory;
using Hv.Core.Registers;
using Hv.Cpu.State;
using Hv.Cpu.System;
using static Hv.Cpu.Tests.SystemHalf.SystemMachine;

namespace Hv.Cpu.Tests.SystemHalf;

/// <summary>Reset values, control and model-specific register rules, FPU images, state transfer.</summary>
public sealed unsafe class StateTests
{
    [Fact]
    public void Reset_state_is_table_10_1()
    {
        using var memory = GuestMemory.OfSize(1 << 20);
        using var p = new Processor<NoLayer>(memory, CpuidTables.Default, default);
        ResetState.Reset(p);
        ref CpuState s = ref p.State;
        Assert.Equal(0xFFF0UL, s.Gpr.Rip);
        Assert.Equal(2UL, s.Gpr.Rflags);
        Assert.Equal(0x6000_0010UL, s.Sys.Cr0);
        Assert.Equal(Segment(0xF000, 0x9B, 0xFFFF_0000, 0xFFFF), s.Sys.Cs);
        Assert.Equal(Segment(0, 0x93, 0, 0xFFFF), s.Sys.Ds);
        Assert.Equal(Segment(0, 0x8B, 0, 0xFFFF), s.Sys.Tr);
        Assert.Equal(0xFFFF_0FF0UL, s.Sys.Dr6);
        Assert.Equal(0x400UL, s.Sys.Dr7);
        Assert.Equal(0x1F80U, s.Fpu.Mxcsr);
        Assert.Equal(0x40, s.Fpu.Control);
        Assert.Equal(0x0007_0406_0007_0406UL, s.Sys.Pat);
        Assert.Equal(0xFEE0_0900UL, s.Sys.ApicBase);
    }

    [Fact]
    public void Vectors_are_aligned()
    {
        using var m = new SystemMachine(CpuMode.Real);
        // SAFETY: the address only; the state block is pinned.
        Assert.Equal(0, (nint)Unsafe.AsPointer(ref m.State.Fpu.Vectors) & 31);
    }

    /// <summary>CR0 values written from 32-bit protected mode with CR0 = 0x11 (SDM 2B MOV CR; SDM 3A 2.5)</summary>
    [Theory]
    [InlineData(0x11UL, "ok")]
    [InlineData(0x31UL, "ok")]
    [InlineData(0x8000_0010UL, "13(0)")]   // PG without PE
    [InlineData(0x2000_0011UL, "13(0)")]   // NW without CD
    [InlineData(0x6000_0011UL, "ok")]
    [InlineData(0x1FFC_FF11UL & ~0x40000UL, "ok")] // reserved bits of the low half are ignored
    public void Cr0_rules(ulong value, string expected)
    {
        using var m = new SystemMachine(CpuMode.Protected32);
        m.State.Gpr.Rax = value;
        Assert.Equal(expected, m.Run(0x0F, 0x22, 0xC0).ToString());
        if (expected == "ok")
            Assert.Equal(value & 0xE005_003F | 0x10, m.State.Sys.Cr0);
        else
            Assert.Equal(0x11UL, m.State.Sys.Cr0);
    }

    /// <summary>In 64-bit mode: number, value, outcome</summary>
    [Theory]
    [InlineData(0, 0x1_8000_0011UL, "13(0)")]   // upper half
    [InlineData(0, 0x11UL, "13(0)")]            // PG cannot be cleared in 64-bit mode
    [InlineData(4, 0UL, "13(0)")]               // nor PAE
    [InlineData(4, 0x1020UL, "13(0)")]          // LA57 is not offered
    [InlineData(4, 0x8000_0000_0020UL, "13(0)")]
    [InlineData(4, 0x10_0020UL, "ok")]          // SMEP is (pages are the user's, so the next fetch faults)
    [InlineData(3, 0x8000_0000_0000_0000UL, "13(0)")] // bit 63 without PCIDE
    [InlineData(3, Tables, "ok")]
    [InlineData(8, 16UL, "13(0)")]
    [InlineData(8, 15UL, "ok")]
    public void Control_register_rules_in_64_bit_mode(int number, ulong value, string expected)
    {
        using var m = new SystemMachine(CpuMode.Long);
        bool ok = ControlRegisters.TryWrite(ref m.State, m.Processor, number, value);
        Assert.Equal(expected == "ok", ok);
        Assert.Equal(ok ? Attention.None : Attention.Fault, m.State.Attention & Attention.Fault);
        if (!ok)
            Assert.Equal((13, 0U), (m.State.Fault.Vector, m.State.Fault.ErrorCode));
    }

    [Fact]
    public void Enabling_paging_under_lme_activates_ia32e_mode()
    {
        using var m = new SystemMachine(CpuMode.Protected32);
        m.State.Sys.Cr4 = 0x20;
        m.State.Sys.Cr3 = Tables;
        m.State.Sys.Efer = 0x100;
        // The TSS must be 32-bit and CS.L clear; PAE on.
        Assert.True(ControlRegisters.TryWriteCr0(ref m.State, m.Processor, 0x8000_0011));
        Assert.Equal(0x500UL, m.State.Sys.Efer);
        Assert.False(ControlRegisters.TryWriteEfer(ref m.State, m.Processor, 0));
        m.State.Attention = Attention.None;
        Assert.True(ControlRegisters.TryWriteCr0(ref m.State, m.Processor, 0x11));
        Assert.Equal(0x100UL, m.State.Sys.Efer);

        m.State.Sys.Cr4 = 0;
        Assert.False(ControlRegisters.TryWriteCr0(ref m.State, m.Processor, 0x8000_0011)); // no PAE
    }

    [Fact]
    public void Pae_directory_pointers_are_checked()
    {
        using var m = new SystemMachine(CpuMode.Protected32);
        m.State.Sys.Cr4 = 0x20;
        m.State.Sys.Cr3 = 0x6000;
        m.Write64(0x6008, 0x7001 | 2); // R/W is reserved in a PDPTE
        Assert.False(ControlRegisters.TryWriteCr0(ref m.State, m.Processor, 0x8000_0011));
        Assert.Equal(0x11UL, m.State.Sys.Cr0);
        m.State.Attention = Attention.None;
        m.Write64(0x6008, 0x7000 | 2); // not present: not looked at
        Assert.True(ControlRegisters.TryWriteCr0(ref m.State, m.Processor, 0x8000_0011));
    }

    /// <summary>index, value, outcome (SDM 4 table 2-2; SDM 3A 12.11, 12.12)</summary>
    [Theory]
    [InlineData(0x277U, 0x0007_0406_0007_0406UL, MsrOutcome.Done)]
    [InlineData(0x277U, 0x0007_0406_0007_0402UL, MsrOutcome.Refused)]   // type 2 is reserved
    [InlineData(0x2FFU, 0xC06UL, MsrOutcome.Done)]
    [InlineData(0x2FFU, 0x1000UL, MsrOutcome.Refused)]
    [InlineData(0x2FFU, 7UL, MsrOutcome.Refused)]                       // UC- is for the PAT
    [InlineData(0x200U, 0x8000_0006UL, MsrOutcome.Done)]
    [InlineData(0x200U, 0x8000_0106UL, MsrOutcome.Refused)]
    [InlineData(0x201U, 0x8000_0800UL, MsrOutcome.Done)]
    [InlineData(0x201U, 0x8000_0801UL, MsrOutcome.Refused)]
    [InlineData(0x250U, 0x0606_0606_0606_0606UL, MsrOutcome.Done)]
    [InlineData(0x250U, 0x0706_0606_0606_0606UL, MsrOutcome.Refused)]
    [InlineData(0xFEU, 0UL, MsrOutcome.Refused)]                        // MTRRCAP is read-only
    [InlineData(0xC000_0082U, 0x7FFF_FFFF_FFFFUL, MsrOutcome.Done)]
    [InlineData(0xC000_0082U, 0x8000_0000_0000UL, MsrOutcome.Refused)]  // LSTAR is canonical
    [InlineData(0xC000_0100U, 0x8000_0000_0000UL, MsrOutcome.Refused)]
    [InlineData(0xC000_0103U, 0x1_0000_0000UL, MsrOutcome.Refused)]
    [InlineData(0xC000_0080U, 0x2UL, MsrOutcome.Refused)]
    [InlineData(0x1BU, 0xFEE0_0900UL, MsrOutcome.Done)]
    [InlineData(0x1BU, 0xFEE0_0901UL, MsrOutcome.Refused)]
    [InlineData(0x8765_5678U, 0UL, MsrOutcome.Unknown)]
    public void Model_specific_register_rules(uint index, ulong value, MsrOutcome expected)
    {
        using var m = new SystemMachine(CpuMode.Protected32);
        ModelSpecificRegisters.TryRead(ref m.State, m.Processor, index, out ulong before);
        Assert.Equal(expected, ModelSpecificRegisters.TryWrite(ref m.State, m.Processor, index, value));
        if (expected == MsrOutcome.Unknown)
            return;
        Assert.Equal(MsrOutcome.Done, ModelSpecificRegisters.TryRead(ref m.State, m.Processor, index, out ulong after));
        Assert.Equal(expected == MsrOutcome.Done ? value : before, after);
        Assert.Equal(Attention.None, m.State.Attention);
    }

    /// <summary>CR0, CR4, opcode, outcome (SDM 3A table 2-2)</summary>
    [Theory]
    [InlineData(0x19UL, 0x200UL, new byte[] { 0xDB, 0xE3 }, "7")]             // FNINIT under TS
    [InlineData(0x15UL, 0x200UL, new byte[] { 0xDB, 0xE3 }, "7")]             // under EM
    [InlineData(0x11UL, 0x200UL, new byte[] { 0xDB, 0xE3 }, "ok")]
    [InlineData(0x19UL, 0x200UL, new byte[] { 0x9B }, "ok")]                  // FWAIT: TS alone is not enough
    [InlineData(0x1BUL, 0x200UL, new byte[] { 0x9B }, "7")]                   // MP and TS
    [InlineData(0x15UL, 0x200UL, new byte[] { 0x0F, 0x77 }, "6")]             // EMMS under EM
    [InlineData(0x11UL, 0x000UL, new byte[] { 0x0F, 0xAE, 0x1B }, "6")]       // STMXCSR without OSFXSR
    [InlineData(0x11UL, 0x200UL, new byte[] { 0x0F, 0xAE, 0x1B }, "ok")]
    [InlineData(0x19UL, 0x200UL, new byte[] { 0x0F, 0xAE, 0x1B }, "7")]
    [InlineData(0x11UL, 0x200UL, new byte[] { 0x0F, 0xAE, 0x03 }, "ok")]      // FXSAVE
    [InlineData(0x11UL, 0x200UL, new byte[] { 0x0F, 0xAE, 0x43, 0x08 }, "13(0)")] // not aligned
    public void Fpu_availability(ulong cr0, ulong cr4, byte[] code, string expected)
    {
        using var m = new SystemMachine(CpuMode.Protected32);
        m.State.Sys.Cr0 = cr0;
        m.State.Sys.Cr4 = cr4;
        m.Processor.ModeChanged(ref m.State);
        m.State.Gpr.Rbx = Data;
        Assert.Equal(expected, m.Run(code).ToString());
    }

    [Fact]
    public void Fxrstor_refuses_reserved_mxcsr_bits_and_changes_nothing()
    {
        using var m = new SystemMachine(CpuMode.Long);
        m.State.Sys.Cr4 |= 0x200;
        m.State.Gpr.Rbx = Data;
        m.Write32(Data + 24, 0x1_1F80);
        m.Write16(Data, 0x27F);
        Assert.Equal("13(0)", m.Run(0x0F, 0xAE, 0x0B).ToString());
        Assert.Equal(0x40, m.State.Fpu.Control);
    }

    [Fact]
    public void Fxsave_and_fxrstor_use_stack_order()
    {
        using var m = new SystemMachine(CpuMode.Long);
        m.State.Sys.Cr4 |= 0x200;
        m.State.Gpr.Rbx = Data;
        m.State.Fpu.Status = 3 << 11; // TOP is 3: ST(0) is R3
        m.State.Fpu.X87[3] = new X87Register { Significand = 0xAAAA, SignExponent = 0x3FFF };
        m.Run(0x0F, 0xAE, 0x03);
        Assert.Equal(0xAAAAUL, m.Read(Data + 32, 8));
        Assert.Equal(0x3FFFUL, m.Read(Data + 40, 2));
        Assert.Equal(0xFFFFUL, m.Read(Data + 28, 4)); // MXCSR_MASK
    }

    [Fact]
    public void State_makes_an_exact_round_trip()
    {
        var random = new Random(5);
        using var m = new SystemMachine(CpuMode.Long, 3);
        using var other = new SystemMachine(CpuMode.Real);
        var saved = new VcpuState();
        random.NextBytes(saved.Extended);
        BitConverter.TryWriteBytes(saved.Extended.AsSpan(512), 7UL);
        StateTransfer.Save(m.Processor, saved);
        for (int i = 0; i < 16; i++)
            m.State.Gpr[i] = (ulong)random.NextInt64();
        m.State.Fpu.Vectors[5] = global::System.Runtime.Intrinsics.Vector256.Create((byte)0x5A);
        m.State.Fpu.X87[2] = new X87Register { Significand = 0x1234, SignExponent = 0xFFFF };
        m.State.Sys.KernelGsBase = 0xFFFF_8000_0000_1000;
        ModelSpecificRegisters.TryWrite(ref m.State, m.Processor, 0x250, 0x0606_0606_0606_0606);
        m.Processor.Deliver(new PendingEvent(PendingEventKind.Exception, 14, true, 5, 0x1234_5000), 0);
        var first = new VcpuState();
        StateTransfer.Save(m.Processor, first);
        StateTransfer.Load(other.Processor, first);
        var second = new VcpuState();
        StateTransfer.Save(other.Processor, second);
        Assert.Equal(first.General, second.General);
        Assert.Equal(first.System, second.System);
        Assert.Equal(first.Extended, second.Extended);
        Assert.Equal(first.Pending, second.Pending);
        Assert.Equal(first.Msrs, second.Msrs);
    }
}
