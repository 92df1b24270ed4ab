// Visual Autoregressive Modeling: Scalable Image Generation via Next-Scale Prediction. Tian, Jiang, Yuan, Peng, Wang. arXiv:2404.02905. github.com/FoundationVision/VAR
// Published layout: vae_ch160v4096z32.pth; sizes are arguments of the authors' class. Deviations: none.
using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>VAR's tokenizer: scales from coarse to fine.</summary>
public static class VarVqvaeModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-tokenizers/var-vqvae",
            Paper = "Visual Autoregressive Modeling: Scalable Image Generation via Next-Scale Prediction",
            ArXiv = "2404.02905",
            Authors = ["Keyu Tian", "Yi Jiang", "Zehuan Yuan", "Bingyue Peng", "Liwei Wang"],
            Repository = "FoundationVision/VAR",
            CodeLicense = "MIT",
            Inputs = [Modality.Image],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["authors: vae_ch160v4096z32.pth"],
            Sizes = [new("FoundationVision/var: vae_ch160v4096z32", 108_948_355, [])],
        },
        OpenAsync);

    /// <summary>The networks for a configuration.</summary>
    internal static TokenizerPlan Plan(VarVqvaeConfig config)
    {
        var size = config.VPatchNums[^1] << (config.ChMult.Length - 1);
        return new()
        {
            Networks = new Dictionary<string, Action<Scope>>
            {
                ["img_to_idxBl"] = vae => Encode(vae, config, size),
                ["idxBl_to_img"] = vae => Decode(vae, config),
                ["idxBl_to_var_input"] = vae => NextScales(vae, config),
            },
            Preparation = ImagePreparation.SignedRange(size, size, isFixed: true),
            Layout = TokenLayout.CoarseToFine,
            VocabularySizes = [config.VocabSize],
            Codebooks = ["quantize.embedding.weight"],
            TrainingOnly = [@"^quantize\.ema_vocab_hit_SV$", MultiScaleQuantizer.Spare],
            Encode = TokenizerPlan.EncodeWith("img_to_idxBl", "x", "codes"),
            Decode = TokenizerPlan.DecodeWith("idxBl_to_img", "codes", "reconstruction"),
        };
    }

    private static void Encode(Scope vae, VarVqvaeConfig config, int size)
    {
        var h = LdmAutoencoder.Encoder(vae["encoder"], vae.Graph.Input("x", [TokenizerInputs.Batch, 3, size, size]), config.Ddconfig);
        var latent = vae.Stage("latent", vae["quant_conv"].Conv(h, config.ZChannels, config.QuantConvKs, padding: config.QuantConvKs / 2));
        var (codes, sum) = new MultiScaleQuantizer(vae["quantize"], config.Quantizer).Quantize(latent);
        vae.Graph.Output("codes", codes);
        vae.Graph.Output("fhat", sum);
    }

    private static void Decode(Scope vae, VarVqvaeConfig config)
    {
        var sum = new MultiScaleQuantizer(vae["quantize"], config.Quantizer).Parts(CodesInput(vae, config), config.VPatchNums.Length).Aggregate((a, b) => a + b);
        vae.Graph.Output("reconstruction", VarVqvae.Decode(vae, sum, config));
    }

    // What the transformer reads before it predicts scales 2, 3...: the sum so far, shrunk to the next scale.
    private static void NextScales(Scope vae, VarVqvaeConfig config)
    {
        var inputs = new List<Value>();
        Value? sum = null;
        foreach (var part in new MultiScaleQuantizer(vae["quantize"], config.Quantizer).Parts(CodesInput(vae, config), config.VPatchNums.Length - 1))
        {
            sum = sum is null ? part : sum + part;
            var side = config.VPatchNums[inputs.Count + 1];
            inputs.Add(sum.Interpolate(Interpolation.Area, [side, side]).Flatten(2).Swap(1, 2));
        }

        vae.Graph.Output("var_input", ValueShape.Concat(1, [.. inputs]));
    }

    private static Value CodesInput(Scope vae, VarVqvaeConfig config) => vae.Graph.Input("codes", ElementType.Int64, [TokenizerInputs.Batch, config.Tokens]);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) =>
        ValueTask.FromResult(ImageTokenizer.Open(source, _ => Plan(source.ReadConfig<VarVqvaeConfig>())));
}
