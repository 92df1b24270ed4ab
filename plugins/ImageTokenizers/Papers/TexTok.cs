// Language-Guided Image Tokenization for Generation. Zha, Yu, Fathi, Ross, Schmid, Katabi, Gu. arXiv:2412.05796. The authors published no code: github.com/pranoyr/TexTok (third-party) settles what the paper leaves open.
// Published layout: config.json + model.safetensors of that implementation. The caption's T5 lies beside it in t5/, in transformers' layout.
// Deviations: without a caption the empty text is read, and zeros where t5/ is not there.
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>The implementation's configuration.</summary>
public sealed record TexTokConfig
{
    /// <summary>Size of the pictures.</summary>
    [Range(8, 4096)] public int ImgSize { get; init; } = 256;
    /// <summary>Pixels a patch.</summary>
    [Range(1, 256)] public int PatchSize { get; init; } = 8;
    /// <summary>Width.</summary>
    public int EmbedDim { get; init; } = 768;
    /// <summary>Blocks.</summary>
    public int Depth { get; init; } = 12;
    /// <summary>Heads.</summary>
    public int NumHeads { get; init; } = 12;
    /// <summary>Tokens a picture.</summary>
    public int NumTokens { get; init; } = 128;
    /// <summary>Width of a token.</summary>
    public int TokenDim { get; init; } = 8;
    /// <summary>Width of a word's feature.</summary>
    public int TextDim { get; init; } = 768;
    /// <summary>Most words.</summary>
    public int MaxTextLen { get; init; } = 128;

    /// <summary>Patches a picture.</summary>
    public int Patches => ImgSize / PatchSize * (ImgSize / PatchSize);
}

/// <summary>TexTok: encoder and decoder both read a caption, so that the tokens carry what words do not.</summary>
public static class TexTokModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "image-tokenizers/textok",
            Paper = "Language-Guided Image Tokenization for Generation",
            ArXiv = "2412.05796",
            Authors = ["Kaiwen Zha", "Lijun Yu", "Alireza Fathi", "David A. Ross", "Cordelia Schmid", "Dina Katabi", "Xiuye Gu"],
            Repository = "pranoyr/TexTok",
            CodeLicense = "MIT",
            Inputs = [Modality.Image, Modality.Text],
            Outputs = [Modality.Tokens, Modality.Image],
            Layouts = ["third party: config.json + model.safetensors, with t5/ (transformers: config.json + model.safetensors + spiece.model) to read captions"],
            Deviations = "Without a caption the empty text is read; without t5/ the text features are zero.",
        },
        OpenAsync);

    /// <summary>The networks for a configuration.</summary>
    internal static TokenizerPlan Plan(TexTokConfig config, CaptionReader captions)
    {
        async ValueTask<(string, Tensor)> Words(ImageTokenizerOptions options, CancellationToken cancel) => ("text_embeds", await captions.ReadAsync(options.Caption, cancel).ConfigureAwait(false));
        return new()
        {
            Networks = new Dictionary<string, Action<Scope>> { ["encode"] = model => Encode(model, config), ["decode"] = model => Decode(model, config) },
            Calls = new Dictionary<string, ReferenceCall> { ["decode"] = DecodeAsync },
            Preparation = ImagePreparation.SignedRange(config.ImgSize, config.PatchSize, isFixed: true),
            Layout = TokenLayout.Flat,
            Captions = captions,
            Encode = async (networks, picture, options, cancel) => (await networks.RunAsync("encode", cancel, ("image", picture), await Words(options, cancel).ConfigureAwait(false)).ConfigureAwait(false))["latent"],
            Decode = async (networks, tokens, options, cancel) => (await networks.RunAsync("decode", cancel, ("tokens", tokens), await Words(options, cancel).ConfigureAwait(false)).ConfigureAwait(false))["reconstruction"],
        };
    }

    private static void Encode(Scope model, TexTokConfig config)
    {
        var encoder = model["tokenizer"];
        var image = model.Graph.Input("image", [TokenizerInputs.Batch, 3, config.ImgSize, config.ImgSize]);
        var patches = encoder.Stage("patch_embed", encoder["patch_embed.proj"].PatchEmbed(image, config.EmbedDim, config.PatchSize));
        var tokens = encoder.Weight("image_tokens", 1, config.NumTokens, config.EmbedDim).Expand(image.Shape[0], config.NumTokens, config.EmbedDim);
        var x = encoder.Stage("encoder_norm", Transformer(encoder, [patches, tokens, encoder.Stage("encoder_text", Words(encoder, config))], config, "encoder_block"));
        model.Graph.Output("latent", encoder["token_proj"].Linear(x.Slice(1, config.Patches, config.Patches + config.NumTokens), config.TokenDim));
    }

    private static void Decode(Scope model, TexTokConfig config)
    {
        var decoder = model["detokenizer"];
        var tokens = decoder["token_proj"].Linear(model.Graph.Input("tokens", [TokenizerInputs.Batch, config.NumTokens, config.TokenDim]), config.EmbedDim);
        var patches = decoder.Weight("patch_tokens", 1, config.Patches, config.EmbedDim).Expand(tokens.Shape[0], config.Patches, config.EmbedDim);
        var x = Transformer(decoder, [patches, tokens, Words(decoder, config)], config, "decoder_block").Take(1, config.Patches);
        var pixels = decoder.Stage("pixels", decoder["output_proj"].Linear(x, 3 * config.PatchSize * config.PatchSize));
        var side = config.ImgSize / config.PatchSize;
        model.Graph.Output("reconstruction", pixels.Unpatchify(config.PatchSize, side, side, 3).Tanh());
    }

    private static Value Words(Scope scope, TexTokConfig config) =>
        scope["text_proj"].Linear(scope.Graph.Input("text_embeds", [TokenizerInputs.Batch, Dim.Symbol("words"), config.TextDim]), config.EmbedDim);

    // Patches, tokens and words in one sequence, under the first rows of one table of positions.
    private static Value Transformer(Scope scope, Value[] parts, TexTokConfig config, string stage)
    {
        var x = ValueShape.Concat(1, parts);
        x += scope.Weight("pos_embed", 1, config.Patches + config.NumTokens + config.MaxTextLen, config.EmbedDim).Take(1, x.Shape[1]);
        for (var i = 0; i < config.Depth; i++) x = scope.Stage($"{stage}_{i}", scope["blocks"][i].VitBlock(x, config.NumHeads, 1e-5, qkvBias: false));
        return scope["norm"].LayerNorm(x);
    }

    // The second reconstruction of a comparison goes by another name.
    private static async ValueTask<CallResults> DecodeAsync(NetworkSet networks, CallArguments arguments, CancellationToken cancel)
    {
        var results = (await networks.RunAsync("decode", arguments, cancel).ConfigureAwait(false)).ToResults();
        return results.Add("reconstruction_other_text", results.Tensor("reconstruction"));
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var config = source.ReadConfig<TexTokConfig>();
        return ValueTask.FromResult(ImageTokenizer.Open(source, _ => Plan(config, CaptionReader.T5(source, config.MaxTextLen, config.TextDim))));
    }
}
