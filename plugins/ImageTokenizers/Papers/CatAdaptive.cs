// CAT: Content-Adaptive Image Tokenization. Shen, Tirumala, Yasunaga, Misra, Zettlemoyer, Yu, Zhou. arXiv:2501.03120. The authors published no code; the layout is that of the specification beside the parity case.
// Published layout: config.json + model.safetensors (AutoencoderKL's names, then dit.*). Deviations: the verbs encode at the coarsest ratio; the language model that scores captions is not part of it.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>The configuration.</summary>
public sealed record CatConfig
{
    /// <summary>Compression ratios along each side, smallest first.</summary>
    [MinLength(1)] public int[] Ratios { get; init; } = [8, 16, 32];
    /// <summary>The nested autoencoder.</summary>
    public AutoencoderKlConfig Vae { get; init; } = new();
    /// <summary>The diffusion transformer.</summary>
    public CatDit Dit { get; init; } = new();

    /// <summary>Places of the latent along each side, of pictures of the size that the autoencoder was trained on.</summary>
    internal int Side(int ratio) => Math.Max(Vae.SampleSize / ratio, Dit.PatchSize);

    /// <summary>The autoencoder of one ratio: the first levels of the nested one.</summary>
    public AutoencoderKlConfig At(int ratio)
    {
        var levels = (int)Math.Log2(ratio) + 1;
        return Vae with
        {
            BlockOutChannels = Vae.BlockOutChannels[..levels],
            DownBlockTypes = [.. Enumerable.Repeat("DownEncoderBlock2D", levels)],
            UpBlockTypes = [.. Enumerable.Repeat("UpDecoderBlock2D", levels)],
        };
    }
}

/// <summary>Sizes of the diffusion transformer.</summary>
public sealed record CatDit
{
    /// <summary>Places a patch.</summary>
    public int PatchSize { get; init; } = 2;
    /// <summary>Width.</summary>
    public int HiddenSize { get; init; } = 1152;
    /// <summary>Blocks.</summary>
    public int Depth { get; init; } = 28;
    /// <summary>Heads.</summary>
    public int NumHeads { get; init; } = 16;
    /// <summary>Width of the perceptrons, in units of the width.</summary>
    public double MlpRatio { get; init; } = 4;
    /// <summary>Classes.</summary>
    public int NumClasses { get; init; } = 1000;
}

/// <summary>CAT: the simpler a picture, the fewer tokens.</summary>
public static class CatAdaptiveModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-tokenizers/cat-adaptive",
            Paper = "CAT: Content-Adaptive Image Tokenization",
            ArXiv = "2501.03120",
            Authors = ["Junhong Shen", "Kushal Tirumala", "Michihiro Yasunaga", "Ishan Misra", "Luke Zettlemoyer", "Lili Yu", "Chunting Zhou"],
            Inputs = [Modality.Image],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["specification: config.json + model.safetensors"],
            Deviations = "The verbs encode at the coarsest ratio; captions are not scored.",
        },
        OpenAsync);

    /// <summary>The networks for a configuration: an encoder and a decoder for each ratio, on shared weights.</summary>
    internal static TokenizerPlan Plan(CatConfig config)
    {
        var networks = new Dictionary<string, Action<Scope>>();
        foreach (var ratio in config.Ratios)
        {
            networks[$"encode_{ratio}"] = model => Encode(model, ratio, config);
            networks[$"decode_{ratio}"] = model => Decode(model, ratio, config);
        }

        var coarsest = config.Ratios[^1];
        return new()
        {
            Networks = networks,
            // The transformer's positions need the grid.
            SizedNetworks = config.Ratios.ToDictionary(ratio => $"denoise_{ratio}", ratio => new SizedNetwork((model, rows, columns) => Denoise(model, ratio, rows, columns, config), config.Side(ratio), config.Side(ratio))),
            Calls = new Dictionary<string, ReferenceCall>
            {
                ["ratio"] = (_, arguments, _) => ValueTask.FromResult(new CallResults().Add("ratio", Ratios(arguments, config))),
                ["encode"] = async (set, arguments, cancel) => (await set.RunAsync(Named("encode", arguments, config), arguments, cancel).ConfigureAwait(false)).ToResults(),
                ["decode"] = async (set, arguments, cancel) => (await set.RunAsync(Named("decode", arguments, config), arguments, cancel).ConfigureAwait(false)).ToResults(),
                ["denoise"] = async (set, arguments, cancel) =>
                    (await set.RunAsync(Named("denoise", arguments, config), arguments.Tensor("x").Shape[2], arguments.Tensor("x").Shape[3], arguments, cancel).ConfigureAwait(false)).ToResults(),
            },
            Preparation = ImagePreparation.SignedRange(0, coarsest),
            Encode = async (set, picture, _, cancel) => (await set.RunAsync($"encode_{coarsest}", cancel, ("image", picture),
                ("noise", Tensor.Zeros<float>(1, config.Vae.LatentChannels, picture.Shape[2] / coarsest, picture.Shape[3] / coarsest))).ConfigureAwait(false))[$"mean_{coarsest}"],
            Decode = TokenizerPlan.DecodeWith($"decode_{coarsest}", "latent", $"reconstruction_{coarsest}"),
        };
    }

    private static void Encode(Scope model, int ratio, CatConfig config)
    {
        var g = model.Graph;
        var vae = config.At(ratio);
        var h = DiffusersAutoencoder.Encoder(model["encoder"], g.Input("image", [TokenizerInputs.Batch, vae.InChannels, Dim.Symbol("rows") * ratio, Dim.Symbol("columns") * ratio]), vae, 2 * vae.LatentChannels, $"mid_{ratio}");
        var posterior = DiagonalGaussian.Of(model["quant_conv"].Conv(h, 2 * vae.LatentChannels, 1));
        g.Output($"mean_{ratio}", posterior.Mean);
        g.Output($"logvar_{ratio}", posterior.LogVariance);
        g.Output($"latent_{ratio}", posterior.Sample(g.Input("noise", posterior.Mean.Shape)));
    }

    private static void Decode(Scope model, int ratio, CatConfig config)
    {
        var vae = config.At(ratio);
        var z = model["post_quant_conv"].Conv(model.Latents("latent", vae.LatentChannels), vae.LatentChannels, 1);
        model.Graph.Output($"reconstruction_{ratio}", DiffusersAutoencoder.Decoder(model["decoder"], z, vae, firstLevel: config.Vae.BlockOutChannels.Length - vae.BlockOutChannels.Length));
    }

    private static void Denoise(Scope model, int ratio, int rows, int columns, CatConfig config)
    {
        var (g, dit, size, channels) = (model.Graph, model["dit"], config.Dit, config.Vae.LatentChannels);
        var (width, x) = (size.HiddenSize, g.Input("x", [TokenizerInputs.Batch, channels, rows, columns]));
        var (high, wide) = (rows / size.PatchSize, columns / size.PatchSize);
        var time = dit["t_embedder.mlp"][2].Linear(dit["t_embedder.mlp"][0].Linear(g.Input("t", ElementType.Int64, [TokenizerInputs.Batch]).Sinusoid(256), width).Silu(), width);
        var kinds = dit["r_embedder.embedding_table"].Weight("weight", config.Ratios.Length, width).Gather(g.Constant([(long)Array.IndexOf(config.Ratios, ratio)]));
        var classes = dit["y_embedder.embedding_table"].Embedding(g.Input("y", ElementType.Int64, [TokenizerInputs.Batch]), size.NumClasses + 1, width);
        var condition = model.Stage("dit_condition", time + classes + kinds).Silu();
        var h = model.Stage("dit_patch_embed", dit["x_embedder.proj"].PatchEmbed(x, width, size.PatchSize) + PositionLayers.SinCosGrid(g, high, wide, width));
        for (var i = 0; i < size.Depth; i++)
        {
            var block = dit["blocks"][i];
            var (shift1, scale1, gate1, shift2, scale2, gate2) = block["adaLN_modulation.1"].Linear(condition, 6 * width).Chunk6();
            h += gate1.Unsqueeze(1) * block["attn"].SelfAttention(h.LayerNorm(1e-6).Modulate(shift1, scale1), size.NumHeads);
            h = model.Stage($"dit_block_{i}", h + gate2.Unsqueeze(1) * block["mlp"].Mlp(h.LayerNorm(1e-6).Modulate(shift2, scale2), (long)(width * size.MlpRatio), value => value.Gelu(Gelu.Tanh)));
        }

        var last = dit["final_layer"];
        var (shift, scale) = last["adaLN_modulation.1"].Linear(condition, 2 * width).Chunk2();
        var pixels = last["linear"].Linear(h.LayerNorm(1e-6).Modulate(shift, scale), 2 * channels * size.PatchSize * size.PatchSize);
        g.Output("noise_and_variance", pixels.Unpatchify(size.PatchSize, high, wide, 2 * channels));
    }

    // Low scores are simple pictures, which take the coarsest ratio.
    private static Tensor<long> Ratios(CallArguments arguments, CatConfig config)
    {
        var scores = arguments.Tensor<long>("score");
        var (low, high) = (arguments.Literal("threshold_low", 4L), arguments.Literal("threshold_high", 7L));
        var ratios = Tensor.Zeros<long>(scores.Shape);
        for (var i = 0; i < ratios.Length; i++) ratios.Span[i] = config.Ratios[scores.Span[i] < low ? ^1 : scores.Span[i] < high ? ^2 : ^3];
        return ratios;
    }

    private static string Named(string call, CallArguments arguments, CatConfig config) => arguments.Literal<int>("ratio") is var ratio && config.Ratios.Contains(ratio)
        ? $"{call}_{ratio}"
        : throw new OptionsException(ErrorCodes.OptionRange, "The autoencoder has no such ratio.") { Where = "ratio", Expected = string.Join(", ", config.Ratios), Found = ratio.ToString() };

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) => ValueTask.FromResult(ImageTokenizer.Open(source, _ => Plan(source.ReadConfig<CatConfig>())));
}
