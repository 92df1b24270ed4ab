// A Variational Framework for Improving Naturalness in Generative Spoken Language Models. Chen et al. arXiv:2506.14767. github.com/b04901014/vae-gslm
// Published layout: hp.yaml (key model) + last-cpt.ckpt. Deviations: none; of the alternatives in the authors' code, bottleneck networks and plain stacks, ALiBi and T5's positions, and linear couplings; the published settings use the first of each.
using ModelZoo.Contracts;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.Speech;

/// <summary>Semantic tokens and continuous latents in one language model; a diffusion from both to mels.</summary>
internal static class VaeGslmNetwork
{
    /// <summary>mel (B, T, mels) -> mean and logarithm of the deviation (B, T, D).</summary>
    public static (Value Mean, Value LogDeviation) Encode(Scope model, Value mel, VaeGslmConfig config)
    {
        var (scope, stack) = (model["encoder"], config.Encoder);
        var h = model.Stage("encoder_out", stack.Identifier switch
        {
            "CNNStack" => VaeGslmConvolutions.Plain(scope[0], mel, stack, config.LatentDim),
            "BottleNeckResNet" => VaeGslmConvolutions.Bottleneck(scope[0], mel, stack, config.LatentDim),
            _ => throw new ModelZooException(ErrorCodes.ConfigInvalid, "There is no encoder of that name here.") { Where = "model.encoder.identifier", Expected = "BottleNeckResNet, CNNStack", Found = stack.Identifier ?? "ResNet" },
        });
        return Gaussian(scope[1], h, config.LatentDim, stack.FixStd, stack.StdRange, null, stack.Normalization, stack.TotalStd);
    }

    /// <summary>What a whole recording sounds like: mel (B, T, mels) -> (B, U).</summary>
    public static Value Utterance(Scope model, Value mel, VaeGslmConfig config) =>
        VaeGslmConvolutions.Plain(model["utterance_encoder"][0], mel, config.UtteranceEncoder!, config.UtteranceEncoder!.EmbeddingDim).Mean(1);

    /// <summary>Tokens (B, T) and latents (B, T, D) as one stream (B, T, E).</summary>
    public static Value Fuse(Scope model, Value tokens, Value latents, VaeGslmConfig config) =>
        model["token_embedding"].Embedding(tokens, config.Tokens.VocabSize, config.Tokens.EmbeddingDim) + model["token_fuser.linear"].Linear(latents, config.Tokens.EmbeddingDim).Relu();

    /// <summary>The stream after its initial state (B, T, E) -> states (B, T, H), the part of them that speaks of latents, that latents' mean and deviation, and logits of tokens.</summary>
    public static (Value States, Value Split, Value Mean, Value LogDeviation, Value Logits) Predict(Scope model, Value stream, VaeGslmConfig config)
    {
        var (width, transformer) = (config.Transformer.Layer.Dim, config.Transformer);
        var states = Transformer(model["transformer"][0], stream, transformer);
        var split = model["q_spliter.linear"].Linear(states, width).Relu();
        var (mean, deviation) = Gaussian(model["transformer"][1], split, config.LatentDim, transformer.FixStd, transformer.StdRange, transformer.FixMean);
        var logits = model["token_predictor.linear"].Linear(model["token_spliter.linear"].Linear(states, width).Relu(), config.Tokens.VocabSize);
        return (states, split, mean, deviation, logits);
    }

    /// <summary>Latents to the Gaussian's space, and the logarithms of the scales (.., D / 2).</summary>
    public static (Value Sample, Value LogScales) Forward(Scope model, Value latents, Value condition, VaeGslmConfig config)
    {
        var (x, sum) = (latents, default(Value));
        for (var i = 0; i < config.Transformer.Flow!.NumLayers; i++)
        {
            var (first, second) = x.Chunk2();
            // The halves change places first.
            var (shift, scale) = Coupling(model["transformer_flow.layers"][i], second, condition, config);
            x = ValueShape.Concat(-1, second, shift + first * scale.Exp());
            sum = sum is null ? scale : sum + scale;
        }

        return (x, sum!);
    }

    /// <summary>From the Gaussian's space to latents.</summary>
    public static Value Reverse(Scope model, Value sample, Value condition, VaeGslmConfig config)
    {
        for (var i = config.Transformer.Flow!.NumLayers - 1; i >= 0; i--)
        {
            var (kept, moved) = sample.Chunk2();
            var (shift, scale) = Coupling(model["transformer_flow.layers"][i], kept, condition, config);
            sample = ValueShape.Concat(-1, (moved - shift) * (-scale).Exp(), kept);
        }

        return sample;
    }

    /// <summary>The denoiser: x (B, T, mels) at time t (B) given conditions (B, T, C) -> noise or clean mels (B, T, mels).</summary>
    public static Value Denoise(Scope model, Value x, Value t, Value condition, VaeGslmConfig config)
    {
        var (net, unet, time) = (model["decoder.model"], config.Decoder.CondUnet.Unet, config.Decoder.CondUnet.TimeEmbedding);
        var frequencies = new float[time.Dim / 2];
        for (var i = 0; i < frequencies.Length; i++) frequencies[i] = MathF.Exp(2 * i * (float)-(Math.Log(10000) / time.Dim));
        var angles = t.Cast(ElementType.Float32).Reshape(-1, 1) * x.Graph.Constant<float>(frequencies, 1, frequencies.Length);
        var embedded = ValueShape.Stack(-1, angles.Sin(), angles.Cos()).Flatten(-2);
        embedded = net["time_embedding.lin2"].Linear(VaeGslmConvolutions.Activate(net["time_embedding.lin1"].Linear(embedded, time.Dim, time.Bias), time.Activation), time.Dim, time.Bias);
        return VaeGslmConvolutions.Bottleneck(net["unet"], x, unet, x.Shape[2].Size, net["cond_net"].Linear(condition, unet.ConditionDim ?? unet.InitChannel), embedded);
    }

    private static Value Transformer(Scope scope, Value x, VaeGslmTransformer config)
    {
        var (layer, width) = (config.Layer, config.Layer.Dim);
        x = scope["linear"].Linear(x, width, config.Bias);
        if (config.FirstLn) x = VaeGslmConvolutions.Norm(scope["first_norm"], x, layer.Norm, channels: -1);
        var distances = config.Rpe switch
        {
            null => null,
            { Identifier: "T5RPE" } rpe => scope["rpe.relative_attention_bias"].T5Bias(x.Shape[1], x.Shape[1], layer.SelfAttn.Nheads, rpe.NumBuckets, rpe.MaxDistance, rpe.Bidirectional),
            _ => AttentionMasks.Alibi(x.Graph, x.Shape[1], x.Shape[1], layer.SelfAttn.Nheads),
        };
        for (var i = 0; i < config.NumLayers; i++)
        {
            var block = scope["layers"][i];
            Value Norm(string name, Value value) => VaeGslmConvolutions.Norm(block[name], value, layer.Norm, channels: -1);
            var h = x + Attention(block["self_attn"], layer.Preln ? Norm("norm1", x) : x, distances, layer);
            if (!layer.Preln) h = Norm("norm1", h);
            var inner = VaeGslmConvolutions.Activate(block["linear1"].Linear(layer.Preln ? Norm("norm3", h) : h, layer.FfdSize, layer.Bias), layer.Activation);
            x = h + block["linear2"].Linear(inner, width, layer.Bias);
            if (!layer.Preln) x = Norm("norm3", x);
        }

        return config.FinalLn ? VaeGslmConvolutions.Norm(scope["final_norm"], x, layer.Norm, channels: -1) : x;
    }

    private static Value Attention(Scope attention, Value x, Value? distances, VaeGslmTransformerLayer layer)
    {
        var bias = layer.SelfAttn.Bias ?? false;
        var (q, k, v) = attention["in_proj"].Qkv(x, layer.Dim, bias);
        return attention["out_proj"].Linear(AttentionLayers.Attention(q, k, v, new() { Heads = layer.SelfAttn.Nheads, Causal = layer.SelfAttn.Causal, Bias = distances }), layer.Dim, bias);
    }

    private static (Value Shift, Value LogScale) Coupling(Scope layer, Value kept, Value condition, VaeGslmConfig config)
    {
        var (flow, coupling) = (config.Transformer.Flow!, config.Transformer.Flow!.Layer);
        var h = VaeGslmConvolutions.Norm(layer["norm"], layer["linear1"].Linear(kept, coupling.HiddenDim, coupling.Bias), coupling.Norm, channels: -1);
        if (flow.Conditional)
        {
            var (gain, offset) = layer["film.linear"].Linear(condition, 2 * coupling.HiddenDim).Chunk2();
            h = gain * h + offset;
        }

        var statistics = layer["linear2"].Linear(VaeGslmConvolutions.Activate(h, coupling.Activation), coupling.MeanOnly ? config.LatentDim / 2 : config.LatentDim, coupling.Bias);
        if (coupling.MeanOnly) return (statistics, statistics * 0);
        var (shift, scale) = statistics.Chunk2();
        return (shift, coupling.ScaleRange is [var first, var second] ? (scale.Sigmoid() * (first - second) + second).Log() : scale);
    }

    private static (Value Mean, Value LogDeviation) Gaussian(Scope scope, Value x, long width, double? fixedDeviation, double[]? range, double? fixedMean, bool normalize = false, double? total = null)
    {
        Value Constant(double value) => x.Graph.Scalar(ElementType.Float32, value).Reshape(1, 1, 1).Expand(x.Shape[0], x.Shape[1], width);
        var mean = fixedMean is { } value ? Constant(value) : scope["mean"].Linear(x, width);
        if (normalize) mean = mean.L2Normalize();
        if (fixedDeviation is { } deviation) return (mean, Constant(Math.Log(deviation)));
        var log = scope["logstd"].Linear(x, width);
        if (range is [var first, var second]) log = (log.Sigmoid() * (first - second) + second).Log();
        if (total is { } sum) log = (log.Softmax() * (sum * width)).Log();
        return (mean, log);
    }
}
