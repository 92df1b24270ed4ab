using ModelZoo.Contracts;
using ModelZoo.Inference;

namespace ModelZoo.Networks;

/// <summary>
/// Gradients by reverse accumulation: nodes that compute them are added to the graph that the value is in, so that a network can be steered by a loss where it runs. Weights are constants; whole numbers and conditions carry none.
/// </summary>
public static class Gradients
{
    /// <summary>The gradient of a loss of one element with respect to each of <paramref name="inputs"/>, in their shapes; zeros where the loss does not depend on one.</summary>
    /// <exception cref="GraphException">An operator on the way has no gradient here; the message names it.</exception>
    public static Value[] Of(Value loss, params ReadOnlySpan<Value> inputs) => Of([(loss, loss.Graph.Scalar(loss.Type, 1).Expand([.. loss.Shape]))], inputs);

    /// <summary>Gradients with respect to <paramref name="inputs"/> when those of some values are given: continues a chain that runs through another network.</summary>
    /// <param name="seeds">Values and the gradients with respect to them, in their shapes.</param>
    /// <param name="inputs">What gradients are wanted for.</param>
    /// <exception cref="GraphException">An operator on the way has no gradient here; the message names it.</exception>
    public static Value[] Of(IReadOnlyList<(Value Value, Value Gradient)> seeds, params ReadOnlySpan<Value> inputs)
    {
        var graph = seeds[0].Value.Graph;
        var nodes = graph.NodesSoFar.ToList();
        var reached = inputs.ToArray().Select(input => input.Name).ToHashSet();
        foreach (var node in nodes)
        {
            if (node.Inputs.Any(reached.Contains) && GradientRules.Differentiates(node)) reached.UnionWith(node.Outputs);
        }

        var gradients = new Dictionary<string, Value>();
        foreach (var (value, gradient) in seeds) Add(value.Name, gradient);
        for (var i = nodes.Count - 1; i >= 0; i--)
        {
            var node = nodes[i];
            if (!node.Outputs.Any(gradients.ContainsKey) || !node.Inputs.Any(reached.Contains) || !GradientRules.Differentiates(node)) continue;
            var place = new GradientNode(graph, node, [.. node.Outputs.Select(gradients.GetValueOrDefault)], reached);
            var parts = GradientRules.Apply(place);
            for (var input = 0; input < parts.Length; input++)
            {
                if (parts[input] is { } part && reached.Contains(node.Inputs[input])) Add(node.Inputs[input], part);
            }
        }

        var result = new Value[inputs.Length];
        for (var i = 0; i < result.Length; i++) result[i] = gradients.GetValueOrDefault(inputs[i].Name) ?? graph.Scalar(inputs[i].Type, 0).Expand([.. inputs[i].Shape]);
        return result;

        void Add(string name, Value gradient) => gradients[name] = gradients.TryGetValue(name, out var sum) ? sum + gradient : gradient;
    }

    /// <summary>A gradient brought to the shape of an operand that was broadcast.</summary>
    internal static Value SumTo(this Value gradient, Shape shape)
    {
        while (gradient.Rank > shape.Rank) gradient = gradient.Sum(0);
        for (var axis = 0; axis < shape.Rank; axis++)
        {
            if (shape[axis] == 1 && gradient.Shape[axis] != 1) gradient = gradient.Sum(axis, keep: true);
        }

        return gradient;
    }
}

/// <summary>A node on the way back: its inputs, its outputs and the gradients with respect to these.</summary>
internal sealed class GradientNode(Graph graph, GraphNode node, IReadOnlyList<Value?> gradients, HashSet<string> reached)
{
    /// <summary>The operator; <c>com.microsoft:Name</c> for ONNX Runtime's own.</summary>
    public string Operator => node.Domain.Length == 0 ? node.Operator : $"{node.Domain}:{node.Operator}";

    /// <summary>The graph.</summary>
    public Graph Graph => graph;

    /// <summary>Number of inputs.</summary>
    public int Count => node.Inputs.Count;

    /// <summary>Number of outputs.</summary>
    public int Outputs => node.Outputs.Count;

    /// <summary>An input that is there.</summary>
    public Value Input(int index) => Optional(index) ?? throw new GraphException("The operator lacks an input.") { Where = $"{graph.Name}: {node.Name}" };

    /// <summary>An input, or null when it is left out.</summary>
    public Value? Optional(int index) => index < node.Inputs.Count && node.Inputs[index].Length > 0 ? graph.Find(node.Inputs[index]) : null;

    /// <summary>True when a gradient with respect to the input is wanted.</summary>
    public bool Wants(int index) => index < node.Inputs.Count && reached.Contains(node.Inputs[index]);

    /// <summary>The numbers of an input that is constant.</summary>
    public long[] Constant(int index) => graph.ConstantOf(node.Inputs[index]);

    /// <summary>An output.</summary>
    public Value Output(int index = 0) => graph.Find(node.Outputs[index])!;

    /// <summary>The gradient with respect to an output; zeros when nothing depends on it.</summary>
    public Value Gradient(int index = 0) => gradients[index] ?? graph.Scalar(ElementType.Float32, 0).Expand([.. Output(index).Shape]);

    /// <summary>An attribute, or what stands for it when it is not given.</summary>
    public T Attribute<T>(string name, T otherwise) => node.Attributes.TryGetValue(name, out var value) ? (T)value : otherwise;

    /// <summary>The operator has no gradient in this form.</summary>
    public GraphException Unsupported(string why) => new($"{Operator} has no gradient here: {why}.") { Where = $"{graph.Name}: {node.Name}" };
}
