// Bridging Continuous and Discrete Tokens for Autoregressive Visual Generation. Wang, Lin, Teng, Zhu, Ren, Feng, Liu. arXiv:2503.16430. github.com/YuqingWang1029/TokenBridge
// Published layout: checkpoint-last.pth (key model_ema) beside MAR's kl16.ckpt (key model); sizes are arguments of the authors' class. Deviations: none.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>The published file: the model's arguments and the autoencoder's sizes.</summary>
public sealed record TokenBridgeConfig
{
    /// <summary>The transformer.</summary>
    public TokenBridgeSizes Model { get; init; } = new();
    /// <summary>MAR's autoencoder.</summary>
    public TokenBridgeVae Vae { get; init; } = new();
}

/// <summary>Sizes of MAR's autoencoder.</summary>
public sealed record TokenBridgeVae
{
    /// <summary>Channels of the latent; the order of prediction is fixed for 16.</summary>
    public int EmbedDim { get; init; } = 16;
    /// <summary>Width of the first level.</summary>
    public int Ch { get; init; } = 128;
    /// <summary>Residual blocks a level.</summary>
    public int NumResBlocks { get; init; } = 2;
    /// <summary>Width of each level.</summary>
    [MinLength(1)] public int[] ChMult { get; init; } = [1, 1, 2, 2, 4];
    /// <summary>Groups of the group norms.</summary>
    public int NormNumGroups { get; init; } = 32;

    /// <summary>The same as a <c>ddconfig</c>; only the encoder has attention at 16 of 256.</summary>
    public LdmAutoencoderConfig Ddconfig(params int[] attention) => new()
    {
        Ch = Ch, ChMult = ChMult, NumResBlocks = NumResBlocks, AttnResolutions = attention, Resolution = 256, NormGroups = NormNumGroups, ZChannels = EmbedDim, DoubleZ = true,
    };
}

/// <summary>The arguments of the authors' class, with its defaults; what is published is wider (<c>tokenbridge_large</c>, 64 levels).</summary>
public sealed record TokenBridgeSizes
{
    /// <summary>Size of the pictures.</summary>
    [Range(1, 4096)] public int ImgSize { get; init; } = 256;
    /// <summary>Pixels a place of the latent.</summary>
    [Range(1, 256)] public int VaeStride { get; init; } = 16;
    /// <summary>Places a token.</summary>
    [AllowedValues(1)] public int PatchSize { get; init; } = 1;
    /// <summary>Width of the encoder.</summary>
    public int EncoderEmbedDim { get; init; } = 1024;
    /// <summary>Blocks of the encoder.</summary>
    public int EncoderDepth { get; init; } = 16;
    /// <summary>Heads of the encoder.</summary>
    public int EncoderNumHeads { get; init; } = 16;
    /// <summary>Width of the decoder.</summary>
    public int DecoderEmbedDim { get; init; } = 1024;
    /// <summary>Blocks of the decoder.</summary>
    public int DecoderDepth { get; init; } = 16;
    /// <summary>Heads of the decoder.</summary>
    public int DecoderNumHeads { get; init; } = 16;
    /// <summary>Width of the channels' transformer.</summary>
    public int ChannelEmbedDim { get; init; } = 256;
    /// <summary>Blocks of the channels' transformer.</summary>
    public int ChannelDepth { get; init; } = 4;
    /// <summary>Heads of the channels' transformer.</summary>
    public int ChannelHeads { get; init; } = 8;
    /// <summary>Width of the perceptrons, in units of the width.</summary>
    public double MlpRatio { get; init; } = 4;
    /// <summary>Levels that a number is rounded to.</summary>
    [Range(2, 65536)] public int QuantLevels { get; init; } = 32;
    /// <summary>Channels of a token.</summary>
    [AllowedValues(16)] public int VaeEmbedDim { get; init; } = 16;
    /// <summary>Classes.</summary>
    public int ClassNum { get; init; } = 1000;
    /// <summary>Copies of the class's embedding before the tokens.</summary>
    public int BufferSize { get; init; } = 64;
    /// <summary>Smallest number of a latent.</summary>
    public double QuantMin { get; init; } = -5;
    /// <summary>Largest number of a latent.</summary>
    public double QuantMax { get; init; } = 5;
    /// <summary>Standard deviations that these bounds stand for.</summary>
    public double StdRange { get; init; } = 3;

    /// <summary>Places along each side.</summary>
    public int Side => ImgSize / VaeStride / PatchSize;

    /// <summary>Tokens a picture.</summary>
    public int Tokens => Side * Side;
}

/// <summary>TokenBridge: each number of a continuous latent rounded by itself, after training.</summary>
public static class TokenBridgeModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-tokenizers/tokenbridge",
            Paper = "Bridging Continuous and Discrete Tokens for Autoregressive Visual Generation",
            ArXiv = "2503.16430",
            Authors = ["Yuqing Wang", "Zhijie Lin", "Yao Teng", "Yuanzhi Zhu", "Shuhuai Ren", "Jiashi Feng", "Xihui Liu"],
            Repository = "YuqingWang1029/TokenBridge",
            CodeLicense = "MIT",
            Inputs = [Modality.Image],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["authors: checkpoint-last.pth (key model_ema) and kl16.ckpt (key model)"],
            Sizes =
            [
                new("YuqingWang1029/TokenBridge: tokenbridge_large", 553_345_555, []),
                new("YuqingWang1029/TokenBridge: tokenbridge_huge", 976_496_659, []),
            ],
        },
        OpenAsync);

    /// <summary>The networks for a configuration.</summary>
    internal static TokenizerPlan Plan(TokenBridgeConfig config)
    {
        var (sizes, sampler) = (config.Model, new TokenBridgeSampler(config.Model));
        return new()
        {
            Networks = new Dictionary<string, Action<Scope>>
            {
                ["encode"] = model => TokenBridgeNetwork.Encode(model, config),
                ["decode"] = model => TokenBridgeNetwork.Decode(model, config),
                ["spatial"] = model => TokenBridgeNetwork.Spatial(model, sizes),
                ["channels"] = model => TokenBridgeNetwork.Channels(model, sizes, sampling: false),
                ["channels_sampling"] = model => TokenBridgeNetwork.Channels(model, sizes, sampling: true),
            },
            Calls = new Dictionary<string, ReferenceCall> { ["forward"] = sampler.ForwardAsync, ["sample_tokens"] = sampler.SampleAsync },
            Preparation = ImagePreparation.SignedRange(sizes.ImgSize, sizes.VaeStride, isFixed: true),
            VocabularySizes = [.. Enumerable.Repeat(sizes.QuantLevels, sizes.VaeEmbedDim)],
            Codebooks = ["reconstruction_values"],
            TrainingOnly = ["^channel_mask$", "^boundaries$", @"^decoder\.up\.\d+\.attn\.", @"^loss\.", "^global_step$"],
            Encode = async (networks, picture, _, cancel) => Arranged((await networks.RunAsync("encode", cancel, ("image", picture)).ConfigureAwait(false)).Get<long>("codes"), sizes, toGrid: true),
            Decode = async (networks, codes, _, cancel) => (await networks.RunAsync("decode", cancel, ("codes", Arranged(codes.As<long>(), sizes, toGrid: false))).ConfigureAwait(false))["reconstruction"],
        };
    }

    // (1, L, C) -> (1, C, rows, columns), or back.
    private static Tensor<long> Arranged(Tensor<long> codes, TokenBridgeSizes sizes, bool toGrid)
    {
        var (count, channels) = (sizes.Tokens, sizes.VaeEmbedDim);
        var result = toGrid ? Tensor.Zeros<long>(1, channels, sizes.Side, sizes.Side) : Tensor.Zeros<long>(1, count, channels);
        for (var token = 0; token < count; token++)
        {
            for (var channel = 0; channel < channels; channel++)
            {
                if (toGrid) result.Span[channel * count + token] = codes.Span[token * channels + channel];
                else result.Span[token * channels + channel] = codes.Span[channel * count + token];
            }
        }

        return result;
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) => ValueTask.FromResult(ImageTokenizer.Open(
        source.Parts.Count > 0 ? source : source with { Parts = [new("checkpoint-last.pth", "model_ema"), new("kl16.ckpt", "model")] }, _ => Plan(source.ReadConfig<TokenBridgeConfig>())));
}

internal static class TokenBridgeNetwork
{
    private const double LatentScale = 0.2325, Epsilon = 1e-6;

    /// <summary>The order in which channels are predicted, by what they hold of the spectrum.</summary>
    public static ReadOnlySpan<int> ChannelOrder => [8, 1, 10, 9, 6, 12, 4, 0, 3, 11, 7, 14, 2, 15, 13, 5];

    /// <summary>image (B, 3, S, S) -> codes (B, L, C).</summary>
    public static void Encode(Scope model, TokenBridgeConfig config)
    {
        var (g, sizes) = (model.Graph, config.Model);
        var image = g.Input("image", [TokenizerInputs.Batch, 3, sizes.ImgSize, sizes.ImgSize]);
        var h = model.Stage("vae_encoder", LdmAutoencoder.Encoder(model["encoder"], image, config.Vae.Ddconfig(16)));
        var moments = model.Stage("moments", model["quant_conv"].Conv(h, 2 * config.Vae.EmbedDim, 1));
        var latent = model.Stage("latent", DiagonalGaussian.Of(moments).Mean * LatentScale);
        var tokens = latent.Flatten(2).Swap(1, 2);                                                                                        // (B, L, C)
        var standard = ((tokens - sizes.QuantMin) / (sizes.QuantMax - sizes.QuantMin) * (2 * sizes.StdRange) - sizes.StdRange).Clip(-sizes.StdRange, sizes.StdRange);
        var codes = (standard.Unsqueeze(-1) - Levels(model, sizes)).Abs().ArgMin(-1);
        g.Output("codes", codes);
        g.Output("dequantized", Numbers(model, codes, sizes));
    }

    /// <summary>codes (B, L, C) -> picture (B, 3, S, S).</summary>
    public static void Decode(Scope model, TokenBridgeConfig config)
    {
        var sizes = config.Model;
        var tokens = Numbers(model, model.Graph.Input("codes", ElementType.Int64, [TokenizerInputs.Batch, sizes.Tokens, sizes.VaeEmbedDim]), sizes);
        var latent = tokens.Swap(1, 2).Reshape(tokens.Shape[0], sizes.VaeEmbedDim, sizes.Side, sizes.Side);
        model.Graph.Output("decoded_latent", latent);
        var z = model["post_quant_conv"].Conv(latent / LatentScale, config.Vae.EmbedDim, 1);
        model.Graph.Output("reconstruction", LdmAutoencoder.Decoder(model["decoder"], z, config.Vae.Ddconfig()));
    }

    /// <summary>
    /// MAR's masked autoencoder: features of all places from the visible ones. codes (B, L, C), labels (B), where the last number is no class, visible (B, buffer + V), places the encoder sees, source (B, buffer + L), which of these each place is, V + buffer
    /// for a mask -> (B, L, D).
    /// </summary>
    public static void Spatial(Scope model, TokenBridgeSizes sizes)
    {
        var g = model.Graph;
        var (width, wide, buffer) = (sizes.EncoderEmbedDim, sizes.DecoderEmbedDim, sizes.BufferSize);
        var codes = g.Input("codes", ElementType.Int64, [TokenizerInputs.Batch, sizes.Tokens, sizes.VaeEmbedDim]);
        var labels = g.Input("labels", ElementType.Int64, [TokenizerInputs.Batch]);
        var visible = g.Input("visible", ElementType.Int64, [TokenizerInputs.Batch, Dim.Symbol("visible")]);
        var source = g.Input("source", ElementType.Int64, [TokenizerInputs.Batch, buffer + sizes.Tokens]);

        var classes = ValueShape.Concat(0, model["class_emb"].Weight("weight", sizes.ClassNum, width), model.Weight("fake_latent", 1, width)).Gather(labels);
        var x = ValueShape.Concat(1, classes.Unsqueeze(1).Expand(labels.Shape[0], buffer, width), model["z_proj"].Linear(Numbers(model, codes, sizes), width));
        x = model["z_proj_ln"].LayerNorm(x + model.Weight("encoder_pos_embed_learned", 1, buffer + sizes.Tokens, width), Epsilon);
        x = Rows(x, visible);
        for (var i = 0; i < sizes.EncoderDepth; i++) x = model["encoder_blocks"][i].VitBlock(x, sizes.EncoderNumHeads, mlpRatio: sizes.MlpRatio);
        x = model.Stage("mae_encoder", model["encoder_norm"].LayerNorm(x, Epsilon));

        var masked = ValueShape.Concat(1, model["decoder_embed"].Linear(x, wide), model.Weight("mask_token", 1, 1, wide).Expand(labels.Shape[0], 1, wide));
        x = Rows(masked, source) + model.Weight("decoder_pos_embed_learned", 1, buffer + sizes.Tokens, wide);
        for (var i = 0; i < sizes.DecoderDepth; i++) x = model["decoder_blocks"][i].VitBlock(x, sizes.DecoderNumHeads, mlpRatio: sizes.MlpRatio);
        x = model["decoder_norm"].LayerNorm(x, Epsilon).From(1, buffer) + model.Weight("output_pos_embed", 1, sizes.Tokens, wide);
        g.Output("mae_decoder", x);
    }

    /// <summary>A causal transformer over the channels of a token. features (M, D), previous (M, C - 1), codes in the order of prediction -> logits (M, C, levels). When sampling, the authors' code adds the first step's embedding to the first input, too.</summary>
    public static void Channels(Scope model, TokenBridgeSizes sizes, bool sampling)
    {
        var g = model.Graph;
        var (width, channels, count) = (sizes.ChannelEmbedDim, sizes.VaeEmbedDim, Dim.Symbol("tokens"));
        var features = g.Input("features", [count, sizes.DecoderEmbedDim]);
        var previous = g.Input("previous", ElementType.Int64, [count, channels - 1]);
        var mapped = model["condition_proj"].Linear(features, width).Unsqueeze(1);                                                        // (M, 1, D)
        var condition = mapped + model.Weight("timesteps_embeddings", 1, channels, width);                                              // (M, C, D)
        var embedded = Enumerable.Range(0, channels - 1).Select(channel => model["token_embeddings"][channel].Embedding(previous.Slice(1, channel, channel + 1), sizes.QuantLevels, width));
        var x = ValueShape.Concat(1, [sampling ? condition.Take(1, 1) : mapped, .. embedded]) + model.Weight("channel_embed", 1, channels, width);
        for (var i = 0; i < sizes.ChannelDepth; i++) x = ChannelBlock(model["channel_blocks"][i], x, condition.Silu(), sizes);
        x = model["channel_norm"].LayerNorm(x, Epsilon);
        var (scale, shift) = model["channel_final.adaLN_modulation.1"].Linear(condition.Silu(), 2 * width).Chunk2();
        x = x.LayerNorm(Epsilon) * (scale + 1) + shift;
        g.Output("channel_logits", ValueShape.Concat(1, [.. Enumerable.Range(0, channels).Select(channel => model["channel_heads"][channel].Linear(x.Slice(1, channel, channel + 1), sizes.QuantLevels))]));
    }

    private static Value ChannelBlock(Scope block, Value x, Value condition, TokenBridgeSizes sizes)
    {
        var (width, heads) = (sizes.ChannelEmbedDim, sizes.ChannelHeads);
        var (shift1, scale1, gate1, shift2, scale2, gate2) = block["adaLN_modulation.1"].Linear(condition, 6 * width).Chunk6();
        var (q, k, v) = block["attn.qkv"].Qkv(block["norm1"].LayerNorm(x, Epsilon) * (scale1 + 1) + shift1, width);
        Value Normed(string name, Value value) => block["attn"][name].LayerNorm(value.Reshape(value.Shape[0], value.Shape[1], heads, width / heads), Epsilon).Flatten(2);
        x += gate1 * block["attn.proj"].Linear(AttentionLayers.Attention(Normed("q_norm", q), Normed("k_norm", k), v, new() { Heads = heads, Causal = true }), width);
        return x + gate2 * block["mlp"].Mlp(block["norm2"].LayerNorm(x, Epsilon) * (scale2 + 1) + shift2, (long)(width * sizes.MlpRatio), value => value.Gelu());
    }

    // x (B, N, D), rows (B, K) -> (B, K, D).
    private static Value Rows(Value x, Value rows) => x.GatherElements(rows.Unsqueeze(2).Expand(rows.Shape[0], rows.Shape[1], x.Shape[2]), 1);

    private static Value Levels(Scope model, TokenBridgeSizes sizes) => model.Weight("reconstruction_values", sizes.QuantLevels);

    private static Value Numbers(Scope model, Value codes, TokenBridgeSizes sizes) =>
        ((Levels(model, sizes) + sizes.StdRange) / (2 * sizes.StdRange) * (sizes.QuantMax - sizes.QuantMin) + sizes.QuantMin).Gather(codes);
}
