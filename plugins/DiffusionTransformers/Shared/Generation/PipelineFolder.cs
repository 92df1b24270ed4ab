using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks.Sampling.Schedulers;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

/// <summary>
/// The parts of a published pipeline: folders beside each other, as diffusers' <c>model_index.json</c> lists them. The manifest may put a part elsewhere: <c>"settings": { "vae": "DIR" }</c>, from the checkpoint's folder on.
/// </summary>
internal sealed class PipelineFolder
{
    private const string IndexFile = "model_index.json";
    private static readonly string[] Parts = ["transformer", "unet", "vae", "text_encoder", "text_encoder_2", "text_encoder_3", "tokenizer", "tokenizer_2", "tokenizer_3", "image_encoder", "scheduler"];

    private readonly ModelSource _source;
    private readonly JsonObject _index;
    private readonly Dictionary<string, string> _elsewhere = [];

    /// <summary>Looks at a folder; no part is opened yet.</summary>
    /// <exception cref="OptionsException">A part in the manifest is not the name of a folder.</exception>
    public PipelineFolder(ModelSource source)
    {
        _source = source;
        Root = source.RequireFolder();
        _index = Path.Combine(Root, IndexFile) is var file && File.Exists(file) ? PublishedConfig.ReadJson(file) : [];
        foreach (var part in Parts)
        {
            if (source.Settings.Text(part) is { } folder) _elsewhere[part] = Path.GetFullPath(folder, Root);
        }
    }

    /// <summary>The folder itself.</summary>
    public string Root { get; }

    /// <summary>What the model is opened from.</summary>
    public ModelSource Source => _source;

    /// <summary>The folder of a part; null where the pipeline has none.</summary>
    /// <exception cref="CheckpointException">The index or the manifest names it, and it is not there.</exception>
    public string? Find(string part)
    {
        var folder = _elsewhere.GetValueOrDefault(part) ?? Path.Combine(Root, part);
        if (Directory.Exists(folder)) return folder;
        var named = _elsewhere.ContainsKey(part) || _index[part] is JsonArray { Count: 2 } listed && listed[1] is not null;
        return named ? throw new CheckpointException(ErrorCodes.CheckpointMissing, "A part of the pipeline is not there.") { Where = folder, Expected = part, Remedy = "Download it, too, or name its folder in the manifest: \"settings\": { \"" + part + "\": \"DIR\" }." } : null;
    }

    /// <summary>The same, in which a part that is nowhere else is in a folder.</summary>
    public PipelineFolder Otherwise(string part, string folder)
    {
        if (Find(part) is null) _elsewhere[part] = folder;
        return this;
    }

    /// <summary>The source of the denoiser: of its part where there is one, else the folder itself.</summary>
    public ModelSource Denoiser(string part) => Find(part) is { } folder ? _source with { Folder = folder } : _source;

    /// <summary>The weights of the denoiser: of its part where there is one, else the first file that the source names, or the folder's usual one.</summary>
    public Checkpoint Base(string part) => Find(part) is { } folder ? Checkpoint.Open(folder) : Weights.Base(_source);

    /// <summary>A setting of the pipeline itself, such as <c>force_zeros_for_empty_prompt</c>.</summary>
    public bool Flag(string name, bool otherwise) => _index[name]?.GetValue<bool>() ?? otherwise;

    /// <summary>The published scheduler: of its part, or beside the weights; null where there is none.</summary>
    public PublishedScheduler? Scheduler
    {
        get
        {
            var file = Path.Combine(Find("scheduler") ?? Root, "scheduler_config.json");
            return File.Exists(file) ? new(File.ReadAllText(file), file) : null;
        }
    }
}

/// <summary>A published <c>scheduler_config.json</c>.</summary>
/// <param name="text">Its text.</param>
/// <param name="file">Where it is, for messages.</param>
internal sealed class PublishedScheduler(string text, string file)
{
    // Variants of one method, which others do not have.
    private static readonly string[] Variants = ["solver_type", "algorithm_type", "variance_type"];

    /// <summary>As published.</summary>
    public ISchedulerConfig Config { get; } = SchedulerConfigs.Parse(text, file);

    /// <summary>Another method with the same noise levels: what diffusers' <c>from_config</c> makes of the file.</summary>
    /// <param name="className">The published class name of the method.</param>
    /// <param name="changes">Keys that are changed, too.</param>
    public ISchedulerConfig As(string className, params IEnumerable<(string Key, JsonNode Value)> changes)
    {
        var json = JsonNode.Parse(text)!.AsObject();
        json["_class_name"] = className;
        foreach (var variant in Variants) json.Remove(variant);
        foreach (var (key, value) in changes) json[key] = value;
        return SchedulerConfigs.Parse(json.ToJsonString(), file);
    }
}
