using System.Buffers.Binary;
using Hv.Backends.Emulated;
using Hv.Backends.Svm;
using Hv.Backends.Vmx;
using Hv.Core;
using Hv.Core.Machine;
using Hv.Core.Memory;
using Hv.Core.Registers;
using Microsoft.Extensions.DependencyInjection;

namespace Hv.Bench;

/// <summary>A machine that runs one of bench/Guests/images as a multiboot loader would start it. Nothing owns its ports, so that the guest's
/// result is lost and the run ends in its HLT.</summary>
internal sealed class GuestMachine : IDisposable
{
    private const ulong MemorySize = 0x400_0000;
    private const uint BootMagic = 0x2BAD_B002;

    // A multiboot header behind the first jump: magic, flags, checksum, then five addresses; the word after it says how many rounds to work.
    private const int LoadAddressOffset = 4 + 16, EntryOffset = 4 + 28, RoundsOffset = 4 + 32;

    private readonly ServiceProvider _services;
    private readonly GuestMemory _memory = GuestMemory.OfSize(MemorySize);
    private readonly VirtualMachine _machine;
    private readonly VcpuState _start = new();
    private readonly byte[] _image;

    /// <summary>Makes the machine.</summary>
    /// <param name="backendName">Its backend.</param>
    /// <param name="guest">The image's name without its ending.</param>
    /// <param name="rounds">How much work a run does.</param>
    public GuestMachine(string backendName, string guest, uint rounds)
    {
        _image = File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "images", guest + ".bin"));
        BinaryPrimitives.WriteUInt32LittleEndian(_image.AsSpan(RoundsOffset), rounds);
        _services = new ServiceCollection().AddHvCore().AddEmulatedBackend().AddVmxBackend().AddSvmBackend().BuildServiceProvider();
        if (!_services.GetRequiredService<BackendCatalog>().TryFind(backendName, out IBackend? backend, out string problem))
            throw new InvalidOperationException(problem);
        _machine = _services.GetRequiredService<VirtualMachineFactory>().Create(backend, _memory, new VirtualMachineOptions());
        _machine.Vcpus[0].Processor.SaveState(_start);
        ref SystemRegisters s = ref _start.System;
        (_start.General.Rip, _start.General.Rflags, _start.General.Rax) = (Word(EntryOffset), 2, BootMagic);
        s.Cr0 = 0x31;
        s.Cs = new SegmentRegister { Selector = 8, Limit = uint.MaxValue, Attributes = 0xC09B };
        s.Ds = s.Es = s.Ss = s.Fs = s.Gs = new SegmentRegister { Selector = 16, Limit = uint.MaxValue, Attributes = 0xC093 };
    }

    /// <summary>Runs the guest from its entry to its end.</summary>
    /// <returns>Instructions.</returns>
    public long Run()
    {
        _memory.TryLoad(new Gpa(Word(LoadAddressOffset)), _image);
        _machine.Vcpus[0].Start(_start);
        long before = _machine.Vcpus[0].Statistics.Instructions;
        StopInfo stop = _machine.Run(RunLimits.None);
        if (stop.Reason != StopReason.AllHalted)
            throw new InvalidOperationException($"{_machine.Backend.Name}: {stop.Reason} {stop.Message}");
        return _machine.Vcpus[0].Statistics.Instructions - before;
    }

    public void Dispose()
    {
        _machine.Dispose();
        _memory.Dispose();
        _services.Dispose();
    }

    private uint Word(int offset) => BinaryPrimitives.ReadUInt32LittleEndian(_image.AsSpan(offset));
}
