using ModelZoo.Contracts;
using ModelZoo.Inference.Kernels;

namespace ModelZoo.Inference.Tests.Kernels;

/// <summary>Runs a graph with operators of our own and with the engine's.</summary>
internal static class KernelGraphs
{
    /// <summary>The engine's own operators: sessions that rewrite less get no kernels of ours.</summary>
    public static readonly SessionOptions Engine = new() { Optimization = GraphOptimization.Extended };

    /// <summary>Numbers between -1 and 1.</summary>
    public static float[] Random(Random random, long count)
    {
        var values = new float[count];
        for (var i = 0; i < values.Length; i++) values[i] = random.NextSingle() * 2 - 1;
        return values;
    }

    /// <summary>A weight of such numbers.</summary>
    public static WeightData Weight(Random random, params long[] shape) => WeightData.Copy<float>(Random(random, Tensor.Count(shape)), shape);

    // What our operators replace.
    private static readonly string[] Replaced = ["Gemm", "MultiHeadAttention", "Conv", "ConvTranspose", "LSTM", "GRU"];

    /// <summary>With our operators the graph has these nodes, and its first output equals the engine's.</summary>
    public static void SameAsEngine(InferenceRuntime runtime, GraphDefinition graph, IReadOnlyDictionary<string, Tensor> inputs, string[] operators)
    {
        if (runtime.OwnOperators.Count > 0) Assert.Equal(operators, KernelRewriter.Rewrite(graph).Nodes.Select(node => node.Operator));
        Equal(runtime, graph, inputs, 2e-6);
    }

    /// <summary>Our operators take the place of all of the engine's that they can replace, and the first output equals the engine's: at each number within <paramref name="tolerance"/> of the largest.</summary>
    public static Tensor<float> SameAsEngine(InferenceRuntime runtime, GraphDefinition graph, IReadOnlyDictionary<string, Tensor> inputs, double tolerance = 2e-6)
    {
        // Else the engine would be compared with itself.
        if (runtime.OwnOperators.Count > 0) Assert.DoesNotContain(KernelRewriter.Rewrite(graph).Nodes, node => Replaced.Contains(node.Operator));
        return Equal(runtime, graph, inputs, tolerance);
    }

    private static Tensor<float> Equal(InferenceRuntime runtime, GraphDefinition graph, IReadOnlyDictionary<string, Tensor> inputs, double tolerance)
    {
        using var ours = runtime.CreateSession(graph);
        using var engine = runtime.CreateSession(graph, Engine);
        var name = graph.Outputs[0].Name;
        var (found, expected) = (ours.Run(inputs)[name].As<float>(), engine.Run(inputs)[name].As<float>());
        Assert.Equal(expected.Shape.ToArray(), found.Shape.ToArray());
        var largest = 1.0;
        foreach (var value in expected.Span) largest = Math.Max(largest, Math.Abs(value));
        for (var i = 0; i < expected.Span.Length; i++) Assert.True(Math.Abs(expected.Span[i] - found.Span[i]) <= tolerance * largest, $"{i}: {found.Span[i]} instead of {expected.Span[i]}");
        return found;
    }
}
