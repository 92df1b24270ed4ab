using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>Sequences that grow, each with states of its own, since their chunks begin at different times. Their steps meet in the networks.</summary>
internal sealed class HNetSequences(HNetLevel outermost) : ITokenModel
{
    private HNetState[] _states = [];

    /// <inheritdoc/>
    public async ValueTask<Tensor<float>> AppendAsync(Tensor<int> tokens, CancellationToken cancel)
    {
        var (rows, count) = ((int)tokens.Shape[0], (int)tokens.Shape[1]);
        if (_states.Length == 0) _states = [.. Enumerable.Range(0, rows).Select(_ => outermost.Begin(1))];
        var runs = await Task.WhenAll(_states.Select((state, row) =>
        {
            long[] ids = [.. tokens.Slice(row).Span.ToArray().Select(id => (long)id)];
            return outermost.RunAsync(Tensor.Create(ids, 1, count), [count], state, null, cancel);
        })).ConfigureAwait(false);
        _states = [.. runs.Select(run => run.State)];
        var width = (int)runs[0].Output.Shape[2];
        return Tensor.Create([.. runs.SelectMany(run => run.Output.Span[^width..].ToArray())], rows, width);
    }

    /// <inheritdoc/>
    public void Reorder(ReadOnlySpan<int> parents) => _states = [.. parents.ToArray().Select(parent => _states[parent])];
}
