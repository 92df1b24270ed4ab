// Latent Denoising Makes Good Visual Tokenizers. Yang, Li, Fan, Tian, Wang. arXiv:2507.15856. github.com/Jiawei-Yang/DeTok
// Published layout: detok-*.pth (key model_ema); sizes are arguments of the authors' class. Deviations: none.
using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>The arguments of the authors' class.</summary>
public sealed record LDeTokConfig
{
    /// <summary>Size of the pictures.</summary>
    [Range(8, 4096)] public int ImgSize { get; init; } = 256;
    /// <summary>Pixels a patch.</summary>
    [Range(1, 256)] public int PatchSize { get; init; } = 16;
    /// <summary>Name of the encoder's size.</summary>
    public string VitEncModelSize { get; init; } = "base";
    /// <summary>Name of the decoder's size.</summary>
    public string VitDecModelSize { get; init; } = "base";
    /// <summary>Channels of a token.</summary>
    public int TokenChannels { get; init; } = 16;
    /// <summary>Share of masked tokens in training.</summary>
    public double MaskRatio { get; init; } = 0.7;
    /// <summary>Strength of the noise in training.</summary>
    public double Gamma { get; init; } = 3;
    /// <summary>Factor of normalised tokens.</summary>
    public double ScaleFactor { get; init; } = 1;
    /// <summary>Mean of the latents, taken off for generators: one number.</summary>
    public double Mean { get; init; }
    /// <summary>Deviation of the latents, divided out for generators: one number.</summary>
    public double Std { get; init; } = 1;
    /// <summary>What a generator's statistics say in place of <see cref="Mean"/> and <see cref="Std"/>.</summary>
    public LDeTokStats? Stats { get; init; }
    /// <summary>Sizes by name; null for the published ones.</summary>
    public Dictionary<string, LDeTokSize>? SizeDict { get; init; }

    /// <summary>Mean and deviation of each channel.</summary>
    public (float[] Means, float[] Deviations) Statistics() => Stats is { } stats
        ? (LDeTokStats.PerChannel(stats.Mean, TokenChannels), LDeTokStats.PerChannel(stats.Std, TokenChannels))
        : ([.. Enumerable.Repeat((float)Mean, TokenChannels)], [.. Enumerable.Repeat((float)Std, TokenChannels)]);

    /// <summary>Patches along each side.</summary>
    public int Grid => ImgSize / PatchSize;

    /// <summary>The size of that name.</summary>
    public LDeTokSize SizeOf(string name) => (SizeDict ?? Published).GetValueOrDefault(name)
        ?? throw new CheckpointException(ErrorCodes.ConfigInvalid, "The size of a transformer is not known.") { Expected = string.Join(", ", (SizeDict ?? Published).Keys), Found = name };

    private static readonly Dictionary<string, LDeTokSize> Published = new() { ["small"] = new(512, 8, 8), ["base"] = new(768, 12, 12), ["large"] = new(1024, 24, 16), ["xl"] = new(1152, 28, 16), ["huge"] = new(1280, 32, 16) };
}

/// <summary>Statistics of the latents, one number or one a channel.</summary>
/// <param name="Mean">Means.</param>
/// <param name="Std">Deviations.</param>
public sealed record LDeTokStats(JsonElement Mean, JsonElement Std)
{
    /// <summary>The numbers, channel by channel.</summary>
    public static float[] PerChannel(JsonElement numbers, int channels)
    {
        if (numbers.ValueKind == JsonValueKind.Number) return [.. Enumerable.Repeat(numbers.GetSingle(), channels)];
        float[] list = numbers.ValueKind == JsonValueKind.Array ? [.. numbers.EnumerateArray().Select(number => number.GetSingle())] : [];
        return list.Length == channels ? list : throw new CheckpointException(ErrorCodes.ConfigInvalid, "The statistics do not fit the latents.") { Where = "stats", Expected = $"a number, or {channels}", Found = numbers.ToString() };
    }
}

/// <summary>Size of a transformer.</summary>
/// <param name="Width">Width.</param>
/// <param name="Layers">Blocks.</param>
/// <param name="Heads">Heads.</param>
public sealed record LDeTokSize(int Width, int Layers, int Heads);

internal static class LDeTokNetwork
{
    /// <summary>Means and log-variances of the kept patches. image (B, 3, S, S), kept (B, K) or null for all -> (B, K, 2 C).</summary>
    public static Value Moments(Scope encoder, Value image, Value? kept, LDeTokConfig config)
    {
        var size = config.SizeOf(config.VitEncModelSize);
        var x = encoder["patch_embed.0"].PatchEmbed(image, size.Width, config.PatchSize);
        x = encoder.Stage("patch_embed", x) + encoder.Weight("positional_embedding", 1, config.Grid * config.Grid, size.Width);
        if (kept is not null) x = x.GatherElements(kept.Unsqueeze(-1).Expand(kept.Shape[0], kept.Shape[1], size.Width), 1);
        x = encoder["ln_pre"].RmsNorm(x);
        x = Transformer(encoder, x, Angles(x.Graph, config.Grid, size, kept), size, "encoder_block");
        return encoder["latent_head"].Linear(encoder["ln_post"].RmsNorm(x), 2 * config.TokenChannels);
    }

    /// <summary>Tokens to picture. z (B, K, C), restore (B, P) the place of each patch among kept and masked ones, or null -> (B, 3, S, S).</summary>
    public static Value Decode(Scope decoder, Value z, Value? restore, LDeTokConfig config)
    {
        var size = config.SizeOf(config.VitDecModelSize);
        var (grid, batch) = (config.Grid, z.Shape[0]);
        var x = decoder["decoder_embed"].Linear(z, size.Width);
        if (restore is not null)
        {
            var masks = decoder.Weight("mask_token", 1, 1, size.Width).Expand(batch, restore.Shape[1] - z.Shape[1], size.Width);
            x = ValueShape.Concat(1, x, masks).GatherElements(restore.Unsqueeze(-1).Expand(batch, restore.Shape[1], size.Width), 1);
        }

        x = decoder["ln_pre"].RmsNorm(x + decoder.Weight("positional_embedding", 1, grid * grid, size.Width));
        x = decoder["ln_post"].RmsNorm(Transformer(decoder, x, Angles(x.Graph, grid, size, null), size, "decoder_block"));
        var pixels = decoder["ffn.1"].PointwiseLinear(x, 3 * config.PatchSize * config.PatchSize).Unpatchify(config.PatchSize, grid, grid, 3);
        return decoder["conv_out"].Conv(decoder.Stage("decoder_ffn", pixels), 3, 3, padding: 1);
    }

    private static Value Transformer(Scope scope, Value x, (Value Cos, Value Sin) angles, LDeTokSize size, string stage)
    {
        for (var i = 0; i < size.Layers; i++)
        {
            var block = scope["transformer"][i];
            var (q, k, v) = block["attn.qkv"].Qkv(block["norm1"].RmsNorm(x), size.Width);
            var seen = AttentionLayers.Attention(Turn(q, angles, size), Turn(k, angles, size), v, new() { Heads = size.Heads });
            x += block["attn.proj"].Linear(seen, size.Width);
            var (gate, value) = block["mlp.w12"].Linear(block["norm2"].RmsNorm(x), 2 * (int)(2 / 3.0 * (4 * size.Width))).Chunk2();
            x = scope.Stage($"{stage}_{i}", x + block["mlp.w3"].Linear(gate.Silu() * value, size.Width));
        }

        return x;
    }

    // As published: neighbours are turned as a pair, but each by the angle at its own place in the table.
    private static Value Turn(Value x, (Value Cos, Value Sin) angles, LDeTokSize size)
    {
        var pairs = x.Reshape(x.Shape[0], x.Shape[1], size.Heads, size.Width / size.Heads / 2, 2);
        var turned = ValueShape.Stack(-1, -pairs.At(-1, 1), pairs.At(-1, 0)).Flatten(-2);
        var split = x.Reshape(x.Shape[0], x.Shape[1], size.Heads, size.Width / size.Heads);
        return (split * angles.Cos + turned * angles.Sin).Flatten(-2);
    }

    // Frequencies 2 pi 7 (1e4)^-(i / (n - 1)), n = W / 4, of the row for the first half of a head and of the column for the second; places run from 0 to 1. -> (N, 1, W) or (B, K, 1, W).
    private static (Value Cos, Value Sin) Angles(Graph graph, int grid, LDeTokSize size, Value? kept)
    {
        var (width, quarter) = (size.Width / size.Heads, size.Width / size.Heads / 4);
        var table = new float[grid * grid * width];
        for (var place = 0; place < grid * grid; place++)
        {
            for (var i = 0; i < width; i++)
            {
                var coordinate = (float)(i < width / 2 ? place / grid : place % grid) / Math.Max(grid - 1, 1);
                var step = quarter > 1 ? (double)(i % (width / 2) % quarter) / (quarter - 1) : 0;
                table[place * width + i] = (float)(coordinate * 2 * Math.PI * 7 * Math.Pow(7 / 7e-4, -step));
            }
        }

        var angles = graph.Constant<float>(table, grid * grid, width);
        if (kept is not null) angles = angles.Gather(kept);
        return (angles.Cos().Unsqueeze(-2), angles.Sin().Unsqueeze(-2));
    }
}

/// <summary>l-DeTok: a tokenizer trained to rebuild pictures from noisy and masked tokens.</summary>
public static class LDeTokModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-tokenizers/l-detok",
            Paper = "Latent Denoising Makes Good Visual Tokenizers",
            ArXiv = "2507.15856",
            Authors = ["Jiawei Yang", "Tianhong Li", "Lijie Fan", "Yonglong Tian", "Yue Wang"],
            Repository = "Jiawei-Yang/DeTok",
            CodeLicense = "MIT",
            Inputs = [Modality.Image],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["authors: detok*.pth"],
            Sizes = [new("Jiawei-Yang/DeTok: l-DeTok-BB", 171_712_628, [])],
        },
        OpenAsync);

    /// <summary>The networks for a configuration.</summary>
    internal static TokenizerPlan Plan(LDeTokConfig config) => new()
    {
        Networks = new Dictionary<string, Action<Scope>>
        {
            ["encode_into_posteriors"] = model => Encode(model, config),
            ["encode_masked"] = model => EncodeMasked(model, config),
            ["detokenize"] = model => Detokenize(model, config),
            ["decode"] = model => DecodeMasked(model, config),
        },
        Calls = new Dictionary<string, ReferenceCall>
        {
            ["tokenize"] = (networks, arguments, cancel) => TokenizeAsync(networks, arguments, config, cancel),
            ["encode"] = (networks, arguments, cancel) => EncodeMaskedAsync(networks, arguments, config, cancel),
        },
        Preparation = ImagePreparation.SignedRange(config.ImgSize, config.PatchSize, isFixed: true),
        Encode = TokenizerPlan.EncodeWith("encode_into_posteriors", "image", "tokens"),
        Decode = TokenizerPlan.DecodeWith("detokenize", "tokens", "decoded"),
    };

    private static void Encode(Scope model, LDeTokConfig config)
    {
        var moments = model.Stage("moments", LDeTokNetwork.Moments(model["encoder"], ImageInput(model, config), null, config));
        var (mean, logVariance) = moments.Chunk2();
        model.Graph.Output("mean", mean);
        model.Graph.Output("logvar", logVariance.Clip(-30, 20));
        var (center, deviation) = Statistics(model.Graph, config);
        model.Graph.Output("tokens", (mean.Swap(1, 2).Reshape(mean.Shape[0], config.TokenChannels, config.Grid, config.Grid) - center) * config.ScaleFactor / deviation);
    }

    private static void EncodeMasked(Scope model, LDeTokConfig config)
    {
        var kept = model.Graph.Input("ids_keep", ElementType.Int64, [TokenizerInputs.Batch, Dim.Symbol("kept")]);
        model.Graph.Output("masked_latent", LDeTokNetwork.Moments(model["encoder"], ImageInput(model, config), kept, config).Chunk2().Item1);
    }

    private static void Detokenize(Scope model, LDeTokConfig config)
    {
        var (center, deviation) = Statistics(model.Graph, config);
        var tokens = model.Graph.Input("tokens", [TokenizerInputs.Batch, config.TokenChannels, config.Grid, config.Grid]) * deviation / config.ScaleFactor + center;
        var decoded = LDeTokNetwork.Decode(model["decoder"], tokens.Flatten(2).Swap(1, 2), null, config);
        model.Graph.Output("decoded", decoded);
        model.Graph.Output("reconstruction", (decoded * 0.5 + 0.5).Clip(0, 1));
    }

    private static void DecodeMasked(Scope model, LDeTokConfig config)
    {
        var latent = model.Graph.Input("latent", [TokenizerInputs.Batch, Dim.Symbol("kept"), config.TokenChannels]);
        var restore = model.Graph.Input("ids_restore", ElementType.Int64, [TokenizerInputs.Batch, config.Grid * config.Grid]);
        model.Graph.Output("masked_reconstruction", LDeTokNetwork.Decode(model["decoder"], latent, restore, config));
    }

    // (1, C, 1, 1) each.
    private static (Value Mean, Value Deviation) Statistics(Graph graph, LDeTokConfig config)
    {
        var (means, deviations) = config.Statistics();
        return (graph.Constant<float>(means, 1, means.Length, 1, 1), graph.Constant<float>(deviations, 1, deviations.Length, 1, 1));
    }

    private static Value ImageInput(Scope model, LDeTokConfig config) => model.Graph.Input("image", [TokenizerInputs.Batch, 3, config.ImgSize, config.ImgSize]);

    // Sampled tokens: the mean plus the deviation times the noise, normalised, channels first.
    private static async ValueTask<CallResults> TokenizeAsync(NetworkSet networks, CallArguments arguments, LDeTokConfig config, CancellationToken cancel)
    {
        var outputs = await networks.RunAsync("encode_into_posteriors", cancel, ("image", arguments.Tensor("image"))).ConfigureAwait(false);
        var tokens = outputs["tokens"];
        if (!arguments.Literal("sampling", false)) return new CallResults().Add("tokens", tokens);
        var (noise, logVariance) = (arguments.Tensor<float>("noise"), outputs["logvar"]);
        var (places, deviations) = (config.Grid * config.Grid, config.Statistics().Deviations);
        for (var i = 0; i < tokens.Length; i++)
        {
            var (sample, channel, place) = (i / (config.TokenChannels * places), i / places % config.TokenChannels, i % places);
            var row = (sample * places + place) * config.TokenChannels + channel;
            tokens.Span[i] += (float)(MathF.Exp(0.5f * logVariance.Span[row]) * noise.Span[row] * config.ScaleFactor / deviations[channel]);
        }

        return new CallResults().Add("tokens_sampled", tokens);
    }

    // The patches with the smallest numbers are kept; the rest is masked.
    private static async ValueTask<CallResults> EncodeMaskedAsync(NetworkSet networks, CallArguments arguments, LDeTokConfig config, CancellationToken cancel)
    {
        var (uniform, places) = (arguments.Tensor<float>("mask_uniform"), config.Grid * config.Grid);
        var count = (int)Math.Ceiling(places * (1 - arguments.Literal<double>("mask_ratio")));
        var batch = (int)uniform.Shape[0];
        var (kept, restore) = (Tensor.Zeros<long>(batch, count), Tensor.Zeros<long>(batch, places));
        for (var sample = 0; sample < batch; sample++)
        {
            var numbers = uniform.Slice(sample);
            var order = Enumerable.Range(0, places).OrderBy(place => numbers.Span[place]).ToArray();
            for (var rank = 0; rank < places; rank++)
            {
                if (rank < count) kept[sample, rank] = order[rank];
                restore[sample, order[rank]] = rank;
            }
        }

        var outputs = await networks.RunAsync("encode_masked", cancel, ("image", arguments.Tensor("image")), ("ids_keep", kept)).ConfigureAwait(false);
        return outputs.ToResults().Add("ids_restore", restore);
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) => ValueTask.FromResult(ImageTokenizer.Open(source, _ => Plan(source.ReadConfig<LDeTokConfig>()), copies: ["model_ema", "model"]));
}
