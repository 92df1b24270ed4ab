// FLUX.1. Black Forest Labs. github.com/black-forest-labs/flux
// Published layout: diffusers FluxTransformer2DModel. Deviations: none.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Plugins.DiffusionTransformers.Shared;

namespace ModelZoo.Plugins.DiffusionTransformers.Flux;

/// <summary>Keys of diffusers' FluxTransformer2DModel.</summary>
public sealed record FluxConfig
{
    /// <summary>Only 1 is published: pictures come packed in tokens of 2 x 2.</summary>
    [Range(1, 1)] public int PatchSize { get; init; } = 1;
    /// <summary>Width of a packed token.</summary>
    [Range(1, 4096)] public int InChannels { get; init; } = 64;
    /// <summary>Width predicted; as much as goes in when left out.</summary>
    public int? OutChannels { get; init; }
    /// <summary>Blocks with two streams.</summary>
    [Range(0, 1024)] public int NumLayers { get; init; } = 19;
    /// <summary>Blocks with one.</summary>
    [Range(0, 1024)] public int NumSingleLayers { get; init; } = 38;
    /// <summary>Width of a head.</summary>
    [Range(1, 4096)] public int AttentionHeadDim { get; init; } = 128;
    /// <summary>Heads of attention.</summary>
    [Range(1, 1024)] public int NumAttentionHeads { get; init; } = 24;
    /// <summary>Width of the text encoder's tokens.</summary>
    [Range(1, 65536)] public int JointAttentionDim { get; init; } = 4096;
    /// <summary>Width of the text encoder's pooled features.</summary>
    [Range(1, 65536)] public int PooledProjectionDim { get; init; } = 768;
    /// <summary>True when the guidance is an input (dev).</summary>
    public bool GuidanceEmbeds { get; init; }
    /// <summary>Channels of a head for each axis of the positions.</summary>
    public int[] AxesDimsRope { get; init; } = [16, 56, 56];

    internal int Width => NumAttentionHeads * AttentionHeadDim;

    internal int Outputs => OutChannels ?? InChannels;
}

/// <summary>Blocks with streams for image and text, then blocks where both are one and attention and MLP run side by side.</summary>
internal static class FluxNetwork
{
    /// <summary>Predicts the velocity of packed tokens. image (B, N, C), text (B, M, E), time and guidance in thousandths (B), pooled (B, P), cos and sin (M + N, W / 2) -> (B, N, C).</summary>
    public static Value Build(Scope model, Value image, Value text, Value time, Value? guidance, Value pooled, Value cos, Value sin, FluxConfig config)
    {
        var width = (long)config.Width;
        image = model.Stage("x_embedder", model["x_embedder"].Linear(image, width));
        var embed = model["time_text_embed"];
        var condition = embed["timestep_embedder"].DiffusersTimeMlp((time * 1000).Sinusoid(256), width);
        if (guidance is not null) condition += embed["guidance_embedder"].DiffusersTimeMlp((guidance * 1000).Sinusoid(256), width);
        condition = model.Stage("time_text_embed", condition + embed["text_embedder"].DiffusersTimeMlp(pooled, width));
        text = model.Stage("context_embedder", model["context_embedder"].Linear(text, width));
        var options = new JointLayers.Options(config.NumAttentionHeads, TextFirst: true, Normed: true, x => x.Rotary(config.NumAttentionHeads, cos, sin, interleaved: true));

        for (var i = 0; i < config.NumLayers; i++)
        {
            (image, text) = DoubleBlock(model["transformer_blocks"][i], image, text, condition, options);
            model.Stage($"double_block_{i}_image", image);
            model.Stage($"double_block_{i}_text", text);
        }

        var (words, both) = (text.Shape[1], ValueShape.Concat(1, text, image));
        for (var i = 0; i < config.NumSingleLayers; i++)
        {
            both = SingleBlock(model["single_transformer_blocks"][i], both, condition, options);
            model.Stage($"single_block_{i}_image", both.From(1, words));
            model.Stage($"single_block_{i}_text", both.Take(1, words));
        }

        return model["proj_out"].Linear(model.Stage("norm_out", model["norm_out"].ContinuousNorm(both.From(1, words), condition)), config.Outputs);
    }

    /// <summary>Angles of positions (count, axes): cos and sin (count, W / 2), one for each pair of channels, axis after axis.</summary>
    public static (Tensor<float> Cos, Tensor<float> Sin) Angles(Tensor<float> positions, int[] axes)
    {
        var (count, half) = ((int)positions.Shape[0], axes.Sum() / 2);
        var (cos, sin) = (Tensor.Zeros<float>(count, half), Tensor.Zeros<float>(count, half));
        for (var n = 0; n < count; n++)
        {
            var next = 0;
            for (var axis = 0; axis < axes.Length; axis++)
            {
                for (var i = 0; i < axes[axis] / 2; i++, next++)
                {
                    var angle = positions[n, axis] / Math.Pow(10000, 2.0 * i / axes[axis]);
                    (cos[n, next], sin[n, next]) = ((float)Math.Cos(angle), (float)Math.Sin(angle));
                }
            }
        }

        return (cos, sin);
    }

    private static (Value Image, Value Text) DoubleBlock(Scope block, Value image, Value text, Value condition, JointLayers.Options options)
    {
        var (parts, textParts) = (block["norm1"].LinearModulation(condition, 6), block["norm1_context"].LinearModulation(condition, 6));
        var (seen, read) = block["attn"].JointAttention(image.LayerNorm(1e-6).Modulate(parts[0], parts[1]), text.LayerNorm(1e-6).Modulate(textParts[0], textParts[1]), options);
        image = block["ff"].GatedFeedForward(image + seen.Gated(parts[2]), parts[3], parts[4], parts[5]);
        return (image, block["ff_context"].GatedFeedForward(text + read!.Gated(textParts[2]), textParts[3], textParts[4], textParts[5]));
    }

    private static Value SingleBlock(Scope block, Value x, Value condition, JointLayers.Options options)
    {
        var width = x.Shape[-1].Size;
        var parts = block["norm"].LinearModulation(condition, 3);                                // shift, scale, gate
        var normed = x.LayerNorm(1e-6).Modulate(parts[0], parts[1]);
        var branches = ValueShape.Concat(-1, block["attn"].StreamAttention(normed, options), block["proj_mlp"].Linear(normed, 4 * width).Gelu(Gelu.Tanh));
        return x + block["proj_out"].Linear(branches, width).Gated(parts[2]);
    }
}

/// <summary>FLUX.1.</summary>
public static class FluxModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "diffusion-transformers/flux",
            Paper = "FLUX.1",
            Authors = ["Black Forest Labs"],
            Repository = "black-forest-labs/flux",
            CodeLicense = "Apache-2.0",
            WeightsLicense = "Apache-2.0 (schnell), FLUX.1-dev Non-Commercial (dev)",
            Inputs = [Modality.Text],
            Outputs = [Modality.Image],
            Layouts = ["diffusers: FluxTransformer2DModel"],
        },
        OpenAsync);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var config = PublishedConfig.Read<FluxConfig>(source.RequireFolder()).Value;
        return Weights.Guarded(Weights.Open(source), checkpoint =>
        {
            var network = Network.Build(NetworkContext.Of(source, checkpoint), "flux", scope => Declare(scope, config));
            checkpoint.ThrowIfUnused();
            return new([checkpoint], [network], (call, arguments, token) => call == "forward" ? ForwardAsync(network, config, arguments, token) : throw Calls.Unknown(call, "forward"));
        });
    }

    internal static void Declare(Scope scope, FluxConfig config)
    {
        var (g, batch, tokens, words) = (scope.Graph, Dim.Symbol("batch"), Dim.Symbol("tokens"), Dim.Symbol("words"));
        var (image, text) = (g.Input("hidden_states", [batch, tokens, config.InChannels]), g.Input("encoder_hidden_states", [batch, words, config.JointAttentionDim]));
        var (time, pooled) = (g.Input("timestep", [batch]), g.Input("pooled_projections", [batch, config.PooledProjectionDim]));
        var guidance = config.GuidanceEmbeds ? g.Input("guidance", [batch]) : null;
        var (cos, sin) = (g.Input("cos", [words + tokens, config.AttentionHeadDim / 2]), g.Input("sin", [words + tokens, config.AttentionHeadDim / 2]));
        g.Output("velocity", FluxNetwork.Build(scope, image, text, time, guidance, pooled, cos, sin, config));
    }

    private static async Task<CallResults> ForwardAsync(Network network, FluxConfig config, CallArguments arguments, CancellationToken cancel)
    {
        var positions = Batch.Concat(Ids(arguments, "txt_ids"), Ids(arguments, "img_ids"));
        var (cos, sin) = FluxNetwork.Angles(positions, config.AxesDimsRope);
        List<(string, Tensor)> inputs =
        [
            ("hidden_states", arguments.Tensor<float>("hidden_states")), ("encoder_hidden_states", arguments.Tensor<float>("encoder_hidden_states")),
            ("timestep", ClassNetwork.Times(arguments.Tensor("timestep"))), ("pooled_projections", arguments.Tensor<float>("pooled_projections")), ("cos", cos), ("sin", sin),
        ];
        if (config.GuidanceEmbeds) inputs.Add(("guidance", ClassNetwork.Times(arguments.Tensor("guidance"))));
        var results = (await network.RunAsync(cancel, [.. inputs]).ConfigureAwait(false)).ToResults();
        return results.Add("rope_cos", Repeated(cos)).Add("rope_sin", Repeated(sin));
    }

    // Positions (count, axes), or (B, count, axes) as older code gives them.
    private static Tensor<float> Ids(CallArguments arguments, string name) => ClassNetwork.Times(arguments.Tensor(name)) is { Rank: 3 } batched ? batched.Slice(0) : ClassNetwork.Times(arguments.Tensor(name));

    private static Tensor<float> Repeated(Tensor<float> angles)
    {
        var result = Tensor.Zeros<float>(angles.Shape[0], 2 * angles.Shape[1]);
        for (var i = 0; i < result.Length; i++) result.Span[i] = angles.Span[i / 2];
        return result;
    }
}
