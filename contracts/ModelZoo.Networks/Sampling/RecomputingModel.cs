using ModelZoo.Contracts;

namespace ModelZoo.Networks.Sampling;

/// <summary>A token model without caches: it keeps the sequences and computes each step over the whole of them. Right where sequences are a few tokens long.</summary>
/// <param name="compute">Sequences (rows, length) to the logits of their last place (rows, vocabulary), or of every place (rows, length, vocabulary).</param>
public sealed class RecomputingModel(Func<Tensor<long>, CancellationToken, Task<Tensor<float>>> compute) : ITokenModel
{
    private Tensor<long>? _sequences;

    /// <inheritdoc/>
    public async ValueTask<Tensor<float>> AppendAsync(Tensor<int> tokens, CancellationToken cancel)
    {
        var (rows, before, added) = ((int)tokens.Shape[0], (int)(_sequences?.Shape[1] ?? 0), (int)tokens.Shape[1]);
        var longer = Tensor.Zeros<long>(rows, before + added);
        for (var row = 0; row < rows; row++)
        {
            var target = longer.Slice(row).Span;
            if (_sequences is not null) _sequences.Slice(row).Span.CopyTo(target);
            for (var i = 0; i < added; i++) target[before + i] = tokens[row, i];
        }

        _sequences = longer;
        return LastPlace(await compute(longer, cancel).ConfigureAwait(false));
    }

    /// <inheritdoc/>
    public void Reorder(ReadOnlySpan<int> parents)
    {
        var before = _sequences ?? throw new InvalidOperationException("There are no sequences yet.");
        _sequences = Tensor.Zeros<long>(parents.Length, before.Shape[1]);
        for (var row = 0; row < parents.Length; row++) before.Slice(parents[row]).Span.CopyTo(_sequences.Slice(row).Span);
    }

    private static Tensor<float> LastPlace(Tensor<float> logits)
    {
        if (logits.Rank == 2) return logits;
        var (rows, length, width) = ((int)logits.Shape[0], (int)logits.Shape[1], (int)logits.Shape[2]);
        var last = Tensor.Zeros<float>(rows, width);
        for (var row = 0; row < rows; row++) logits.Slice(row).Slice(length - 1).Span.CopyTo(last.Slice(row).Span);
        return last;
    }
}
