// U-DiTs: Downsample Tokens in U-Shaped Diffusion Transformers. Tian, Tu, Chen, Hu, Xu, Wang. arXiv:2405.02730. github.com/YuchuanTian/U-DiT
// Published layouts: U-DiT-*.pt (train.py's {model, ema, ...}). Deviations: none. The re-parameterised MLP is merged while loading, as the authors do for evaluation.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

namespace ModelZoo.Plugins.DiffusionTransformers.UDiT;

/// <summary>The arguments of the authors' constructor.</summary>
public sealed record UDiTConfig
{
    /// <summary>Height and width of the latent.</summary>
    [Range(1, 4096)] public int InputSize { get; init; } = 32;
    /// <summary>Factor by which each dimension of the tokens is sampled down for attention.</summary>
    [Range(1, 64)] public int DownFactor { get; init; } = 2;
    /// <summary>Channels of the latent.</summary>
    [Range(1, 4096)] public int InChannels { get; init; } = 4;
    /// <summary>Width of the outermost level; the others have twice and four times as much.</summary>
    [Range(1, 65536)] public int HiddenSize { get; init; } = 1152;
    /// <summary>Blocks of the five levels.</summary>
    public int[] Depth { get; init; } = [2, 5, 8, 5, 2];
    /// <summary>Heads of attention.</summary>
    [Range(1, 1024)] public int NumHeads { get; init; } = 16;
    /// <summary>Width of the MLP over that of the tokens.</summary>
    public double MlpRatio { get; init; } = 4;
    /// <summary>Share of labels dropped in training; above 0 there is a null class.</summary>
    public double ClassDropoutProb { get; init; } = 0.1;
    /// <summary>Number of classes; the null class comes after them.</summary>
    [Range(1, 1 << 20)] public int NumClasses { get; init; } = 1000;
    /// <summary>True when the variance is predicted, too.</summary>
    public bool LearnSigma { get; init; } = true;
    /// <summary>The MLP: rep is convolutional, basic is not.</summary>
    [AllowedValues("rep", "basic")] public string FfnType { get; init; } = "rep";
    /// <summary>1 when the convolutional MLP was trained as several that are merged.</summary>
    public int Rep { get; init; } = 1;
    /// <summary>v2 is cosine attention; none is the usual one.</summary>
    [AllowedValues("v2", null)] public string? AttnType { get; init; }
    /// <summary>rope2d for rotary positions, or none.</summary>
    [AllowedValues("rope2d", null)] public string? PosembType { get; init; }
    /// <summary>The convolution before tokens are sampled down; its last digit is the kernel.</summary>
    [RegularExpression("^.*[1-9]$")] public string Downsampler { get; init; } = "dwconv5";
    /// <summary>1 when that convolution has a shortcut.</summary>
    public int DownShortcut { get; init; }

    internal int OutChannels => LearnSigma ? 2 * InChannels : InChannels;

    internal int Kernel => Downsampler[^1] - '0';
}

/// <summary>A U-Net of transformer blocks, in which attention works on every n-th token in each dimension, for all offsets at once (section 3.2).</summary>
internal static class UDiTNetwork
{
    /// <summary>Predicts noise and variance. x (B, C, H, W), t (B), y (B) -> (B, 2C, H, W). Everything between is (B, width, h, w).</summary>
    public static Value Build(Scope model, Value x, Value t, Value y, UDiTConfig config)
    {
        Value Condition(int level) => model[$"t_embedder_{level}"].TimestepEmbedding(t, (long)config.HiddenSize << (level - 1))
            + model[$"y_embedder_{level}.embedding_table"].Embedding(y, config.NumClasses + (config.ClassDropoutProb > 0 ? 1 : 0), (long)config.HiddenSize << (level - 1));

        var (c1, c2, c3, width) = (Condition(1), Condition(2), Condition(3), (long)config.HiddenSize);
        var embedded = model.Stage("patch_embed", model["x_embedder.proj"].Conv(x, width, 3, padding: 1));
        var encoder1 = Level(model, "encoder_level_1", embedded, c1, config.Depth[0], config);
        var down = model.Stage("down_1_2", model["down1_2.body.0"].Conv(encoder1, width / 2, 3, padding: 1, bias: false).PixelUnshuffle(2));
        var encoder2 = Level(model, "encoder_level_2", down, c2, config.Depth[1], config);
        var latent = Level(model, "latent", model["down2_3.body.0"].Conv(encoder2, width, 3, padding: 1, bias: false).PixelUnshuffle(2), c3, config.Depth[2], config);

        var up = model.Stage("up_3_2", model["up3_2.body.0"].Conv(latent, 8 * width, 3, padding: 1, bias: false).PixelShuffle(2));
        var decoder2 = Level(model, "decoder_level_2", model["reduce_chan_level2"].Conv(ValueShape.Concat(1, up, encoder2), 2 * width, 1), c2, config.Depth[3], config);
        up = model["up2_1.body.0"].Conv(decoder2, 4 * width, 3, padding: 1, bias: false).PixelShuffle(2);
        var decoder1 = Level(model, "decoder_level_1", model["reduce_chan_level1"].Conv(ValueShape.Concat(1, up, encoder1), 2 * width, 1), c2, config.Depth[4], config);

        var h = model.Stage("output", model["output"].Conv(decoder1, 2 * width, 3, padding: 1));
        var (shift, scale) = model["final_layer.adaLN_modulation.1"].Linear(c2.Silu(), 4 * width).Chunk2();
        return model["final_layer.out_proj"].Conv(Modulate(h, shift, scale), config.OutChannels, 3, padding: 1);
    }

    private static Value Level(Scope model, string name, Value h, Value c, int depth, UDiTConfig config)
    {
        for (var i = 0; i < depth; i++)
        {
            for (var half = 1; half <= 2; half++) h = HalfBlock(model, name, i, half, h, c, config);
        }

        return model.Stage(name, h);
    }

    private static Value HalfBlock(Scope model, string level, int i, int half, Value h, Value c, UDiTConfig config)
    {
        var block = model[level][i];
        var parts = block[$"adaLN_modulation{half}"].Modulation(c, 6);
        var attention = Attention(block[$"attn{half}"], Modulate(h, parts[0], parts[1]), config);
        h += parts[2].Unsqueeze(2, 3) * (half == 1 ? model.Stage($"{level}_attention_{i}", attention) : attention);
        var mlp = FeedForward(block[$"mlp{half}"], Modulate(h, parts[3], parts[4]), config);
        return h + parts[5].Unsqueeze(2, 3) * (half == 1 ? model.Stage($"{level}_mlp_{i}", mlp) : mlp);
    }

    // Layer norm over channels, then shift and scale.
    private static Value Modulate(Value x, Value shift, Value scale) => x.Transpose(0, 2, 3, 1).LayerNorm(1e-6).Transpose(0, 3, 1, 2) * (scale.Unsqueeze(2, 3) + 1) + shift.Unsqueeze(2, 3);

    private static Value Attention(Scope attn, Value x, UDiTConfig config)
    {
        var (n, heads, width) = (config.DownFactor, config.NumHeads, x.Shape[1].Size);
        var (rows, columns) = (x.Shape[2].Int / n, x.Shape[3].Int / n);
        var mixed = attn["downsampler.layer"].Conv(x, width, config.Kernel, padding: (config.Kernel - 1) / 2, groups: width);
        if (config.DownShortcut != 0) mixed += x;
        var tokens = mixed.Reshape(x.Shape[0], width, rows, n, columns, n).Transpose(0, 3, 5, 2, 4, 1).Reshape(x.Shape[0] * (n * n), rows * columns, width);
        var (q, k, v) = attn["to_qkv"].Qkv(tokens, width);
        if (config.PosembType is not null)
        {
            var (cos, sin) = Positions(attn.Graph, rows * columns, (int)(width / heads));
            (q, k) = (q.Rotary(heads, cos, sin, interleaved: true), k.Rotary(heads, cos, sin, interleaved: true));
        }

        double? attentionScale = null;
        if (config.AttnType == "v2")
        {
            var scale = attn.Weight("logit_scale", heads, 1, 1).Reshape(heads, 1).Clip(float.MinValue, 4.6052).Exp();
            (q, k, attentionScale) = (q.PerHead(heads, head => head.L2Normalize() * scale), k.PerHead(heads, head => head.L2Normalize()), 1);
        }

        var y = AttentionLayers.Attention(q, k, v, new() { Heads = heads, Scale = attentionScale });
        return attn["to_out"].Conv(y.Reshape(x.Shape[0], n, n, rows, columns, width).Transpose(0, 5, 3, 1, 4, 2).Reshape([.. x.Shape]), width, 1);
    }

    // Column and row angles in turn for each frequency; a grid of H x H, H = floor(sqrt(N)).
    private static (Value Cos, Value Sin) Positions(Graph graph, int tokens, int width)
    {
        var side = (int)Math.Sqrt(tokens);
        var (cos, sin) = (new float[tokens * width / 2], new float[tokens * width / 2]);
        for (var token = 0; token < tokens; token++)
        {
            for (var i = 0; i < width / 2; i++)
            {
                var angle = (i % 2 == 0 ? token % side : token / side) / Math.Pow(10000, i / 2 * 4 / (double)width);
                (cos[token * width / 2 + i], sin[token * width / 2 + i]) = ((float)Math.Cos(angle), (float)Math.Sin(angle));
            }
        }

        return (graph.Constant<float>(cos, tokens, width / 2), graph.Constant<float>(sin, tokens, width / 2));
    }

    private static Value FeedForward(Scope mlp, Value x, UDiTConfig config)
    {
        var (width, hidden) = (x.Shape[1].Size, (long)(x.Shape[1].Size * config.MlpRatio));
        if (config.FfnType == "basic") return mlp["fc2"].Conv(mlp["fc1"].Conv(x, hidden, 1).Gelu(Gelu.Tanh), width, 1);
        if (config.Rep == 0) return mlp["project_out"].Conv(mlp["dwconv"].Conv(mlp["project_in"].Conv(x, hidden, 1).Gelu(), hidden, 5, padding: 2, groups: hidden), width, 1);

        var inside = mlp["project_in.1"].Conv(mlp["project_in.0"].Conv(x, hidden / 2, 1), hidden, 1).Gelu();
        var convolved = mlp["dwconv"].Conv(inside, MergedKernel(mlp["dwconv"], hidden), MergedBias(mlp["dwconv"], hidden), padding: 2, groups: hidden);
        return mlp["project_out.1"].Conv(mlp["project_out.0"].Conv(convolved, hidden / 2, 1), width, 1);
    }

    // 5 x 5 + 3 x 3 + 1 x 1 + identity as one 5 x 5 kernel for each channel.
    private static Value MergedKernel(Scope dwconv, long channels)
    {
        var (five, three, one) = (dwconv["0"].Data("weight", channels, 1, 5, 5), dwconv["1"].Data("weight", channels, 1, 3, 3), dwconv["2"].Data("weight", channels, 1, 1, 1));
        return dwconv.Derive("merged", [channels, 1, 5, 5], kernel =>
        {
            five.Span<float>().CopyTo(kernel);
            for (var c = 0; c < (int)channels; c++)
            {
                for (var i = 0; i < 9; i++) kernel[c * 25 + (i / 3 + 1) * 5 + i % 3 + 1] += three.Span<float>()[c * 9 + i];
                kernel[c * 25 + 12] += one.Span<float>()[c] + 1;
            }
        });
    }

    private static Value MergedBias(Scope dwconv, long channels)
    {
        var (five, three, one) = (dwconv["0"].Data("bias", channels), dwconv["1"].Data("bias", channels), dwconv["2"].Data("bias", channels));
        return dwconv.Derive("merged_bias", [channels], bias =>
        {
            for (var c = 0; c < bias.Length; c++) bias[c] = five.Span<float>()[c] + three.Span<float>()[c] + one.Span<float>()[c];
        });
    }
}

/// <summary>U-DiT: published files in, pictures out.</summary>
public static class UDiTModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "diffusion-transformers/u-dit",
            Paper = "U-DiTs: Downsample Tokens in U-Shaped Diffusion Transformers",
            ArXiv = "2405.02730",
            Authors = ["Yuchuan Tian", "Zhijun Tu", "Hanting Chen", "Jie Hu", "Chao Xu", "Yunhe Wang"],
            Repository = "YuchuanTian/U-DiT",
            CodeLicense = "CC-BY-NC-4.0",
            Inputs = [Modality.Text],
            Outputs = [Modality.Image],
            Layouts = ["authors: U-DiT-*.pt + config.json (constructor arguments)"],
            Sizes = [new("YuchuanTian/U-DiT: U-DiT-S", 58_896_568, []), new("YuchuanTian/U-DiT: U-DiT-B", 231_251_304, []), new("YuchuanTian/U-DiT: U-DiT-L", 916_335_304, [])],
        },
        OpenAsync);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var config = PublishedConfig.Read<UDiTConfig>(source.RequireFolder()).Value;
        return new ClassArchitecture(
                "u-dit", "noise_and_variance", [config.InChannels, config.InputSize, config.InputSize], config.NumClasses, ClassProcess.Diffusion(config.LearnSigma, 3), (scope, x, t, y) => UDiTNetwork.Build(scope, x, t, y, config))
            .OpenAsync(source, network => new DiffusionCalls(network, config.LearnSigma).CallAsync);
    }
}
