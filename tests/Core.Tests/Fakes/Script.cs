using Hv.Core.Exits;

namespace Hv.Core.Tests.Fakes;

/// <summary>Exits for scripts.</summary>
public static class Script
{
    public const GuestMode Long = GuestMode.Protected | GuestMode.LongModeActive | GuestMode.Code64;

    public static ExitSite At(GuestMode mode = Long, byte cpl = 0, ulong rip = 0x1000) => new(rip, 3, mode, cpl);

    public static Step Hypercall(GuestMode mode = Long, byte cpl = 0) => new(0, MadeExit.Plain(ExitReason.Hypercall, At(mode, cpl), default));

    public static Step Wrmsr(uint index, ulong value) => new(0, MadeExit.FromMsrWrite(At(), default, index, value));

    public static Step Rdmsr(uint index) => new(0, MadeExit.FromMsrRead(At(), default, index));

    public static Step Out(ushort port, byte size, uint value) =>
        new(0, MadeExit.FromPortIo(At(), default, new PortIoExit(port, size, true, value, false)));

    public static Step In(ushort port, byte size) => new(0, MadeExit.FromPortIo(At(), default, new PortIoExit(port, size, false, 0, false)));

    public static Step Cpuid(uint leaf, uint subleaf) => new(0, MadeExit.FromCpuid(At(), default, leaf, subleaf));

    public static Step MemoryRead(ulong address, byte size, bool fetch = false) =>
        new(0, MadeExit.FromMemory(At(), default, new MemoryExit(new Gpa(address), size, false, fetch, 0)));

    public static Step MemoryWrite(ulong address, byte size, ulong value) =>
        new(0, MadeExit.FromMemory(At(), default, new MemoryExit(new Gpa(address), size, true, false, value)));

    public static Step Plain(ExitReason reason, ulong rawCode = 0) => new(0, MadeExit.Plain(reason, At(), new RawExit(rawCode, 0, 0)));

    /// <summary>Instructions without an exit, for ever.</summary>
    public static Step[] Spin => [new(1 << 20, JumpTo: 0)];
}
