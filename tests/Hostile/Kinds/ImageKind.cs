using System.Buffers.Binary;
using Hv.Core;
using Hv.Core.Machine;
using Hv.Core.Memory;
using Hv.Core.Registers;
using Hv.Host;
using Hv.Host.Loading;
using Microsoft.Extensions.DependencyInjection;

namespace Hv.Hostile.Kinds;

/// <summary>Damaged guest files through the host's loader: each is refused with the loader's own error or loads, and then runs.</summary>
internal sealed class ImageKind : IHostileKind
{
    private const ulong MemorySize = 4 << 20, LoadAddress = 0x10_0000;

    private static readonly ServiceProvider Services = new ServiceCollection().AddHvCore().BuildServiceProvider();

    public string Name => "image";

    public string Run(IBackend backend, SeededRandom random)
    {
        string kind = random.Pick("ELF32", "ELF64", "multiboot");
        byte[] image = kind switch { "ELF32" => Elf(is64: false), "ELF64" => Elf(is64: true), _ => Multiboot() };
        image = Damage(image, random);
        using var file = new GuestFile("guest", image);
        GuestImage guest;
        try
        {
            guest = ImageReader.Read(file, null);
        }
        catch (CommandException e) when (e.Code == ExitCode.BadGuestFile && !e.Message.Contains('\n', StringComparison.Ordinal))
        {
            return $"{kind} refused by the reader";
        }

        using GuestMemory memory = GuestLoader.CreateMemory(MemorySize);
        BootRegisters boot;
        try
        {
            boot = GuestLoader.Load(memory, guest, file, new LoadOptions(new string('x', random.Below(300)), []));
        }
        catch (CommandException e) when (e.Code == ExitCode.BadGuestFile && !e.Message.Contains('\n', StringComparison.Ordinal))
        {
            return $"{kind} refused by the loader";
        }

        using VirtualMachine machine = Services.GetRequiredService<VirtualMachineFactory>().Create(backend, memory, new VirtualMachineOptions());
        var state = new VcpuState();
        machine.Vcpus[0].Processor.SaveState(state);
        boot.Apply(state);
        machine.Vcpus[0].Processor.LoadState(state);
        StopInfo stop = machine.Run(new RunLimits(2000, TimeSpan.FromSeconds(10)));
        return $"{kind} ran: {stop.Reason}";
    }

    private static byte[] Damage(byte[] image, SeededRandom random)
    {
        for (int i = random.Below(5); i > 0; i--)
        {
            int at = random.OneIn(2) ? random.Below(Math.Min(160, image.Length)) : random.Below(image.Length);
            switch (random.Below(5))
            {
                case 0: image[at] ^= (byte)(1 << random.Below(8)); break;
                case 1: image[at] = (byte)random.Next(); break;
                case 2 when at + 4 <= image.Length: BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(at & ~3), (uint)random.Number()); break;
                case 3 when (at & ~7) + 8 <= image.Length: BinaryPrimitives.WriteUInt64LittleEndian(image.AsSpan(at & ~7), random.Number()); break;
                case 4 when random.OneIn(3): image = image[..(1 + random.Below(image.Length))]; break;
            }
        }

        return image;
    }

    /// <summary>An executable of two segments whose code halts.</summary>
    private static byte[] Elf(bool is64)
    {
        byte[] b = new byte[0x400];
        (int header, int entrySize) = is64 ? (64, 56) : (52, 32);
        "\u007fELF"u8.CopyTo(b);
        b[4] = (byte)(is64 ? 2 : 1);
        b[5] = b[6] = 1;
        U16(b, 16, 2);
        U16(b, 18, is64 ? 62u : 3u);
        U32(b, 20, 1);
        U32(b, 24, (uint)LoadAddress);
        U32(b, is64 ? 32 : 28, (uint)header);
        int sizes = is64 ? 52 : 40;
        U16(b, sizes, (uint)header);
        U16(b, sizes + 2, (uint)entrySize);
        U16(b, sizes + 4, 2);
        for (int i = 0; i < 2; i++)
        {
            int p = header + i * entrySize;
            uint offset = 0x200u + (uint)i * 0x100, address = (uint)LoadAddress + (uint)i * 0x1000;
            U32(b, p, 1);
            if (is64)
            {
                U32(b, p + 4, 7);
                U32(b, p + 8, offset);
                U32(b, p + 16, address);
                U32(b, p + 24, address);
                U32(b, p + 32, 0x100);
                U32(b, p + 40, 0x180);
            }
            else
            {
                U32(b, p + 4, offset);
                U32(b, p + 8, address);
                U32(b, p + 12, address);
                U32(b, p + 16, 0x100);
                U32(b, p + 20, 0x180);
                U32(b, p + 24, 7);
            }
        }

        Code.CopyTo(b, 0x200);
        return b;
    }

    /// <summary>The a.out-kludge form.</summary>
    private static byte[] Multiboot()
    {
        byte[] b = new byte[0x200];
        const uint Magic = 0x1BADB002, Flags = 0x10003;
        U32(b, 0, Magic);
        U32(b, 4, Flags);
        U32(b, 8, unchecked(0u - Magic - Flags));
        U32(b, 12, (uint)LoadAddress);
        U32(b, 16, (uint)LoadAddress);
        U32(b, 20, (uint)LoadAddress + 0x200);
        U32(b, 24, (uint)LoadAddress + 0x1000);
        U32(b, 28, (uint)LoadAddress + 0x40);
        Code.CopyTo(b, 0x40);
        return b;
    }

    /// <summary>MOV EAX, 1; CPUID; PUSH EAX (RAX); OUT 80h, AL; CLI; HLT.</summary>
    private static byte[] Code => [0xB8, 1, 0, 0, 0, 0x0F, 0xA2, 0x50, 0xE6, 0x80, 0xFA, 0xF4];

    private static void U16(byte[] b, int at, uint value) => BinaryPrimitives.WriteUInt16LittleEndian(b.AsSpan(at), (ushort)value);

    private static void U32(byte[] b, int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(b.AsSpan(at), value);
}
