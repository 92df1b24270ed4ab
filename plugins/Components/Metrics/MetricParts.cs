using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Components.Metrics;

/// <summary>The metrics, run on tensors and texts as their libraries are.</summary>
internal static class MetricParts
{
    public static IReadOnlyList<ModelArchitecture> Architectures { get; } =
    [
        .. AudioMetrics.Architectures,
        .. DistributionMetrics.Architectures,
        .. ImageMetrics.Architectures,
        .. LabelMetrics.Architectures,
        .. RetrievalMetrics.Architectures,
        .. TextMetrics.Architectures,
    ];

    /// <summary>The architecture of a metric.</summary>
    public static ModelArchitecture Metric(string name, string paper, string reference, params (string Name, Func<CallArguments, CallResults> Compute)[] calls) =>
        ComputedPart.Architecture($"metrics/{name}", paper, reference, Modality.Tensors, calls);

    /// <summary>A one-dimensional result.</summary>
    public static Tensor Vector(IEnumerable<double> values) => Vector([.. values]);

    /// <summary>A one-dimensional result.</summary>
    public static Tensor Vector(double[] values) => Tensor.Create(values, values.Length);

    /// <summary>A one-dimensional result of counts.</summary>
    public static Tensor Vector(long[] values) => Tensor.Create(values, values.Length);

    /// <summary>A two-dimensional result.</summary>
    public static Tensor Matrix<T>(T[,] values) where T : unmanaged => Tensor.Create(values.Cast<T>().ToArray(), values.GetLength(0), values.GetLength(1));

    /// <summary>Adds one value under the names that calls with different options give it.</summary>
    public static CallResults AddAs(this CallResults results, double value, params ReadOnlySpan<string> names)
    {
        foreach (var name in names) results.Add(name, value);
        return results;
    }

    /// <summary>Ids of either integer type.</summary>
    public static long[] Ids(this CallArguments arguments, string name) => arguments.Tensor(name) is Tensor<int> narrow
        ? Array.ConvertAll(narrow.Span.ToArray(), id => (long)id)
        : arguments.Tensor<long>(name).Span.ToArray();

    /// <summary>Numbers as doubles.</summary>
    public static double[] Doubles(this CallArguments arguments, string name) => arguments.Tensor(name) switch
    {
        Tensor<double> wide => wide.Span.ToArray(),
        Tensor<long> whole => Array.ConvertAll(whole.Span.ToArray(), x => (double)x),
        var other => Array.ConvertAll(other.As<float>().Span.ToArray(), x => (double)x),
    };
}
