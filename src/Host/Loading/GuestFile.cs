using Microsoft.Win32.SafeHandles;

namespace Hv.Host.Loading;

/// <summary>The bytes of a guest image or module, read at any offset: a file on disk, or memory for tests. Never read whole unless asked
/// to.</summary>
internal sealed class GuestFile : IDisposable
{
    private readonly SafeFileHandle? _handle;
    private readonly ReadOnlyMemory<byte> _memory;

    /// <summary>Takes bytes that are in memory already.</summary>
    public GuestFile(string name, ReadOnlyMemory<byte> content)
    {
        Name = name;
        _memory = content;
        Length = (ulong)content.Length;
    }

    private GuestFile(string name, SafeFileHandle handle, long length)
    {
        Name = name;
        _handle = handle;
        Length = (ulong)length;
    }

    /// <summary>How messages name it: the path as given.</summary>
    public string Name { get; }

    /// <summary>Bytes.</summary>
    public ulong Length { get; }

    /// <summary>Opens a file.</summary>
    /// <exception cref="CommandException">It is not there, is not a regular file, is empty, or may not be read.</exception>
    public static GuestFile Open(string path)
    {
        SafeFileHandle? handle = null;
        try
        {
            if (path.Length == 0)
                throw CommandException.BadGuest("the guest's or a module's path is empty; give the path of a file");
            if (Directory.Exists(path))
                throw CommandException.BadGuest($"{path}: is a directory; give the guest's image file");
            // Before it is opened: a pipe that nobody writes to would hold the opener for ever. It has the length 0, as devices have.
            if (new FileInfo(path) is { Exists: true, Length: 0 })
                throw HasNoContent(path);
            handle = File.OpenHandle(path);
            long length = RandomAccess.GetLength(handle);
            if (length == 0)
                throw HasNoContent(path);
            var file = new GuestFile(path, handle, length);
            handle = null;
            return file;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw CommandException.BadGuest($"{path}: no such file; check the path");
        }
        catch (UnauthorizedAccessException)
        {
            throw CommandException.BadGuest($"{path}: may not be read; check its permissions");
        }
        catch (NotSupportedException)
        {
            throw CommandException.BadGuest($"{path}: is a pipe or a device; copy it into a regular file first");
        }
        catch (Exception e) when (e is IOException or ArgumentException)
        {
            throw CommandException.BadGuest($"{path}: cannot be opened: {FirstLine(e.Message)}");
        }
        finally
        {
            handle?.Dispose();
        }
    }

    /// <summary>Fills <paramref name="destination"/> from <paramref name="offset"/>. False, with nothing promised about it, when the file ends
    /// before.</summary>
    /// <exception cref="CommandException">The host could not read.</exception>
    public bool TryRead(ulong offset, Span<byte> destination)
    {
        if (offset > Length || (ulong)destination.Length > Length - offset)
            return false;
        if (_handle is null)
        {
            _memory.Span.Slice((int)offset, destination.Length).CopyTo(destination);
            return true;
        }

        try
        {
            while (!destination.IsEmpty)
            {
                int read = RandomAccess.Read(_handle, destination, (long)offset);
                if (read == 0)
                    return false;
                destination = destination[read..];
                offset += (ulong)read;
            }

            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw CommandException.BadGuest($"{Name}: cannot be read: {FirstLine(e.Message)}");
        }
    }

    /// <summary>The first <paramref name="most"/> bytes, or the whole file where it is shorter.</summary>
    public byte[] ReadHead(int most)
    {
        byte[] head = new byte[(int)Math.Min((ulong)most, Length)];
        return TryRead(0, head) ? head : [];
    }

    /// <inheritdoc/>
    public void Dispose() => _handle?.Dispose();

    private static CommandException HasNoContent(string path) =>
        CommandException.BadGuest($"{path}: has no content; a guest is a file (no pipe or device) with an ELF, multiboot or flat image in it");

    private static string FirstLine(string message) => message.AsSpan().IndexOfAny('\r', '\n') is >= 0 and var end ? message[..end] : message;
}
