// Democratizing Text-to-Image Masked Generative Models with Compact Text-Aware One-Dimensional Tokens. Kim, He, Yu, Yang, Shen, Kwak, Chen. arXiv:2501.07730. github.com/bytedance/1d-tokenizer
// Published layout: config.json + model.safetensors (turkeyju/tokenizer_tatitok_*). Deviations: the text features that guide the decoder are an argument of the authors' call;
// without a caption's features detokenize gives zeros to the decoder.
using ModelZoo.Contracts;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>TA-TiTok: TiTok whose decoder also reads a caption.</summary>
public static class TaTiTokModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-tokenizers/ta-titok",
            Paper = "Democratizing Text-to-Image Masked Generative Models with Compact Text-Aware One-Dimensional Tokens",
            ArXiv = "2501.07730",
            Authors = ["Dongwon Kim", "Ju He", "Qihang Yu", "Chenglin Yang", "Xiaohui Shen", "Suha Kwak", "Liang-Chieh Chen"],
            Repository = "bytedance/1d-tokenizer",
            CodeLicense = "Apache-2.0",
            Inputs = [Modality.Image],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["authors: config.json + model.safetensors"],
            Deviations = "The verbs decode without a caption: the decoder's text features are zero.",
        },
        OpenAsync);

    /// <summary>The networks for a published configuration.</summary>
    internal static TokenizerPlan Plan(TiTokConfig config)
    {
        var (sizes, size) = (config.VqModel with { IsLegacy = false, FinetuneDecoder = false }, config.Preprocessing.CropSize);
        var plan = TiTokModel.Plan(config with { VqModel = sizes });
        return plan with
        {
            Networks = new Dictionary<string, Action<Scope>>(plan.Networks) { ["decode_tokens"] = titok => DecodeTokens(titok, sizes, size) },
            Decode = (networks, codes, _, cancel) => OneDimensional.DecodeAsync(networks, codes, cancel, ("text_guidance", Tensor.Zeros<float>(1, sizes.TextContextLength, sizes.TextEmbedDim))),
        };
    }

    // Words stand after the latent tokens, with positions of their own.
    private static void DecodeTokens(Scope titok, TiTokSizes sizes, int size)
    {
        var z = TiTokNetwork.TokenInput(titok, sizes);
        var words = titok.Graph.Input("text_guidance", [z.Shape[0], sizes.TextContextLength, sizes.TextEmbedDim]);
        var decoder = titok["decoder"];
        var width = sizes.Decoder.Width;
        var guidance = decoder.Stage("text_guidance_proj", decoder["text_guidance_proj"].Linear(words, width)) + decoder.Weight("text_guidance_positional_embedding", sizes.TextContextLength, width);
        titok.Graph.Output("reconstruction", TiTokNetwork.Paint(titok, TiTokNetwork.Decode(titok, z, sizes, size, guidance), sizes, size));
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel) => ValueTask.FromResult(ImageTokenizer.Open(source, _ => Plan(TiTokConfig.Read(source))));
}
