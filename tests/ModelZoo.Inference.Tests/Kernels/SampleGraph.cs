using ModelZoo.Contracts;

namespace ModelZoo.Inference.Tests.Kernels;

/// <summary>A graph in the making that says the shapes of its values, with random inputs.</summary>
internal sealed class SampleGraph(int seed)
{
    private readonly Random _random = new(seed);
    private readonly Dictionary<string, Tensor> _inputs = [];

    public GraphDefinition Definition { get; } = new() { Name = "sample" };

    /// <summary>An input; the extent -1 is symbolic, and then whoever runs the graph gives the input.</summary>
    public string Input(string name, params long[] shape)
    {
        Definition.Inputs.Add(Port(name, shape));
        if (!shape.Contains(-1)) _inputs[name] = Tensor.Create(KernelGraphs.Random(_random, Tensor.Count(shape)), shape);
        return name;
    }

    /// <summary>A weight.</summary>
    public string Weight(string name, params long[] shape)
    {
        Definition.Initializers.Add(new(name, KernelGraphs.Weight(_random, shape)));
        return name;
    }

    /// <summary>Whole numbers.</summary>
    public string Integers(string name, params long[] values)
    {
        Definition.Initializers.Add(new(name, WeightData.Copy<long>(values, values.Length)));
        return name;
    }

    /// <summary>A number.</summary>
    public string Number(string name, float value)
    {
        Definition.Initializers.Add(new(name, WeightData.Copy<float>([value])));
        return name;
    }

    /// <summary>A node with one output.</summary>
    public string Node(string op, string[] inputs, string output, long[] shape, params (string Name, object Value)[] attributes)
    {
        Definition.Nodes.Add(new(op, "", output, inputs, [output], attributes.ToDictionary(attribute => attribute.Name, attribute => attribute.Value)));
        Port(output, shape);
        return output;
    }

    /// <summary>x W^T + b over the last dimension of x (.., depth), as layers write it: as rows, and back.</summary>
    public string Linear(string x, string output, params long[] shape)
    {
        var (depth, columns) = (Definition.Values[x].Shape[^1].Size, shape[^1]);
        var rows = Node("Reshape", [x, Integers($"{output}.flat", -1, depth)], $"{output}.in", [Tensor.Count(shape[..^1]), depth]);
        var product = Node("Gemm", [rows, Weight($"{output}.w", columns, depth), Weight($"{output}.b", columns)], $"{output}.rows", [Tensor.Count(shape[..^1]), columns], ("transB", 1L));
        return Node("Reshape", [product, Integers($"{output}.shape", shape)], output, shape, ("allowzero", 1L));
    }

    /// <summary>Makes a value an output.</summary>
    public SampleGraph Output(string name)
    {
        Definition.Outputs.Add(Definition.Values[name]);
        return this;
    }

    /// <summary>With our operators the graph has these nodes, and its first output equals the engine's.</summary>
    public void Check(InferenceRuntime runtime, params string[] operators) => KernelGraphs.SameAsEngine(runtime, Definition, _inputs, operators);

    /// <summary>The first output for these numbers of the first input.</summary>
    public float[] Run(Session session, float[] x, params long[] shape) => session.Run(new Dictionary<string, Tensor> { [Definition.Inputs[0].Name] = Tensor.Create(x, shape) })[Definition.Outputs[0].Name].As<float>().Span.ToArray();

    private GraphPort Port(string name, long[] shape) => Definition.Values[name] = new(name, ElementType.Float32, [.. shape.Select(size => size < 0 ? new GraphDimension(-1, "batch") : new GraphDimension(size))]);
}
