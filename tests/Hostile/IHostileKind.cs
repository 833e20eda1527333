using Hv.Core;

namespace Hv.Hostile;

/// <summary>One kind of hostile input.</summary>
internal interface IHostileKind
{
    /// <summary>Its name on the command line and in the histogram.</summary>
    string Name { get; }

    /// <summary>Makes one input from <paramref name="random"/> alone, runs it, and says how it ended. An exception is a failure of the
    /// host.</summary>
    string Run(IBackend backend, SeededRandom random);
}
