using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Host.Loading;
using ModelZoo.Host.Scheduling;
using ModelZoo.Host.Verification;

namespace ModelZoo.Host.Models;

/// <summary>What there is to know about the models of this host, opened or not: for lists on the terminal, over HTTP, and on the page.</summary>
internal sealed class ModelDirectory(PluginCatalog catalog, ModelResolver resolver, ModelPool pool, ModelVerbs verbs, ParityLedger ledger)
{
    /// <summary>Each architecture; under its tags where the manifest names weights.</summary>
    /// <param name="all">Also the parts that papers share.</param>
    public IEnumerable<ModelEntryView> Entries(bool all)
    {
        var parities = ledger.Read();
        var residents = pool.Residents.ToLookup(resident => resident.Id);
        foreach (var record in catalog.Plugins.Where(record => record.State == PluginState.Ready))
        {
            foreach (var card in record.Loaded!.Plugin.Architectures.Select(architecture => architecture.Card).Where(card => all || !card.Hidden))
            {
                var parity = Parity(parities.GetValueOrDefault(card.Id), () => record.Loaded.Digest.Value);
                var tagged = resolver.Named.Where(id => id.WithoutTag.ToString() == card.Id).ToList();
                if (tagged.Count == 0) yield return new(card.Id, card, null, parity, record.Name, residents[ModelId.Parse(card.Id)].FirstOrDefault());
                foreach (var id in tagged) yield return new(id.ToString(), card, resolver.Resolve(new(id)).Source, parity, record.Name, residents[id].FirstOrDefault());
            }
        }
    }

    /// <summary>What a model's parity state is, in a word.</summary>
    public static string Parity(ParityLedger.Entry? entry, Func<string> digest) => entry is null ? "not run"
        : entry.PluginSha256 != digest() ? "stale"
        : $"{entry.Passed}/{entry.Cases} on {entry.Device}";

    /// <summary>A model's card, and once it is open its verbs, options, facts and files.</summary>
    /// <exception cref="ModelZooException">There is no such model.</exception>
    public async Task<JsonObject> ShowAsync(ModelRequest request, CancellationToken cancel)
    {
        var found = catalog.Find(request.Id);
        if (found is null) resolver.Resolve(request); // says why not
        var (plugin, architecture) = found!.Value;
        var record = catalog.Plugins.First(record => record.Loaded == plugin);
        var json = Card(architecture.Card);
        json["id"] = request.Id.ToString();
        json["architecture"] = architecture.Card.Id;
        json["object"] = "model";
        (json["created"], json["owned_by"]) = (0, record.Name); // fields that clients of OpenAI read
        json["plugin"] = $"{record.Name} {record.Inspection!.Version.ToString(3)}";
        var parity = ledger.Read().GetValueOrDefault(architecture.Card.Id);
        json["parity"] = Parity(parity, () => plugin.Digest.Value);
        if (parity?.Failed is { Count: > 0 } failed && parity.PluginSha256 == plugin.Digest.Value) json["cases_that_fail"] = string.Join(", ", failed);
        try
        {
            json["opened"] = await verbs.InspectAsync(request, Opened, cancel).ConfigureAwait(false);
        }
        catch (ModelZooException error)
        {
            json["not_opened"] = error.Message;
        }

        return json;
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
            ["precision"] = lease.Resident.Source.Precision,
            ["parameters"] = facts.Parameters,
            ["mapped_bytes"] = facts.MappedBytes,
            ["private_bytes"] = facts.PrivateBytes,
            ["device_bytes"] = facts.DeviceBytes,
        };
        foreach (var (name, value) in facts.Properties) json[name] = value;
        if (facts.Lacks is { } lacks) json["lacks"] = lacks;
        json["files"] = new JsonObject((await facts.Digests(cancel).ConfigureAwait(false)).Select(pair => KeyValuePair.Create<string, JsonNode?>(pair.Key, "sha256 " + pair.Value)));
        var found = new JsonObject();
        json["verbs"] = found;
        if (model.Find<ITokenize>() is { } tokenizer)
        {
            found["tokenize"] = Verb("takes", tokenizer.Takes, tokenizer.TokenizeOptions);
            found["detokenize"] = Verb("makes", tokenizer.Takes, tokenizer.TokenizeOptions);
        }

        if (model.Find<IGenerate>() is { } generator) found["generate"] = Verb("makes", generator.Makes, generator.GenerateOptions);
        if (model.Find<IEvaluate>() is { } evaluator)
        {
            found["evaluate"] = Verb("takes", evaluator.Evaluates, evaluator.EvaluateOptions);
            found["evaluate"]!["default_metrics"] = string.Join(", ", evaluator.DefaultMetrics);
        }

        if (model.Find<ITrain>() is { } trainer) found["train"] = Verb("learns from", trainer.LearnsFrom, trainer.TrainOptions);

        return json;
    }

    private static JsonObject Verb(string direction, Modality modality, OptionsSchema schema) => new()
    {
        [direction] = modality.ToString().ToLowerInvariant(),
        ["options"] = new JsonArray([.. schema.Options.Select(option => (JsonNode)$"{option.Name}: {option.Kind}, {(option.Default is null ? "chosen by the model" : OptionDescription.Show(option.Default) is { Length: > 0 } shown ? "default " + shown : "none by default")}. {option.Description}")]),
        ["schema"] = schema.ToJsonSchema(),
    };
}

/// <summary>A line of the list of models.</summary>
/// <param name="Id">Its name.</param>
/// <param name="Card">The architecture's card.</param>
/// <param name="Source">Where its weights are; null when a request must name them.</param>
/// <param name="Parity">What <c>verify</c> last said.</param>
/// <param name="Plugin">The plugin that brings it.</param>
/// <param name="Resident">The model in memory; null when it is not open.</param>
internal sealed record ModelEntryView(string Id, ModelCard Card, ModelSource? Source, string Parity, string Plugin, ResidentModel? Resident)
{
    /// <summary>What its architecture is one of.</summary>
    public string Family => Card.Id[..Card.Id.IndexOf('/', StringComparison.Ordinal)];

    /// <summary>Where the weights are, in words.</summary>
    public string Weights => Source is null ? "--checkpoint DIR" : Source.Folder ?? "none";

    /// <summary>open, opening, failed, available (opens when it is asked for) or without weights.</summary>
    public string State => Resident is { } resident
        ? resident.FailedAt is not null ? "failed" : resident.Memory is null ? "opening" : "open"
        : Source is null ? "without weights" : "available";

    /// <summary>The line as JSON; the first four fields are those of OpenAI's list.</summary>
    public JsonObject ToJson() => new()
    {
        ["id"] = Id,
        ["object"] = "model",
        ["created"] = 0,
        ["owned_by"] = Plugin,
        ["family"] = Family,
        ["paper"] = Card.Paper,
        ["arxiv"] = Card.ArXiv,
        ["inputs"] = Words(Card.Inputs),
        ["outputs"] = Words(Card.Outputs),
        ["state"] = State,
        ["device"] = Source?.Device,
        ["mapped_bytes"] = Resident?.Memory?.Mapped,
        ["private_bytes"] = Resident?.Memory?.Private,
        ["device_bytes"] = Resident?.Memory?.Device,
        ["parity"] = Parity,
    };

    private static JsonArray Words(IEnumerable<Modality> modalities) => [.. modalities.Select(modality => (JsonNode)modality.ToString().ToLowerInvariant())];
}
