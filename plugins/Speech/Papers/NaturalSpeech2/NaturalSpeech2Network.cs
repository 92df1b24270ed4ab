// NaturalSpeech 2: Latent Diffusion Models are Natural and Zero-Shot Speech and Singing Synthesizers. Shen et al. arXiv:2304.09116. Code: github.com/open-mmlab/Amphion (models/tts/naturalspeech2)
// Published layout: Amphion's ns2.json + pytorch_model.bin, the quantizer of EnCodec 24 kHz among the weights; the rest of EnCodec beside it in a folder encodec_24khz. Deviations: none from Amphion's code.
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.Speech;

/// <summary>Phones and a voice to the latent frames of a codec.</summary>
internal static class NaturalSpeech2Network
{
    /// <summary>PyTorch's fused attention weights as layers of their own; the codec's names under those of transformers.</summary>
    public static readonly KeyMap Keys = new KeyMap((@"\.in_proj_(weight|bias)$", ".in_proj.$1")).Then(SeaNet.AuthorsKeys);

    /// <summary>The codec's rows: codes (B, Q, T) -> (B, D, T).</summary>
    public static Value Latents(Scope model, Value codes, NaturalSpeech2Config config)
    {
        var count = codes.Shape[1].Int;
        return EuclideanQuantizer.Dequantize([.. Enumerable.Range(0, count).Select(i => codes.At(1, i))], Codebooks(model, count, config));
    }

    /// <summary>The first codebooks of the codec.</summary>
    public static Codebook[] Codebooks(Scope model, int count, NaturalSpeech2Config config) =>
        [.. Enumerable.Range(0, count).Select(i => Codebook.Stored(model["quantizer.layers"][i]["codebook"], Size(model["quantizer.layers"][i]["codebook"]), config.LatentDim))];

    /// <summary>What a voice is: the reference's frames, and a few queries that looked at them. latents (B, D, T'), mask (B, T') -> (B, T', d), (B, queries, d).</summary>
    public static (Value Frames, Value Queries) Voice(Scope model, Value latents, Value mask, NaturalSpeech2Config config)
    {
        var bias = AttentionMasks.Padding(mask);
        var frames = Transformer(model["prompt_encoder"], model["prompt_lin"].Linear(latents.Swap(1, 2), config.PromptEncoder.EncoderHidden), bias, null, config.PromptEncoder);
        var queries = model["query_emb"].Weight("weight", config.QueryEmb.QueryTokenNum, config.QueryEmb.HiddenSize).Unsqueeze(0).Expand(latents.Shape[0], config.QueryEmb.QueryTokenNum, config.QueryEmb.HiddenSize);
        return (model.Stage("prompt_encoding", frames), model.Stage("speaker_query", Attention(model["query_attn"], queries, frames, config.QueryEmb.HeadNum, bias)));
    }

    /// <summary>phones (B, N) -> (B, N, d), and the logarithm of how many frames (plus one) each lasts (B, N).</summary>
    public static (Value Encoding, Value LogDurations) Phones(Scope model, Value phones, Value voice, Value mask, NaturalSpeech2Config config)
    {
        var (prior, sizes) = (model["prior_encoder"], config.PriorEncoder);
        var x = prior["enc_emb_tokens"].Embedding(phones, sizes.VocabSize, sizes.Encoder.EncoderHidden);
        x = model.Stage("phone_encoding", Transformer(prior["encoder"], x, null, voice, sizes.Encoder));
        return (x, Predictor(prior["duration_predictor"], x, voice, mask, sizes.DurationPredictor));
    }

    /// <summary>Frames (B, T, d) with the pitch that is heard in them added.</summary>
    public static Value Pitched(Scope model, Value frames, Value voice, Value mask, NaturalSpeech2Config config)
    {
        var (prior, sizes) = (model["prior_encoder"], config.PriorEncoder);
        var pitch = model.Stage("pitch_pred_log", Predictor(prior["pitch_predictor"], frames, voice, mask, sizes.PitchPredictor));
        // The bin of a pitch is the number of borders below it.
        var borders = prior.Weight("pitch_bins", sizes.PitchBinsNum - 1);
        var bins = model.Stage("pitch_token", pitch.Exp().Unsqueeze(-1).Greater(borders).Cast(ElementType.Int64).Sum(-1));
        return frames + prior["pitch_embedding"].Embedding(bins, sizes.PitchBinsNum, sizes.Encoder.EncoderHidden);
    }

    /// <summary>The denoiser (section 3.2). x (B, D, T), t (B) in 0..1, condition (B, T, d), queries (B, n, d) -> (B, D, T).</summary>
    public static Value WaveNet(Scope net, Value x, Value t, Value condition, Value queries, NaturalSpeech2WaveNet config)
    {
        var width = config.HiddenSize;
        var frames = net["cond_ln"].LayerNorm(condition).Swap(1, 2);
        var h = net["in_proj"].Conv(x, width, kernel: 1).Relu();
        var time = net["mlp.2"].Linear(net["mlp.0"].Linear(t.Sinusoid(width, shift: 1, cosinesFirst: false), 4 * width).Mish(), width);
        Value? sum = null;
        for (var i = 0; i < config.NumLayers; i++)
        {
            (h, var skip) = Block(net["layers"][i], h, time, frames, queries, 1 << (i % config.DilationCycle), i % config.CrossAttnPerLayer == 0, config);
            if (i == 0) net.Stage("wavenet_block_0", h);
            sum = sum is null ? skip : sum + skip;
        }

        return net["out_proj"].Conv(net["skip_proj"].Conv(sum! / Math.Sqrt(config.NumLayers), width, kernel: 1).Relu(), config.OutSize, kernel: 1);
    }

    private static (Value Residual, Value Skip) Block(Scope block, Value x, Value time, Value condition, Value queries, int dilation, bool looks, NaturalSpeech2WaveNet config)
    {
        var width = config.HiddenSize;
        var start = x + block["diffusion_proj"].Linear(time, width).Unsqueeze(-1);
        var y = block["dilated_conv"].Conv(start, 2 * width, kernel: 3, padding: dilation, dilation: dilation) + block["cond_proj"].Conv(condition, 2 * width, kernel: 1);
        if (looks)
        {
            var seen = Attention(block["attn"], block["ln"].LayerNorm(start.Swap(1, 2)), queries, config.AttnHead, null);     // (B, T, d)
            y = (y.Swap(1, 2) * block["film.gain"].Linear(seen, 2 * width) + block["film.bias"].Linear(seen, 2 * width)).Swap(1, 2);
        }

        var (gate, filter) = y.Chunk2(1);
        var (residual, skip) = block["out_proj"].Conv(gate.Sigmoid() * filter.Tanh(), 2 * width, kernel: 1).Chunk2(1);
        return ((x + residual) / Math.Sqrt(2), skip);
    }

    // Convolutions over time; every few layers first look at the voice.
    private static Value Predictor(Scope predictor, Value x, Value voice, Value mask, NaturalSpeech2Predictor config)
    {
        var bias = AttentionMasks.Padding(mask);
        for (var i = 0; i < config.ConvLayers; i++)
        {
            var skip = x;
            if (i % config.CrossAttnPerLayer == 0)
            {
                var look = predictor["cattn"][i / config.CrossAttnPerLayer];
                x = (Attention(look[0], look[1].LayerNorm(x), voice, config.AttnHead, bias) + x) / Math.Sqrt(2);
            }

            var conv = predictor["conv"][i];
            x = conv[2].LayerNorm(conv[0].Conv(x.Swap(1, 2), config.FilterSize, config.KernelSize, padding: config.KernelSize / 2).Relu().Swap(1, 2));
            if (i != 0) x += skip;
        }

        return predictor["linear"].Linear(x, 1).Squeeze(-1);
    }

    private static Value Transformer(Scope encoder, Value x, Value? bias, Value? style, NaturalSpeech2Encoder config)
    {
        var width = config.EncoderHidden;
        var mean = config.UseCln ? style!.Mean(1, keep: true) : null;
        // As published, the table of positions is read by batch row: all frames of a row get one vector.
        var angles = AttentionLayers.Range(x.Graph, x.Shape[0]).Cast(ElementType.Float32).Reshape(-1, 1) * x.Graph.Constant<float>(Frequencies(width), 1, width / 2);
        x += ValueShape.Stack(-1, angles.Sin(), angles.Cos()).Reshape(x.Shape[0], 1, width);
        for (var i = 0; i < config.EncoderLayer; i++)
        {
            var layer = encoder["layers"][i];
            var normed = Norm(layer["ln_1"], x, mean);
            x += Attention(layer["self_attn"], normed, normed, config.EncoderHead, bias);
            var h = layer["ffn.ffn_1"].Conv(Norm(layer["ln_2"], x, mean).Swap(1, 2), config.ConvFilterSize, config.ConvKernelSize, padding: config.ConvKernelSize / 2).Swap(1, 2).Relu();
            x += layer["ffn.ffn_2"].Linear(h, width);
        }

        return Norm(encoder["last_ln"], x, mean);
    }

    // Where a voice conditions, it gives gain and offset.
    private static Value Norm(Scope norm, Value x, Value? style)
    {
        if (style is null) return norm.LayerNorm(x);
        var (gain, offset) = norm["style"].Linear(style, 2 * x.Shape[-1].Size).Chunk2();
        return gain * x.LayerNorm() + offset;
    }

    private static Value Attention(Scope attention, Value x, Value memory, long heads, Value? bias)
    {
        var width = x.Shape[-1].Size;
        Value Part(Value source, int index) => attention["in_proj"].LinearRows(source, 3 * width, index * width, width);
        return attention["out_proj"].Linear(AttentionLayers.Attention(Part(x, 0), Part(memory, 1), Part(memory, 2), new() { Heads = heads, Bias = bias }), width);
    }

    private static float[] Frequencies(int width) => [.. Enumerable.Range(0, width / 2).Select(i => MathF.Exp(2 * i * (float)(-Math.Log(10000) / width)))];

    private static long Size(Scope codebook) => codebook.IsInventory ? 1024 : codebook.ShapeOf("embed")[0];
}
