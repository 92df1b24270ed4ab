using ModelZoo.Networks;

namespace ModelZoo.Plugins.Recommenders;

/// <summary>The multilayer perceptrons of item tokenizers, as one <c>nn.Sequential</c> whose numbers count dropouts too.</summary>
internal static class ItemMlp
{
    /// <summary>For each layer: dropout, linear, a norm where there is one, and ReLU but after the last. x (items, in) -> (items, the last width).</summary>
    /// <param name="layers">Scope of the sequence.</param>
    /// <param name="x">Input.</param>
    /// <param name="widths">Outputs of each layer.</param>
    /// <param name="norm">The norm at its place in the sequence; null for none.</param>
    /// <param name="normLast">Whether the last layer has a norm too.</param>
    public static Value Build(Scope layers, Value x, IReadOnlyList<int> widths, Func<Scope, Value, Value>? norm, bool normLast = true)
    {
        var place = 0;
        for (var i = 0; i < widths.Count; i++)
        {
            var last = i == widths.Count - 1;
            place++;
            x = layers[place++].Linear(x, widths[i]);
            if (norm is not null && (!last || normLast)) x = norm(layers[place++], x);
            if (last) break;
            x = x.Relu();
            place++;
        }

        return x;
    }

    /// <summary>Batch norm as trained.</summary>
    public static Value BatchNorm(Scope scope, Value x) => scope.BatchNorm(x);

    /// <summary>Layer norm.</summary>
    public static Value LayerNorm(Scope scope, Value x) => scope.LayerNorm(x);
}
