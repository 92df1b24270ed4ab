// Layton: Latent Consistency Tokenizer for 1024-pixel Image Reconstruction and Generation by 256 Tokens. Xie, Zhang, Huang, Zhang, Lu, Yang. arXiv:2503.08377. The repository OPPO-Mente-Lab/Layton held no code;
// the layout is that of the specification beside the parity case. Published layout: config.json + model.safetensors. Deviations: none; LaytonGen is not part of it.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;
using ModelZoo.Networks.Diffusion;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>The configuration.</summary>
public sealed record LaytonConfig
{
    /// <summary>The encoder.</summary>
    public LaytonEncoder Encoder { get; init; } = new();
    /// <summary>The latent consistency model.</summary>
    public UNetConfig Unet { get; init; } = new();
    /// <summary>The autoencoder that its latents belong to.</summary>
    public AutoencoderKlConfig Vae { get; init; } = new();
    /// <summary>Factor that brings latents to unit variance.</summary>
    public double ScalingFactor { get; init; } = 0.13025;
}

/// <summary>Sizes of the encoder.</summary>
public sealed record LaytonEncoder
{
    /// <summary>Height of the pictures.</summary>
    [Range(8, 4096)] public int ImageHeight { get; init; } = 256;
    /// <summary>Width of the pictures.</summary>
    [Range(8, 4096)] public int ImageWidth { get; init; } = 256;
    /// <summary>Pixels a patch.</summary>
    [Range(1, 256)] public int PatchSize { get; init; } = 16;
    /// <summary>Width.</summary>
    public int Width { get; init; } = 1024;
    /// <summary>Heads.</summary>
    public int Heads { get; init; } = 16;
    /// <summary>Blocks.</summary>
    public int Depth { get; init; } = 24;
    /// <summary>Tokens a picture.</summary>
    public int NumTokens { get; init; } = 256;
    /// <summary>Width of a code.</summary>
    public int TokenDim { get; init; } = 12;
    /// <summary>Number of codes.</summary>
    public int CodebookSize { get; init; } = 16384;

    /// <summary>Patches a picture.</summary>
    public int Patches => ImageHeight / PatchSize * (ImageWidth / PatchSize);
}

/// <summary>Layton: few tokens, painted in one or two steps by a latent consistency model.</summary>
public static class LaytonModel
{
    private const int Steps = 2;

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-tokenizers/layton",
            Paper = "Layton: Latent Consistency Tokenizer for 1024-pixel Image Reconstruction and Generation by 256 Tokens",
            ArXiv = "2503.08377",
            Authors = ["Qingsong Xie", "Zhao Zhang", "Zhe Huang", "Yanhao Zhang", "Haonan Lu", "Zhenyu Yang"],
            Repository = "OPPO-Mente-Lab/Layton",
            CodeLicense = "not known",
            Inputs = [Modality.Image],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["specification: config.json + model.safetensors"],
            Deviations = "Written from a specification: there is no public code.",
        },
        OpenAsync);

    /// <summary>The networks for a configuration.</summary>
    internal static TokenizerPlan Plan(LaytonConfig config)
    {
        var side = config.Unet.SampleSize is { ValueKind: System.Text.Json.JsonValueKind.Number } size ? size.GetInt32() : 128;
        return new()
        {
            Networks = new Dictionary<string, Action<Scope>>
            {
                ["encode"] = model => LaytonNetwork.Encode(model, config.Encoder),
                ["condition"] = model => LaytonNetwork.Condition(model, config),
                ["paint"] = model => LaytonNetwork.Paint(model, config),
            },
            SizedNetworks = new Dictionary<string, SizedNetwork> { ["epsilon"] = new((model, rows, columns) => LaytonNetwork.Epsilon(model, rows, columns, config), side, side) },
            Calls = new Dictionary<string, ReferenceCall>
            {
                ["decode"] = (networks, arguments, cancel) =>
                    DecodeAsync(networks, arguments.Tensor<long>("codes"), arguments.Tensor<float>("noise"), arguments.FindTensor<float>("step_noise"), arguments.Literal("steps", Steps), cancel),
            },
            Preparation = ImagePreparation.UnitRange(config.Encoder.ImageHeight, config.Encoder.PatchSize, isFixed: true),
            Layout = TokenLayout.Flat,
            VocabularySizes = [config.Encoder.CodebookSize],
            Codebooks = ["quantize.embedding.weight"],
            TrainingOnly = [@"^vae\.(encoder|quant_conv)\."],
            Encode = TokenizerPlan.EncodeWith("encode", "image", "codes"),
            Decode = async (networks, codes, options, cancel) =>
            {
                var draws = new PhiloxNoise(options.Seed, 1);
                var (noise, later) = (Tensor.Zeros<float>(1, config.Unet.InChannels, side, side), Tensor.Zeros<float>(Steps - 1, 1, config.Unet.InChannels, side, side));
                draws.Fill(noise.Span);
                draws.Fill(later.Span);
                return (await DecodeAsync(networks, codes.As<long>(), noise, later, Steps, cancel).ConfigureAwait(false)).Tensor($"reconstruction_{Steps}").As<float>();
            },
        };
    }

    // A consistency model (Luo et al., arXiv:2310.04378) over 1000 scaled-linear betas, of whose steps every 20th was distilled.
    private static async ValueTask<CallResults> DecodeAsync(NetworkSet networks, Tensor<long> codes, Tensor<float> noise, Tensor<float>? stepNoise, int steps, CancellationToken cancel)
    {
        const int Distilled = 50, Trained = 1000;
        var signal = AlphaProducts(Trained);
        int[] times = [.. Enumerable.Range(0, steps).Select(i => Trained / Distilled * (Distilled - (int)Math.Floor((double)Distilled * i / steps)) - 1)];
        var condition = (await networks.RunAsync("condition", cancel, ("codes", codes)).ConfigureAwait(false))["condition"];
        var (x, batch, predicted) = (Tensor.Create(noise.Span.ToArray(), noise.Shape), (int)noise.Shape[0], Tensor.Zeros<float>([steps, .. noise.Shape]));
        for (var step = 0; step < steps; step++)
        {
            var t = times[step];
            var epsilon = (await networks.RunAsync("epsilon", x.Shape[2], x.Shape[3], cancel, ("x", x), ("t", Tensor.Create(Enumerable.Repeat((float)t, batch).ToArray(), batch)), ("condition", condition)).ConfigureAwait(false))["epsilon"];
            epsilon.Span.CopyTo(predicted.Span[(step * x.Length)..]);
            var (scaled, product) = (10.0 * t, signal[t]);
            var (skip, output) = (0.25 / (scaled * scaled + 0.25), scaled / Math.Sqrt(scaled * scaled + 0.25));
            for (var i = 0; i < x.Length; i++)
            {
                var clean = (x.Span[i] - Math.Sqrt(1 - product) * epsilon.Span[i]) / Math.Sqrt(product);
                var denoised = output * clean + skip * x.Span[i];
                x.Span[i] = (float)(step == steps - 1 ? denoised : Math.Sqrt(signal[times[step + 1]]) * denoised + Math.Sqrt(1 - signal[times[step + 1]]) * stepNoise!.Span[step * x.Length + i]);
            }
        }

        var painted = await networks.RunAsync("paint", cancel, ("latent", x)).ConfigureAwait(false);
        return new CallResults().Add($"condition_{steps}", condition).Add($"timesteps_{steps}", Tensor.Create(times.Select(time => (long)time).ToArray(), steps)).Add($"epsilon_{steps}", predicted)
            .Add($"denoised_latent_{steps}", x).Add($"decoded_{steps}", painted["decoded"]).Add($"reconstruction_{steps}", painted["reconstruction"]);
    }

    private static double[] AlphaProducts(int trained)
    {
        var (products, product) = (new double[trained], 1.0);
        var (low, high) = (Math.Sqrt(0.00085), Math.Sqrt(0.012));
        for (var t = 0; t < trained; t++) products[t] = product *= 1 - Math.Pow(low + (high - low) * t / (trained - 1), 2);
        return products;
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) => ValueTask.FromResult(ImageTokenizer.Open(source, _ => Plan(source.ReadConfig<LaytonConfig>())));
}

internal static class LaytonNetwork
{
    /// <summary>image (B, 3, H, W) in 0..1 -> codes (B, K).</summary>
    public static void Encode(Scope model, LaytonEncoder size)
    {
        var (encoder, width) = (model["encoder"], size.Width);
        var image = model.Graph.Input("image", [TokenizerInputs.Batch, 3, size.ImageHeight, size.ImageWidth]);
        var patches = model.Stage("patch_embed", encoder["patch_embed"].PatchEmbed(image, width, size.PatchSize));
        var first = encoder.Weight("class_embedding", 1, width).Unsqueeze(0).Expand(image.Shape[0], 1, width);
        var seen = ValueShape.Concat(1, first, patches) + encoder.Weight("positional_embedding", size.Patches + 1, width);
        var queries = (model.Weight("latent_tokens", size.NumTokens, width) + encoder.Weight("latent_token_positional_embedding", size.NumTokens, width)).Unsqueeze(0).Expand(image.Shape[0], size.NumTokens, width);
        var x = encoder["ln_pre"].LayerNorm(ValueShape.Concat(1, seen, queries));
        for (var i = 0; i < size.Depth; i++) x = model.Stage($"encoder_block_{i}", encoder["transformer"][i].VitBlock(x, size.Heads, 1e-5, mlpRatio: Ratio(encoder, width)));
        var latent = model.Stage("latent", encoder["conv_out"].Linear(encoder["ln_post"].LayerNorm(x.Last(1, size.NumTokens)), size.TokenDim));
        var table = Table(model, size);
        var codes = VectorQuantization.Nearest(latent.L2Normalize(), table);
        model.Graph.Output("codes", codes);
        model.Graph.Output("quantized", table.Gather(codes));
    }

    /// <summary>codes (B, K) -> what the denoiser looks at (B, K, E).</summary>
    public static void Condition(Scope model, LaytonConfig config)
    {
        var (tokens, width, projection) = (config.Encoder.NumTokens, config.Unet.TextWidth, model["cond_proj"]);
        var quantized = Table(model, config.Encoder).Gather(model.Graph.Input("codes", ElementType.Int64, [TokenizerInputs.Batch, tokens]));
        model.Graph.Output("condition", projection["linear"].Linear(projection["norm"].LayerNorm(quantized), width) + model.Weight("cond_pos", tokens, width));
    }

    /// <summary>The noise of latents x (B, C, h, w) at times t (B).</summary>
    public static void Epsilon(Scope model, int rows, int columns, LaytonConfig config)
    {
        var g = model.Graph;
        var x = g.Input("x", [TokenizerInputs.Batch, config.Unet.InChannels, rows, columns]);
        var condition = g.Input("condition", [TokenizerInputs.Batch, config.Encoder.NumTokens, config.Unet.TextWidth]);
        g.Output("epsilon", UNetNetwork.Build(model["unet"], x, g.Input("t", [TokenizerInputs.Batch]), condition, config.Unet, stages: "unet_"));
    }

    /// <summary>latent (B, C, h, w) -> picture (B, 3, H, W) in 0..1.</summary>
    public static void Paint(Scope model, LaytonConfig config)
    {
        var decoded = AutoencoderKl.Decode(model["vae"], model.Latents("latent", config.Vae.LatentChannels) / config.ScalingFactor, config.Vae);
        model.Graph.Output("decoded", decoded);
        model.Graph.Output("reconstruction", ((decoded + 1) / 2).Clip(0, 1));
    }

    private static Value Table(Scope model, LaytonEncoder size) => model["quantize.embedding"].Weight("weight", size.CodebookSize, size.TokenDim).L2Normalize();

    // The width of the perceptrons is that of the tensors.
    private static double Ratio(Scope encoder, int width) => encoder.IsInventory ? 4 : (double)encoder["transformer.0.mlp.fc1"].ShapeOf("weight")[0] / width;
}
