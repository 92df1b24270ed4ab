using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.Speech;

/// <summary>What encoders of speech do the same: sound or tensors in, a tensor of features out.</summary>
public abstract class FeatureModel(Checkpoint checkpoint) : IModel, IGenerate<NamedTensors, NoOptions>, IReferenceCalls
{
    /// <summary>The networks that were built.</summary>
    protected abstract IEnumerable<Network> Networks { get; }

    /// <inheritdoc/>
    public ModelFacts Facts => new()
    {
        Parameters = checkpoint.Tensors.Sum(tensor => tensor.Shape.Aggregate(1L, (product, extent) => product * extent)),
        MappedBytes = Networks.Sum(network => network.Session.Memory.MappedBytes),
        PrivateBytes = Networks.Sum(network => network.Session.Memory.PrivateBytes),
        Digests = checkpoint.DigestsAsync,
    };

    /// <inheritdoc/>
    public async IAsyncEnumerable<Generation<NamedTensors>> GenerateAsync(Prompt prompt, NoOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var features = await FeaturesAsync(prompt, cancel).ConfigureAwait(false);
        yield return Generation<NamedTensors>.Final(new(new Dictionary<string, Tensor> { ["last_hidden_state"] = features }), 1);
    }

    /// <inheritdoc/>
    public abstract ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default);

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        foreach (var network in Networks) network.Dispose();
        checkpoint.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>Features (1, frames, width) of a prompt.</summary>
    protected abstract Task<Tensor<float>> FeaturesAsync(Prompt prompt, CancellationToken cancel);
}
