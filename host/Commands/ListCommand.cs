using System.CommandLine;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Host.Loading;
using ModelZoo.Host.Models;
using ModelZoo.Host.Terminal;
using Spectre.Console;

namespace ModelZoo.Host.Commands;

/// <summary><c>modelzoo list</c>.</summary>
internal static class ListCommand
{
    public static Command Create(Terminal.Terminal terminal)
    {
        var words = new Argument<string[]>("WORD") { Description = "Only models whose name, paper, arXiv id or media contain every word.", Arity = ArgumentArity.ZeroOrMore };
        var all = new Option<bool>("--all") { Description = "Also the parts that papers share." };
        var metrics = new Option<bool>("--metrics") { Description = "The metrics, instead of the models." };
        var json = new Option<bool>("--json") { Description = "Write JSON." };
        var command = new ZooCommand("list", "What is loaded, what is not, and why.", "modelzoo list", "modelzoo list speech", "modelzoo list image-tokenizers flow", "modelzoo list --all --json", "modelzoo list --metrics") { words, all, metrics, json };
        return command.Runs(terminal, (parsed, services, _) =>
        {
            var catalog = services.GetRequiredService<PluginCatalog>();
            var asked = parsed.GetValue(words) ?? [];
            var models = services.GetRequiredService<ModelDirectory>().Entries(parsed.GetValue(all)).Where(entry => Matches(entry, asked)).ToList();
            if (models.Count == 0 && asked.Length > 0) throw new ModelZooException(ErrorCodes.ModelUnknown, "No model has all of these words.") { Expected = "part of a name, a paper's title, an arXiv id or a medium", Remedy = "`modelzoo list` shows all." };
            if (parsed.GetValue(metrics)) WriteMetrics(terminal, catalog, parsed.GetValue(json));
            else if (parsed.GetValue(json)) terminal.WriteJson(ToJson(catalog, models));
            else Write(terminal, catalog, models);
            return Task.FromResult(ExitCodes.Ok);
        });
    }

    private static void Write(Terminal.Terminal terminal, PluginCatalog catalog, IReadOnlyList<ModelEntryView> models)
    {
        foreach (var family in models.GroupBy(entry => entry.Family))
        {
            var rows = family.OrderBy(entry => entry.Source is null).ThenBy(entry => entry.Id, StringComparer.Ordinal).Select(entry => new[] { entry.Id, Weights(entry), entry.Parity, Modalities(entry.Card), entry.Card.Paper }).ToList();
            Listing.Write(terminal, family.Key, ["model", "weights", "parity", "in → out", "paper"], rows);
        }

        var broken = catalog.Plugins.Where(plugin => plugin.State != PluginState.Ready).ToList();
        if (broken.Count > 0) Listing.Write(terminal, "plugins that are not ready", ["plugin", "version", "state", "why"], [.. broken.Select(plugin => new[] { plugin.Name, plugin.Inspection?.Version.ToString(3) ?? "", plugin.State.ToString().ToLowerInvariant(), plugin.Reason ?? "" })], cut: false);
        terminal.Writer.WriteLine($"{models.Count} models, {models.Count(entry => entry.Source is not null)} with weights in the manifest (the others take --checkpoint DIR). {catalog.Plugins.Count - broken.Count} plugins ready: `modelzoo plugins list`.");
    }

    private static string Weights(ModelEntryView entry) => entry.Source is null ? "" : entry.Source.Folder is not { } folder ? "none needed"
        : Path.GetRelativePath(Environment.CurrentDirectory, folder) is var relative && relative.StartsWith("..", StringComparison.Ordinal) ? folder : relative;

    private static bool Matches(ModelEntryView entry, IEnumerable<string> words) => words.All(word =>
        new[] { entry.Id, entry.Card.Paper, entry.Card.ArXiv ?? "", Modalities(entry.Card) }.Any(text => text.Contains(word, StringComparison.OrdinalIgnoreCase)));

    private static JsonObject ToJson(PluginCatalog catalog, IEnumerable<ModelEntryView> models) => new()
    {
        ["plugins"] = new JsonArray([.. catalog.Plugins.Select(JsonNode (plugin) => new JsonObject
        {
            ["name"] = plugin.Name, ["path"] = plugin.Path, ["version"] = plugin.Inspection?.Version.ToString(3), ["framework"] = plugin.Inspection?.Framework, ["contracts"] = plugin.Inspection?.Contracts?.ToString(3),
            ["state"] = plugin.State.ToString().ToLowerInvariant(), ["reason"] = plugin.Reason, ["load_ms"] = plugin.LoadTime.TotalMilliseconds,
        })]),
        ["models"] = new JsonArray([.. models.Select(JsonNode (entry) =>
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
