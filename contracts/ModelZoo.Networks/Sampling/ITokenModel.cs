using ModelZoo.Contracts;

namespace ModelZoo.Networks.Sampling;

/// <summary>A causal model as decoders drive it. It keeps the sequences (and their caches) itself.</summary>
public interface ITokenModel
{
    /// <summary>Appends one token to each sequence, or the prompts at the first call, and gives the logits (sequences, vocabulary) that follow.</summary>
    /// <param name="tokens">(sequences, new tokens).</param>
    ValueTask<Tensor<float>> AppendAsync(Tensor<int> tokens, CancellationToken cancel);

    /// <summary>Replaces sequence i by what sequence <c>parents[i]</c> was; beam search needs it.</summary>
    void Reorder(ReadOnlySpan<int> parents);
}
