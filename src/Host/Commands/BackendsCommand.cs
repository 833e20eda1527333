using System.Text.Json;
using Hv.Core;
using Hv.Host.Composition;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace Hv.Host.Commands;

/// <summary>What <c>hv backends</c> prints.</summary>
internal static class BackendsCommand
{
    /// <summary>Prints the backends, as a table or with <c>--json</c>.</summary>
    public static int Print(CommandLine line, TextWriter output)
    {
        using var configuration = new ConfigurationManager();
        HostComposition.AddSources(configuration, line.Configuration);
        using ServiceProvider services = new ServiceCollection().AddHvCore().AddBackends(configuration).BuildServiceProvider();
        IReadOnlyList<IBackend> backends = services.GetRequiredService<BackendCatalog>().All;
        if (line[CommandOption.JsonName] is not null)
            output.WriteLine(Json(backends));
        else
            PrintTable(backends, output);
        return (int)ExitCode.Success;
    }

    private static void PrintTable(IReadOnlyList<IBackend> backends, TextWriter output)
    {
        foreach (IBackend backend in backends)
        {
            BackendAvailability availability = backend.Availability;
            output.WriteLine($"{backend.Name,-10} {backend.Description}");
            output.WriteLine($"{"",-10} exit instruction {backend.Encoding}");
            output.WriteLine($"{"",-10} {backend.Capabilities}");
            if (!availability.IsAvailable)
                output.WriteLine($"{"",-10} not available here: {availability.Reason}");
            if (backend is IBackendDiagnosis diagnosis && availability.IsAvailable)
                PrintFindings(diagnosis.Diagnose(), output);
        }
    }

    /// <summary>What was tried: a line each, and a line more with the remedy for what does not work.</summary>
    private static void PrintFindings(IReadOnlyList<BackendFinding> findings, TextWriter output)
    {
        foreach (BackendFinding finding in findings)
        {
            output.WriteLine($"{"",-10} {(finding.Works ? "works" : "FAILS")}  {finding.Name}{(finding.Detail.Length == 0 ? "" : $": {finding.Detail}")}");
            if (!finding.Works && finding.Remedy.Length > 0)
                output.WriteLine($"{"",-10}        -> {finding.Remedy}");
        }
    }

    private static void WriteFindings(Utf8JsonWriter writer, IReadOnlyList<BackendFinding> findings)
    {
        writer.WriteStartArray("findings");
        foreach (BackendFinding finding in findings)
        {
            writer.WriteStartObject();
            writer.WriteString("name", finding.Name);
            writer.WriteBoolean("works", finding.Works);
            writer.WriteString("detail", finding.Detail);
            writer.WriteString("remedy", finding.Remedy);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    private static string Json(IReadOnlyList<IBackend> backends)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true }))
        {
            writer.WriteStartArray();
            foreach (IBackend backend in backends)
            {
                writer.WriteStartObject();
                writer.WriteString("name", backend.Name);
                writer.WriteString("description", backend.Description);
                writer.WriteString("exitInstruction", backend.Encoding.ToString());
                writer.WriteStartArray("capabilities");
                foreach (BackendCapabilities capability in Enum.GetValues<BackendCapabilities>())
                {
                    if (capability != BackendCapabilities.None && backend.Capabilities.HasFlag(capability))
                        writer.WriteStringValue(capability.ToString());
                }

                writer.WriteEndArray();
                writer.WriteBoolean("available", backend.Availability.IsAvailable);
                writer.WriteString("reason", backend.Availability.Reason);
                if (backend is IBackendDiagnosis diagnosis)
                    WriteFindings(writer, diagnosis.Diagnose());
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
        }

        return System.Text.Encoding.UTF8.GetString(buffer.ToArray());
    }
}
