using Hv.Core.Hypercalls;

namespace Hv.Host.Devices;

/// <summary>
/// The guest's console: the process's standard output and nothing else's. Bytes pass as they are; they are gathered up to a line, and up to a
/// short time where a line does not end, so that a guest that prints byte by byte costs no system call each.
/// </summary>
internal sealed class HostOutput : IConsole, IDisposable
{
    private const int BufferSize = 4096;
    private static readonly TimeSpan FlushDelay = TimeSpan.FromMilliseconds(20);

    private readonly Lock _lock = new();
    private readonly Stream _stream;
    private readonly byte[] _buffer = new byte[BufferSize];
    private readonly Timer _timer;
    private int _count;
    private bool _timerSet, _closed;

    /// <summary>Writes to <paramref name="stream"/>.</summary>
    public HostOutput(Stream stream)
    {
        _stream = stream;
        _timer = new Timer(static state => ((HostOutput)state!).Flush(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Whether the other end has gone away, for example a closed pipe.</summary>
    public bool IsClosed => _closed;

    /// <inheritdoc/>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        lock (_lock)
        {
            bool endsLine = bytes.Contains((byte)'\n');
            while (!bytes.IsEmpty)
            {
                int chunk = Math.Min(bytes.Length, BufferSize - _count);
                bytes[..chunk].CopyTo(_buffer.AsSpan(_count));
                bytes = bytes[chunk..];
                _count += chunk;
                if (_count == BufferSize)
                    FlushLocked();
            }

            if (endsLine)
            {
                FlushLocked();
            }
            else if (_count != 0 && !_timerSet)
            {
                _timerSet = true;
                _timer.Change(FlushDelay, Timeout.InfiniteTimeSpan);
            }
        }
    }

    /// <summary>Passes on what was gathered.</summary>
    public void Flush()
    {
        lock (_lock)
            FlushLocked();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _timer.Dispose();
        Flush();
    }

    private void FlushLocked()
    {
        _timerSet = false;
        int count = _count;
        _count = 0;
        if (count == 0 || _closed)
            return;
        try
        {
            _stream.Write(_buffer, 0, count);
            _stream.Flush();
        }
        catch (IOException)
        {
            // A reader that went away (hv run guest | head) is not the guest's fault: the rest goes nowhere.
            _closed = true;
        }
    }
}
