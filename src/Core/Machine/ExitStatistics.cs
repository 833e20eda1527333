using System.Runtime.CompilerServices;
using Hv.Core.Exits;

namespace Hv.Core.Machine;

/// <summary>Counters of one vCPU, or the sum over a machine's. Plain memory: a reader on another thread sees a recent value.</summary>
public sealed class ExitStatistics
{
    private const int Reasons = (int)ExitReason.Answered + 1;

    // Inside the object: one access at every exit.
    private Counters _exits;

    /// <summary>Exits with this reason.</summary>
    public long this[ExitReason reason] => _exits[(int)reason];

    /// <summary>Hypercalls made, refused ones too.</summary>
    public long Hypercalls => this[ExitReason.Hypercall];

    /// <summary>Instructions retired while the machine ran; 0 where the backend cannot count.</summary>
    public long Instructions { get; internal set; }

    /// <summary>All exits.</summary>
    public long Total
    {
        get
        {
            long total = 0;
            foreach (long exits in _exits)
                total += exits;
            return total;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Count(ExitReason reason) => _exits[(int)reason]++;

    internal void Add(ExitStatistics other)
    {
        for (int i = 0; i < Reasons; i++)
            _exits[i] += other._exits[i];
        Instructions += other.Instructions;
    }

    [InlineArray(Reasons)]
    private struct Counters
    {
        private long _exits;
    }
}
