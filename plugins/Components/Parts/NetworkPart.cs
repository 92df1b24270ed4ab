using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.Components.Parts;

/// <summary>A call of a part with weights: arguments in, results with stages out.</summary>
internal delegate Task<CallResults> PartCall(CallArguments arguments, CancellationToken cancel);

/// <summary>A part with weights: named calls on networks, or caches of networks, that it owns.</summary>
internal sealed class NetworkPart(Checkpoint checkpoint, IReadOnlyDictionary<string, PartCall> calls, params IDisposable[] networks) : IModel, IReferenceCalls
{
    public ModelFacts Facts { get; } = new()
    {
        Parameters = checkpoint.Tensors.Where(tensor => tensor.Type is ElementType.Float32 or ElementType.Float16 or ElementType.BFloat16).Sum(tensor => tensor.Shape.Aggregate(1L, (count, extent) => count * extent)),
        MappedBytes = networks.OfType<Network>().Sum(network => network.Session.Memory.MappedBytes),
        PrivateBytes = networks.OfType<Network>().Sum(network => network.Session.Memory.PrivateBytes),
        Digests = checkpoint.DigestsAsync,
    };

    /// <summary>The part as a verb, where it has one.</summary>
    public IGenerate? Generates { get; init; }

    public object? GetCapability(Type type) => type.IsInstanceOfType(this) ? this : type == typeof(IGenerate) ? Generates : null;

    public async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default) => calls.TryGetValue(call, out var compute)
        ? await compute(arguments, cancel).ConfigureAwait(false)
        : throw new ModelZooException(ErrorCodes.VerbUnsupported, "The part has no such call.") { Expected = string.Join(", ", calls.Keys), Found = call };

    public ValueTask DisposeAsync()
    {
        foreach (var network in networks) network.Dispose();
        checkpoint.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>The architecture of a part whose folder holds a configuration and weights.</summary>
    public static ModelArchitecture Architecture(string id, string paper, string reference, Modality gives, Func<ModelSource, Checkpoint, IModel> open) =>
        Architecture(id, paper, reference, gives, source => source.OpenCheckpoint(), open);

    /// <summary>The architecture of a part whose weights are laid out in a way of their own.</summary>
    public static ModelArchitecture Architecture(string id, string paper, string reference, Modality gives, Func<ModelSource, Checkpoint> weights, Func<ModelSource, Checkpoint, IModel> open) =>
        new(ComputedPart.Card(id, paper, reference, gives), (source, cancel) => new(Task.Run(() =>
        {
            var checkpoint = weights(source);
            try
            {
                return open(source, checkpoint);
            }
            catch
            {
                checkpoint.Dispose();
                throw;
            }
        }, cancel)));

    /// <summary>A call that gives tensors of those names to a network, in parallel to other calls.</summary>
    public static PartCall Forward(Network network, params string[] inputs) => async (arguments, cancel) =>
        (await network.RunAsync(cancel, [.. inputs.Select(name => (name, arguments.Tensor(name)))]).ConfigureAwait(false)).ToResults();
}
