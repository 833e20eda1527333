using Hv.Cpu.Virtualization;

namespace Hv.Cpu.Tests.System;

/// <summary>XGETBV, XSETBV (SDM 2D) and RDTSCP (SDM 2B): results and faults.</summary>
public sealed class ExtendedControlTests : IDisposable
{
    private const ulong Pae = 1 << 5, Tsd = 1 << 2, Osxsave = 1 << 18, Dirt = 0xDEAD_BEEF_0000_0000;
    private readonly Guest _guest = Guest.Long();

    public void Dispose() => _guest.Dispose();

    /// <summary>Runs one instruction; the vector of its exception, or null.</summary>
    private uint? Run(ulong cr4, byte cpl, params ReadOnlySpan<byte> code)
    {
        _guest.Cpu.State.Sys.Cr4 = Pae | cr4;
        _guest.Cpu.State.Sys.Cpl = cpl;
        _guest.Changed();
        if (_guest.Execute(1, code) == RunResult.Budget)
            return null;
        Assert.Equal(CpuEventKind.Exception, _guest.Cpu.Event.Kind);
        return (uint)_guest.Cpu.Event.Index;
    }

    [Theory]
    [InlineData(Osxsave, 0, Dirt, null)]
    [InlineData(Osxsave, 3, 0UL, null)]
    [InlineData(Osxsave, 0, 1UL, 13u)]      // ECX = 1 needs XSAVEC's leaf, which no model has
    [InlineData(Osxsave, 0, 2UL, 13u)]
    [InlineData(0UL, 0, 0UL, 6u)]
    [InlineData(0UL, 3, 2UL, 6u)]           // #UD comes first
    public void Xgetbv_reads_XCR0(ulong cr4, byte cpl, ulong rcx, uint? vector)
    {
        _guest.Cpu.State.Sys.Xcr0 = 7;
        (_guest.Gpr.Rcx, _guest.Gpr.Rax, _guest.Gpr.Rdx) = (rcx, Dirt, Dirt);
        Assert.Equal(vector, Run(cr4, cpl, 0x0F, 0x01, 0xD0));
        Assert.Equal(vector is null ? (7UL, 0UL) : (Dirt, Dirt), (_guest.Gpr.Rax, _guest.Gpr.Rdx));
    }

    [Theory]
    [InlineData(Osxsave, 0, Dirt, 7UL, null)]
    [InlineData(Osxsave, 0, 0UL, 3UL, null)]
    [InlineData(Osxsave, 0, 0UL, 1UL, null)]
    [InlineData(Osxsave, 0, 0UL, 0UL, 13u)]             // bit 0 must be 1
    [InlineData(Osxsave, 0, 0UL, 5UL, 13u)]             // AVX without SSE
    [InlineData(Osxsave, 0, 0UL, 0x207UL, 13u)]         // state that leaf 0DH does not have
    [InlineData(Osxsave, 0, 0UL, 0x1_0000_0007UL, 13u)] // EDX
    [InlineData(Osxsave, 0, 1UL, 7UL, 13u)]
    [InlineData(Osxsave, 3, 0UL, 7UL, 13u)]
    [InlineData(0UL, 0, 0UL, 7UL, 6u)]
    [InlineData(0UL, 3, 1UL, 0UL, 6u)]
    public void Xsetbv_writes_XCR0_or_refuses(ulong cr4, byte cpl, ulong rcx, ulong value, uint? vector)
    {
        _guest.Cpu.State.Sys.Xcr0 = 1;
        (_guest.Gpr.Rcx, _guest.Gpr.Rax, _guest.Gpr.Rdx) = (rcx, Dirt | (uint)value, Dirt | value >> 32);
        Assert.Equal(vector, Run(cr4, cpl, 0x0F, 0x01, 0xD1));
        Assert.Equal(vector is null ? value : 1, _guest.Cpu.State.Sys.Xcr0);
    }

    [Theory]
    [InlineData(0UL, 0, null)]
    [InlineData(0UL, 3, null)]
    [InlineData(Tsd, 0, null)]
    [InlineData(Tsd, 3, 13u)]
    public void Rdtscp_reads_the_time_stamp_and_TSC_AUX(ulong cr4, byte cpl, uint? vector)
    {
        _guest.Cpu.State.Sys.TscAux = 0x89AB_CDEF;
        (_guest.Gpr.Rcx, _guest.Gpr.Rax, _guest.Gpr.Rdx) = (Dirt, Dirt, Dirt);
        Assert.Equal(vector, Run(cr4, cpl, 0x0F, 0x01, 0xF9));
        Assert.Equal(vector is null ? 0x89AB_CDEFUL : Dirt, _guest.Gpr.Rcx);
        Assert.Equal(vector is null, (_guest.Gpr.Rax | _guest.Gpr.Rdx) <= uint.MaxValue);
    }
}
