// Democratizing Text-to-Image Masked Generative Models with Compact Text-Aware One-Dimensional Tokens. Kim, He, Yu, Yang, Shen, Kwak, Chen. arXiv:2501.07730. github.com/bytedance/1d-tokenizer
// Published layout: config.json + model.safetensors (turkeyju/tokenizer_tatitok_*). The caption's encoder (OpenAI's CLIP ViT-L/14 at 336 pixels) lies beside it in clip/, in transformers' layout.
// Deviations: without a caption the decoder is guided by the empty text, and by zeros where clip/ is not there.
using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;

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
            Inputs = [Modality.Image, Modality.Text],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["authors: config.json + model.safetensors, with clip/ (transformers: config.json + model.safetensors + tokenizer.json) to read captions"],
            Sizes =
            [
                new("turkeyju/tokenizer_tatitok_bl32_vq", 390_800_532, []),
                new("turkeyju/tokenizer_tatitok_bl64_vq", 390_882_452, []),
                new("turkeyju/tokenizer_tatitok_bl128_vq", 391_046_292, []),
                new("turkeyju/tokenizer_tatitok_bl32_vae", 390_202_484, []),
                new("turkeyju/tokenizer_tatitok_bl64_vae", 390_284_404, []),
                new("turkeyju/tokenizer_tatitok_sl128_vae", 330_275_188, []),
            ],
            Deviations = "Without a caption the empty text guides the decoder; without clip/ zeros do.",
        },
        OpenAsync);

    /// <summary>The networks for a published configuration.</summary>
    internal static TokenizerPlan Plan(TiTokConfig config, CaptionReader captions)
    {
        var (sizes, size) = (config.VqModel with { IsLegacy = false, FinetuneDecoder = false }, config.Preprocessing.CropSize);
        var plan = TiTokModel.Plan(config with { VqModel = sizes });
        return plan with
        {
            Networks = new Dictionary<string, Action<Scope>>(plan.Networks) { ["decode_tokens"] = titok => DecodeTokens(titok, sizes, size) },
            Captions = captions,
            Decode = async (networks, codes, options, cancel) =>
                await OneDimensional.DecodeAsync(networks, codes, cancel, ("text_guidance", await captions.ReadAsync(options.Caption, cancel).ConfigureAwait(false))).ConfigureAwait(false),
        };
    }

    private static void DecodeTokens(Scope titok, TiTokSizes sizes, int size)
    {
        var z = TiTokNetwork.TokenInput(titok, sizes);
        titok.Graph.Output("reconstruction", TiTokNetwork.Paint(titok, TiTokNetwork.Decode(titok, z, sizes, size, TiTokNetwork.Caption(titok, z.Shape[0], sizes)), sizes, size));
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var config = TiTokConfig.Read(source.RequireFolder());
        return ValueTask.FromResult(ImageTokenizer.Open(source, _ => Plan(config, CaptionReader.Clip(source, config.VqModel.TextContextLength, config.VqModel.TextEmbedDim))));
    }
}
