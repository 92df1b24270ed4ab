// Scaling Rectified Flow Transformers for High-Resolution Image Synthesis. Esser et al. arXiv:2403.03206. github.com/Stability-AI/sd3-ref
// Published layout: diffusers SD3Transformer2DModel, of 3 and 3.5. Deviations: none.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

namespace ModelZoo.Plugins.DiffusionTransformers.SD3;

/// <summary>Keys of diffusers' SD3Transformer2DModel.</summary>
public sealed record SD3Config
{
    /// <summary>Height and width of the latent.</summary>
    [Range(1, 4096)] public int SampleSize { get; init; } = 128;
    /// <summary>Height and width of a patch.</summary>
    [Range(1, 64)] public int PatchSize { get; init; } = 2;
    /// <summary>Channels of the latent.</summary>
    [Range(1, 4096)] public int InChannels { get; init; } = 16;
    /// <summary>Number of blocks.</summary>
    [Range(1, 1024)] public int NumLayers { get; init; } = 18;
    /// <summary>Width of a head.</summary>
    [Range(1, 4096)] public int AttentionHeadDim { get; init; } = 64;
    /// <summary>Heads of attention.</summary>
    [Range(1, 1024)] public int NumAttentionHeads { get; init; } = 18;
    /// <summary>Width of the text encoders' tokens.</summary>
    [Range(1, 65536)] public int JointAttentionDim { get; init; } = 4096;
    /// <summary>Width of the text's stream.</summary>
    [Range(1, 65536)] public int CaptionProjectionDim { get; init; } = 1152;
    /// <summary>Width of the text encoders' pooled features.</summary>
    [Range(1, 65536)] public int PooledProjectionDim { get; init; } = 2048;
    /// <summary>Channels predicted; as many as go in when left out.</summary>
    public int? OutChannels { get; init; } = 16;
    /// <summary>Height and width, in patches, of the table of positions.</summary>
    [Range(1, 4096)] public int PosEmbedMaxSize { get; init; } = 96;
    /// <summary>Blocks whose image stream also attends to itself (3.5 medium).</summary>
    public int[] DualAttentionLayers { get; init; } = [];
    /// <summary>How queries and keys are normalised (3.5 by their root mean square).</summary>
    [AllowedValues("rms_norm", "layer_norm", null)] public string? QkNorm { get; init; }

    internal int Width => NumAttentionHeads * AttentionHeadDim;

    internal int Outputs => OutChannels ?? InChannels;
}

/// <summary>What descendants change in the network; everything left out is as published.</summary>
internal sealed record SD3Hooks
{
    /// <summary>A picture whose tokens follow the image's in its stream, by argument name, or null.</summary>
    public string? Companion { get; init; }

    /// <summary>Attention over both streams, or of the image's alone: scope, image, text or null, options, whether the text has further use.</summary>
    public Func<Scope, Value, Value?, JointLayers.Options, bool, (Value Image, Value? Text)> Attention { get; init; } = (attn, image, text, options, further) =>
        text is null ? (attn["to_out.0"].Linear(attn.StreamAttention(image, options), image.Shape[-1].Size), null) : attn.JointAttention(image, text, options, further);

    /// <summary>The feed-forward block of the image's stream: scope and normalised tokens.</summary>
    public Func<Scope, Value, Value> FeedForward { get; init; } = (ff, x) => ff.DiffusersFeedForward(x, "gelu-approximate");
}

/// <summary>MM-DiT: image and text in streams of their own that attend to each other (section 4).</summary>
internal static class SD3Network
{
    /// <summary>What the network takes.</summary>
    public static TextNetwork.Conditions Conditions(SD3Config config) => new(config.InChannels, config.JointAttentionDim, false, ("pooled_projections", config.PooledProjectionDim));

    /// <summary>Predicts the velocity (B, C, H, W).</summary>
    public static Value Build(Scope model, TextNetwork.Inputs inputs, SD3Config config, SD3Hooks? hooks = null)
    {
        hooks ??= new();
        var (width, patch) = ((long)config.Width, config.PatchSize);
        var (rows, columns) = (inputs.Sample.Shape[2].Int / patch, inputs.Sample.Shape[3].Int / patch);
        Value Embed(Value picture) => model["pos_embed.proj"].PatchEmbed(picture, width, patch) + Positions(model["pos_embed"], rows, columns, config);
        var image = model.Stage("patch_embed", Embed(inputs.Sample));                            // (B, N, D)
        var tokens = image.Shape[1];
        if (hooks.Companion is not null) image = ValueShape.Concat(1, image, Embed(inputs.Pictures[hooks.Companion]));
        var time = model["time_text_embed.timestep_embedder"].DiffusersTimeMlp(inputs.Time.Sinusoid(256), width);
        var condition = model.Stage("time_text_embed", time + model["time_text_embed.text_embedder"].DiffusersTimeMlp(inputs.Vectors["pooled_projections"], width));
        var text = model.Stage("context_embedder", model["context_embedder"].Linear(inputs.Text, config.CaptionProjectionDim));  // (B, M, D)

        for (var i = 0; i < config.NumLayers; i++)
        {
            (image, var read) = Block(model, image, text, condition, i, config, hooks);
            model.Stage($"block_{i}_image", image.Take(1, tokens));
            if (hooks.Companion is not null) model.Stage($"block_{i}_lr", image.From(1, tokens));
            if (read is not null) text = model.Stage($"block_{i}_text", read);
        }

        var patches = model["proj_out"].Linear(model["norm_out"].ContinuousNorm(image.Take(1, tokens), condition), (long)patch * patch * config.Outputs);
        return patches.Unpatchify(patch, rows, columns, config.Outputs);
    }

    private static (Value Image, Value? Text) Block(Scope model, Value image, Value text, Value condition, int i, SD3Config config, SD3Hooks hooks)
    {
        var block = model["transformer_blocks"][i];
        var (dual, last) = (config.DualAttentionLayers.Contains(i), i == config.NumLayers - 1);
        var options = new JointLayers.Options(config.NumAttentionHeads, TextFirst: false, config.QkNorm is not null);
        if (config.QkNorm == "layer_norm") options = options with { Norm = (norm, head) => norm.LayerNorm(head, 1e-6) };
        var parts = block["norm1"].LinearModulation(condition, dual ? 9 : 6);                    // shift, scale, gate for each branch
        var textParts = last ? null : block["norm1_context"].LinearModulation(condition, 6);
        var normedText = textParts is null ? block["norm1_context"].ContinuousNorm(text, condition) : text.LayerNorm(1e-6).Modulate(textParts[0], textParts[1]);
        var normed = image.LayerNorm(1e-6);

        var (seen, read) = hooks.Attention(block["attn"], normed.Modulate(parts[0], parts[1]), normedText, options, !last);
        image += seen.Gated(parts[2]);
        if (dual) image += hooks.Attention(block["attn2"], normed.Modulate(parts[6], parts[7]), null, options, false).Image.Gated(parts[8]);
        image += model.Stage($"block_{i}_ff", hooks.FeedForward(block["ff"], image.LayerNorm(1e-6).Modulate(parts[3], parts[4]))).Gated(parts[5]);
        return textParts is null ? (image, null) : (image, block["ff_context"].GatedFeedForward(text + read!.Gated(textParts[2]), textParts[3], textParts[4], textParts[5]));
    }

    // The middle of a square table.
    private static Value Positions(Scope scope, int rows, int columns, SD3Config config)
    {
        var size = config.PosEmbedMaxSize;
        var (top, left) = ((size - rows) / 2, (size - columns) / 2);
        var table = scope.Weight("pos_embed", 1, (long)size * size, config.Width).Reshape(1, size, size, config.Width);
        return table.Slice(1, top, top + rows).Slice(2, left, left + columns).Reshape(1, rows * columns, config.Width);
    }
}

/// <summary>Stable Diffusion 3 and 3.5.</summary>
public static class SD3Model
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "diffusion-transformers/sd3",
            Paper = "Scaling Rectified Flow Transformers for High-Resolution Image Synthesis",
            ArXiv = "2403.03206",
            Authors = ["Patrick Esser", "Sumith Kulal", "Andreas Blattmann", "Rahim Entezari", "Jonas Müller", "Harry Saini", "Yam Levi", "Dominik Lorenz", "Axel Sauer", "Frederic Boesel", "Dustin Podell", "Tim Dockhorn", "Zion English", "Kyle Lacey", "Alex Goodwin", "Yannik Marek", "Robin Rombach"],
            Repository = "Stability-AI/sd3-ref",
            CodeLicense = "MIT",
            WeightsLicense = "Stability AI Community",
            Inputs = [Modality.Text],
            Outputs = [Modality.Image],
            Layouts = ["diffusers: SD3Transformer2DModel, alone or in a pipeline's folder"],
            Sizes =
            [
                new("stabilityai/stable-diffusion-3-medium-diffusers: transformer", 2_084_951_104, []),
                new("stabilityai/stable-diffusion-3.5-medium: transformer", 2_469_663_936, []),
                new("stabilityai/stable-diffusion-3.5-large: transformer", 8_146_280_768, []),
            ],
        },
        OpenAsync);

    private static ValueTask<IModel> OpenAsync(ModelSource folder, CancellationToken cancel)
    {
        var pipeline = new PipelineFolder(folder);
        var source = pipeline.Denoiser("transformer");
        var config = PublishedConfig.Read<SD3Config>(source.RequireFolder()).Value;
        return Weights.Guarded(source.OpenCheckpoint(), checkpoint =>
        {
            var network = new TextNetwork(NetworkContext.Of(source, checkpoint), "sd3", "velocity", SD3Network.Conditions(config), (scope, inputs) => SD3Network.Build(scope, inputs, config));
            return PublishedModel.Generating([checkpoint], [network], (call, arguments, token) => call == "forward" ? network.ForwardAsync(arguments, token) : throw Calls.Unknown(call, "forward"),
                SD3Pipeline.Of<TextOptions>(pipeline, config, _ => new((x, timestep, text, token) => SD3Pipeline.PredictAsync(network, x, timestep, text, token)))?.Open(pipeline));
        });
    }
}
