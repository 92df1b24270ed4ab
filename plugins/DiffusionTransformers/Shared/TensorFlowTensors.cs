using ModelZoo.Inference;

namespace ModelZoo.Plugins.DiffusionTransformers.Shared;

/// <summary>
/// Weights under TensorFlow's object names and in its layouts, as PyTorch's: <c>a.b.weight</c> finds <c>PREFIX/a/b/kernel</c> (or <c>gamma</c>), its outputs first; <c>a.b.bias</c> finds <c>bias</c> or <c>beta</c>. Dense (in, out), query,
/// key and value of Keras' MultiHeadAttention (in, heads, W), its output (heads, W, out), Conv2D (rows, columns, in, out).
/// </summary>
/// <param name="source">The published weights.</param>
/// <param name="prefix">What precedes the network's names, with the slash.</param>
internal sealed class TensorFlowTensors(ITensorSource source, string prefix) : ITensorSource
{
    /// <inheritdoc/>
    public string Origin => source.Origin;

    /// <inheritdoc/>
    public IReadOnlyCollection<TensorInfo> Tensors => source.Tensors;

    /// <inheritdoc/>
    public IReadOnlyCollection<string> Unused => [.. source.Unused.Where(name => name.StartsWith(prefix, StringComparison.Ordinal))];

    /// <inheritdoc/>
    public WeightData Derive(string key, Func<WeightData> make) => source.Derive(key, make);

    /// <inheritdoc/>
    public WeightData? Find(string name)
    {
        var (path, last) = name.LastIndexOf('.') is > 0 and var dot ? (prefix + name[..dot].Replace('.', '/') + "/", name[(dot + 1)..]) : (prefix, name);
        if (last == "weight")
        {
            if (source.Find(path + "gamma") is { } gamma) return gamma;
            return source.Find(path + "kernel") is { } kernel ? Derive($"{name}:pytorch", () => Reordered(WeightConversion.ToFloat32(kernel), path.EndsWith("_output_dense/", StringComparison.Ordinal))) : null;
        }

        if (last == "bias") return (source.Find(path + "bias") ?? source.Find(path + "beta")) is { } bias ? bias.Reshape(bias.Count) : null;
        return source.Find(prefix + name);
    }

    // A matrix (in, out) in all cases but convolution, where in is the third of four.
    private static WeightData Reordered(WeightData kernel, bool mergesHeads)
    {
        var shape = kernel.Shape.ToArray();
        var window = shape.Length == 4 ? shape[0] * shape[1] : 1;
        var outputs = shape.Length == 3 && !mergesHeads ? shape[1] * shape[2] : shape[^1];
        var inputs = kernel.Count / window / outputs;
        return WeightData.Create<float>(shape.Length == 4 ? [outputs, inputs, shape[0], shape[1]] : [outputs, inputs], result =>
        {
            var values = kernel.Span<float>();
            for (var w = 0L; w < window; w++)
            {
                for (var i = 0L; i < inputs; i++)
                {
                    for (var o = 0L; o < outputs; o++) result[(int)((o * inputs + i) * window + w)] = values[(int)((w * inputs + i) * outputs + o)];
                }
            }
        });
    }
}
