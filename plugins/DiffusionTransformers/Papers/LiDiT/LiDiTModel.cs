// Exploring the Role of Large Language Models in Prompt Encoding for Diffusion Models. Ma, Zong, Song, Li, Liu. arXiv:2406.11831. No public code.
// Layout (by specification): model.safetensors and config.json, with text_encoder, tokenizer (and those of _2 ..) and vae in folders beside it. Deviations: none from the specification; LLaMA's and Qwen's features can only be given.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Plugins.DiffusionTransformers.Shared;

namespace ModelZoo.Plugins.DiffusionTransformers.LiDiT;

/// <summary>Keys of LI-DiT's config.json.</summary>
public sealed record LiDiTConfig
{
    /// <summary>Width.</summary>
    [Range(1, 65536)] public int Width { get; init; } = 1152;
    /// <summary>Heads of attention.</summary>
    [Range(1, 1024)] public int Heads { get; init; } = 16;
    /// <summary>Blocks of the DiT.</summary>
    [Range(0, 1024)] public int Depth { get; init; } = 28;
    /// <summary>Blocks of each refiner.</summary>
    [Range(0, 1024)] public int RefinerDepth { get; init; } = 2;
    /// <summary>Blocks of each fusion.</summary>
    [Range(0, 1024)] public int FusionDepth { get; init; } = 2;
    /// <summary>Widths of the language models' features.</summary>
    [MinLength(1)] public int[] LlmDims { get; init; } = [4096, 4096];
    /// <summary>Channels of the latent.</summary>
    [Range(1, 4096)] public int InChannels { get; init; } = 4;
    /// <summary>Height and width of a patch.</summary>
    [Range(1, 64)] public int PatchSize { get; init; } = 2;
}

/// <summary>Features of decoder-only language models, refined by attention in both directions and fused, as the text of a DiT.</summary>
internal static class LiDiTNetwork
{
    /// <summary>Predicts the velocity. x (B, C, H, W), t (B), a feature (B, M, E) and a mask (B, M) for each language model -> (B, C, H, W).</summary>
    public static Value Build(Scope model, Value x, Value t, IReadOnlyList<(Value Features, Value Mask)> texts, LiDiTConfig config)
    {
        var (patch, width) = (config.PatchSize, (long)config.Width);
        var time = model["t_embedder"].TimestepEmbedding(t * 1000, width);
        var refined = texts.Select((text, k) => (Refine(model["refiners"][k], text.Features, text.Mask, time, k, config), text.Mask)).ToList();
        var y = model.Stage("text_condition", Fuse(model["fusion"], refined, config));                                    // (B, M, D)
        var context = new BlockContext(y, AttentionMasks.Padding(texts[0].Mask));

        var (rows, columns) = (x.Shape[2].Int / patch, x.Shape[3].Int / patch);
        var h = model.Stage("patch_embed", model["x_embedder.proj"].PatchEmbed(x, width, patch) + SinCosPositions.Grid(model.Graph, rows, columns, config.Width));
        var condition = time + model["pooled_proj"].Linear(MaskedMean(y, texts[0].Mask), width);
        h = model["blocks"].Stack(h, config.Depth, "block_", (block, tokens) => block.ConditionedBlock(tokens, condition, new(config.Heads), context));
        return model["final_layer"].FinalLayer(h, condition, (long)patch * patch * config.InChannels).Unpatchify(patch, rows, columns, config.InChannels);
    }

    // Full attention, modulated by the time and by what the text says as a whole.
    private static Value Refine(Scope refiner, Value features, Value mask, Value time, int k, LiDiTConfig config)
    {
        var h = refiner["in_proj"].Linear(features, config.Width);
        var condition = time + refiner["global_proj"].Linear(MaskedMean(h, mask), config.Width);
        var attention = new BlockAttention(config.Heads) { Bias = AttentionMasks.Padding(mask) };
        return refiner["blocks"].Stack(h, config.RefinerDepth, $"refiner_{k}_block_", (block, tokens) => block.ConditionedBlock(tokens, condition, attention));
    }

    // The first language model's tokens read those of the others, one after another.
    private static Value Fuse(Scope fusion, IReadOnlyList<(Value Tokens, Value Mask)> refined, LiDiTConfig config)
    {
        var y = refined[0].Tokens;
        for (var other = 1; other < refined.Count; other++)
        {
            var context = new BlockContext(refined[other].Tokens, AttentionMasks.Padding(refined[other].Mask));
            for (var i = 0; i < config.FusionDepth; i++) y = fusion[other - 1][i].ReadingBlock(y, config.Heads, context);
        }

        return y;
    }

    private static Value MaskedMean(Value tokens, Value mask) => (tokens * mask.Unsqueeze(2)).Sum(1) / mask.Sum(1, keep: true);
}

/// <summary>LI-DiT: text to latents from features of language models.</summary>
public static class LiDiTModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "diffusion-transformers/li-dit",
            Paper = "Exploring the Role of Large Language Models in Prompt Encoding for Diffusion Models",
            ArXiv = "2406.11831",
            Authors = ["Bingqi Ma", "Zhuofan Zong", "Guanglu Song", "Hongsheng Li", "Yu Liu"],
            Inputs = [Modality.Text],
            Outputs = [Modality.Image],
            Layouts = ["by specification: model.safetensors + config.json, alone or with text encoders and vae beside it"],
            Deviations = "Text encoders beside the model are T5 or Gemma 2; LLaMA's and Qwen's features can only be given.",
        },
        OpenAsync);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var config = PublishedConfig.Read<LiDiTConfig>(source.RequireFolder()).Value;
        return Weights.Guarded(source.OpenCheckpoint(), checkpoint =>
        {
            var calls = new LiDiTCalls(NetworkContext.Of(source, checkpoint), config);
            return PublishedModel.Generating([checkpoint], [calls], calls.CallAsync, LiDiTPipeline.Open(new(source), calls, config));
        });
    }
}

/// <summary>The calls of the specification.</summary>
internal sealed class LiDiTCalls : IDisposable
{
    private readonly NetworkCache<(long Height, long Width)> _networks;
    private readonly LiDiTConfig _config;

    /// <summary>Prepares networks over a checkpoint.</summary>
    public LiDiTCalls(NetworkContext context, LiDiTConfig config)
    {
        _config = config;
        _networks = new(size => Network.Build(context, "li-dit", scope =>
        {
            var (g, batch) = (scope.Graph, Dim.Symbol("batch"));
            var (x, t) = (g.Input("x", [batch, config.InChannels, size.Height, size.Width]), g.Input("t", [batch]));
            var texts = config.LlmDims.Select((width, k) => (g.Input($"features_{k}", [batch, Tokens(k), width]), g.Input($"mask_{k}", [batch, Tokens(k)]))).ToList();
            g.Output("velocity", LiDiTNetwork.Build(scope, x, t, texts, config));
        }));
    }

    /// <summary>Runs a call.</summary>
    public Task<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel) => call switch
    {
        "forward" => ForwardAsync(arguments, cancel),
        "sample" => SampleAsync(arguments, cancel),
        _ => throw Calls.Unknown(call, "forward, sample"),
    };

    /// <inheritdoc/>
    public void Dispose() => _networks.Dispose();

    private async Task<CallResults> ForwardAsync(CallArguments arguments, CancellationToken cancel) =>
        (await RunAsync(arguments.Tensor<float>("x"), ClassNetwork.Times(arguments.Tensor("t")), Texts(arguments, ""), cancel).ConfigureAwait(false)).ToResults();

    // Euler from noise (t = 1) in equal steps; the negative text goes through the same refiners.
    private async Task<CallResults> SampleAsync(CallArguments arguments, CancellationToken cancel)
    {
        var (x, steps, scale) = (arguments.Tensor<float>("noise"), arguments.Literal("steps", 20), arguments.Literal("cfg_scale", 1.0));
        var (asked, avoided) = (Texts(arguments, ""), scale == 1 ? [] : Texts(arguments, "negative_"));
        for (var i = 0; i < steps; i++)
        {
            var t = Batch.Filled(x.Shape[0], 1 - i / (float)steps);
            var velocity = await PredictAsync(x, t, asked, cancel).ConfigureAwait(false);
            if (scale != 1) velocity = Guidance.Combine(Batch.Concat(velocity, await PredictAsync(x, t, avoided, cancel).ConfigureAwait(false)), scale);
            x = Batch.AddScaled(x, -1f / steps, velocity);
        }

        return new CallResults().Add("latent", x);
    }

    /// <summary>The velocity, towards the noise. x (B, C, H, W), t (B) in 0..1, <c>features_k</c> (B, M, E) and <c>mask_k</c> (B, M) for each language model.</summary>
    public async Task<Tensor<float>> PredictAsync(Tensor<float> x, Tensor<float> t, (string Name, Tensor Tensor)[] texts, CancellationToken cancel) => (await RunAsync(x, t, texts, cancel).ConfigureAwait(false))["velocity"];

    private async Task<NetworkOutputs> RunAsync(Tensor<float> x, Tensor<float> t, (string Name, Tensor Tensor)[] texts, CancellationToken cancel)
    {
        var network = await Task.Run(() => _networks[(x.Shape[2], x.Shape[3])], cancel).ConfigureAwait(false);
        return await network.RunAsync(cancel, [("x", x), ("t", t), .. texts]).ConfigureAwait(false);
    }

    /// <summary>The mask of a text without padding. features (B, M, E) -> (B, M).</summary>
    public static Tensor<float> Whole(Tensor<float> features) => Batch.Filled(features.Shape[0] * features.Shape[1], 1).Reshape(features.Shape[0], features.Shape[1]);

    private static Dim Tokens(int text) => Dim.Symbol($"tokens_{text}");

    // A text without a mask has no padding.
    private (string, Tensor)[] Texts(CallArguments arguments, string prefix) => [.. _config.LlmDims.SelectMany((_, k) =>
    {
        var features = arguments.Tensor<float>($"{prefix}features_{k}");
        var mask = arguments.Has($"{prefix}mask_{k}") ? ClassNetwork.Times(arguments.Tensor($"{prefix}mask_{k}")) : Whole(features);
        return ((string, Tensor)[])[($"features_{k}", features), ($"mask_{k}", mask)];
    })];
}
