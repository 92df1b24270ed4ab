using System.CommandLine;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Host.Hosting;
using ModelZoo.Host.Loading;
using ModelZoo.Host.Manifest;
using Spectre.Console;

namespace ModelZoo.Host.Commands;

/// <summary><c>modelzoo plugins</c>: what the manifest names, changed and checked.</summary>
internal static class PluginsCommand
{
    public static Command Create(Terminal.Terminal terminal)
    {
        var command = new ZooCommand("plugins", "Lists, adds, removes, switches, pins, checks and makes plugins.", "modelzoo plugins list", "modelzoo plugins check ./MyPlugin/bin/Release/net10.0", "modelzoo plugins pin ModelZoo.Plugins.Speech")
        {
            List(terminal), Add(terminal),
            Change(terminal, "remove", "Takes a plugin out of the manifest.", (editor, record) =>
            {
                editor.Remove(record.Path);
                return "taken out";
            }),
            Change(terminal, "enable", "Switches a plugin on.", (editor, record) =>
            {
                editor.Set(record.Path, "enabled", null);
                return "on";
            }),
            Change(terminal, "disable", "Switches a plugin off.", (editor, record) =>
            {
                editor.Set(record.Path, "enabled", false);
                return "off";
            }),
            Change(terminal, "pin", "Writes a plugin's SHA-256 into the manifest; other files are then refused.", (editor, record) =>
            {
                var digest = PluginDigest.Of(record.Path);
                editor.Set(record.Path, "sha256", digest);
                return $"pinned to {digest}";
            }),
            Release(terminal), Check(terminal), New(terminal),
        };
        return command;
    }

    private static Command List(Terminal.Terminal terminal)
    {
        var json = new Option<bool>("--json") { Description = "Write JSON." };
        return new ZooCommand("list", "Every plugin: state, reason, load time, digest.", "modelzoo plugins list --json") { json }.Runs(terminal, (parsed, services, _) =>
        {
            var table = new Table { Border = TableBorder.Rounded }.AddColumns("plugin", "version", "state", "load", "SHA-256", "why");
            var list = new JsonArray();
            foreach (var record in services.GetRequiredService<PluginCatalog>().Plugins)
            {
                var digest = record.Loaded?.Digest.Value ?? "";
                list.Add((JsonNode)new JsonObject { ["name"] = record.Name, ["path"] = record.Path, ["named_by"] = record.Entry.Where, ["state"] = record.State.ToString().ToLowerInvariant(), ["reason"] = record.Reason, ["load_ms"] = record.LoadTime.TotalMilliseconds, ["sha256"] = digest, ["pinned"] = record.Entry.Sha256 is not null });
                table.AddRow([.. new[] { record.Name, record.Inspection?.Version.ToString(3) ?? "", record.State.ToString().ToLowerInvariant(), $"{record.LoadTime.TotalMilliseconds:0} ms", digest.Length > 12 ? digest[..12] + (record.Entry.Sha256 is null ? "" : " (pinned)") : "", record.Reason ?? "" }.Select(Markup.Escape)]);
            }

            if (parsed.GetValue(json)) terminal.WriteJson(list);
            else terminal.Output.Write(table);
            return Task.FromResult(ExitCodes.Ok);
        });
    }

    private static Command Add(Terminal.Terminal terminal)
    {
        var path = new Argument<string>("PATH") { Description = "Folder, DLL, .nupkg or .zip." };
        return new ZooCommand("add", "Adds a plugin to the manifest, if it loads.", "modelzoo plugins add ./downloads/MyPlugin.zip") { path }.RunsBare(terminal, async (parsed, cancel) =>
        {
            var full = Path.GetFullPath(parsed.GetRequiredValue(path));
            var record = await CheckAsync(full, cancel).ConfigureAwait(false);
            if (record.State != PluginState.Ready) throw new ModelZooException(ErrorCodes.PluginFailed, $"{record.Name} is {record.State.ToString().ToLowerInvariant()} and was not added. {record.Reason}");
            var file = ManifestFile(parsed);
            new ManifestEditor(file).Add(full);
            terminal.Writer.WriteLine($"{record.Name} {record.Inspection!.Version.ToString(3)} is in {file}. It runs with all your rights; `modelzoo plugins pin {record.Name}` fixes its files.");
            return ExitCodes.Ok;
        });
    }

    private static Command Change(Terminal.Terminal terminal, string verb, string description, Func<ManifestEditor, PluginRecord, string> change)
    {
        var name = new Argument<string>("NAME") { Description = "The plugin's name, as `modelzoo plugins list` shows it, or its path." };
        return new ZooCommand(verb, description, $"modelzoo plugins {verb} ModelZoo.Plugins.Speech") { name }.Runs(terminal, (parsed, services, _) =>
        {
            var (asked, plugins) = (parsed.GetRequiredValue(name), services.GetRequiredService<PluginCatalog>().Plugins);
            // A plugin that does not load has no other name than its folder.
            var record = plugins.FirstOrDefault(record => record.Name == asked || record.Path == Path.GetFullPath(asked) || Path.GetFileNameWithoutExtension(record.Path) == asked)
                ?? throw new ModelZooException(ErrorCodes.ModelUnknown, $"The manifest names no plugin '{asked}'.") { Remedy = Names.Nearest(asked, plugins.Select(record => record.Name)) is { } nearest ? $"Did you mean '{nearest}'?" : "`modelzoo plugins list` shows them." };
            terminal.Writer.WriteLine($"{record.Name}: {change(new(ManifestFile(parsed)), record)}");
            return Task.FromResult(ExitCodes.Ok);
        });
    }

    private static Command Release(Terminal.Terminal terminal)
    {
        var name = new Argument<string>("NAME") { Description = "The plugin's name, as its reason shows it, or its path." };
        return new ZooCommand("release", "Lets a plugin out of quarantine; a host that runs loads it again.", "modelzoo plugins release ModelZoo.Plugins.Speech") { name }.RunsBare(terminal, (parsed, _) =>
        {
            var (asked, quarantine) = (parsed.GetRequiredValue(name), Zoo.Quarantine(TimeProvider.System));
            var held = quarantine.Entries.Where(entry => entry.Name == asked || entry.Path == Path.GetFullPath(asked)).ToList();
            if (held.Count == 0) throw new ModelZooException(ErrorCodes.ModelUnknown, $"No plugin '{asked}' is in quarantine.") { Expected = quarantine.Entries.Count == 0 ? "none is" : string.Join(", ", quarantine.Entries.Select(entry => entry.Name)) };
            foreach (var entry in held)
            {
                quarantine.Forgive(entry.Path);
                terminal.Writer.WriteLine($"{entry.Name} ({entry.Path}) is out of quarantine. It was held because {entry.Reason}");
            }

            return Task.FromResult(ExitCodes.Ok);
        });
    }

    private static Command Check(Terminal.Terminal terminal)
    {
        var path = new Argument<string>("PATH") { Description = "Folder, DLL, .nupkg or .zip." };
        var json = new Option<bool>("--json") { Description = "Write JSON." };
        return new ZooCommand("check", "Says whether a plugin would load here, and why not; its metadata is read before any of its code runs.", "modelzoo plugins check ./MyPlugin.zip") { path, json }.RunsBare(terminal, async (parsed, cancel) =>
        {
            var record = await CheckAsync(Path.GetFullPath(parsed.GetRequiredValue(path)), cancel).ConfigureAwait(false);
            var models = record.Loaded?.Plugin.Architectures.Select(architecture => architecture.Card.Id).ToList() ?? [];
            if (parsed.GetValue(json))
            {
                terminal.WriteJson(new JsonObject
                {
                    ["name"] = record.Name, ["state"] = record.State.ToString().ToLowerInvariant(), ["reason"] = record.Reason, ["framework"] = record.Inspection?.Framework, ["contracts"] = record.Inspection?.Contracts?.ToString(3),
                    ["problems"] = new JsonArray([.. (record.Inspection?.Problems ?? []).Select(problem => (JsonNode)problem)]), ["hazards"] = new JsonArray([.. (record.Inspection?.Hazards ?? []).Select(hazard => (JsonNode)hazard)]), ["models"] = new JsonArray([.. models.Select(model => (JsonNode)model)]),
                });
            }
            else
            {
                terminal.Writer.WriteLine($"{record.Name}: {record.State.ToString().ToLowerInvariant()}");
                if (record.Reason is not null) terminal.Writer.WriteLine("  " + record.Reason);
                if (record.Inspection is { } inspection) terminal.Writer.WriteLine($"  version {inspection.Version.ToString(3)}, {inspection.Framework}, contracts {inspection.Contracts?.ToString(3)}");
                foreach (var hazard in record.Inspection?.Hazards ?? []) terminal.Writer.WriteLine("  careful: " + hazard);
                foreach (var model in models) terminal.Writer.WriteLine("  " + model);
            }

            return record.State == PluginState.Ready ? ExitCodes.Ok : ExitCodes.Failed;
        });
    }

    private static Command New(Terminal.Terminal terminal)
    {
        var name = new Argument<string>("NAME") { Description = "Name of the project and its namespace, such as MyLab.Codec." };
        var output = new Option<string?>("--out") { Description = "Folder to make; the name without it.", HelpName = "DIR" };
        return new ZooCommand("new", "Makes a plugin project that builds, tests and runs.", "modelzoo plugins new MyLab.Codec") { name, output }.RunsBare(terminal, async (parsed, cancel) =>
        {
            var folder = Path.GetFullPath(parsed.GetValue(output) ?? parsed.GetRequiredValue(name));
            var files = await PluginTemplate.WriteAsync(parsed.GetRequiredValue(name), folder, cancel).ConfigureAwait(false);
            foreach (var file in files) terminal.Writer.WriteLine(Path.GetRelativePath(Environment.CurrentDirectory, file));
            terminal.Writer.WriteLine($"Now: dotnet build {Path.GetRelativePath(Environment.CurrentDirectory, folder)}");
            return ExitCodes.Ok;
        });
    }

    private static async Task<PluginRecord> CheckAsync(string path, CancellationToken cancel)
    {
        var quarantine = Zoo.Quarantine(TimeProvider.System);
        using var marks = Zoo.Marks(quarantine);
        var catalog = new PluginCatalog(Zoo.Loader(), new(Path.Combine(Zoo.CacheFolder, "plugins")), quarantine, marks);
        return await catalog.LoadAsync(new(path, "command line"), path, cancel).ConfigureAwait(false);
    }

    private static string ManifestFile(ParseResult parsed) =>
        parsed.GetValue(CommandLine.Manifest) ?? ManifestReader.Locate(Environment.CurrentDirectory, AppContext.BaseDirectory) ?? Path.Combine(Environment.CurrentDirectory, ManifestReader.FileName);
}
