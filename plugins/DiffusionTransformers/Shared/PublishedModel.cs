using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared;

/// <summary>An opened model of this family: the calls of the authors' code, and what it can do for people.</summary>
/// <param name="checkpoints">The published weights; disposed with the model.</param>
/// <param name="parts">Networks and what else is disposed with the model where it can be.</param>
/// <param name="calls">Runs a call of the authors' code.</param>
/// <param name="capabilities">What implements the verbs.</param>
internal sealed class PublishedModel(IReadOnlyList<Checkpoint> checkpoints, IReadOnlyList<object> parts, PublishedModel.ReferenceCall calls, params IReadOnlyList<object> capabilities) : IModel, IReferenceCalls
{
    /// <summary>A model that generates where its folder has what that takes; otherwise it says what is missing.</summary>
    public static PublishedModel Generating(IReadOnlyList<Checkpoint> checkpoints, IReadOnlyList<object> parts, ReferenceCall calls, IGenerate? generator) => generator is null
        ? new(checkpoints, parts, calls) { Lacks = "The other parts of the published pipeline are not beside the model: put its folders text_encoder, tokenizer and vae there." }
        : new(checkpoints, [.. parts, generator], calls, generator);

    /// <summary>Runs a call of the authors' code.</summary>
    public delegate Task<CallResults> ReferenceCall(string call, CallArguments arguments, CancellationToken cancel);

    /// <inheritdoc/>
    public ModelFacts Facts => new()
    {
        Parameters = checkpoints.Sum(checkpoint => checkpoint.Tensors.Sum(tensor => Tensor.Count([.. tensor.Shape]))),
        MappedBytes = checkpoints.SelectMany(checkpoint => checkpoint.Files).Distinct().Sum(file => new FileInfo(file).Length),
        Digests = async cancel =>
        {
            var digests = new Dictionary<string, string>();
            foreach (var checkpoint in checkpoints) digests[Path.GetFileName(checkpoint.Files[0])] = await Task.Run(() => checkpoint.Digest, cancel).ConfigureAwait(false);
            return digests;
        },
        Lacks = Lacks,
    };

    /// <summary>See <see cref="ModelFacts.Lacks"/>.</summary>
    public string? Lacks { get; init; }

    /// <inheritdoc/>
    public object? GetCapability(Type type) => type.IsInstanceOfType(this) ? this : capabilities.FirstOrDefault(type.IsInstanceOfType);

    /// <inheritdoc/>
    public async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default) => await calls(call, arguments, cancel).ConfigureAwait(false);

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        foreach (var part in parts.OfType<IDisposable>()) part.Dispose();
        foreach (var checkpoint in checkpoints) checkpoint.Dispose();
        return ValueTask.CompletedTask;
    }
}
