using Hv.Core;
using Hv.Host.Composition;
using Hv.Hostile;
using Microsoft.Extensions.DependencyInjection;

if (args is ["--help" or "-h"])
{
    Console.WriteLine(CampaignOptions.Usage);
    return ExitCodes.Good;
}

if (CampaignOptions.Parse(args, out string problem) is not { } options)
    return Wrong(problem);
using ServiceProvider services = new ServiceCollection().AddHvCore().AddBackends().BuildServiceProvider();
IBackend[] available = Campaign.Suitable(services.GetServices<IBackend>());
IBackend[] backends = [.. available.Where(b => options.Backend is null || string.Equals(b.Name, options.Backend,
    StringComparison.OrdinalIgnoreCase))];
if (backends.Length == 0)
    return Wrong($"no backend that counts instructions is called \"{options.Backend}\"; there are "
        + string.Join(", ", available.Select(b => b.Name)));
IHostileKind[] kinds = [.. Campaign.AllKinds.Where(k => options.Kind is null || k.Name == options.Kind)];
if (kinds.Length == 0)
    return Wrong($"no kind is called \"{options.Kind}\"; there are {string.Join(", ", Campaign.AllKinds.Select(k => k.Name))}");
return new Campaign(backends, kinds, options, Console.Out).Run() ? ExitCodes.Good : ExitCodes.Failed;

static int Wrong(string problem)
{
    Console.Error.WriteLine($"hostile: {problem}");
    Console.Error.WriteLine(CampaignOptions.Usage);
    return ExitCodes.Usage;
}
