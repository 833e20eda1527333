using BenchmarkDotNet.Running;
using Hv.Bench;

// `dotnet run -c Release --project bench/Bench -- quick` prints the ratios of the round trips in some seconds; anything else is BenchmarkDotNet's command line.
if (args is ["quick", ..])
    return QuickRatios.Print(args[1..]);
BenchmarkSwitcher.FromAssembly(typeof(ExitBenchmarks).Assembly).Run(args);
return 0;
