using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.Speech;

/// <summary>What models do the same whose results are named tensors: tokens, latents, mels for another model to take.</summary>
public abstract class TensorsModel<TOptions>(Checkpoint checkpoint) : IModel, IGenerate<NamedTensors, TOptions>, IReferenceCalls where TOptions : ModelOptions, new()
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
    public async IAsyncEnumerable<Generation<NamedTensors>> GenerateAsync(Prompt prompt, TOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        yield return Generation<NamedTensors>.Final(new(await MakeAsync(prompt, options, seed, cancel).ConfigureAwait(false)), 1);
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

    /// <summary>The results of a prompt.</summary>
    protected abstract Task<Dictionary<string, Tensor>> MakeAsync(Prompt prompt, TOptions options, ulong seed, CancellationToken cancel);

    /// <summary>A tensor that the prompt must hold.</summary>
    /// <exception cref="MediaException">It does not.</exception>
    protected static Tensor<T> Require<T>(Prompt prompt, string name) where T : unmanaged => Find<T>(prompt, name)
        ?? throw new MediaException(ErrorCodes.MediaUnsupported, "The prompt lacks a tensor.") { Expected = name, Remedy = "Give a .safetensors file that holds it." };

    /// <summary>A tensor that the prompt may hold.</summary>
    protected static Tensor<T>? Find<T>(Prompt prompt, string name) where T : unmanaged => prompt.Media.OfType<NamedTensors>().Select(tensors => tensors.Values.GetValueOrDefault(name)).FirstOrDefault(tensor => tensor is not null)?.As<T>();
}
