namespace ModelZoo.Contracts;

/// <summary>Stable codes of errors, <c>area.what</c>. Programs match on these; messages may change.</summary>
public static class ErrorCodes
{
    /// <summary>A checkpoint file is missing or cannot be read.</summary>
    public const string CheckpointMissing = "checkpoint.missing";
    /// <summary>A checkpoint file breaks its format's rules.</summary>
    public const string CheckpointMalformed = "checkpoint.malformed";
    /// <summary>A checkpoint holds an object that is not a tensor or a plain container.</summary>
    public const string CheckpointForbidden = "checkpoint.forbidden-object";
    /// <summary>Tensors that the network needs are not in the checkpoint.</summary>
    public const string CheckpointTensorMissing = "checkpoint.tensor-missing";
    /// <summary>A tensor of the checkpoint has another shape than the network needs.</summary>
    public const string CheckpointTensorShape = "checkpoint.tensor-shape";
    /// <summary>The checkpoint holds tensors that the network does not use.</summary>
    public const string CheckpointTensorUnused = "checkpoint.tensor-unused";
    /// <summary>The published configuration has a value that the architecture cannot take.</summary>
    public const string ConfigInvalid = "config.invalid";
    /// <summary>A graph could not be built: shapes or types do not fit.</summary>
    public const string GraphShape = "graph.shape-mismatch";
    /// <summary>The engine refused or failed to run a graph.</summary>
    public const string EngineFailed = "engine.failed";
    /// <summary>The native library of the engine is not to be had.</summary>
    public const string EngineMissing = "engine.library-missing";
    /// <summary>The device that was asked for is not there.</summary>
    public const string DeviceUnavailable = "device.unavailable";
    /// <summary>An option has no such name.</summary>
    public const string OptionUnknown = "options.unknown";
    /// <summary>An option's value cannot be read as its type.</summary>
    public const string OptionType = "options.wrong-type";
    /// <summary>An option's value is outside its range.</summary>
    public const string OptionRange = "options.out-of-range";
    /// <summary>A kind of media that the model does not take.</summary>
    public const string MediaUnsupported = "media.unsupported";
    /// <summary>A media file breaks its format's rules.</summary>
    public const string MediaMalformed = "media.malformed";
    /// <summary>Tokens of another model or vocabulary.</summary>
    public const string TokensForeign = "tokens.foreign-vocabulary";
    /// <summary>Tokens whose shape or ids do not fit the model.</summary>
    public const string TokensInvalid = "tokens.invalid";
    /// <summary>A tensor has another element type or shape than expected.</summary>
    public const string TensorType = "tensor.wrong-type";
    /// <summary>No loaded plugin has this model.</summary>
    public const string ModelUnknown = "model.unknown";
    /// <summary>The model does not have this verb or call.</summary>
    public const string VerbUnsupported = "verb.unsupported";
    /// <summary>A parity case breaks its format's rules.</summary>
    public const string CaseMalformed = "case.malformed";
    /// <summary>The manifest cannot be used.</summary>
    public const string ManifestInvalid = "manifest.invalid";
    /// <summary>A plugin cannot be loaded.</summary>
    public const string PluginFailed = "plugin.failed";
    /// <summary>A data set cannot be read.</summary>
    public const string DatasetInvalid = "dataset.invalid";
    /// <summary>A metric has no such name, or lacks what it needs.</summary>
    public const string MetricUnknown = "metric.unknown";
}
