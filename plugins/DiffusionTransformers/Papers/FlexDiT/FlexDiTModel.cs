// SparseDiT: Token Sparsification for Efficient Diffusion Transformer (first published as FlexDiT: Dynamic Token Density Control for Diffusion Transformer). Chang, Wang, Tang, Wang, Yang. arXiv:2412.06028. github.com/changsn/SparseDiT
// Published layouts: train.py's {model, ema, ...}. Deviations: none. The public code has one number of tokens for all times, and no long shortcuts.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Plugins.DiffusionTransformers.DiT;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

namespace ModelZoo.Plugins.DiffusionTransformers.FlexDiT;

/// <summary>The arguments of the authors' constructor.</summary>
public sealed record FlexDiTConfig : DiTConfig
{
    /// <summary>Blocks at the start whose attention is a mean.</summary>
    public int NumPoolingformer { get; init; } = 2;
    /// <summary>Groups of blocks that go from dense to sparse tokens and back.</summary>
    public int NumDumbbell { get; init; } = 4;
    /// <summary>Dense blocks at the end.</summary>
    public int NumNormalBlock { get; init; } = 2;
    /// <summary>Height and width of the grid of sparse tokens.</summary>
    [Range(1, 4096)] public int SemanticSize { get; init; } = 8;
    /// <summary>Blocks that merge, that are sparse, that recover and that are dense, in each group.</summary>
    [Length(4, 4)] public int[] DumbbellGroup { get; init; } = [2, 2, 1, 1];
    /// <summary>What is added to the scores of the last blocks: sin, the products of position embeddings; relat, a learned number for each offset.</summary>
    [AllowedValues("sin", "relat", null)] public string? AttnRelatPos { get; init; }
    /// <summary>What those products are divided by.</summary>
    public double Temp { get; init; } = 1;
}

/// <summary>DiT with fewer tokens where that is enough (section 3): means at the bottom, sparse tokens in the middle, dense ones at the top.</summary>
internal static class FlexDiTNetwork
{
    /// <summary>Predicts noise and variance. x (B, C, H, W), t (B), y (B) -> (B, 2C, H, W).</summary>
    public static Value Build(Scope model, Value x, Value t, Value y, FlexDiTConfig config)
    {
        var (h, c) = DiTNetwork.Embed(model, x, t, y, config);
        for (var i = 0; i < config.NumPoolingformer; i++) h = model.Stage($"poolingformer_{i}", PoolingBlock(model["poolingformer_blocks"][i], h, c, config));
        for (var i = 0; i < config.NumDumbbell; i++) h = model.Stage($"dumbbell_{i}", Dumbbell(model, i, h, c, config));
        for (var i = 0; i < config.NumNormalBlock; i++) h = model.Stage($"dense_{i}", DenseBlock(model["normal_blocks"][i], h, c, PositionBias(model, i, config), config));
        return DiTNetwork.Unpatch(model, h, c, config);
    }

    private static Value Dumbbell(Scope model, int i, Value dense, Value c, FlexDiTConfig config)
    {
        var (group, counts) = (model["dumbbell_blocks"][i], config.DumbbellGroup);
        var h = model.Stage($"dumbbell_{i}_pooled", ToTokens(ToGrid(dense, config.Rows).Interpolate(Interpolation.Area, [config.SemanticSize, config.SemanticSize])));
        for (var j = 0; j < counts[0]; j++) h = Block(group["token_merge_blocks"][j], h, c, config, (attn, normed, modulated) => CrossAttention(attn, normed, modulated(dense), config));
        model.Stage($"dumbbell_{i}_merge", h);
        for (var j = 0; j < counts[1]; j++) h = DenseBlock(group["semantic_blocks"][j], h, c, null, config);
        model.Stage($"dumbbell_{i}_sparse", h);
        for (var j = 0; j < counts[2]; j++) h = Recover(group["token_recover_blocks"][j], h, dense, c, config);
        model.Stage($"dumbbell_{i}_recover", h);
        for (var j = 0; j < counts[3]; j++) h = DenseBlock(group["normal_blocks"][j], h, c, null, config);
        return h;
    }

    // Queries are sparse tokens, enlarged, plus dense ones; keys and values are the sparse ones.
    private static Value Recover(Scope block, Value sparse, Value dense, Value c, FlexDiTConfig config)
    {
        var side = (int)Math.Sqrt(sparse.Shape[1].Size);
        var wide = ToTokens(ToGrid(sparse, side).Interpolate(Interpolation.Nearest, [config.Rows, config.Rows]));
        var merged = block["merged_layer1"].Linear(wide, config.HiddenSize) + block["merged_layer2"].Linear(dense, config.HiddenSize);
        return Block(block, merged, c, config, (attn, normed, modulated) => CrossAttention(attn, normed, modulated(sparse), config));
    }

    // Every token attends to all alike: to their mean.
    private static Value PoolingBlock(Scope block, Value h, Value c, FlexDiTConfig config) =>
        Block(block, h, c, config, (attn, normed, _) => attn["proj"].Linear(attn["v"].Linear(normed, config.HiddenSize).Mean(1, keep: true), config.HiddenSize));

    private static Value DenseBlock(Scope block, Value h, Value c, Value? bias, FlexDiTConfig config) => Block(block, h, c, config, (attn, normed, _) =>
    {
        var (q, k, v) = attn["qkv"].Qkv(normed, config.HiddenSize);
        return attn["proj"].Linear(AttentionLayers.Attention(q, k, v, new() { Heads = config.NumHeads, Bias = bias }), config.HiddenSize);
    });

    // DiT's block around any attention, which may modulate other tokens as its own.
    private static Value Block(Scope block, Value h, Value c, FlexDiTConfig config, Func<Scope, Value, Func<Value, Value>, Value> attention)
    {
        var (shift1, scale1, gate1, shift2, scale2, gate2) = block.Modulation6(c);
        Value Modulated(Value x) => x.LayerNorm(1e-6).Modulate(shift1, scale1);
        h += attention(block["attn"], Modulated(h), Modulated).Gated(gate1);
        return h + block["mlp"].Mlp(h.LayerNorm(1e-6).Modulate(shift2, scale2), config.MlpWidth, x => x.Gelu(Gelu.Tanh)).Gated(gate2);
    }

    private static Value CrossAttention(Scope attn, Value x, Value source, FlexDiTConfig config)
    {
        var width = (long)config.HiddenSize;
        var (k, v) = (attn["kv"].LinearRows(source, 2 * width, 0, width), attn["kv"].LinearRows(source, 2 * width, width, width));
        return attn["proj"].Linear(AttentionLayers.Attention(attn["q"].Linear(x, width), k, v, new() { Heads = config.NumHeads }), width);
    }

    // BEiT's table of offsets has three more rows, for a class token that is not there.
    private static Value? PositionBias(Scope model, int block, FlexDiTConfig config)
    {
        if (config.AttnRelatPos == "relat") return model["relative_pos_embedder"][block].SwinBias(config.Rows, config.Rows, config.NumHeads, further: 3);
        if (config.AttnRelatPos is null) return null;
        var positions = model.Weight("pos_embed", 1, config.Rows * config.Rows, config.HiddenSize);
        return ((positions * Math.Pow(config.HiddenSize, -0.5)).MatMul(positions.Swap(1, 2)) / config.Temp).Unsqueeze(0);
    }

    private static Value ToGrid(Value tokens, int side) => tokens.Swap(1, 2).Reshape(tokens.Shape[0], tokens.Shape[2], side, side);

    private static Value ToTokens(Value grid) => grid.Flatten(2).Swap(1, 2);
}

/// <summary>FlexDiT, or SparseDiT: published files in, pictures out.</summary>
public static class FlexDiTModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "diffusion-transformers/flexdit",
            Paper = "FlexDiT: Dynamic Token Density Control for Diffusion Transformer",
            ArXiv = "2412.06028",
            Authors = ["Shuning Chang", "Pichao Wang", "Jiasheng Tang", "Fan Wang", "Yi Yang"],
            Repository = "changsn/SparseDiT",
            CodeLicense = "none stated",
            Inputs = [Modality.Text],
            Outputs = [Modality.Image],
            Layouts = ["authors: *.pt + config.json (constructor arguments)"],
            Sizes = [new("changsn/SparseDiT: DiT-XL/2, 512", 681_327_392, [])],
        },
        OpenAsync);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var config = PublishedConfig.Read<FlexDiTConfig>(source.RequireFolder()).Value;
        return new ClassArchitecture("flexdit", "noise_and_variance", config.Sample, config.NumClasses, ClassProcess.Diffusion(config.LearnSigma, 3), (scope, x, t, y) => FlexDiTNetwork.Build(scope, x, t, y, config)) { TrainingOnly = [@"relative_pos_embedder\.\d+\.relative_position_index"] }
            .OpenAsync(source, network => new DiffusionCalls(network, config.LearnSigma).CallAsync);
    }
}
