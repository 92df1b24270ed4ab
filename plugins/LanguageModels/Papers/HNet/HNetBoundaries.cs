using ModelZoo.Contracts;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>Where the chunks of a stage begin: what the router chose, the way in (downsampling) and the way out (smoothing). Rows are sequences of L places, of which those at the end may be padding.</summary>
internal sealed class HNetBoundaries
{
    private readonly bool[] _begins;

    /// <summary>Chunks begin where p is above one half.</summary>
    /// <param name="probability">What the router says, (B, L).</param>
    /// <param name="lengths">Places of each sequence that are no padding.</param>
    /// <param name="isFirst">Whether these are the first places of their sequences, each of which begins a chunk.</param>
    public HNetBoundaries(Tensor<float> probability, IReadOnlyList<int> lengths, bool isFirst)
    {
        Probability = Tensor.Create(probability.Span.ToArray(), probability.Shape);
        for (var row = 0; isFirst && row < lengths.Count; row++) Probability[row, 0] = 1;
        _begins = new bool[probability.Length];
        for (var i = 0; i < _begins.Length; i++) _begins[i] = Probability.Span[i] > 0.5f && i % Length < lengths[i / Length];
        Counts = [.. lengths.Select((_, row) => Row(row).Count(true))];
    }

    /// <summary>p (B, L).</summary>
    public Tensor<float> Probability { get; }

    /// <summary>Chunks of each sequence.</summary>
    public IReadOnlyList<int> Counts { get; }

    private int Length => (int)Probability.Shape[1];

    /// <summary>Whether a chunk begins at a place.</summary>
    public bool Begins(int row, int place) => Row(row)[place];

    /// <summary>The places that begin chunks, (B, L, D) -> (B, M, D), M being the most of any sequence. Sequences with fewer go on with places that begin none, as the authors' do.</summary>
    public Tensor<float> Chunks(Tensor<float> hidden)
    {
        var most = Counts.Max();
        var chunks = Tensor.Zeros<float>(Counts.Count, most, hidden.Shape[2]);
        for (var row = 0; row < Counts.Count; row++)
        {
            var places = Enumerable.Range(0, Length).OrderBy(place => !Begins(row, place));
            foreach (var (chunk, place) in places.Take(most).Index()) hidden.Slice(row).Slice(place).Span.CopyTo(chunks.Slice(row).Slice(chunk).Span);
        }

        return chunks;
    }

    /// <summary>
    /// Equation 5: each chunk z_t becomes p z_t + (1 - p) of what the one before became, and stays until the next begins. The authors run the scan of Mamba-2 for it, with steps log(1 / (1 - p)).
    /// </summary>
    /// <param name="chunks">z (B, M, D).</param>
    /// <param name="before">What the last chunk so far became, (B, D); zeros for none.</param>
    /// <returns>(B, L, D).</returns>
    public Tensor<float> Smooth(Tensor<float> chunks, Tensor<float> before)
    {
        var smoothed = Tensor.Zeros<float>(Counts.Count, Length, before.Shape[1]);
        for (var row = 0; row < Counts.Count; row++)
        {
            var last = before.Slice(row).Span;
            var chunk = 0;
            for (var place = 0; place < Length; place++)
            {
                var target = smoothed.Slice(row).Slice(place).Span;
                if (Begins(row, place))
                {
                    var p = Math.Clamp(Probability[row, place], 1e-4f, 1 - 1e-4f);
                    TensorPrimitives.Multiply(chunks.Slice(row).Slice(chunk++).Span, p, target);
                    TensorPrimitives.MultiplyAdd(last, 1 - p, target, target);
                }
                else
                {
                    last.CopyTo(target);
                }

                last = target;
            }
        }

        return smoothed;
    }

    private ReadOnlySpan<bool> Row(int row) => _begins.AsSpan(row * Length, Length);
}
