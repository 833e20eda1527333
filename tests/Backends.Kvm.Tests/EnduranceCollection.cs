using Xunit;

namespace Hv.Backends.Kvm.Tests;

/// <summary>Tests that count what the process holds, or need both processors: nothing else runs beside them.</summary>
[CollectionDefinition(nameof(EnduranceCollection), DisableParallelization = true)]
public sealed class EnduranceCollection;
