using System.Runtime.Intrinsics;
using Hv.Core;
using Hv.Cpu.State;
using Hv.Cpu.Virtualization;

namespace Hv.Cpu.Tests.Simd;

/// <summary>A guest with vector instructions enabled, whose second 2 MiB page can be taken away.</summary>
public abstract class VectorInstructionTest : IDisposable
{
    protected const ulong Boundary = 0x20_0000;
    protected const byte Undefined = 6, NotAvailable = 7, StackFault = 12, GeneralProtection = 13, PageFault = 14, FloatingPoint = 16;
    private const ulong Osfxsr = 1 << 9, Osxsave = 1 << 18;

    protected VectorInstructionTest(int bits = 64)
    {
        Guest = Guest.OfBits(bits);
        Guest.Cpu.State.Sys.Cr4 |= Osfxsr | Osxsave;
        Guest.Cpu.State.Sys.Xcr0 = 7;
        Guest.Changed();
    }

    protected Guest Guest { get; }

    protected ref FpuState Fpu => ref Guest.Cpu.State.Fpu;

    protected ref Vector256<byte> Ymm(int n) => ref Guest.Cpu.State.Fpu.Vectors[n];

    /// <summary>Maps what begins at <see cref="Boundary"/> to <paramref name="entry"/>: 0 is not present.</summary>
    protected void MapSecond(ulong entry)
    {
        Guest.Memory.TryWrite(new Gpa(Guest.Tables + 0x2008), entry);
        Guest.Changed();
    }

    protected void Run(params ReadOnlySpan<byte> code) => Assert.Equal(RunResult.Budget, Guest.Execute(1, code));

    protected CpuEvent Fault(params ReadOnlySpan<byte> code)
    {
        Assert.Equal(RunResult.Event, Guest.Execute(1, code));
        Assert.Equal(CpuEventKind.Exception, Guest.Cpu.Event.Kind);
        return Guest.Cpu.Event;
    }

    protected void Write(ulong address, params ReadOnlySpan<byte> bytes) => Assert.True(Guest.Memory.TryWrite(new Gpa(address), bytes));

    /// <summary>A vector from its hexadecimal digits, the most significant first.</summary>
    protected static Vector256<byte> Number(string hex)
    {
        byte[] bytes = Convert.FromHexString(hex.PadLeft(64, '0'));
        Array.Reverse(bytes);
        return Vector256.Create(bytes);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Guest.Dispose();
        GC.SuppressFinalize(this);
    }
}
