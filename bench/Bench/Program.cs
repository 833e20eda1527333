using BenchmarkDotNet.Running;
using Hv.Bench;

// `dotnet run -c Release --project bench/Bench -- quick` prints the ratios of the round trips in some seconds, `-- guests` instructions a second of
// the guests, `-- spin Emulated PortOut 10` one round trip for ten seconds, for a profiler; `-- kvm` the cost of an exit of /dev/kvm over a bare C loop; anything else is BenchmarkDotNet's command line.
if (args is ["quick", ..])
    return QuickRatios.Print(args[1..]);
if (args is ["guests", ..])
    return GuestBenchmarks.PrintRates(args[1..]);
if (args is ["spin", var backend, var roundTrip, var seconds])
    return QuickRatios.Spin(backend, roundTrip, double.Parse(seconds, System.Globalization.CultureInfo.InvariantCulture));
if (args is ["kvm"])
    return KvmOverC.Print();
BenchmarkSwitcher.FromAssembly(typeof(ExitBenchmarks).Assembly).Run(args);
return 0;
