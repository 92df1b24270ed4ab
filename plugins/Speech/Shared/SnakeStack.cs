using ModelZoo.Networks;

namespace ModelZoo.Plugins.Speech;

/// <summary>
/// The convolutional stack of the Descript codec (Kumar et al., arXiv:2306.06546, section 3), which SNAC and BigCodec vary: residual units with periodic activations between strided convolutions.
/// Scopes follow the authors' sequentials: <c>block.0</c>, <c>block.1</c>...
/// </summary>
internal static class SnakeStack
{
    /// <summary>x + sin^2(alpha x) / alpha (Ziyin et al., arXiv:2006.08195). <c>alpha</c> (1, C, 1).</summary>
    public static Value Snake(Scope scope, Value x)
    {
        var channels = x.Shape[1].Size;
        var alpha = scope.Data("alpha", 1, channels, 1);
        var inverse = scope.Derive("inverse_alpha", [1, channels, 1], values =>
        {
            for (var i = 0; i < values.Length; i++) values[i] = 1 / (alpha.Span<float>()[i] + 1e-9f);
        });
        return x + inverse * (x * scope.Weight("alpha", 1, channels, 1)).Sin().Square();
    }

    /// <summary>A wide dilated and a pointwise convolution, each after an activation, added to the input.</summary>
    public static Value ResidualUnit(Scope unit, Value x, int dilation, Func<Scope, Value, Value> activation, long groups = 1)
    {
        var channels = x.Shape[1].Size;
        var h = unit["block.1"].FoldedConv(activation(unit["block.0"], x), channels, kernel: 7, padding: 3 * dilation, dilation: dilation, groups: groups);
        return x + unit["block.3"].FoldedConv(activation(unit["block.2"], h), channels, kernel: 1);
    }

    /// <summary>Residual units, then a convolution that halves the rate by its stride and doubles the channels.</summary>
    public static Value EncoderBlock(Scope scope, Value x, int stride, Func<Scope, Value, Value> activation, IReadOnlyList<int> dilations, long groups = 1)
    {
        for (var i = 0; i < dilations.Count; i++) x = ResidualUnit(scope["block"][i], x, dilations[i], activation, groups);
        var (next, channels) = (scope["block"], x.Shape[1].Size);
        return next[dilations.Count + 1].FoldedConv(activation(next[dilations.Count], x), 2 * channels, kernel: 2 * stride, stride: stride, padding: (stride + 1) / 2);
    }

    /// <summary>A transposed convolution that multiplies the rate by its stride, then residual units. <paramref name="extra"/> is a block in between.</summary>
    public static Value DecoderBlock(
        Scope scope, Value x, long outputs, int stride, Func<Scope, Value, Value> activation, IReadOnlyList<int> dilations, bool outputPadding, long groups = 1, Func<Scope, Value, Value>? extra = null)
    {
        x = scope["block.1"].FoldedConvTranspose(activation(scope["block.0"], x), outputs, kernel: 2 * stride, stride: stride, padding: (stride + 1) / 2, outputPadding: outputPadding ? stride % 2 : 0);
        var next = 2;
        if (extra is not null) x = extra(scope["block"][next++], x);
        foreach (var dilation in dilations) x = ResidualUnit(scope["block"][next++], x, dilation, activation, groups);
        return x;
    }

    /// <summary>A convolution whose weight norm may have been folded already.</summary>
    public static Value FoldedConv(this Scope scope, Value x, long outputs, long kernel, long stride = 1, long padding = 0, long dilation = 1, long groups = 1, bool bias = true) =>
        scope.Has("weight") ? scope.Conv(x, outputs, kernel, stride, padding, dilation, groups, bias) : scope.WeightNormConv(x, outputs, kernel, stride, padding, dilation, groups, bias);

    /// <summary>A transposed convolution whose weight norm may have been folded already.</summary>
    public static Value FoldedConvTranspose(this Scope scope, Value x, long outputs, long kernel, long stride, long padding, long outputPadding = 0) =>
        scope.Has("weight") ? scope.ConvTranspose(x, outputs, kernel, stride, padding, outputPadding) : scope.WeightNormConvTranspose(x, outputs, kernel, stride, padding, outputPadding);
}
