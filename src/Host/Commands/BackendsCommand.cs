using System.Text.Json;
using Hv.Core;
using Hv.Host.Composition;
using Microsoft.Extensions.DependencyInjection;

namespace Hv.Host.Commands;

/// <summary>What <c>hv backends</c> prints.</summary>
internal static class BackendsCommand
{
    /// <summary>Prints the backends, as a table or with <c>--json</c>.</summary>
    public static int Print(CommandLine line, TextWriter output)
    {
        using ServiceProvider services = new ServiceCollection().AddHvCore().AddBackends().BuildServiceProvider();
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
        }
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
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
        }

        return System.Text.Encoding.UTF8.GetString(buffer.ToArray());
    }
}
