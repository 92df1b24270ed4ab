using System.CommandLine;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Host.Loading;
using ModelZoo.Host.Models;
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
        foreach (var entry in services.GetRequiredService<ModelDirectory>().Entries(all))
            models.AddRow([.. new[] { entry.Id, Modalities(entry.Card), entry.Card.Paper, entry.Weights, entry.Parity }.Select(Markup.Escape)]);
        terminal.Output.Write(models);
    }

    private static JsonObject ToJson(PluginCatalog catalog, IServiceProvider services, bool all) => new()
    {
        ["plugins"] = new JsonArray([.. catalog.Plugins.Select(JsonNode (plugin) => new JsonObject
        {
            ["name"] = plugin.Name, ["path"] = plugin.Path, ["version"] = plugin.Inspection?.Version.ToString(3), ["framework"] = plugin.Inspection?.Framework, ["contracts"] = plugin.Inspection?.Contracts?.ToString(3),
            ["state"] = plugin.State.ToString().ToLowerInvariant(), ["reason"] = plugin.Reason, ["load_ms"] = plugin.LoadTime.TotalMilliseconds,
        })]),
        ["models"] = new JsonArray([.. services.GetRequiredService<ModelDirectory>().Entries(all).Select(JsonNode (entry) =>
        {
            var json = entry.ToJson();
            json["weights"] = entry.Weights;
            json["plugin"] = entry.Plugin;
            return json;
        })]),
    };

    private static string Modalities(ModelCard card) => $"{string.Join(", ", card.Inputs).ToLowerInvariant()} → {string.Join(", ", card.Outputs).ToLowerInvariant()}";

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
