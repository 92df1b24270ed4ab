using ModelZoo.Contracts;

namespace ModelZoo.Networks;

/// <summary>The shapes that a graph declares for its outputs, as expressions over extents of its inputs. A graph that declares another shape than it computes is wrong, even where the numbers are right.</summary>
/// <param name="network">Name of the network, for messages.</param>
/// <param name="symbols">Where each symbol is read: an input, an axis, and the expression there.</param>
/// <param name="outputs">The declared shapes by name.</param>
internal sealed class ShapeLaws(string network, IReadOnlyDictionary<string, (string Input, int Axis, Dim Extent)> symbols, IReadOnlyDictionary<string, Shape> outputs)
{
    /// <summary>Holds the shapes of a run against what the graph declares.</summary>
    /// <exception cref="GraphException">An output or stage has another shape.</exception>
    public void Check(IReadOnlyDictionary<string, Tensor> inputs, IReadOnlyDictionary<string, Tensor> results)
    {
        foreach (var (name, tensor) in results)
        {
            var declared = outputs[name];
            var fits = tensor.Rank == declared.Rank;
            for (var axis = 0; fits && axis < declared.Rank; axis++) fits = Size(declared[axis], inputs) is not { } size || size == tensor.Shape[axis];
            if (fits) continue;
            throw new GraphException("An output has another shape than the graph declares.")
            { Where = $"{network}: {name}", Expected = $"{declared} = [{string.Join(", ", declared.Select(extent => Size(extent, inputs)?.ToString() ?? "?"))}]", Found = $"[{string.Join(", ", tensor.Shape.ToArray())}]" };
        }
    }

    // Null when the extent depends on the numbers (how many are kept): no input names its symbol.
    private long? Size(Dim declared, IReadOnlyDictionary<string, Tensor> inputs)
    {
        var isKnown = true;
        var size = declared.Evaluate(symbol =>
        {
            if (symbols.TryGetValue(symbol, out var place)) return (inputs[place.Input].Shape[place.Axis] - place.Extent.Linear.Offset) / place.Extent.Linear.Factor;
            isKnown = false;
            return 0;
        });
        return isKnown ? size : null;
    }
}
