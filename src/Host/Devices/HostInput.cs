namespace Hv.Host.Devices;

/// <summary>
/// The process's standard input as a device sees it: a thread of its own waits for bytes, from the first time the guest looks for one, so that a
/// guest which reads nothing takes nothing from the shell.
/// </summary>
internal sealed class HostInput : IByteSource
{
    private const int BufferSize = 4096;

    private readonly object _lock = new();
    private readonly Func<Stream> _open;
    private readonly byte[] _buffer = new byte[BufferSize];
    private int _next;
    private volatile int _count;
    private volatile bool _started;

    /// <summary>Reads from the stream that <paramref name="open"/> gives when it is first needed.</summary>
    public HostInput(Func<Stream> open) => _open = open;

    /// <inheritdoc/>
    public bool HasByte
    {
        get
        {
            if (!_started)
                Start();
            return _count != 0;
        }
    }

    /// <inheritdoc/>
    public bool TryTake(out byte value)
    {
        value = 0;
        if (!HasByte)
            return false;
        lock (_lock)
        {
            value = _buffer[_next++];
            if (--_count == 0)
                Monitor.Pulse(_lock);
            return true;
        }
    }

    private void Start()
    {
        lock (_lock)
        {
            if (_started)
                return;
            _started = true;
            new Thread(ReadAll) { IsBackground = true, Name = "guest input" }.Start();
        }
    }

    private void ReadAll()
    {
        byte[] chunk = new byte[BufferSize];
        try
        {
            using Stream stream = _open();
            while (stream.Read(chunk) is > 0 and var read)
            {
                lock (_lock)
                {
                    chunk.AsSpan(0, read).CopyTo(_buffer);
                    _next = 0;
                    _count = read;
                    while (_count != 0)
                        Monitor.Wait(_lock);
                }
            }
        }
        catch (IOException)
        {
            // A terminal that went away is the end of the input.
        }
    }
}
