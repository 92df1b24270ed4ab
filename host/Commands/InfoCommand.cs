using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Host.Loading;
using ModelZoo.Host.Models;
using ModelZoo.Host.Scheduling;
using ModelZoo.Host.Verification;

namespace ModelZoo.Host.Commands;

/// <summary><c>modelzoo info</c>.</summary>
internal static class InfoCommand
{
    public static Command Create(Terminal.Terminal terminal)
    {
        var model = new Argument<string>("MODEL") { Description = "family/architecture, with or without tag." };
        var checkpoint = new Option<string?>("--checkpoint") { Description = "Folder of published files to use instead of the manifest's.", HelpName = "DIR" };
        var json = new Option<bool>("--json") { Description = "Write JSON." };
        var command = new ZooCommand("info", "A model's card, verbs, options, files and parity state.", "modelzoo info speech/encodec.8khz", "modelzoo info speech/encodec --checkpoint ./encodec_24khz --json") { model, checkpoint, json };
        return command.Runs(terminal, async (parsed, services, cancel) =>
        {
            var id = ModelId.Parse(parsed.GetRequiredValue(model));
            var request = new ModelRequest(id, parsed.GetValue(checkpoint) is { } folder ? Path.GetFullPath(folder) : null);
            var catalog = services.GetRequiredService<PluginCatalog>();
            var found = catalog.Find(id);
            if (found is null) services.GetRequiredService<ModelResolver>().Resolve(request); // says why not
            var (plugin, architecture) = found!.Value;
            var record = catalog.Plugins.First(record => record.Loaded == plugin);

            var info = Card(architecture.Card);
            info["plugin"] = $"{record.Name} {record.Inspection!.Version.ToString(3)} ({record.Path})";
            info["parity"] = ListCommand.Parity(services.GetRequiredService<ParityLedger>().Read().GetValueOrDefault(architecture.Card.Id), () => plugin.Digest.Value);
            try
            {
                info["opened"] = await services.GetRequiredService<ModelVerbs>().InspectAsync(request, (lease, stop) => Opened(lease, stop), cancel).ConfigureAwait(false);
            }
            catch (ModelZooException error)
            {
                info["not_opened"] = error.Message;
            }

            if (parsed.GetValue(json)) terminal.WriteJson(info);
            else Write(terminal.Writer, info, "");
            return ExitCodes.Ok;
        });
    }

    private static JsonObject Card(ModelCard card) => new()
    {
        ["id"] = card.Id,
        ["paper"] = card.Paper,
        ["arxiv"] = card.ArXiv,
        ["authors"] = string.Join(", ", card.Authors),
        ["repository"] = card.Repository,
        ["code_license"] = card.CodeLicense,
        ["weights_license"] = card.WeightsLicense,
        ["inputs"] = string.Join(", ", card.Inputs).ToLowerInvariant(),
        ["outputs"] = string.Join(", ", card.Outputs).ToLowerInvariant(),
        ["layouts"] = new JsonArray([.. card.Layouts.Select(layout => (JsonNode)layout)]),
        ["sizes"] = new JsonArray([.. card.Sizes.Select(size => (JsonNode)$"{size.Name}: {size.Parameters:N0} parameters{string.Concat(size.References.Select(value => FormattableString.Invariant($"; {value.Metric} {value.Value} ± {value.Tolerance} on {value.Data}")))}")]),
        ["deviations"] = card.Deviations.Length == 0 ? "none" : card.Deviations,
    };

    private static async Task<JsonObject> Opened(ModelLease lease, CancellationToken cancel)
    {
        var (model, facts) = (lease.Model, lease.Model.Facts);
        var json = new JsonObject
        {
            ["model"] = lease.Resident.Id.ToString(),
            ["folder"] = lease.Resident.Source.Folder,
            ["device"] = lease.Resident.Source.Device,
            ["parameters"] = facts.Parameters,
            ["mapped_bytes"] = facts.MappedBytes,
            ["private_bytes"] = facts.PrivateBytes,
            ["device_bytes"] = facts.DeviceBytes,
        };
        foreach (var (name, value) in facts.Properties) json[name] = value;
        json["files"] = new JsonObject((await facts.Digests(cancel).ConfigureAwait(false)).Select(pair => KeyValuePair.Create<string, JsonNode?>(pair.Key, "sha256 " + pair.Value)));
        if (model.Find<ITokenize>() is { } tokenizer) json["tokenize, detokenize"] = Options(tokenizer.TokenizeOptions);
        if (model.Find<IGenerate>() is { } generator) json["generate"] = Options(generator.GenerateOptions);
        if (model.Find<IEvaluate>() is { } evaluator)
        {
            json["evaluate"] = Options(evaluator.EvaluateOptions);
            json["default_metrics"] = string.Join(", ", evaluator.DefaultMetrics);
        }

        return json;
    }

    private static JsonNode Options(OptionsSchema schema) => new JsonObject
    {
        ["options"] = new JsonArray([.. schema.Options.Select(option => (JsonNode)$"{option.Name}: {option.Kind}, {(option.Default is null ? "chosen by the model" : "default " + OptionDescription.Show(option.Default))}. {option.Description}")]),
        ["schema"] = schema.ToJsonSchema(),
    };

    // Schemas are for programs; people read the list.
    private static void Write(TextWriter writer, JsonObject json, string indent)
    {
        foreach (var (key, value) in json)
        {
            if (value is null || key == "schema") continue;
            if (value is JsonObject map)
            {
                writer.WriteLine($"{indent}{key}:");
                Write(writer, map, indent + "  ");
            }
            else if (value is JsonArray list)
            {
                if (list.Count > 0) writer.WriteLine($"{indent}{key}:");
                foreach (var item in list) writer.WriteLine($"{indent}  {item}");
            }
            else
            {
                writer.WriteLine($"{indent}{key}: {(value.GetValueKind() == JsonValueKind.Number && value.AsValue().TryGetValue(out long number) ? number.ToString("N0") : value)}");
            }
        }
    }
}
