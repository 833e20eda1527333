using System.Text.Json;
using Hv.Backends.Emulated;
using Hv.Backends.Kvm;
using Hv.Backends.Svm;
using Hv.Backends.Svm.Hypervisor;
using Hv.Backends.Vmx;
using Hv.Core;
using Hv.Core.Hypercalls;
using Hv.Host.Configuration;
using Hv.Host.Devices;
using Hv.Host.Running;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Serilog;

namespace Hv.Host.Composition;

/// <summary>The only place that knows all parts: configuration, logging, core, backends, devices, the hosted service.</summary>
internal static class HostComposition
{
    private const string SettingsFile = "appsettings.json";

    /// <summary>Adds every backend. One line each: adding a backend means adding a line. Without a configuration each has its defaults.</summary>
    public static IServiceCollection AddBackends(this IServiceCollection services, IConfiguration? configuration = null) => services
        .AddEmulatedBackend()
        .AddKvmBackend(new KvmOptions { DevicePath = configuration?[HypervisorOptions.KvmDeviceKey] ?? new HypervisorOptions().KvmDevice })
        .AddSvmBackend()
        .AddVmxBackend();

    /// <summary>A backend in software by its name, without a container around it; null where there is none of that name. For <see cref="WarmUp"/>
    /// alone, which must not wait for a composition.</summary>
    public static IBackend? SoftwareBackend(string name) => name.ToUpperInvariant() switch
    {
        "EMULATED" => new EmulatedBackend(),
        "SVM" => new SvmBackend(),
        "VMX" => new VmxBackend(),
        _ => null,
    };

    /// <summary>Composes a host that runs one guest.</summary>
    /// <param name="request">Which guest.</param>
    /// <param name="configuration">The command line's configuration keys, stronger than the environment and the settings file.</param>
    /// <exception cref="CommandException">The settings file or a setting in it is broken.</exception>
    public static IHost Build(GuestRequest request, IEnumerable<KeyValuePair<string, string?>> configuration)
    {
        // The defaults of Host.CreateApplicationBuilder cost a third of the start (docs/adr/0062-lean-start.md) and would read the current directory.
        HostApplicationBuilder builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(
            new HostApplicationBuilderSettings { ApplicationName = "hv", ContentRootPath = AppContext.BaseDirectory, DisableDefaults = true });
        AddSources(builder.Configuration, configuration);

        IServiceCollection services = builder.Services;
        services.AddOptions<HypervisorOptions>().BindConfiguration(HypervisorOptions.Section).ValidateOnStart();
        services.AddSingleton<IValidateOptions<HypervisorOptions>, HypervisorOptionsValidator>();
        services.Configure<ConsoleLifetimeOptions>(o => o.SuppressStatusMessages = true);
        services.AddSerilog(LogOptions.CreateLogger(builder.Configuration), dispose: true);
        services.AddHvCore().AddBackends(builder.Configuration);
        services.AddSingleton(_ => new HostOutput(Console.OpenStandardOutput()));
        services.AddSingleton<IConsole>(p => p.GetRequiredService<HostOutput>());
        services.AddSingleton(new HostInput(Console.OpenStandardInput));
        services.AddSingleton(Console.Error);
        services.AddSingleton(request);
        services.AddSingleton<GuestRunner>();
        services.AddSingleton<RunOutcome>();
        services.AddHostedService<GuestService>();
        return builder.Build();
    }

    /// <summary>The sources of configuration, the weakest first: the settings file, the environment, the command line.</summary>
    /// <exception cref="CommandException">The settings file is broken.</exception>
    public static void AddSources(ConfigurationManager configuration, IEnumerable<KeyValuePair<string, string?>> commandLine)
    {
        configuration.SetBasePath(AppContext.BaseDirectory);
        AddSettingsFile(configuration);
        configuration.AddEnvironmentVariables();
        configuration.AddInMemoryCollection(commandLine);
    }

    private static void AddSettingsFile(ConfigurationManager configuration)
    {
        try
        {
            configuration.AddJsonFile(SettingsFile, optional: true, reloadOnChange: false);
        }
        catch (InvalidDataException e)
        {
            string path = Path.Combine(AppContext.BaseDirectory, SettingsFile);
            string why = e.GetBaseException() is JsonException json ? $"line {json.LineNumber + 1}: {json.Message}" : e.GetBaseException().Message;
            throw new CommandException(ExitCode.Usage, $"{path} is not valid JSON: {why}; mend or delete it", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCode.Usage, $"{Path.Combine(AppContext.BaseDirectory, SettingsFile)} cannot be read: {e.Message}", e);
        }
    }
}
