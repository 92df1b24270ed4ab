// UniFlow: A Unified Pixel Flow Tokenizer for Visual Understanding and Generation. Yue et al. arXiv:2510.10575. github.com/ZhengrongYue/UniFlow
// Published layout: config.json + model.safetensors. Deviations: none.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>The published <c>config.json</c>.</summary>
public sealed record UniFlowConfig
{
    /// <summary>Pixels a patch.</summary>
    [Range(1, 256)] public int PatchSize { get; init; } = 14;
    /// <summary>Size of the pictures.</summary>
    [Range(8, 4096)] public int ImageSize { get; init; } = 224;
    /// <summary>Width.</summary>
    public int VitHiddenSize { get; init; } = 1024;
    /// <summary>Heads of the encoder.</summary>
    public int NumAttentionHeads { get; init; } = 25;
    /// <summary>Width of the perceptrons.</summary>
    public int IntermediateSize { get; init; } = 12800;
    /// <summary>Blocks of the encoder.</summary>
    public int NumHiddenLayers { get; init; } = 48;
    /// <summary>Whether queries, keys and values have biases.</summary>
    public bool QkvBias { get; init; }
    /// <summary>Whether queries and keys are normalised over their whole width.</summary>
    public bool QkNormalization { get; init; } = true;
    /// <summary>Norm of the encoder: <c>rms_norm</c> or <c>layer_norm</c>.</summary>
    [AllowedValues("rms_norm", "layer_norm")] public string NormType { get; init; } = "rms_norm";
    /// <summary>Epsilon of the encoder's norms.</summary>
    public double LayerNormEps { get; init; } = 1e-6;
    /// <summary>Activation of the encoder.</summary>
    public string HiddenAct { get; init; } = "gelu";
    /// <summary>Channels of a latent.</summary>
    public int LatentCh { get; init; } = 64;
    /// <summary>Blocks of the decoder in which places look at each other.</summary>
    public int GlobalBlocksDepth { get; init; } = 6;
    /// <summary>Residual blocks of the flow head.</summary>
    public int NumDecoderLayers { get; init; } = 12;
    /// <summary>Steps of the flow.</summary>
    public string NumSamplingSteps { get; init; } = "100";
    /// <summary>Whether latents are narrower than the features.</summary>
    [AllowedValues(true)] public bool UseChalProj { get; init; } = true;

    /// <summary>Patches along each side.</summary>
    public int Grid => ImageSize / PatchSize;
    /// <summary>Numbers of a patch.</summary>
    public int Pixels => 3 * PatchSize * PatchSize;
}

/// <summary>UniFlow: features of a vision model as latents, pixels by a small flow at each patch.</summary>
public static class UniFlowModel
{
    private const int GlobalHeads = 16;

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-tokenizers/uniflow",
            Paper = "UniFlow: A Unified Pixel Flow Tokenizer for Visual Understanding and Generation",
            ArXiv = "2510.10575",
            Authors = ["Zhengrong Yue", "Haiyu Zhang", "Xiangyu Zeng", "Boyu Chen", "Chenting Wang", "Shaobin Zhuang", "Lu Dong", "KunPeng Du", "Yi Wang", "Limin Wang", "Yali Wang"],
            Repository = "ZhengrongYue/UniFlow",
            CodeLicense = "none stated",
            Inputs = [Modality.Image],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["authors: config.json + model.safetensors"],
            Sizes = [new("ZhengrongYue/UniFlow", 452_586_124, [])],
        },
        OpenAsync);

    /// <summary>The networks for a published configuration.</summary>
    internal static TokenizerPlan Plan(UniFlowConfig config) => new()
    {
        Networks = new Dictionary<string, Action<Scope>>
        {
            ["condition"] = model => Condition(model, config),
            ["flow_net"] = model => model.Graph.Output("velocity", Velocity(model["flow_head.net"], config)),
        },
        SizedNetworks = new Dictionary<string, SizedNetwork> { ["encode"] = new((model, rows, columns) => Encode(model, rows, columns, config), config.Grid, config.Grid) },
        Calls = new Dictionary<string, ReferenceCall>
        {
            ["encode"] = (networks, arguments, cancel) => EncodeAsync(networks, arguments, config, cancel),
            ["decode"] = (networks, arguments, cancel) => DecodeAsync(networks, arguments.Tensor<float>("latent"), arguments.Tensor<float>("noise"), config, cancel),
            ["flow_head"] = (networks, arguments, cancel) => FlowAsync(networks, arguments, config, cancel),
        },
        Preparation = ImagePreparation.SignedRange(config.ImageSize, config.ImageSize, isFixed: true),
        Layout = TokenLayout.Flat,
        TrainingOnly = [@"mask_token$", @"^distill"],
        Encode = async (networks, picture, _, cancel) => (await networks.RunAsync("encode", config.Grid, config.Grid, cancel, ("pixel_values", picture)).ConfigureAwait(false))["latent"],
        Decode = async (networks, latent, options, cancel) =>
            (Tensor<float>)(await DecodeAsync(networks, (Tensor<float>)latent, Noise.Normal(options.Seed, config.Grid * config.Grid, config.Pixels), config, cancel).ConfigureAwait(false)).Tensor("reconstruction"),
    };

    // Pictures of another size than the published one have their positions resized.
    private static void Encode(Scope model, int rows, int columns, UniFlowConfig config)
    {
        var (embeddings, width, patch) = (model["embeddings"], config.VitHiddenSize, config.PatchSize);
        var image = model.Graph.Input("pixel_values", [TokenizerInputs.Batch, 3, rows * patch, columns * patch]);
        var positions = embeddings.Weight("position_embedding", 1, config.Grid * config.Grid + 1, width);
        var places = positions.From(1, 1).Reshape(1, config.Grid, config.Grid, width).ChannelsFirst().Interpolate(Interpolation.Cubic, [rows, columns]).ChannelsLast().Reshape(1, rows * columns, width);
        var x = ValueShape.Concat(1, embeddings.Weight("class_embedding", 1, 1, width).Expand(image.Shape[0], 1, width), embeddings["patch_embedding"].PatchEmbed(image, width, patch)) + ValueShape.Concat(1, positions.Take(1, 1), places);
        model.Stage("embeddings", x);
        for (var i = 0; i < config.NumHiddenLayers; i++) x = model.Stage($"block_{i}", Block(model["encoder.layers"][i], x, config));
        x = model.Stage("encoder_out", x).From(1, 1);
        model.Graph.Output("latent", Project(model["chal_proj"], x, width, config.LatentCh));
    }

    private static async ValueTask<CallResults> EncodeAsync(NetworkSet networks, CallArguments arguments, UniFlowConfig config, CancellationToken cancel)
    {
        var image = arguments.Tensor("pixel_values");
        return (await networks.RunAsync("encode", image.Shape[2] / config.PatchSize, image.Shape[3] / config.PatchSize, cancel, ("pixel_values", image)).ConfigureAwait(false)).ToResults();
    }

    // InternViT's block: each branch scaled per channel.
    private static Value Block(Scope block, Value x, UniFlowConfig config)
    {
        var width = config.VitHiddenSize;
        Value Norm(Scope scope, Value value) => config.NormType == "rms_norm" ? scope.RmsNorm(value, config.LayerNormEps) : scope.LayerNorm(value, config.LayerNormEps);
        var (q, k, v) = block["attn.qkv"].Qkv(Norm(block["norm1"], x), width, config.QkvBias);
        if (config.QkNormalization) (q, k) = (block["attn.q_norm"].RmsNorm(q, config.LayerNormEps), block["attn.k_norm"].RmsNorm(k, config.LayerNormEps));
        x += block["attn.proj"].Linear(AttentionLayers.Attention(q, k, v, new() { Heads = config.NumAttentionHeads }), width) * block.Weight("ls1", width);
        return x + block["mlp"].Mlp(Norm(block["norm2"], x), config.IntermediateSize, Activations.Named(config.HiddenAct)) * block.Weight("ls2", width);
    }

    private static void Condition(Scope model, UniFlowConfig config)
    {
        var (places, width) = (config.Grid * config.Grid, config.VitHiddenSize);
        var x = model.Stage("chal_unproj", Project(model["chal_unproj"], model.Graph.Input("latent", [TokenizerInputs.Batch, places, config.LatentCh]), width, width));
        x += model.Weight("global_block_pos_embed", 1, places, width);
        for (var i = 0; i < config.GlobalBlocksDepth; i++) x = model.Stage($"global_block_{i}", model["global_blocks"][i].VitBlock(x, GlobalHeads, 1e-5));

        model.Graph.Output("condition", x + model.Weight("decoder_pos_embed", 1, places, width));
    }

    private static Value Project(Scope scope, Value x, int hidden, int outputs) => scope["c_proj"].Linear(scope["c_fc"].Linear(x, hidden).Gelu(), outputs);

    // MAR's perceptron with adaptive norms (Li et al., arXiv:2406.11838): x (rows, pixels), t (rows), c (rows, D) -> (rows, pixels).
    private static Value Velocity(Scope net, UniFlowConfig config)
    {
        var (g, rows, width) = (net.Graph, Dim.Symbol("rows"), config.VitHiddenSize);
        var (x, t, c) = (g.Input("x", [rows, config.Pixels]), g.Input("t", [rows]), g.Input("c", [rows, width]));
        var time = net["time_embed.mlp"][2].Linear(net["time_embed.mlp"][0].Linear(t.Sinusoid(256), width).Silu(), width);
        var y = (time + net["cond_embed"].Linear(c, width)).Silu();
        var h = net["input_proj"].Linear(x, width);
        for (var i = 0; i < config.NumDecoderLayers; i++)
        {
            var block = net["res_blocks"][i];
            var (shift, scale, gate) = block["adaLN_modulation.1"].Linear(y, 3 * width).Chunk3();
            h += gate * block["mlp"].Mlp(block["in_ln"].LayerNorm(h, 1e-6) * (scale + 1) + shift, width, value => value.Silu(), "0", "2");
        }

        var (lastShift, lastScale) = net["final_layer.adaLN_modulation.1"].Linear(y, 2 * width).Chunk2();
        return net["final_layer.linear"].Linear(h.LayerNorm(1e-6) * (lastScale + 1) + lastShift, config.Pixels);
    }

    private static async ValueTask<CallResults> DecodeAsync(NetworkSet networks, Tensor<float> latent, Tensor<float> noise, UniFlowConfig config, CancellationToken cancel)
    {
        var results = (await networks.RunAsync("condition", cancel, ("latent", latent)).ConfigureAwait(false)).ToResults();
        return results.Add("reconstruction", await SampleAsync(networks, results.Tensor("condition").As<float>(), noise, "linear", 1, config, cancel).ConfigureAwait(false));
    }

    private static async ValueTask<CallResults> FlowAsync(NetworkSet networks, CallArguments arguments, UniFlowConfig config, CancellationToken cancel)
    {
        var image = await SampleAsync(networks, arguments.Tensor<float>("z"), arguments.Tensor<float>("noise"), arguments.Literal("schedule", "linear"), arguments.Literal("cfg", 1f), config, cancel).ConfigureAwait(false);
        return new CallResults().AddNumbered("image", image);
    }

    // Euler from noise (t = 0) to pixels (t = 1); the network reads 1000 t. Guidance is against a condition of zeros.
    private static async ValueTask<Tensor<float>> SampleAsync(NetworkSet networks, Tensor<float> condition, Tensor<float> noise, string schedule, float guidance, UniFlowConfig config, CancellationToken cancel)
    {
        var rows = (int)noise.Shape[0];
        var c = condition.Reshape(rows, config.VitHiddenSize);
        var nothing = Tensor.Zeros<float>(rows, config.VitHiddenSize);
        var x = Tensor.Create(noise.Span.ToArray(), noise.Shape);
        var times = Times(schedule, int.Parse(config.NumSamplingSteps, System.Globalization.CultureInfo.InvariantCulture));
        for (var step = 0; step < times.Length - 1; step++)
        {
            var t = Tensor.Create([.. Enumerable.Repeat((float)(1000 * times[step]), rows)], rows);
            async Task<Tensor<float>> RunAsync(Tensor<float> given) => (await networks.RunAsync("flow_net", cancel, ("x", x), ("t", t), ("c", given)).ConfigureAwait(false))["velocity"];
            var velocity = await RunAsync(c).ConfigureAwait(false);
            var without = guidance == 1 ? velocity : await RunAsync(nothing).ConfigureAwait(false);
            var width = (float)(times[step + 1] - times[step]);
            for (var i = 0; i < x.Length; i++) x.Span[i] += width * (without.Span[i] + guidance * (velocity.Span[i] - without.Span[i]));
        }

        return Picture(x, config);
    }

    private static double[] Times(string schedule, int steps)
    {
        if (schedule == "linear") return [.. Enumerable.Range(0, steps + 1).Select(i => (double)i / steps)];
        if (!schedule.StartsWith("pow_", StringComparison.Ordinal) || !double.TryParse(schedule[4..], System.Globalization.CultureInfo.InvariantCulture, out var power))
            throw new OptionsException(ErrorCodes.OptionRange, "The schedule is not known.") { Where = "schedule", Expected = "linear, pow_P", Found = schedule };
        return [.. Enumerable.Range(0, steps + 1).Select(i => 1 - Math.Pow(steps - i, 1 / power) / Math.Pow(steps, 1 / power))];
    }

    // Rows of pixels, (channel, row in patch, column in patch), as pictures.
    private static Tensor<float> Picture(Tensor<float> x, UniFlowConfig config)
    {
        var (grid, patch, size) = (config.Grid, config.PatchSize, config.ImageSize);
        var batch = (int)x.Shape[0] / (grid * grid);
        var picture = Tensor.Zeros<float>(batch, 3, size, size);
        for (var i = 0; i < x.Length; i++)
        {
            var (row, within) = (i / config.Pixels, i % config.Pixels);
            var (sample, place) = (row / (grid * grid), row % (grid * grid));
            var (channel, y, column) = (within / (patch * patch), within / patch % patch, within % patch);
            picture.Span[((sample * 3 + channel) * size + place / grid * patch + y) * size + place % grid * patch + column] = x.Span[i];
        }

        return picture;
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) => ValueTask.FromResult(ImageTokenizer.Open(source, _ => Plan(source.ReadConfig<UniFlowConfig>())));
}
