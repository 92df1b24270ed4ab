using ModelZoo.Contracts;
using ModelZoo.Inference;

namespace ModelZoo.Networks.Tests;

/// <summary>Runs small graphs on the CPU.</summary>
internal static class Runtime
{
    private static readonly InferenceRuntime Engine = new(new() { Threads = 1 });

    public static Tensor<float> Run(Func<Graph, Value> build, params (string, Tensor)[] inputs)
    {
        var graph = new Graph("test");
        graph.Output("y", build(graph));
        using var session = Engine.CreateSession(graph.Finish());
        return session.Run(inputs.ToDictionary(pair => pair.Item1, pair => pair.Item2))["y"].As<float>();
    }

    public static Tensor<float> Numbers(int seed, params long[] shape)
    {
        var random = new Random(seed);
        var tensor = Tensor.Zeros<float>(shape);
        foreach (ref var value in tensor.Span) value = (float)(random.NextDouble() * 2 - 1);
        return tensor;
    }

    public static void Near(Tensor<float> expected, Tensor<float> actual, double tolerance = 1e-5)
    {
        Assert.Equal(expected.Shape.ToArray(), actual.Shape.ToArray());
        for (var i = 0; i < expected.Length; i++) Assert.True(Math.Abs(expected.Span[i] - actual.Span[i]) <= tolerance, $"[{i}] expected {expected.Span[i]}, got {actual.Span[i]}");
    }
}
