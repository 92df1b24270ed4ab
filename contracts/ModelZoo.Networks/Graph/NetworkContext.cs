using ModelZoo.Contracts;
using ModelZoo.Inference;

namespace ModelZoo.Networks;

/// <summary>What a network is built with: the engine, the device, the weights, and whether stages are wanted.</summary>
/// <param name="Runtime">The engine.</param>
/// <param name="Weights">The checkpoint.</param>
public sealed record NetworkContext(InferenceRuntime Runtime, ITensorSource Weights)
{
    /// <summary>How sessions are made: device, prepacking.</summary>
    public SessionOptions Session { get; init; } = new();

    /// <summary>True when marked stages become outputs.</summary>
    public bool Stages { get; init; }

    /// <summary>How runs of networks with independent rows are taken together.</summary>
    public BatchSettings Batching { get; init; } = new();

    /// <summary>The context of a model that is being opened.</summary>
    public static NetworkContext Of(ModelSource source, ITensorSource weights) =>
        new(source.Service<InferenceRuntime>(), weights) { Session = new() { Device = Device.Parse(source.Device), Precision = Enum.Parse<WeightPrecision>(source.Precision, ignoreCase: true) }, Stages = source.Stages, Batching = source.Services.GetService(typeof(BatchSettings)) as BatchSettings ?? new() };
}
