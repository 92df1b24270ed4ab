using System.Text.Json;
using ModelZoo.Contracts;
using ModelZoo.Host.Hosting;
using ModelZoo.Host.Loading;
using ModelZoo.Host.Manifest;
using ModelZoo.Inference;

namespace ModelZoo.Host.Models;

/// <summary>A model that can be opened: who implements it and from what.</summary>
/// <param name="Plugin">The plugin, not yet leased.</param>
/// <param name="Architecture">The architecture.</param>
/// <param name="Source">What it is opened from.</param>
/// <param name="Options">Options that replace the model's defaults.</param>
internal sealed record ResolvedModel(LoadedPlugin Plugin, ModelArchitecture Architecture, ModelSource Source, JsonElement? Options)
{
    /// <summary>True when the other would be opened from the same, in the same way.</summary>
    public bool IsSame(ResolvedModel other) => Plugin == other.Plugin && Source.Folder == other.Source.Folder && Source.Device == other.Source.Device && Source.Parts.SequenceEqual(other.Source.Parts)
        && Source.Precision == other.Source.Precision && Text(Source.Settings.Json) == Text(other.Source.Settings.Json) && Text(Options) == Text(other.Options);

    /// <summary>Opens it.</summary>
    /// <param name="companions">What it can open beside itself.</param>
    /// <param name="cancel">Stops it.</param>
    /// <exception cref="OptionsException">The manifest gives it a setting that it does not have.</exception>
    public async Task<IModel> OpenAsync(Companions companions, CancellationToken cancel)
    {
        var model = await Architecture.Open(Source with { Services = companions.Beside(Source.Services) }, cancel).ConfigureAwait(false);
        if (Source.Settings.Unread is not [var name, ..]) return model;
        await model.DisposeAsync().ConfigureAwait(false);
        var known = Source.Settings.Known;
        throw new OptionsException(ErrorCodes.OptionUnknown, $"{Source.Id} has no setting '{name}'.")
        {
            Where = $"\"models\": {{ \"{Source.Id}\": {{ \"settings\": ... }} }}", Expected = known.Count == 0 ? "no settings" : string.Join(", ", known),
            Remedy = Names.Nearest(name, known) is { } near ? $"Did you mean '{near}'?" : null,
        };
    }

    private static string? Text(JsonElement? json) => json?.GetRawText();
}

/// <summary>Finds the plugin and the weights of a model.</summary>
internal sealed class ModelResolver(PluginCatalog catalog, LiveManifest manifest, PluginServices services)
{
    /// <summary>The model of a request.</summary>
    /// <exception cref="ModelZooException">No plugin has it, or it needs a tag (<see cref="ErrorCodes.ModelUnknown"/>).</exception>
    public ResolvedModel Resolve(ModelRequest request)
    {
        var (plugin, architecture) = catalog.Find(request.Id) ?? throw Unknown(request.Id);
        var (id, entry) = request.Checkpoint is not null ? (request.Id, new ModelEntry()) : Entry(request.Id);
        var source = new ModelSource
        {
            Id = id,
            Folder = request.Checkpoint is { } folder ? Path.GetFullPath(folder) : entry.Checkpoint,
            Parts = entry.Parts,
            Device = Inference.Device.Parse(request.Device ?? entry.Device ?? manifest.Current.Device ?? "cpu").ToString(),
            Precision = request.Precision ?? entry.Precision ?? WeightPrecision.Float32.Name(),
            Settings = entry.Settings is { } own ? new(own) : new(Settings(plugin), isShared: true),
            Services = services,
        };
        return new(plugin, architecture, source, entry.Options);
    }

    /// <summary>The same model under the name of its weights: a model that is named without a tag and the one that the manifest has of it are one, in memory and in the queue.</summary>
    public ModelRequest Canonical(ModelRequest request)
    {
        if (request is not { Id.Tag: null, Checkpoint: null }) return request;
        var models = manifest.Current.Models;
        return !models.ContainsKey(request.Id) && models.Keys.Where(id => id.WithoutTag == request.Id).Take(2).ToList() is [var only] ? request with { Id = only } : request;
    }

    /// <summary>Every model that the manifest names, in order of name.</summary>
    public IReadOnlyList<ModelId> Named => [.. manifest.Current.Models.Keys.OrderBy(id => id.ToString(), StringComparer.Ordinal)];

    private (ModelId, ModelEntry) Entry(ModelId id)
    {
        if (manifest.Current.Models.TryGetValue(id, out var entry)) return (id, entry);
        var tagged = Named.Where(other => other.WithoutTag == id.WithoutTag).ToList();
        if (id.Tag is null) return tagged.Count switch
        {
            0 => (id, new()),
            1 => (tagged[0], manifest.Current.Models[tagged[0]]),
            _ => throw new ModelZooException(ErrorCodes.ModelUnknown, $"There are several models of {id}.") { Expected = string.Join(", ", tagged), Remedy = "Name one with its tag, or a folder with --checkpoint DIR." },
        };
        throw new ModelZooException(ErrorCodes.ModelUnknown, $"No weights are named {id}.")
        {
            Expected = tagged.Count == 0 ? null : string.Join(", ", tagged),
            Remedy = $"Name them in plugins.json (\"models\": {{ \"{id}\": {{ \"checkpoint\": \"DIR\" }} }}), or give --checkpoint DIR.",
        };
    }

    private JsonElement? Settings(LoadedPlugin plugin) => catalog.Plugins.FirstOrDefault(record => record.Loaded == plugin)?.Entry.Settings;

    private ModelZooException Unknown(ModelId id)
    {
        var known = catalog.Ready.SelectMany(plugin => plugin.Plugin.Architectures).Select(architecture => architecture.Card.Id).ToList();
        if (catalog.Plugins.FirstOrDefault(record => record.Brought.Contains(id.WithoutTag.ToString())) is { } held)
            return new(ErrorCodes.PluginFailed, $"The plugin of {id.WithoutTag} does not serve.") { Where = held.Name, Remedy = held.Reason };
        var broken = catalog.Plugins.Where(record => record.State is PluginState.Failed or PluginState.Incompatible).ToList();
        var likely = broken.Find(record => record.Name.Replace("-", "", StringComparison.Ordinal).Contains(id.Family.Replace("-", "", StringComparison.Ordinal), StringComparison.OrdinalIgnoreCase));
        var nearest = likely is null ? Names.Nearest(id.WithoutTag.ToString(), known) : null;
        return new(ErrorCodes.ModelUnknown, $"No loaded plugin has {id.WithoutTag}.")
        {
            Remedy = nearest is not null ? $"Did you mean '{nearest}'?"
                : (likely ?? broken.FirstOrDefault()) is { } suspect ? $"{suspect.Name} is {suspect.State.ToString().ToLowerInvariant()}: {suspect.Reason}"
                : "`modelzoo list` shows what is loaded.",
        };
    }
}
