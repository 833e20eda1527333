using System.Diagnostics;

namespace Hv.Conformance.Campaigns.Execution;

/// <summary>How much minimising one finding may cost. When it is spent the finding is kept as far as it has come: a case that ends the oracle's worker
/// takes seconds a try.</summary>
/// <param name="tries">The most cases run.</param>
/// <param name="time">The most wall-clock time, looked at before each case.</param>
public sealed class Effort(int tries, TimeSpan time)
{
    private const int MostTries = 400, MostDeaths = 1;
    private static readonly TimeSpan _mostTime = TimeSpan.FromSeconds(5);
    private readonly long _since = Stopwatch.GetTimestamp();
    private int _deathsBefore = -1;

    /// <summary>What one finding is worth: more tries than a case has parts, five seconds, and one worker.</summary>
    public static Effort ForOneFinding() => new(MostTries, _mostTime);

    /// <summary>Cases run so far.</summary>
    public int Tries { get; private set; }

    /// <summary>Takes one try; false when there is none left.</summary>
    /// <param name="deaths">How many workers have died so far.</param>
    public bool Take(int deaths)
    {
        if (_deathsBefore < 0)
            _deathsBefore = deaths;
        if (Tries >= tries || deaths - _deathsBefore > MostDeaths || Stopwatch.GetElapsedTime(_since) >= time)
            return false;
        Tries++;
        return true;
    }
}
