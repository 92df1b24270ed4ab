using ModelZoo.Contracts;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>What new characters became.</summary>
/// <param name="Hidden">What the encoder made of them (1, N, D).</param>
/// <param name="Boundaries">Where a group closed.</param>
/// <param name="Before">State of the group that was closed last before the first of them (D); the null group's at the beginning.</param>
/// <param name="States">State of the group that was closed last, at each character or before it (1, N, D).</param>
internal sealed record ReadCharacters(Tensor<float> Hidden, bool[] Boundaries, ReadOnlyMemory<float> Before, Tensor<float> States);

/// <summary>A sequence that an hourglass reads as it comes: encoder and middle go on from their pasts, and the middle runs only when groups were closed.</summary>
/// <param name="hourglass">The networks.</param>
/// <param name="predictor">Published name of the boundary predictor; null where <paramref name="rule"/> decides.</param>
/// <param name="rule">Whether a place closes a group, by its number and id, where that is not predicted.</param>
internal sealed class HourglassReader(Hourglass hourglass, string? predictor, Func<int, int, bool>? rule = null)
{
    private readonly float[] _sum = new float[hourglass.NullGroup.Length];
    private StackPast _encoded = hourglass.Encoder.Begin(), _grouped = hourglass.Middle.Begin();
    private int _open, _length;

    /// <summary>State of the group that was closed last, or of the null group (D); empty until something was read.</summary>
    public ReadOnlyMemory<float> State { get; private set; }

    /// <summary>Reads on.</summary>
    /// <param name="ids">New ids, one at least.</param>
    /// <param name="cancel">Stops the runs.</param>
    public async Task<ReadCharacters> ReadAsync(ReadOnlyMemory<int> ids, CancellationToken cancel)
    {
        var (count, width) = (ids.Length, _sum.Length);
        (var encoded, _encoded) = await hourglass.Encoder.RunAsync(("ids", Tensor.Create(Array.ConvertAll(ids.ToArray(), id => (long)id), 1, count)), _encoded, cancel).ConfigureAwait(false);
        var hidden = encoded["hidden"];
        var boundaries = await BoundariesAsync(ids, hidden, cancel).ConfigureAwait(false);
        var closed = Close(hidden, boundaries);
        var states = State;
        if (closed.Count > 0)
        {
            (var outputs, _grouped) = await hourglass.Middle.RunAsync(("groups", Tensor.Create(closed.ToArray(), 1, closed.Count / width, width)), _grouped, cancel).ConfigureAwait(false);
            states = (float[])[.. State.Span, .. outputs["states"].Span];
            State = states[^width..];
        }

        // The state at the beginning, if there was one, then those of the groups that were closed here; the first of all is the null group's.
        var spread = Tensor.Zeros<float>(1, count, width);
        for (var (t, group) = (0, 0); t < count; t++)
        {
            if (boundaries[t]) group++;
            states.Span.Slice(group * width, width).CopyTo(spread.Place(0, t));
        }

        _length += count;
        return new(hidden, boundaries, states[..width], spread);
    }

    private async Task<bool[]> BoundariesAsync(ReadOnlyMemory<int> ids, Tensor<float> hidden, CancellationToken cancel)
    {
        if (predictor is null) return [.. Enumerable.Range(0, ids.Length).Select(t => rule!(_length + t, ids.Span[t]))];
        return Hourglass.Hard(hourglass.Soft(await hourglass.PredictAsync(predictor, hidden, cancel).ConfigureAwait(false))).Span.ToArray();
    }

    // The means of the groups that close here, behind the null group at the very beginning; what stays open is kept.
    private List<float> Close(Tensor<float> hidden, bool[] boundaries)
    {
        var closed = _grouped.Length == 0 ? new List<float>(hourglass.NullGroup) : [];
        for (var t = 0; t < boundaries.Length; t++)
        {
            TensorPrimitives.Add(_sum, hidden.Place(0, t), _sum);
            _open++;
            if (!boundaries[t]) continue;
            TensorPrimitives.Divide(_sum, _open, _sum);
            closed.AddRange(_sum);
            _sum.AsSpan().Clear();
            _open = 0;
        }

        return closed;
    }
}
