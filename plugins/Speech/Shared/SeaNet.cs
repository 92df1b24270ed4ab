using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.Speech;

/// <summary>Sizes and conventions of a SEANet.</summary>
internal sealed record SeaNetSpec
{
    public int AudioChannels { get; init; } = 1;
    public required int Dimension { get; init; }
    public required int Filters { get; init; }
    public required IReadOnlyList<int> Ratios { get; init; }                                      // in the decoder's order
    public int ResidualLayers { get; init; } = 1;
    public int KernelSize { get; init; } = 7;
    public int LastKernelSize { get; init; } = 7;
    public int ResidualKernelSize { get; init; } = 3;
    public int DilationBase { get; init; } = 2;
    public int Compress { get; init; } = 2;
    public bool ConvShortcut { get; init; } = true;
    public bool Causal { get; init; }
    public string PadMode { get; init; } = "reflect";
    public string Norm { get; init; } = "weight_norm";
    public int LstmLayers { get; init; }
    public bool BidirectionalEncoder { get; init; }
    public double TrimRightRatio { get; init; } = 1;

    /// <summary>True for periodic activations with a stored frequency per channel (<c>alpha</c>); false for ELU.</summary>
    public bool Snake { get; init; }

    /// <summary>True where samples that do not fill a window at the end are left out, as caches of a stream do; false where zeros, or what the mode says, fill it.</summary>
    public bool WholeWindows { get; init; }

    /// <summary>True when every layer looks back only, so that a stream can go through chunk by chunk.</summary>
    public bool Streams => Causal && Norm != "time_group_norm" && TrimRightRatio == 1 && !BidirectionalEncoder;

    /// <summary>Samples of one frame: the product of the strides.</summary>
    public int HopLength => Ratios.Aggregate(1, (product, ratio) => product * ratio);

    /// <summary>Frames below which some layer's signal may be shorter than its mirror image; a network of such a length is built for that length alone.</summary>
    public int ShortFrames => PadMode != "reflect" ? 0 : Math.Max(
        Math.Max(Math.Max(KernelSize, LastKernelSize), ResidualKernelSize * (int)Math.Pow(DilationBase, Math.Max(0, ResidualLayers - 1))), 2 * Ratios.Max());
}

/// <summary>
/// The convolutional encoder and decoder of SoundStream (Tagliasacchi et al., SEANet, arXiv:2009.02095) as EnCodec and its successors build them. Scopes are those of transformers' models: <c>layers.N.conv</c>.
/// </summary>
internal static class SeaNet
{
    /// <summary>The names of the authors' sequentials (<c>model.N.conv.conv</c>) under those of transformers; without what only training uses.</summary>
    public static readonly KeyMap AuthorsKeys = new(
        (@"(encoder|decoder)\.model\.(\d+)\.(?:conv|convtr)\.(?:conv|convtr)\.", "$1.layers.$2.conv."),
        (@"(encoder|decoder)\.model\.(\d+)\.(?:conv|convtr)\.norm\.", "$1.layers.$2.norm."),
        (@"(encoder|decoder)\.model\.(\d+)\.(block\.\d+|shortcut)\.conv\.(conv|norm)\.", "$1.layers.$2.$3.$4."),
        (@"(encoder|decoder)\.model\.(\d+)\.lstm\.", "$1.layers.$2.lstm."),
        (@"(encoder|decoder)\.model\.(\d+)\.((?:block\.\d+\.)?alpha)$", "$1.layers.$2.$3"),
        (@"quantizer\.vq\.layers\.(\d+)\._codebook\.", "quantizer.layers.$1.codebook."),
        (@"\.codebook\.(embed_avg|cluster_size|inited)$", null));

    /// <summary>Sound to latent frames. x (B, channels, samples) -> (B, D, frames).</summary>
    public static Value Encode(Scope encoder, Value x, SeaNetSpec spec, StreamState? stream = null)
    {
        var layers = new Layers(encoder["layers"]);
        var filters = spec.Filters;
        x = encoder.Stage("encoder_conv0", Conv(layers.Next(), x, filters, spec.KernelSize, spec, stream: stream));
        foreach (var ratio in spec.Ratios.Reverse())
        {
            x = ResidualBlocks(layers, x, spec, stream);
            if (filters == spec.Filters) encoder.Stage("encoder_block0", x);
            x = Activate(layers.Next(), x, spec);
            x = Conv(layers.Next(), x, filters *= 2, ratio * 2, spec, stride: ratio, stream: stream);
        }

        if (spec.LstmLayers > 0) x = encoder.Stage("encoder_lstm", Lstm(layers.Next(), x, spec.LstmLayers, spec.BidirectionalEncoder, stream));
        x = Activate(layers.Next(), x, spec);
        return Conv(layers.Next(), x, spec.Dimension, spec.LastKernelSize, spec, stream: stream);
    }

    /// <summary>Latent frames to sound. z (B, D, frames) -> (B, channels, samples).</summary>
    public static Value Decode(Scope decoder, Value z, SeaNetSpec spec, StreamState? stream = null)
    {
        var layers = new Layers(decoder["layers"]);
        var filters = spec.Filters << spec.Ratios.Count;
        var x = decoder.Stage("decoder_conv0", Conv(layers.Next(), z, filters, spec.KernelSize, spec, stream: stream));
        if (spec.LstmLayers > 0) x = decoder.Stage("decoder_lstm", Lstm(layers.Next(), x, spec.LstmLayers, bidirectional: false, stream));
        foreach (var ratio in spec.Ratios)
        {
            x = Activate(layers.Next(), x, spec);
            x = ConvTranspose(layers.Next(), x, filters /= 2, ratio, spec, stream: stream);
            x = ResidualBlocks(layers, x, spec, stream);
        }

        x = Activate(layers.Next(), x, spec);
        return Conv(layers.Next(), x, spec.AudioChannels, spec.LastKernelSize, spec, stream: stream);
    }

    /// <summary>A convolution that keeps ceil(samples / stride) frames. Padding is all before when causal, else split; what the last window lacks comes after.</summary>
    public static Value Conv(Scope scope, Value x, long outputs, int kernel, SeaNetSpec spec, int stride = 1, int dilation = 1, bool bias = true, StreamState? stream = null)
    {
        var total = (kernel - 1) * dilation + 1 - stride;
        var after = spec.Causal ? 0 : total / 2;
        Dim extra = spec.WholeWindows ? 0 : Dim.CeilDiv(x.Shape[2], stride) * stride - x.Shape[2];
        var conv = scope["conv"];
        var padded = stream is null ? Pad(x, total - after, after + extra, spec.PadMode) : stream.Before(x, total, Mode(spec.PadMode)).Pad(2, 0, extra, Mode(spec.PadMode));
        return Normalized(scope, conv.Conv(padded, Weight(conv, spec, outputs, x.Shape[1].Size, kernel), bias ? conv.Weight("bias", outputs) : null, stride, dilation: dilation), spec);
    }

    private static Value ResidualBlocks(Layers layers, Value x, SeaNetSpec spec, StreamState? stream)
    {
        var dilation = 1;
        for (var i = 0; i < spec.ResidualLayers; i++, dilation *= spec.DilationBase)
        {
            var (block, width) = (layers.Next(), x.Shape[1].Size);
            var h = Conv(block["block.1"], Activate(block["block.0"], x, spec), width / spec.Compress, spec.ResidualKernelSize, spec, dilation: dilation, stream: stream);
            h = Conv(block["block.3"], Activate(block["block.2"], h, spec), width, 1, spec);
            x = h + (spec.ConvShortcut ? Conv(block["shortcut"], x, width, 1, spec) : x);
        }

        return x;
    }

    private static Value Activate(Scope scope, Value x, SeaNetSpec spec) => spec.Snake ? SnakeStack.Snake(scope, x) : x.Elu();

    // The skip repeats the input where two directions double the width.
    private static Value Lstm(Scope scope, Value x, int layers, bool bidirectional, StreamState? stream)
    {
        var sequence = x.Transpose(2, 0, 1);                                                     // (T, B, C)
        var y = stream is null ? scope["lstm"].Lstm(sequence, x.Shape[1].Size, layers, bidirectional) : stream.Lstm(scope["lstm"], sequence, layers);
        return (y + (bidirectional ? ValueShape.Concat(-1, sequence, sequence) : sequence)).Transpose(1, 2, 0);
    }

    /// <summary>A transposed convolution, of twice the stride unless a kernel is given. What the kernel reaches over is trimmed: all at the end when causal.</summary>
    public static Value ConvTranspose(Scope scope, Value x, long outputs, int stride, SeaNetSpec spec, int? width = null, int groups = 1, bool withBias = true, StreamState? stream = null)
    {
        var (kernel, conv) = (width ?? 2 * stride, scope["conv"]);
        var total = kernel - stride;
        var after = spec.Causal ? (int)Math.Ceiling(total * spec.TrimRightRatio) : total / 2;
        var (weight, bias) = (Weight(conv, spec, x.Shape[1].Size, outputs / groups, kernel), withBias ? conv.Weight("bias", outputs) : null);
        if (stream is not null)
        {
            // Frames before reach into what the next ones make; none came before the first.
            var reach = (kernel + stride - 1) / stride - 1;
            return conv.ConvTranspose(stream.Before(x, reach, PadMode.Constant), weight, bias, stride, trimStart: reach * stride, trimEnd: total, outputPadding: 0, groups);
        }

        if (spec.Norm != "time_group_norm") return conv.ConvTranspose(x, weight, bias, stride, trimStart: total - after, trimEnd: after, outputPadding: 0, groups);
        // The norm sees the untrimmed signal.
        var y = Normalized(scope, conv.ConvTranspose(x, weight, bias, stride), spec);
        return y.Slice(2, total - after, y.Shape[2] - after);
    }

    private static Value Weight(Scope conv, SeaNetSpec spec, params ReadOnlySpan<long> shape) => spec.Norm == "weight_norm" ? conv.WeightNorm(shape) : conv.Weight("weight", shape);

    private static Value Normalized(Scope scope, Value x, SeaNetSpec spec) => spec.Norm == "time_group_norm" ? scope["norm"].GroupNorm(x, 1) : x;

    // A signal that is no longer than its mirror image is first followed by zeros, which are cut off again.
    private static Value Pad(Value x, Dim before, Dim after, string mode)
    {
        if (mode != "reflect") return x.Pad(2, before, after, Mode(mode));
        var reach = before.IsKnown && after.IsKnown ? Math.Max(before.Size, after.Size) : 0;
        if (!x.Shape[2].IsKnown || x.Shape[2].Size > reach) return x.Pad(2, before, after, PadMode.Reflect);
        var missing = reach - x.Shape[2].Size + 1;
        var padded = x.Pad(2, 0, missing).Pad(2, before, after, PadMode.Reflect);
        return padded.Take(2, padded.Shape[2] - missing);
    }

    private static PadMode Mode(string name) => name switch { "reflect" => PadMode.Reflect, "replicate" => PadMode.Edge, _ => PadMode.Constant };

    /// <summary>The numbered layers of a sequential, one after the other.</summary>
    private sealed class Layers(Scope scope)
    {
        private int _next;

        public Scope Next() => scope[_next++];
    }
}
