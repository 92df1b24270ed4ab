using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>A text that is written id by id, from the pasts of those before it. Where it outgrows the block, the last ids alone are read, each time anew.</summary>
/// <param name="network">Takes <c>idx</c>, gives <c>logits</c>, over a cache.</param>
/// <param name="block">Ids that it takes.</param>
internal sealed class PlainStream(Network network, int block) : ITokenModel, IDisposable
{
    private readonly KeyValueState _past = network.Begin(1);
    private readonly List<long> _ids = [];

    /// <inheritdoc/>
    public async ValueTask<Tensor<float>> AppendAsync(Tensor<int> tokens, CancellationToken cancel)
    {
        if (tokens.Shape[0] != 1) throw new NotSupportedException("One sequence is continued at a time.");
        foreach (var id in tokens.Span) _ids.Add(id);
        if (_ids.Count > block) _past.Truncate(0);
        var read = _ids.GetRange(Math.Max((int)_past.Length, _ids.Count - block), _ids.Count - Math.Max((int)_past.Length, _ids.Count - block));
        var logits = (await _past.StepAsync(cancel, ("idx", Tensor.Create(read.ToArray(), 1, read.Count))).ConfigureAwait(false))["logits"];
        return Tensor.Create(logits.Place(0, read.Count - 1).ToArray(), 1, logits.Shape[2]);
    }

    /// <inheritdoc/>
    public void Reorder(ReadOnlySpan<int> parents) => throw new NotSupportedException("One sequence has no others to become.");

    /// <inheritdoc/>
    public void Dispose() => _past.Dispose();
}
