using ModelZoo.Networks;

namespace ModelZoo.Plugins.Speech;

/// <summary>
/// What causal layers keep from one chunk of a stream to the next: inputs <c>state_N</c> and outputs <c>next_N</c> of the graph, in the order in which layers ask. The graph of a first chunk has outputs only and starts as the whole does.
/// </summary>
internal sealed class StreamState(Graph graph, bool first)
{
    private int _count;

    /// <summary>x (B, C, T) with the frames that came before it; before a first chunk, what pads the whole.</summary>
    public Value Before(Value x, long frames, PadMode mode)
    {
        if (frames == 0) return x;
        var number = _count++;
        var whole = first ? x.Pad(2, frames, 0, mode) : ValueShape.Concat(2, graph.Input($"state_{number}", [x.Shape[0], x.Shape[1], frames]), x);
        graph.Output($"next_{number}", whole.Last(2, frames));
        return whole;
    }

    /// <summary>An LSTM that goes on where it was. x (T, B, C) -> (T, B, C).</summary>
    public Value Lstm(Scope scope, Value x, int layers)
    {
        var (number, width) = (_count++, x.Shape[2].Size);
        Value? Past(string part) => first ? null : graph.Input($"state_{number}_{part}", [layers, x.Shape[1], width]);
        var (output, hidden, cell) = scope.LstmFrom(x, width, layers, Past("hidden"), Past("cell"));
        graph.Output($"next_{number}_hidden", hidden);
        graph.Output($"next_{number}_cell", cell);
        return output;
    }

    /// <summary>Rows (B, T, D) after those of the last chunks, of which at most <paramref name="keep"/> are kept; null keeps all.</summary>
    public Value Append(Value x, long? keep)
    {
        var number = _count++;
        var whole = first ? x : ValueShape.Concat(1, graph.Input($"state_{number}", [x.Shape[0], Dim.Symbol("past"), x.Shape[2]]), x);
        // A start before the first row counts as the first row.
        var kept = keep is { } rows
            ? graph.Node(x.Path, "Slice", [whole, graph.Constant([-rows], 1), graph.Constant([long.MaxValue], 1), graph.Constant([1L], 1)], x.Type, whole.Shape.With(1, Dim.Symbol("kept")))
            : whole;
        graph.Output($"next_{number}", kept);
        return whole;
    }

    /// <summary>How many rows came before, as int64 (1).</summary>
    public Value Position(Dim rows)
    {
        var number = _count++;
        var before = first ? graph.Constant([0L], 1) : graph.Input($"state_{number}", Contracts.ElementType.Int64, [1]);
        graph.Output($"next_{number}", before + graph.Extent(rows));
        return before;
    }
}
