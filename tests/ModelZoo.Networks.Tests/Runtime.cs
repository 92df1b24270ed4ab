using ModelZoo.Contracts;
using ModelZoo.Inference;

namespace ModelZoo.Networks.Tests;

/// <summary>Runs small graphs on the CPU, and compares with what naive arithmetic in double precision gives.</summary>
internal static class Runtime
{
    public static InferenceRuntime Engine { get; } = new(new() { Threads = 1 });

    public static Tensor<float> Run(Func<Graph, Value> build, params (string, Tensor)[] inputs) => Run<float>(build, inputs);

    public static Tensor<T> Run<T>(Func<Graph, Value> build, params (string, Tensor)[] inputs) where T : unmanaged => Run<T>(scope => build(scope.Graph), new TestWeights(), inputs);

    public static Tensor<float> Run(Func<Scope, Value> build, TestWeights weights, params (string, Tensor)[] inputs) => Run<float>(build, weights, inputs);

    public static Tensor<T> Run<T>(Func<Scope, Value> build, TestWeights weights, params (string, Tensor)[] inputs) where T : unmanaged
    {
        using var network = Network.Build(new(Engine, weights), "test", scope => scope.Graph.Output("y", build(scope)));
        return network.Run(default, inputs).Get<T>("y");
    }

    /// <summary>One float input under names of symbols for every extent: the graph knows none of its sizes.</summary>
    public static Shape Symbols(int rank) => new([.. Enumerable.Range(0, rank).Select(i => Dim.Symbol($"d{i}"))]);

    public static Tensor<float> Numbers(int seed, params long[] shape)
    {
        var random = new Random(seed);
        var tensor = Tensor.Zeros<float>(shape);
        foreach (ref var value in tensor.Span) value = (float)(random.NextDouble() * 2 - 1);
        return tensor;
    }

    /// <summary>A tensor whose elements are a function of their position.</summary>
    public static Tensor<float> Make(long[] shape, Func<long[], double> element)
    {
        var tensor = Tensor.Zeros<float>(shape);
        var index = new long[shape.Length];
        for (var flat = 0; flat < tensor.Length; flat++)
        {
            tensor.Span[flat] = (float)element(index);
            for (var axis = shape.Length - 1; axis >= 0 && ++index[axis] == shape[axis]; axis--) index[axis] = 0;
        }

        return tensor;
    }

    /// <summary>Every position of a shape.</summary>
    public static IEnumerable<long[]> Positions(params long[] shape)
    {
        var count = Tensor.Count(shape);
        for (var flat = 0L; flat < count; flat++)
        {
            var (index, rest) = (new long[shape.Length], flat);
            for (var axis = shape.Length - 1; axis >= 0; axis--) (rest, index[axis]) = Math.DivRem(rest, shape[axis]);
            yield return index;
        }
    }

    public static void Near(Tensor<float> expected, Tensor<float> actual, double tolerance = 1e-5)
    {
        Assert.Equal(expected.Shape.ToArray(), actual.Shape.ToArray());
        for (var i = 0; i < expected.Length; i++) Assert.True(Math.Abs(expected.Span[i] - actual.Span[i]) <= tolerance, $"[{i}] expected {expected.Span[i]}, got {actual.Span[i]}");
    }
}
