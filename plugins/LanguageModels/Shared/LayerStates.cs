using ModelZoo.Contracts;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>What the layers of a network carry from one run to the next: inputs <c>state.n</c> and outputs <c>next.n</c>, all with a row for each sequence.</summary>
/// <param name="graph">Its graph.</param>
internal sealed class LayerStates(Graph graph)
{
    /// <summary>Prefixes of what comes in and goes out.</summary>
    public const string Before = "state.", After = "next.";

    private readonly List<(string Name, Value Value)> _next = [];
    private readonly Dim _past = Dim.Symbol("past");
    private Value? _places, _mask;
    private int _count;

    /// <summary>Sequences B.</summary>
    public Dim Batch { get; } = Dim.Symbol("batch");

    /// <summary>New places L.</summary>
    public Dim Length { get; } = Dim.Symbol("length");

    /// <summary>A state of the run before; zeros at the beginning.</summary>
    public (string Name, Value Value) Input(string kind, Shape shape, ElementType type = ElementType.Float32)
    {
        var name = $"{_count++}.{kind}";
        return (name, graph.Input(Before + name, type, shape));
    }

    /// <summary>What a state has become.</summary>
    public void Output((string Name, Value Value) state, Value next) => _next.Add((state.Name, next));

    /// <summary>New keys or values (B, L, D) after those of the places before: (B, past + L, D). Those that a later query still sees are kept.</summary>
    public Value Extend(string kind, Value x, int? window)
    {
        var before = Input(kind, [Batch, _past, x.Shape[2]]);
        var all = ValueShape.Concat(1, before.Value, x);
        Output(before, window is { } reach ? Kept(all, reach) : all);
        return all;
    }

    /// <summary>Places of the new positions in their sequences, counted from 0: (B, L).</summary>
    public Value Places()
    {
        if (_places is not null) return _places;
        var count = Input("places", [Batch], ElementType.Int64);
        Output(count, count.Value + graph.Extent(Length));
        return _places = count.Value.Unsqueeze(1) + AttentionLayers.Range(graph, Length);
    }

    /// <summary>What each query sees: its own place and those before it, at most so many. One mask for all layers of the network.</summary>
    public Value Mask(Dim keys, int? window) => _mask ??= window is { } reach ? AttentionMasks.Sliding(graph, Length, keys, reach + 1) : AttentionMasks.Causal(graph, Length, keys);

    /// <summary>Declares what goes out.</summary>
    public void Finish()
    {
        foreach (var (name, value) in _next) graph.Output(After + name, value);
    }

    // The last places, or all where there are fewer: the bounds of a slice are clamped.
    private Value Kept(Value all, int reach)
    {
        var start = reach == 0 ? long.MaxValue : -reach;
        return graph.Node(all.Path, "Slice", [all, graph.Constant([start], 1), graph.Constant([long.MaxValue], 1), graph.Constant([1L], 1)], all.Type, all.Shape.With(1, Dim.Symbol("kept")));
    }
}
