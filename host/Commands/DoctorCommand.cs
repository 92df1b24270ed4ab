using System.CommandLine;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Host.Hosting;
using ModelZoo.Host.Loading;
using ModelZoo.Host.Manifest;
using ModelZoo.Host.Media;
using ModelZoo.Inference;
using Spectre.Console;

namespace ModelZoo.Host.Commands;

/// <summary><c>modelzoo doctor</c>.</summary>
internal static class DoctorCommand
{
    private sealed record Check(string Name, string Status, string Found, string? Remedy = null);

    public static Command Create(Terminal.Terminal terminal)
    {
        var json = new Option<bool>("--json") { Description = "Write JSON." };
        var command = new ZooCommand("doctor", "Looks at everything that the host needs, and says what to do about what is missing.", "modelzoo doctor", "modelzoo doctor --json") { json };
        return command.RunsBare(terminal, async (parsed, cancel) =>
        {
            var checks = await RunAsync(CommandLine.HostOptions(parsed), cancel).ConfigureAwait(false);
            if (parsed.GetValue(json))
            {
                terminal.WriteJson(new JsonArray([.. checks.Select(JsonNode (check) => new JsonObject { ["check"] = check.Name, ["status"] = check.Status, ["found"] = check.Found, ["remedy"] = check.Remedy })]));
            }
            else
            {
                var table = new Table { Border = TableBorder.Rounded }.AddColumns("check", "", "found", "what to do");
                foreach (var check in checks)
                    table.AddRow(Markup.Escape(check.Name), check.Status switch { "ok" => "[green]ok[/]", "warning" => "[yellow]warning[/]", _ => "[red]error[/]" }, Markup.Escape(check.Found), Markup.Escape(check.Remedy ?? ""));
                terminal.Output.Write(table);
            }

            return checks.Exists(check => check.Status == "error") ? ExitCodes.Failed : ExitCodes.Ok;
        });
    }

    private static async Task<List<Check>> RunAsync(ZooOptions options, CancellationToken cancel)
    {
        var checks = new List<Check>
        {
            new(".NET", "ok", $"{RuntimeInformation.FrameworkDescription} on {RuntimeInformation.OSDescription} ({RuntimeInformation.RuntimeIdentifier}), {Environment.ProcessorCount} cores, {GC.GetGCMemoryInfo().TotalAvailableMemoryBytes >> 20} MB"),
        };
        AddEngine(checks);
        checks.Add(Cache());
        checks.Add(await Ffmpeg.VersionAsync(cancel).ConfigureAwait(false) is { } version
            ? new("ffmpeg", "ok", version)
            : new("ffmpeg", "warning", "not installed", "WAV and PNG need nothing; for other formats install it (for example: apt install ffmpeg)."));
        await AddPluginsAsync(checks, options, cancel).ConfigureAwait(false);
        return checks;
    }

    private static void AddEngine(List<Check> checks)
    {
        try
        {
            using var engine = new InferenceRuntime();
            checks.Add(new("ONNX Runtime", "ok", $"{engine.Version} from {engine.LibraryPath}"));
            checks.Add(new("operators", "ok", engine.OwnOperators.Count == 0 ? "the engine's (this processor has no 512-bit vectors)" : $"the engine's; on cpu our own: {string.Join(", ", engine.OwnOperators)}"));
            foreach (var device in engine.Devices)
                checks.Add(device.IsAvailable ? new($"device {device.Device}", "ok", "answers") : new($"device {device.Device}", "warning", device.Problem!, "Only needed when you ask for it."));
        }
        catch (ModelZooException error)
        {
            checks.Add(new("ONNX Runtime", "error", error.Message, error.Remedy));
        }
    }

    private static Check Cache()
    {
        try
        {
            Directory.CreateDirectory(Zoo.CacheFolder);
            var probe = Path.Combine(Zoo.CacheFolder, $"{Guid.NewGuid():N}");
            File.WriteAllText(probe, "");
            File.Delete(probe);
            return new("cache", "ok", Zoo.CacheFolder);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return new("cache", "error", $"{Zoo.CacheFolder}: {error.Message}", "Set MODELZOO_CACHE to a folder that you can write to.");
        }
    }

    private static async Task AddPluginsAsync(List<Check> checks, ZooOptions options, CancellationToken cancel)
    {
        try
        {
            using var host = await Zoo.StartAsync(options, cancel).ConfigureAwait(false);
            var manifest = host.Services.GetRequiredService<HostManifest>();
            checks.Add(manifest.Files.Count == 0
                ? new("manifest", "warning", "none", $"Run in a folder with {ManifestReader.FileName}, or name one with --manifest FILE.")
                : new("manifest", "ok", string.Join(", ", manifest.Files)));
            foreach (var record in host.Services.GetRequiredService<PluginCatalog>().Plugins)
                checks.Add(new($"plugin {record.Name}", record.State is PluginState.Ready or PluginState.Disabled ? "ok" : "error", record.Reason ?? $"ready, {record.LoadTime.TotalMilliseconds:0} ms"));
            foreach (var (id, entry) in manifest.Models.Where(pair => pair.Value.Checkpoint is not null && !Directory.Exists(pair.Value.Checkpoint)))
                checks.Add(new($"model {id}", "error", $"no folder {entry.Checkpoint}", "Correct \"checkpoint\" in plugins.json."));
        }
        catch (ModelZooException error)
        {
            checks.Add(new("manifest", "error", error.Message));
        }
    }
}
