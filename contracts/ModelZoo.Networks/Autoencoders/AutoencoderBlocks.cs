namespace ModelZoo.Networks.Autoencoders;

/// <summary>The blocks that convolutional autoencoders of pictures are made of (Esser et al., arXiv:2012.09841, section A.1). Pictures are (B, C, H, W).</summary>
public static class AutoencoderBlocks
{
    /// <summary>
    /// Two 3x3 convolutions, each after group norm and an activation, beside a shortcut: <c>norm1</c>, <c>conv1</c>, <c>norm2</c>, <c>conv2</c> and, where the width changes, a 1x1 convolution.
    /// </summary>
    /// <param name="scope">Where the block's weights are.</param>
    /// <param name="x">(B, C, H, W).</param>
    /// <param name="outputs">Channels that come out.</param>
    /// <param name="norm">Normalises; group norm with the family's number of groups.</param>
    /// <param name="shortcut">Name of the 1x1 convolution: <c>conv_shortcut</c> or <c>nin_shortcut</c>.</param>
    /// <param name="activation">Null for SiLU.</param>
    public static Value ResnetBlock(this Scope scope, Value x, long outputs, Func<Scope, Value, Value> norm, string shortcut, Func<Value, Value>? activation = null)
    {
        Value Half(string normName, string name, Value value) => scope[name].Conv((activation ?? (normed => normed.Silu()))(norm(scope[normName], value)), outputs, 3, padding: 1);
        var h = Half("norm2", "conv2", Half("norm1", "conv1", x));
        return (x.Shape[1] == outputs ? x : scope[shortcut].Conv(x, outputs, 1)) + h;
    }

    /// <summary>Halves the resolution: a 3x3 convolution of stride 2, padded on the right and at the bottom only.</summary>
    public static Value Downsample(this Scope scope, Value x, long outputs) =>
        scope.Conv(x, scope.Weight("weight", outputs, x.Shape[1].Size, 3, 3), scope.Weight("bias", outputs), [2, 2], [0, 0], [1, 1], [1, 1]);

    /// <summary>Doubles the resolution: nearest neighbours, then a 3x3 convolution.</summary>
    public static Value UpsampleConv(this Scope scope, Value x, long outputs) => scope.Conv(x.Upsample(2), outputs, 3, padding: 1);

    /// <summary>Lets every place look at every other with one head of attention; the caller normalises before and adds after.</summary>
    /// <param name="x">(B, C, H, W), normalised.</param>
    /// <param name="project">The maps to queries, keys and values: each takes (B, H W, C).</param>
    /// <param name="output">The map of what was seen, (B, H W, C).</param>
    public static Value SpatialAttention(Value x, (Func<Value, Value> Query, Func<Value, Value> Key, Func<Value, Value> Value) project, Func<Value, Value> output)
    {
        var places = x.Flatten(2).Swap(1, 2);                                              // (B, H W, C)
        var seen = AttentionLayers.Attention(project.Query(places), project.Key(places), project.Value(places), new() { Heads = 1 });
        return output(seen).Swap(1, 2).Reshape([.. x.Shape]);
    }

    /// <summary>A linear map that is stored as a 1x1 convolution (out, in, 1, 1). x (B, N, in) -> (B, N, out).</summary>
    public static Value PointwiseLinear(this Scope scope, Value x, long outputs) => scope.PointwiseRows(x, outputs, 0, outputs);

    /// <summary>Some rows of a linear map that is stored as a 1x1 convolution (out, in, 1, 1). x (B, N, in) -> (B, N, count).</summary>
    public static Value PointwiseRows(this Scope scope, Value x, long outputs, long start, long count)
    {
        var inputs = x.Shape[-1].Size;
        var weight = scope.Data("weight", outputs, inputs, 1, 1).Reshape(outputs, inputs).Rows(start, count);
        var bias = scope.Data("bias", outputs).Rows(start, count);
        return scope.Linear(x, scope.Graph.Weight($"{scope.Path}.weight[{start}]", weight, scope.Path), scope.Graph.Weight($"{scope.Path}.bias[{start}]", bias, scope.Path));
    }
}

/// <summary>A Gaussian for each element of a latent (Kingma and Welling, arXiv:1312.6114).</summary>
/// <param name="Mean">Means.</param>
/// <param name="LogVariance">Logarithms of the variances, kept within -30..20.</param>
public sealed record DiagonalGaussian(Value Mean, Value LogVariance)
{
    /// <summary>Of an encoder's output: the means in the first half of the channels (axis 1), the logarithms of the variances in the second.</summary>
    public static DiagonalGaussian Of(Value moments)
    {
        var (mean, logVariance) = moments.Chunk2(1);
        return new(mean, logVariance.Clip(-30, 20));
    }

    /// <summary>Standard deviations.</summary>
    public Value Deviation => (LogVariance * 0.5).Exp();

    /// <summary>A draw, made of standard normal <paramref name="noise"/>.</summary>
    public Value Sample(Value noise) => Mean + Deviation * noise;
}
