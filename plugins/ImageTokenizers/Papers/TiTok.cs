// An Image is Worth 32 Tokens for Reconstruction and Generation. Yu, Weber, Deng, Shen, Cremers, Chen. arXiv:2406.07550. github.com/bytedance/1d-tokenizer
// Published layouts: config.json + model.safetensors (yucornetto/tokenizer_titok_*), tokens of a codebook and continuous ones.
// Deviations: a prefix of the tokens decodes, which the paper does not train for; the picture is then what the model makes of the first tokens alone.
using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>TiTok: a picture as a short sequence of tokens.</summary>
public static class TiTokModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-tokenizers/titok",
            Paper = "An Image is Worth 32 Tokens for Reconstruction and Generation",
            ArXiv = "2406.07550",
            Authors = ["Qihang Yu", "Mark Weber", "Xueqing Deng", "Xiaohui Shen", "Daniel Cremers", "Liang-Chieh Chen"],
            Repository = "bytedance/1d-tokenizer",
            CodeLicense = "Apache-2.0",
            WeightsLicense = "Apache-2.0",
            Inputs = [Modality.Image],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["authors: config.json + model.safetensors"],
            Sizes =
            [
                new("yucornetto/tokenizer_titok_l32_imagenet", 641_054_735, []),
                new("yucornetto/tokenizer_titok_b64_imagenet", 204_814_095, []),
                new("yucornetto/tokenizer_titok_s128_imagenet", 83_674_639, []),
                new("yucornetto/tokenizer_titok_bl64_vq8k_imagenet", 390_016_148, []),
                new("yucornetto/tokenizer_titok_bl128_vq8k_imagenet", 390_179_988, []),
                new("yucornetto/tokenizer_titok_sl256_vq8k_imagenet", 330_260_884, []),
                new("yucornetto/tokenizer_titok_ll32_vae_c16_imagenet", 606_879_604, []),
                new("yucornetto/tokenizer_titok_bl64_vae_c16_imagenet", 389_418_100, []),
                new("yucornetto/tokenizer_titok_bl128_vae_c16_imagenet", 389_581_940, []),
            ],
            Deviations = "A prefix of the tokens decodes, which the paper does not train for.",
        },
        OpenAsync);

    /// <summary>The networks for a published configuration.</summary>
    internal static TokenizerPlan Plan(TiTokConfig config)
    {
        var (sizes, size) = (config.VqModel, config.Preprocessing.CropSize);
        return new()
        {
            Networks = new Dictionary<string, Action<Scope>> { ["encode"] = titok => TiTokNetwork.Encode(titok, sizes, size), ["decode_tokens"] = titok => TiTokNetwork.DecodeTokens(titok, sizes, size) },
            Preparation = ImagePreparation.UnitRange(size, sizes.VitEncPatchSize, isFixed: true),
            Layout = TokenLayout.Flat,
            VocabularySizes = sizes.QuantizeMode == "vae" ? [] : [sizes.CodebookSize],
            Codebooks = sizes.QuantizeMode == "vae" ? [] : ["quantize.embedding.weight"],
            PrefixTokens = sizes.NumLatentTokens,
            TrainingOnly = [@"^quantize\.embed_prob$"],
            Encode = (networks, picture, _, cancel) => OneDimensional.EncodeAsync(networks, picture, sizes, cancel),
            Decode = (networks, codes, _, cancel) => OneDimensional.DecodeAsync(networks, codes, cancel),
        };
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) =>
        ValueTask.FromResult(ImageTokenizer.Open(source, _ => Plan(TiTokConfig.Read(source.RequireFolder()))));
}

/// <summary>The verbs of TiTok and its descendants: tokens are rows (N) or (N, C), the networks take pictures of height one.</summary>
internal static class OneDimensional
{
    public static async ValueTask<Tensor> EncodeAsync(NetworkSet networks, Tensor<float> picture, TiTokSizes sizes, CancellationToken cancel)
    {
        if (sizes.QuantizeMode != "vae") return (await networks.RunAsync("encode", cancel, ("image", picture)).ConfigureAwait(false)).Get<long>("codes").Reshape(1, sizes.NumLatentTokens);
        var mean = (await networks.RunAsync("encode", cancel, ("image", picture), ("noise", Tensor.Zeros<float>(1, sizes.TokenSize, 1, sizes.NumLatentTokens))).ConfigureAwait(false))["mean"];
        return Transposed(mean.Reshape(sizes.TokenSize, sizes.NumLatentTokens));            // (1, N, C)
    }

    public static async ValueTask<Tensor<float>> DecodeAsync(NetworkSet networks, Tensor codes, CancellationToken cancel, params (string, Tensor)[] guidance)
    {
        var tokens = codes is Tensor<float> latent ? Transposed(latent.Reshape(latent.Shape[1..])) is var t ? t.Reshape(1, t.Shape[1], 1, t.Shape[2]) : t : codes.Reshape(1, 1, codes.Shape[1]);
        return (await networks.RunAsync("decode_tokens", cancel, [("tokens", tokens), .. guidance]).ConfigureAwait(false))["reconstruction"];
    }

    // (rows, columns) -> (1, columns, rows).
    private static Tensor<float> Transposed(Tensor<float> x)
    {
        var (rows, columns) = ((int)x.Shape[0], (int)x.Shape[1]);
        var result = Tensor.Zeros<float>(1, columns, rows);
        for (var i = 0; i < rows; i++)
        {
            for (var j = 0; j < columns; j++) result.Span[j * rows + i] = x.Span[i * columns + j];
        }

        return result;
    }
}
