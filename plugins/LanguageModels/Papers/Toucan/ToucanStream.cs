using ModelZoo.Contracts;
using ModelZoo.Networks.Sampling;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>
/// A text that a toucanized hourglass reads and writes. Within a token only the last layers run, on the state of the token that was pooled last; when the next token's first character is known, all that was written since is
/// read by the lower layers, and the middle layers run once.
/// </summary>
/// <param name="hourglass">The networks.</param>
/// <param name="reader">Reads with encoder and middle.</param>
/// <param name="table">The table of characters, the end of a token last (ids, D).</param>
/// <param name="end">Id of the end of a token.</param>
internal sealed class ToucanStream(Hourglass hourglass, HourglassReader reader, Tensor<float> table, int end) : ITokenModel
{
    private readonly List<int> _unread = [];
    private StackPast _read = hourglass.Decoder.Begin(), _written = hourglass.Decoder.Begin();
    private bool _isAtEnd;

    /// <summary>What came of characters that were read: the logits behind each row, and the rows of the characters; the rows between are ends of tokens.</summary>
    public sealed record Read(Tensor<float> Logits, bool[] Boundaries, int[] Places);

    /// <summary>Reads characters, with all layers.</summary>
    public async Task<Read> ReadAsync(ReadOnlyMemory<int> ids, CancellationToken cancel)
    {
        var read = await reader.ReadAsync(ids, cancel).ConfigureAwait(false);
        var (rows, places) = Expand(ids.Span, read.Boundaries, read.States, 0, read.Before.Span, table, end);
        (var outputs, _read) = await hourglass.Decoder.RunAsync(("x", rows), _read, cancel).ConfigureAwait(false);
        _written = _read;
        return new(outputs["logits"], read.Boundaries, places);
    }

    /// <inheritdoc/>
    public async ValueTask<Tensor<float>> AppendAsync(Tensor<int> tokens, CancellationToken cancel)
    {
        if (tokens.Shape[0] != 1) throw new NotSupportedException("One sequence is continued at a time.");
        var id = tokens.Span[^1];
        if (tokens.Length > 1 || reader.State.IsEmpty || _isAtEnd)
        {
            // The first character of a token, or a prompt.
            var ids = (int[])[.. _unread, .. tokens.Span];
            _unread.Clear();
            _isAtEnd = false;
            return Last((await ReadAsync(ids, cancel).ConfigureAwait(false)).Logits);
        }

        _isAtEnd = id == end;
        if (!_isAtEnd) _unread.Add(id);
        var row = Tensor.Zeros<float>(1, 1, table.Shape[1]);
        TensorPrimitives.Add(reader.State.Span, table.Slice(id).Span, row.Span);
        (var outputs, _written) = await hourglass.Decoder.RunAsync(("x", row), _written, cancel).ConfigureAwait(false);
        return Last(outputs["logits"]);
    }

    /// <inheritdoc/>
    public void Reorder(ReadOnlySpan<int> parents) => throw new NotSupportedException("One sequence has no others to become.");

    /// <summary>
    /// What the last layers take: each character with its token's state, and before each boundary the end of the token before, with that token's state. -> (1, N + boundaries, D) and the rows of the characters.
    /// </summary>
    public static (Tensor<float> Rows, int[] Places) Expand(ReadOnlySpan<int> ids, ReadOnlySpan<bool> boundaries, Tensor<float> states, int sequence, ReadOnlySpan<float> before, Tensor<float> table, int end)
    {
        var (rows, places, row) = (Tensor.Zeros<float>(1, ids.Length + boundaries.Count(true), table.Shape[1]), new int[ids.Length], 0);
        for (var t = 0; t < ids.Length; t++)
        {
            if (boundaries[t]) TensorPrimitives.Add(t == 0 ? before : states.Place(sequence, t - 1), table.Slice(end).Span, rows.Place(0, row++));
            places[t] = row;
            TensorPrimitives.Add(states.Place(sequence, t), table.Slice(ids[t]).Span, rows.Place(0, row++));
        }

        return (rows, places);
    }

    private static Tensor<float> Last(Tensor<float> logits) => Tensor.Create(logits.Place(0, (int)logits.Shape[1] - 1).ToArray(), 1, logits.Shape[2]);
}
