using Hv.Core;
using Hv.Core.Memory;
using Hv.Host.Configuration;

namespace Hv.Host.Loading;

/// <summary>What is loaded beside the guest's image.</summary>
/// <param name="CommandLine">The kernel's command line; by convention the image's path comes first.</param>
/// <param name="Modules">Files that become multiboot modules.</param>
internal sealed record LoadOptions(string CommandLine, IReadOnlyList<GuestFile> Modules);

/// <summary>
/// Puts a guest into memory: its segments, modules, and the structures that its entry state points to. Those lie in 0x90000..0x9FFFF, which the
/// memory map reserves, or, where the image is in the way, in the first free place.
/// </summary>
internal sealed class GuestLoader
{
    private const ulong BootAreaStart = 0x9_0000, BootAreaEnd = 0xA_0000, LegacyEnd = 0x10_0000;
    private const ulong LowestUsed = 0x1000, StackSize = 0x4000, RealModeStackTop = 0x7C00;
    private const ulong LowMost = 3UL << 30, HighStart = 4UL << 30;
    private const int CopyChunk = 1 << 20;

    private readonly GuestMemory _memory;
    private readonly GuestImage _image;
    private readonly GuestFile _file;
    private readonly FreeMemory _free;
    private readonly ulong _lowEnd, _end;
    private ulong _tables;

    private GuestLoader(GuestMemory memory, GuestImage image, GuestFile file)
    {
        _memory = memory;
        _image = image;
        _file = file;
        _lowEnd = memory.Slots[0].Size;
        _end = memory.Slots[^1].Start.Value + memory.Slots[^1].Size;
        _free = new FreeMemory(_lowEnd, image.Segments);
    }

    /// <summary>Makes the memory of a guest: RAM from 0, with what does not fit below 3 GiB from 4 GiB up, so that device addresses stay
    /// free.</summary>
    /// <param name="size">Bytes; a multiple of 4096, not 0.</param>
    /// <exception cref="CommandException">The host cannot give it.</exception>
    public static GuestMemory CreateMemory(ulong size)
    {
        var memory = new GuestMemory();
        try
        {
            memory.AddSlot(new Gpa(0), Math.Min(size, LowMost), SlotKind.Ram);
            if (size > LowMost)
                memory.AddSlot(new Gpa(HighStart), size - LowMost, SlotKind.Ram);
            return memory;
        }
        catch (Exception e) when (e is HvException or ArgumentException or OverflowException or OutOfMemoryException)
        {
            memory.Dispose();
            throw new CommandException(ExitCode.HostFailure,
                $"the host cannot map {ByteSize.Format(size)} of guest memory; give a smaller --memory", e);
        }
    }

    /// <summary>Loads a guest into fresh memory made by <see cref="CreateMemory"/>.</summary>
    /// <exception cref="CommandException">Something does not fit.</exception>
    public static BootRegisters Load(GuestMemory memory, GuestImage image, GuestFile file, LoadOptions options) =>
        new GuestLoader(memory, image, file).Load(options);

    private BootRegisters Load(LoadOptions options)
    {
        foreach (ImageSegment segment in _image.Segments)
        {
            if (!_memory.IsBacked(segment.Start, segment.MemorySize, writable: true))
                throw DoesNotFit($"{_file.Name}: needs memory at {segment.Start}..0x{segment.End:x}", segment.Start.Value, segment.End);
            Copy(_file, segment.FileOffset, segment.FileSize, segment.Start);
        }

        if (_image.Mode == EntryMode.Real)
        {
            if (options.Modules.Count != 0)
                throw CommandException.Usage("--initrd needs a guest that starts in protected or long mode; a real-mode guest is told of no modules");
            return new BootRegisters(EntryMode.Real, _image.Entry, RealModeStackTop, 0, 0, 0);
        }

        var modules = new List<LoadedModule>();
        foreach (GuestFile module in options.Modules)
            modules.Add(LoadModule(module));
        PlaceBiosDataArea();
        ulong stack = TakeBootMemory(StackSize);
        ulong gdt = Place(BootRegisters.DescriptorTable);
        if (_image.Mode == EntryMode.Long)
        {
            _tables = TakeBootMemory(LongModeTables.SizeFor(_end));
            Write(_tables, LongModeTables.Build(_tables, _end));
        }

        uint information = PlaceInformation(options.CommandLine, modules);
        return new BootRegisters(_image.Mode, _image.Entry, stack + StackSize, gdt, _tables, information);
    }

    /// <summary>Where low memory is free above the image; where the image lies above low memory, 1 MiB.</summary>
    private ulong AboveImage => _image.End < _lowEnd ? Math.Max(_image.End, LegacyEnd) : LegacyEnd;

    private uint PlaceInformation(string commandLine, IReadOnlyList<LoadedModule> modules)
    {
        bool reservesBootArea = _lowEnd >= LegacyEnd;
        var map = new List<MapEntry>();
        if (reservesBootArea)
        {
            map.Add(new MapEntry(0, BootAreaStart, true));
            map.Add(new MapEntry(BootAreaStart, LegacyEnd - BootAreaStart, false));
            AddUpperMemory(map);
        }
        else
        {
            map.Add(new MapEntry(0, _lowEnd, true));
        }

        foreach (MemorySlot slot in _memory.Slots.Skip(1))
            map.Add(new MapEntry(slot.Start.Value, slot.Size, true));
        var information = new MultibootInformation
        {
            Map = map,
            LowerSize = Math.Min(_lowEnd, BootAreaStart),
            UpperSize = reservesBootArea ? _lowEnd - LegacyEnd : 0,
            CommandLine = commandLine,
            Modules = modules,
        };
        ulong address = TakeBootMemory((ulong)information.Size);
        Write(address, information.Build((uint)address));
        return (uint)address;
    }

    /// <summary>Low memory from 1 MiB up. Page tables that lie there are reserved: a guest that allocates by the map would overwrite them.</summary>
    private void AddUpperMemory(List<MapEntry> map)
    {
        ulong at = LegacyEnd;
        if (_tables >= LegacyEnd)
        {
            ulong size = LongModeTables.SizeFor(_end);
            if (_tables > at)
                map.Add(new MapEntry(at, _tables - at, true));
            map.Add(new MapEntry(_tables, size, false));
            at = _tables + size;
        }

        if (_lowEnd > at)
            map.Add(new MapEntry(at, _lowEnd - at, true));
    }

    /// <summary>An image that lies there itself wants none.</summary>
    private void PlaceBiosDataArea()
    {
        if (_free.TryTake(BiosDataArea.Size, BiosDataArea.Size, BiosDataArea.Address, BiosDataArea.Address + BiosDataArea.Size, out ulong address))
            Write(address, BiosDataArea.Build(Math.Min(_lowEnd, BootAreaStart)));
    }

    private LoadedModule LoadModule(GuestFile file)
    {
        ulong from = AboveImage;
        if (!_free.TryTake(file.Length, Gpa.PageSize, from, _lowEnd, out ulong start))
            throw DoesNotFit($"{file.Name}: {ByteSize.Format(file.Length)} of module do not fit above the guest's image", from, from + file.Length);
        Copy(file, 0, file.Length, new Gpa(start));
        return new LoadedModule((uint)start, (uint)(start + file.Length), file.Name);
    }

    private ulong Place(byte[] content)
    {
        ulong address = TakeBootMemory((ulong)content.Length);
        Write(address, content);
        return address;
    }

    private ulong TakeBootMemory(ulong size)
    {
        if (_free.TryTake(size, Gpa.PageSize, BootAreaStart, BootAreaEnd, out ulong start)
            || _free.TryTake(size, Gpa.PageSize, AboveImage, _lowEnd, out start)
            || _free.TryTake(size, Gpa.PageSize, LowestUsed, _lowEnd, out start))
            return start;
        throw DoesNotFit($"{_file.Name}: no room beside the image for 0x{size:x} bytes of boot structures", 0, _image.End + (1 << 20));
    }

    private void Copy(GuestFile file, ulong offset, ulong size, Gpa destination)
    {
        byte[] buffer = new byte[(int)Math.Min(size, CopyChunk)];
        while (size != 0)
        {
            Span<byte> chunk = buffer.AsSpan(0, (int)Math.Min(size, CopyChunk));
            if (!file.TryRead(offset, chunk))
                throw CommandException.BadGuest($"{file.Name}: became shorter while it was read; try again when nothing writes to it");
            Write(destination.Value, chunk);
            offset += (ulong)chunk.Length;
            destination += (ulong)chunk.Length;
            size -= (ulong)chunk.Length;
        }
    }

    private void Write(ulong address, ReadOnlySpan<byte> content)
    {
        if (!_memory.TryLoad(new Gpa(address), content))
            throw new HvException($"loading 0x{content.Length:x} bytes at 0x{address:x} was refused by guest memory");
    }

    /// <summary>What could not be had at [start, end), and how much memory would have it, if any can.</summary>
    private CommandException DoesNotFit(string what, ulong start, ulong end)
    {
        string has = $"guest memory ends at 0x{_end:x}";
        if (end > LowMost && start < HighStart)
            return CommandException.BadGuest($"{what}, but no guest memory lies at 0x{LowMost:x}..0x{HighStart:x}; link or load it elsewhere");
        ulong size = end > HighStart ? end - (HighStart - LowMost) : end;
        return size <= HypervisorOptionsValidator.MostMemory
            ? CommandException.BadGuest($"{what}, but {has}; give at least --memory {(size + 0xF_FFFF) >> 20}MiB")
            : CommandException.BadGuest($"{what}, but {has}; link or load it lower");
    }
}
