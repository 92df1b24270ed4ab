using System.CommandLine;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Host.Loading;
using ModelZoo.Host.Models;
using ModelZoo.Host.Verification;
using Spectre.Console;

namespace ModelZoo.Host.Commands;

/// <summary><c>modelzoo list</c>.</summary>
internal static class ListCommand
{
    public static Command Create(Terminal.Terminal terminal)
    {
        var all = new Option<bool>("--all") { Description = "Also the parts that papers share." };
        var metrics = new Option<bool>("--metrics") { Description = "The metrics, instead of the models." };
        var json = new Option<bool>("--json") { Description = "Write JSON." };
        var command = new ZooCommand("list", "What is loaded, what is not, and why.", "modelzoo list", "modelzoo list --all --json", "modelzoo list --metrics") { all, metrics, json };
        return command.Runs(terminal, (parsed, services, _) =>
        {
            var catalog = services.GetRequiredService<PluginCatalog>();
            if (parsed.GetValue(metrics)) WriteMetrics(terminal, catalog, parsed.GetValue(json));
            else if (parsed.GetValue(json)) terminal.WriteJson(ToJson(catalog, services, parsed.GetValue(all)));
            else Write(terminal, catalog, services, parsed.GetValue(all));
            return Task.FromResult(ExitCodes.Ok);
        });
    }

    /// <summary>What a model's parity state is, in a word.</summary>
    public static string Parity(ParityLedger.Entry? entry, Func<string> digest) => entry is null ? "not run"
        : entry.PluginSha256 != digest() ? "stale"
        : $"{entry.Passed}/{entry.Cases} on {entry.Device}";

    private static void Write(Terminal.Terminal terminal, PluginCatalog catalog, IServiceProvider services, bool all)
    {
        var plugins = new Table { Border = TableBorder.Rounded }.AddColumns("plugin", "version", "state", "models", "load", "why");
        foreach (var plugin in catalog.Plugins)
        {
            plugins.AddRow([.. new[]
            {
                plugin.Name, plugin.Inspection?.Version.ToString(3) ?? "", plugin.State.ToString().ToLowerInvariant(), plugin.Loaded?.Plugin.Architectures.Count.ToString() ?? "", $"{plugin.LoadTime.TotalMilliseconds:0} ms", plugin.Reason ?? "",
            }.Select(Markup.Escape)]);
        }

        terminal.Output.Write(plugins);
        var models = new Table { Border = TableBorder.Rounded }.AddColumns("model", "in → out", "paper", "weights", "parity");
        foreach (var row in Rows(catalog, services, all))
            models.AddRow([.. new[] { row.Id, row.Modalities, row.Card.Paper, row.Weights, row.Parity }.Select(Markup.Escape)]);
        terminal.Output.Write(models);
    }

    private static JsonObject ToJson(PluginCatalog catalog, IServiceProvider services, bool all) => new()
    {
        ["plugins"] = new JsonArray([.. catalog.Plugins.Select(JsonNode (plugin) => new JsonObject
        {
            ["name"] = plugin.Name, ["path"] = plugin.Path, ["version"] = plugin.Inspection?.Version.ToString(3), ["framework"] = plugin.Inspection?.Framework, ["contracts"] = plugin.Inspection?.Contracts?.ToString(3),
            ["state"] = plugin.State.ToString().ToLowerInvariant(), ["reason"] = plugin.Reason, ["load_ms"] = plugin.LoadTime.TotalMilliseconds,
        })]),
        ["models"] = new JsonArray([.. Rows(catalog, services, all).Select(JsonNode (row) => new JsonObject
        {
            ["id"] = row.Id, ["paper"] = row.Card.Paper, ["arxiv"] = row.Card.ArXiv, ["inputs"] = Words(row.Card.Inputs), ["outputs"] = Words(row.Card.Outputs), ["weights"] = row.Weights, ["parity"] = row.Parity, ["plugin"] = row.Plugin,
        })]),
    };

    private static JsonArray Words(IEnumerable<Modality> modalities) => [.. modalities.Select(modality => (JsonNode)modality.ToString().ToLowerInvariant())];

    private sealed record Row(string Id, ModelCard Card, string Weights, string Parity, string Plugin)
    {
        public string Modalities => $"{string.Join(", ", Card.Inputs).ToLowerInvariant()} → {string.Join(", ", Card.Outputs).ToLowerInvariant()}";
    }

    // Each architecture, and under its tags where the manifest names weights.
    private static IEnumerable<Row> Rows(PluginCatalog catalog, IServiceProvider services, bool all)
    {
        var resolver = services.GetRequiredService<ModelResolver>();
        var ledger = services.GetRequiredService<ParityLedger>().Read();
        foreach (var record in catalog.Plugins.Where(record => record.State == PluginState.Ready))
        {
            foreach (var card in record.Loaded!.Plugin.Architectures.Select(architecture => architecture.Card).Where(card => all || !card.Hidden))
            {
                var parity = Parity(ledger.GetValueOrDefault(card.Id), () => record.Loaded.Digest.Value);
                var tagged = resolver.Named.Where(id => id.WithoutTag.ToString() == card.Id).ToList();
                if (tagged.Count == 0) yield return new(card.Id, card, "--checkpoint DIR", parity, record.Name);
                foreach (var id in tagged) yield return new(id.ToString(), card, resolver.Resolve(new(id)).Source.Folder ?? "none", parity, record.Name);
            }
        }
    }

    private static void WriteMetrics(Terminal.Terminal terminal, PluginCatalog catalog, bool json)
    {
        var metrics = catalog.Ready.SelectMany(plugin => plugin.Plugin.Metrics).OrderBy(metric => metric.Name, StringComparer.Ordinal).ToList();
        if (json)
        {
            terminal.WriteJson(new JsonArray([.. metrics.Select(JsonNode (metric) => new JsonObject { ["name"] = metric.Name, ["unit"] = metric.Unit, ["higher_is_better"] = metric.HigherIsBetter, ["description"] = metric.Description })]));
            return;
        }

        var table = new Table { Border = TableBorder.Rounded }.AddColumns("metric", "unit", "better", "what");
        foreach (var metric in metrics) table.AddRow([.. new[] { metric.Name, metric.Unit, metric.HigherIsBetter switch { true => "higher", false => "lower", _ => "" }, metric.Description }.Select(Markup.Escape)]);
        terminal.Output.Write(table);
    }
}
