using ModelZoo.Contracts;

namespace ModelZoo.Inference.Kernels;

/// <summary>A Pad of a convolution's input, over its places only.</summary>
/// <param name="Input">What is padded.</param>
/// <param name="Mode">With what.</param>
/// <param name="Before">How many before each axis of places, where that is constant.</param>
/// <param name="After">How many after each.</param>
/// <param name="Amounts">The value with the amounts for all axes where they are not constant.</param>
/// <param name="IsZero">Whether it pads with zeros.</param>
internal sealed record Padded(string Input, Padding Mode, long[] Before, long[] After, string? Amounts, bool IsZero)
{
    /// <summary>No padding.</summary>
    public static Padded None(int axes) => new("", Padding.Zero, new long[axes], new long[axes], null, IsZero: true);

    /// <summary>The padding before a convolution, if it is one that a convolution can do.</summary>
    public static Padded? Of(RewrittenGraph graph, GraphNode convolution, int axes)
    {
        var value = convolution.Inputs[0];
        if (graph.Writer(value) is not { Operator: "Pad", Domain: "" } pad || graph.Reader(value) is null || RewrittenGraph.Named(pad, 3) is not null) return null;
        if (PaddingOf(pad) is not { } mode || (RewrittenGraph.Named(pad, 2) is { } constant && !graph.IsNumber(constant, 0))) return null;
        var rank = axes + 2;
        if (graph.Constant(pad.Inputs[1]) is { Type: ElementType.Int64 } amounts)
        {
            var all = amounts.Span<long>();
            if (all.Length != 2 * rank || all[0] != 0 || all[1] != 0 || all[rank] != 0 || all[rank + 1] != 0) return null;
            return new(pad.Inputs[0], mode, [.. all[2..rank]], [.. all[(rank + 2)..]], null, mode == Padding.Zero);
        }

        // Amounts that a run decides: those of samples and channels must be zero all the same.
        if (graph.Writer(pad.Inputs[1]) is not { Operator: "Concat" } parts || parts.Inputs.Count != 2 * rank || !new[] { 0, 1, rank, rank + 1 }.All(i => graph.IsNumber(parts.Inputs[i], 0))) return null;
        return new(pad.Inputs[0], mode, new long[axes], new long[axes], pad.Inputs[1], mode == Padding.Zero);
    }

    private static Padding? PaddingOf(GraphNode pad) => pad.Attributes.GetValueOrDefault("mode", "constant") switch
    {
        "constant" => Padding.Zero,
        "reflect" => Padding.Reflect,
        "edge" => Padding.Edge,
        _ => null,
    };
}
