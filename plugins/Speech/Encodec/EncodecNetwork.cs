using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.Speech;

/// <summary>SEANet encoder and decoder with an LSTM in the middle (section 3.1), and the residual quantizer (section 3.2).</summary>
internal static class EncodecNetwork
{
    /// <summary>The authors' names (flat <c>.th</c> file) to those of transformers; without what only training uses.</summary>
    public static readonly KeyMap Keys = new(
        (@"^(encoder|decoder)\.model\.(\d+)\.(?:conv|convtr)\.(?:conv|convtr)\.", "$1.layers.$2.conv."),
        (@"^(encoder|decoder)\.model\.(\d+)\.(?:conv|convtr)\.norm\.", "$1.layers.$2.norm."),
        (@"^(encoder|decoder)\.model\.(\d+)\.(block\.\d+|shortcut)\.conv\.(conv|norm)\.", "$1.layers.$2.$3.$4."),
        (@"^(encoder|decoder)\.model\.(\d+)\.lstm\.", "$1.layers.$2.lstm."),
        (@"^quantizer\.vq\.layers\.(\d+)\._codebook\.", "quantizer.layers.$1.codebook."),
        (@"\.codebook\.(embed_avg|cluster_size|inited)$", null));

    /// <summary>Sound to latent frames. x (B, channels, samples) -> (B, D, frames).</summary>
    public static Value Encode(Scope model, Value x, EncodecConfig config)
    {
        var layers = new Layers(model["encoder.layers"]);
        var filters = config.NumFilters;
        x = model.Stage("encoder_conv0", Conv(layers.Next(), x, filters, config.KernelSize, config));
        foreach (var ratio in config.UpsamplingRatios.Reverse())
        {
            x = ResidualBlocks(layers, x, config);
            if (filters == config.NumFilters) model.Stage("encoder_block0", x);
            layers.Skip();                                                                       // ELU
            x = Conv(layers.Next(), x.Elu(), filters *= 2, ratio * 2, config, stride: ratio);
        }

        x = model.Stage("encoder_lstm", Lstm(layers.Next(), x, config));
        layers.Skip();
        return model.Stage("latent", Conv(layers.Next(), x.Elu(), config.HiddenSize, config.LastKernelSize, config));
    }

    /// <summary>Latent frames to sound. z (B, D, frames) -> (B, channels, samples).</summary>
    public static Value Decode(Scope model, Value z, EncodecConfig config)
    {
        var layers = new Layers(model["decoder.layers"]);
        var filters = config.NumFilters << config.UpsamplingRatios.Length;
        var x = model.Stage("decoder_conv0", Conv(layers.Next(), z, filters, config.KernelSize, config));
        x = model.Stage("decoder_lstm", Lstm(layers.Next(), x, config));
        foreach (var ratio in config.UpsamplingRatios)
        {
            layers.Skip();
            x = ConvTranspose(layers.Next(), x.Elu(), filters /= 2, ratio, config);
            x = ResidualBlocks(layers, x, config);
        }

        layers.Skip();
        return Conv(layers.Next(), x.Elu(), config.AudioChannels, config.LastKernelSize, config);
    }

    /// <summary>Nearest codes of each codebook in turn, each on what the ones before left over. z (B, D, frames) -> (B, codebooks, frames) int64.</summary>
    public static Value Quantize(Scope model, Value z, EncodecConfig config)
    {
        var residual = z.Swap(1, 2);                                                             // (B, T, D)
        var codes = new Value[config.NumQuantizers];
        for (var i = 0; i < codes.Length; i++)
        {
            var codebook = model["quantizer.layers"][i]["codebook"];
            var embed = codebook.Weight("embed", config.CodebookSize, config.HiddenSize);
            // argmin |r - e|^2 = argmax r.e - |e|^2 / 2
            var score = codebook.Linear(residual, embed, HalfNorms(codebook, config));           // (B, T, K)
            codes[i] = score.ArgMax(-1);
            if (i + 1 < codes.Length) residual -= embed.Gather(codes[i]);
        }

        return ValueShape.Stack(1, codes);
    }

    // -|e|^2 / 2 of each row.
    private static Value HalfNorms(Scope codebook, EncodecConfig config)
    {
        var embed = codebook.Data("embed", config.CodebookSize, config.HiddenSize);
        return codebook.Derive("half_norms", [config.CodebookSize], norms =>
        {
            var rows = embed.Span<float>();
            for (var i = 0; i < norms.Length; i++)
            {
                var sum = 0.0;
                foreach (var value in rows.Slice(i * config.HiddenSize, config.HiddenSize)) sum += (double)value * value;
                norms[i] = (float)(-sum / 2);
            }
        });
    }

    private static Value ResidualBlocks(Layers layers, Value x, EncodecConfig config)
    {
        var dilation = 1;
        for (var i = 0; i < config.NumResidualLayers; i++, dilation *= config.DilationGrowthRate)
        {
            var (block, width) = (layers.Next(), x.Shape[1].Size);
            var h = Conv(block["block.1"], x.Elu(), width / config.Compress, config.ResidualKernelSize, config, dilation: dilation);
            h = Conv(block["block.3"], h.Elu(), width, 1, config);
            x = h + (config.UseConvShortcut ? Conv(block["shortcut"], x, width, 1, config) : x);
        }

        return x;
    }

    private static Value Lstm(Scope scope, Value x, EncodecConfig config)
    {
        if (config.NumLstmLayers == 0) return x;
        var sequence = x.Transpose(2, 0, 1);                                                     // (T, B, C)
        return (scope["lstm"].Lstm(sequence, x.Shape[1].Size, config.NumLstmLayers) + sequence).Transpose(1, 2, 0);
    }

    // Padding keeps ceil(samples / stride) frames: causal all before, else split; what the last window lacks comes after.
    private static Value Conv(Scope scope, Value x, long outputs, int kernel, EncodecConfig config, int stride = 1, int dilation = 1)
    {
        var total = (kernel - 1) * dilation + 1 - stride;
        var after = config.UseCausalConv ? 0 : total / 2;
        var extra = Dim.CeilDiv(x.Shape[2], stride) * stride - x.Shape[2];
        var padded = Pad(x, total - after, after + extra, config.PadMode);
        return Normalized(scope, scope["conv"].Conv(padded, Weight(scope["conv"], config, outputs, x.Shape[1].Size, kernel), scope["conv"].Weight("bias", outputs), stride, dilation: dilation), config);
    }

    // Trims what the kernel reaches over: all at the end when causal.
    private static Value ConvTranspose(Scope scope, Value x, long outputs, int stride, EncodecConfig config)
    {
        var kernel = 2 * stride;
        var total = kernel - stride;
        var after = config.UseCausalConv ? (int)Math.Ceiling(total * config.TrimRightRatio) : total / 2;
        var (weight, bias) = (Weight(scope["conv"], config, x.Shape[1].Size, outputs, kernel), scope["conv"].Weight("bias", outputs));
        if (config.NormType == "weight_norm") return scope["conv"].ConvTranspose(x, weight, bias, stride, trimStart: total - after, trimEnd: after, outputPadding: 0, groups: 1);
        // The norm sees the untrimmed signal.
        var y = Normalized(scope, scope["conv"].ConvTranspose(x, weight, bias, stride), config);
        return y.Slice(2, total - after, y.Shape[2] - after);
    }

    private static Value Weight(Scope conv, EncodecConfig config, params ReadOnlySpan<long> shape) => config.NormType == "weight_norm" ? conv.WeightNorm(shape) : conv.Weight("weight", shape);

    private static Value Normalized(Scope scope, Value x, EncodecConfig config) => config.NormType == "time_group_norm" ? scope["norm"].GroupNorm(x, 1) : x;

    // A signal that is no longer than its mirror image is first followed by zeros, which are cut off again.
    private static Value Pad(Value x, Dim before, Dim after, string mode)
    {
        if (mode != "reflect") return x.Pad(2, before, after, mode == "replicate" ? PadMode.Edge : PadMode.Constant);
        var reach = before.IsKnown && after.IsKnown ? Math.Max(before.Size, after.Size) : 0;
        if (!x.Shape[2].IsKnown || x.Shape[2].Size > reach) return x.Pad(2, before, after, PadMode.Reflect);
        var missing = reach - x.Shape[2].Size + 1;
        var padded = x.Pad(2, 0, missing).Pad(2, before, after, PadMode.Reflect);
        return padded.Take(2, padded.Shape[2] - missing);
    }

    /// <summary>The numbered layers of a sequential, one after the other.</summary>
    private sealed class Layers(Scope scope)
    {
        private int _next;

        public Scope Next() => scope[_next++];

        public void Skip() => _next++;
    }
}
