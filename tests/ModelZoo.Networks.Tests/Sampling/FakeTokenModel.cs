using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Networks.Tests.Sampling;

/// <summary>A small causal model: its logits are noise that depends on the whole sequence.</summary>
internal sealed class FakeTokenModel(int vocabulary) : ITokenModel
{
    private List<List<int>> _sequences = [];

    public ValueTask<Tensor<float>> AppendAsync(Tensor<int> tokens, CancellationToken cancel)
    {
        if (_sequences.Count == 0) _sequences = [.. Enumerable.Range(0, (int)tokens.Shape[0]).Select(_ => new List<int>())];
        for (var i = 0; i < _sequences.Count; i++) _sequences[i].AddRange(tokens.Slice(i).Span.ToArray());
        return ValueTask.FromResult(Tensor.Create(_sequences.SelectMany(Logits).ToArray(), _sequences.Count, vocabulary));
    }

    public void Reorder(ReadOnlySpan<int> parents)
    {
        var reordered = new List<List<int>>();
        foreach (var parent in parents) reordered.Add([.. _sequences[parent]]);
        _sequences = reordered;
    }

    public float[] Logits(IReadOnlyList<int> sequence)
    {
        var hash = sequence.Aggregate(17UL, (h, id) => h * 1000003 + (ulong)id);
        var logits = new float[vocabulary];
        new Philox(hash).FillNormal(logits);
        return Array.ConvertAll(logits, x => 2 * x);
    }
}
