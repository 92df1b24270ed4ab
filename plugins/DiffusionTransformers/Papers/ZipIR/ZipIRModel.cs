// ZipIR: Latent Pyramid Diffusion Transformer for High-Resolution Image Restoration. Yu et al. arXiv:2504.08591. No public code.
// Layout (by specification): model.safetensors and config.json. Deviations: none from the specification; the pixel-aware decoder is not specified.
using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;
using ModelZoo.Plugins.DiffusionTransformers.Shared;

namespace ModelZoo.Plugins.DiffusionTransformers.ZipIR;

/// <summary>Keys of ZipIR's config.json.</summary>
public sealed record ZipIRConfig
{
    /// <summary>Pixels per place of the latent, along each side.</summary>
    [Range(1, 256)] public int Factor { get; init; } = 32;
    /// <summary>Channels of each band, coarse to fine.</summary>
    [MinLength(1)] public int[] BandChannels { get; init; } = [16, 16, 32];
    /// <summary>Width of each level of the autoencoders; one that compresses less takes the first of them.</summary>
    [MinLength(1)] public int[] BlockOutChannels { get; init; } = [128, 256, 512, 512, 512, 512];
    /// <summary>Residual blocks a level of the encoders.</summary>
    [Range(1, 16)] public int LayersPerBlock { get; init; } = 1;
    /// <summary>Groups of the group norms.</summary>
    [Range(1, 1024)] public int NormNumGroups { get; init; } = 32;
    /// <summary>Width of the DiT.</summary>
    [Range(1, 65536)] public int Width { get; init; } = 2304;
    /// <summary>Its heads.</summary>
    [Range(1, 1024)] public int Heads { get; init; } = 32;
    /// <summary>Its blocks.</summary>
    [Range(0, 1024)] public int Depth { get; init; } = 28;
    /// <summary>Width of the text features; 0 for no text.</summary>
    [Range(0, 65536)] public int TextDim { get; init; }
    /// <summary>Factor of each band before diffusion.</summary>
    [MinLength(1)] public double[] LatentScale { get; init; } = [1, 1, 1];

    internal int Levels => BandChannels.Length;

    internal int Channels => BandChannels.Sum();

    /// <summary>Pixels of the picture at the size that a level sees, for one of its own.</summary>
    internal int Reduction(int level) => 1 << (Levels - 1 - level);

    /// <summary>The autoencoder of a level.</summary>
    internal AutoencoderKlConfig Autoencoder(int level)
    {
        var depth = System.Numerics.BitOperations.Log2((uint)(Factor / Reduction(level))) + 1;
        return new()
        {
            BlockOutChannels = BlockOutChannels[..depth],
            DownBlockTypes = [.. Enumerable.Repeat("DownEncoderBlock2D", depth)],
            UpBlockTypes = [.. Enumerable.Repeat("UpDecoderBlock2D", depth)],
            LayersPerBlock = LayersPerBlock,
            NormNumGroups = NormNumGroups,
        };
    }
}

/// <summary>The latent-pyramid autoencoder, whose bands share one grid and each add detail to the coarser ones, and the DiT over that grid.</summary>
internal static class ZipIRNetworks
{
    /// <summary>A picture as bands, coarse to fine. image (B, 3, H, W) in -1..1 -> (B, c, H / F, W / F) for each level.</summary>
    public static IReadOnlyList<Value> Encode(Scope model, Value image, ZipIRConfig config) => [.. config.BandChannels.Select((channels, level) =>
    {
        var seen = config.Reduction(level) is > 1 and var factor ? image.AveragePool(factor, factor) : image;
        var moments = model["quant_convs"][level].Conv(DiffusersAutoencoder.Encoder(model["encoders"][level], seen, config.Autoencoder(level), 2 * channels, $"encoder_{level}_mid"), 2 * channels, 1);
        return DiagonalGaussian.Of(moments).Mean;
    })];

    /// <summary>The picture at a level's size, from its band and the coarser ones. latent (B, C, h, w) -> (B, 3, ..).</summary>
    public static Value Decode(Scope model, Value latent, int level, ZipIRConfig config)
    {
        var channels = config.BandChannels[..(level + 1)].Sum();
        return DiffusersAutoencoder.Decoder(model["decoders"][level], model["post_quant_convs"][level].Conv(latent.Take(1, channels), channels, 1), config.Autoencoder(level));
    }

    /// <summary>Predicts the velocity. x and what is known of the picture (B, C, h, w), t (B), text (B, M, E) or null -> (B, C, h, w).</summary>
    public static Value Velocity(Scope dit, Value x, Value known, Value t, Value? text, ZipIRConfig config)
    {
        var (rows, columns, width) = (x.Shape[2].Int, x.Shape[3].Int, (long)config.Width);
        var patches = dit["x_embedder.proj"].PatchEmbed(ValueShape.Concat(1, x, known), width, 1);
        var h = dit.Stage("dit_patch_embed", patches + SinCosPositions.Grid(dit.Graph, rows, columns, config.Width));
        var condition = dit["t_embedder"].TimestepEmbedding(t * 1000, width);
        var context = text is null ? null : new BlockContext(dit["text_proj"].Linear(text, width));
        h = dit["blocks"].Stack(h, config.Depth, "dit_block_", (block, tokens) => block.ConditionedBlock(tokens, condition, new(config.Heads), context));
        return dit["final_layer"].FinalLayer(h, condition, config.Channels).Swap(1, 2).Reshape(x.Shape[0], config.Channels, rows, columns);
    }
}

/// <summary>ZipIR: restores pictures in a latent of few places.</summary>
public static class ZipIRModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "diffusion-transformers/zipir",
            Paper = "ZipIR: Latent Pyramid Diffusion Transformer for High-Resolution Image Restoration",
            ArXiv = "2504.08591",
            Authors = ["Yongsheng Yu", "Haitian Zheng", "Zhifei Zhang", "Jianming Zhang", "Yuqian Zhou", "Connelly Barnes", "Yuchen Liu", "Wei Xiong", "Zhe Lin", "Jiebo Luo"],
            Inputs = [Modality.Image],
            Outputs = [Modality.Image],
            Layouts = ["by specification: model.safetensors + config.json"],
        },
        OpenAsync);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var config = PublishedConfig.Read<ZipIRConfig>(source.RequireFolder()).Value;
        return Weights.Guarded(source.OpenCheckpoint(), checkpoint =>
        {
            var calls = new ZipIRCalls(NetworkContext.Of(source, checkpoint), config);
            return new([checkpoint], [calls], calls.CallAsync, new ZipIRGenerator(calls, config));
        });
    }
}

/// <summary>The calls of the specification.</summary>
internal sealed class ZipIRCalls : IDisposable
{
    private readonly SizedNetworks _encoders, _decoders, _dits;
    private readonly ZipIRConfig _config;

    /// <summary>Prepares networks over a checkpoint.</summary>
    public ZipIRCalls(NetworkContext context, ZipIRConfig config)
    {
        _config = config;
        var batch = Dim.Symbol("batch");
        _encoders = new(size => Network.Build(context with { Stages = false }, "zipir encoder", scope =>
        {
            var bands = ZipIRNetworks.Encode(scope, scope.Graph.Input("image", [batch, 3, size.Height, size.Width]), config);
            for (var level = 0; level < bands.Count; level++) scope.Graph.Output($"band_{level + 1}", bands[level]);
            scope.Graph.Output("latent", ValueShape.Concat(1, [.. bands]));
        }));
        _decoders = new(size => Network.Build(context with { Stages = false }, "zipir decoder", scope =>
        {
            var latent = scope.Graph.Input("latent", [batch, config.Channels, size.Height, size.Width]);
            for (var level = 0; level < config.Levels; level++) scope.Graph.Output($"image_level_{level + 1}", ZipIRNetworks.Decode(scope, latent, level, config));
        }));
        _dits = new(size => Network.Build(context, "zipir", scope =>
        {
            var g = scope.Graph;
            Shape latent = [batch, config.Channels, size.Height, size.Width];
            var text = config.TextDim > 0 ? g.Input("text_features", [batch, Dim.Symbol("tokens"), config.TextDim]) : null;
            g.Output("velocity", ZipIRNetworks.Velocity(scope["dit"], g.Input("x", latent), g.Input("condition_latent", latent), g.Input("t", [batch]), text, config));
        }));
    }

    /// <summary>Runs a call.</summary>
    public Task<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel) => call switch
    {
        "encode" => EncodeAsync(arguments.Tensor<float>("image"), cancel),
        "decode" => DecodeAsync(arguments.Tensor<float>("latent"), cancel),
        "denoise" => DenoiseAsync(arguments, cancel),
        "restore" => RestoreAsync(arguments, cancel),
        _ => throw Calls.Unknown(call, "encode, decode, denoise, restore"),
    };

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var networks in (SizedNetworks[])[_encoders, _decoders, _dits]) networks.Dispose();
    }

    private async Task<CallResults> EncodeAsync(Tensor<float> image, CancellationToken cancel) => (await _encoders.RunAsync(image.Shape[2], image.Shape[3], cancel, ("image", image)).ConfigureAwait(false)).ToResults();

    private async Task<CallResults> DecodeAsync(Tensor<float> latent, CancellationToken cancel) => (await _decoders.RunAsync(latent.Shape[2], latent.Shape[3], cancel, ("latent", latent)).ConfigureAwait(false)).ToResults();

    private async Task<CallResults> DenoiseAsync(CallArguments arguments, CancellationToken cancel) =>
        (await VelocityAsync(arguments.Tensor<float>("x"), arguments.Tensor<float>("condition_latent"), arguments.Tensor<float>("t"), Text(arguments), cancel).ConfigureAwait(false)).ToResults();

    private async Task<CallResults> RestoreAsync(CallArguments arguments, CancellationToken cancel)
    {
        var x = arguments.Tensor<float>("noise");
        await foreach (var (state, _) in StatesAsync(arguments.Tensor<float>("image"), x, Text(arguments), arguments.Literal("steps", 20), arguments.Literal("cfg_scale", 1.0), cancel).ConfigureAwait(false)) x = state;
        return new CallResults().Add("restored_latent", x).Add("restored", await PictureAsync(x, cancel).ConfigureAwait(false));
    }

    /// <summary>Euler from noise (t = 1) in equal steps: the state after each one, and the clean latent that it saw. Guidance leaves the text out by putting zeros in its place.</summary>
    public async IAsyncEnumerable<(Tensor<float> State, Tensor<float> Clean)> StatesAsync(Tensor<float> image, Tensor<float> noise, Tensor<float>? text, int steps, double scale, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var known = Scaled((Tensor<float>)(await EncodeAsync(image, cancel).ConfigureAwait(false)).Tensor("latent"), factor => factor);
        var x = noise;
        for (var i = 0; i < steps; i++)
        {
            cancel.ThrowIfCancellationRequested();
            var (time, t) = (1 - i / (float)steps, Batch.Filled(x.Shape[0], 1 - i / (float)steps));
            var velocity = (await VelocityAsync(x, known, t, text, cancel).ConfigureAwait(false))["velocity"];
            if (scale != 1 && text is not null)
                velocity = Guidance.Combine(Batch.Concat(velocity, (await VelocityAsync(x, known, t, Tensor.Zeros<float>(text.Shape), cancel).ConfigureAwait(false))["velocity"]), scale);
            var clean = Batch.AddScaled(x, -time, velocity);
            x = Batch.AddScaled(x, -1f / steps, velocity);
            yield return (x, clean);
        }
    }

    /// <summary>The picture of a scaled latent, about -1..1.</summary>
    public async Task<Tensor<float>> PictureAsync(Tensor<float> latent, CancellationToken cancel) =>
        (Tensor<float>)(await DecodeAsync(Scaled(latent, factor => 1 / factor), cancel).ConfigureAwait(false)).Tensor($"image_level_{_config.Levels}");

    private Tensor<float>? Text(CallArguments arguments) => _config.TextDim > 0 ? arguments.Tensor<float>("text_features") : null;

    private Task<NetworkOutputs> VelocityAsync(Tensor<float> x, Tensor<float> known, Tensor<float> t, Tensor<float>? text, CancellationToken cancel)
    {
        List<(string, Tensor)> inputs = [("x", x), ("condition_latent", known), ("t", t)];
        if (text is not null) inputs.Add(("text_features", text));
        return _dits.RunAsync(x.Shape[2], x.Shape[3], cancel, [.. inputs]);
    }

    // One factor for each band.
    private Tensor<float> Scaled(Tensor<float> latent, Func<float, float> factor)
    {
        var (result, batch, channels) = (Batch.Copy(latent), (int)latent.Shape[0], _config.Channels);
        var inner = latent.Length / (batch * channels);
        float[] factors = [.. _config.BandChannels.SelectMany((count, level) => Enumerable.Repeat(factor((float)_config.LatentScale[level]), count))];
        for (var row = 0; row < batch * channels; row++)
        {
            foreach (ref var value in result.Span.Slice(row * inner, inner)) value *= factors[row % channels];
        }

        return result;
    }
}
