using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Inference;

namespace ModelZoo.Networks.Autoencoders;

/// <summary>The published configuration; sections that only training reads are left out.</summary>
/// <param name="VqModel">Section <c>model.vq_model</c>.</param>
/// <param name="Preprocessing">Section <c>dataset.preprocessing</c>.</param>
public sealed record TiTokConfig(TiTokSizes VqModel, TiTokPreprocessing Preprocessing)
{
    /// <summary>Reads both sections of the published file in a folder.</summary>
    public static TiTokConfig Read(string folder) => new(PublishedConfig.Read<TiTokSizes>(folder, "model.vq_model").Value, PublishedConfig.Read<TiTokPreprocessing>(folder, "dataset.preprocessing").Value);
}

/// <summary>Section <c>dataset.preprocessing</c>.</summary>
public sealed record TiTokPreprocessing
{
    /// <summary>Size of the pictures, in pixels.</summary>
    [Range(8, 4096)] public int CropSize { get; init; } = 256;
}

/// <summary>Section <c>model.vq_model</c>, shared by TiTok and its descendants.</summary>
public sealed record TiTokSizes
{
    /// <summary><c>vq</c>: tokens of a codebook; <c>vae</c>: continuous tokens.</summary>
    [AllowedValues("vq", "vae")] public string QuantizeMode { get; init; } = "vq";
    /// <summary>Entries of the codebook.</summary>
    [Range(1, 1 << 24)] public int CodebookSize { get; init; } = 4096;
    /// <summary>Width of a token.</summary>
    [Range(1, 4096)] public int TokenSize { get; init; } = 12;
    /// <summary>Whether codes are compared on the unit sphere.</summary>
    public bool UseL2Norm { get; init; }
    /// <summary>Weight of a loss.</summary>
    public double CommitmentCost { get; init; }
    /// <summary>Whether training moved unused entries.</summary>
    public bool ClusteringVq { get; init; }
    /// <summary>Size of the encoder: small, base or large.</summary>
    public string VitEncModelSize { get; init; } = "small";
    /// <summary>Size of the decoder: small, base or large.</summary>
    public string VitDecModelSize { get; init; } = "small";
    /// <summary>Width of the encoder, where the name of its size does not tell.</summary>
    public int? VitEncWidth { get; init; }
    /// <summary>Blocks of the encoder, likewise.</summary>
    public int? VitEncNumLayers { get; init; }
    /// <summary>Heads of the encoder, likewise.</summary>
    public int? VitEncNumHeads { get; init; }
    /// <summary>Width of the decoder, likewise.</summary>
    public int? VitDecWidth { get; init; }
    /// <summary>Blocks of the decoder, likewise.</summary>
    public int? VitDecNumLayers { get; init; }
    /// <summary>Heads of the decoder, likewise.</summary>
    public int? VitDecNumHeads { get; init; }
    /// <summary>Pixels a patch of the encoder.</summary>
    [Range(1, 256)] public int VitEncPatchSize { get; init; } = 16;
    /// <summary>Pixels a patch of the decoder.</summary>
    [Range(1, 256)] public int VitDecPatchSize { get; init; } = 16;
    /// <summary>Tokens a picture.</summary>
    [Range(1, 65536)] public int NumLatentTokens { get; init; } = 32;
    /// <summary>Whether a MaskGIT decoder paints from proxy codes.</summary>
    public bool FinetuneDecoder { get; init; } = true;
    /// <summary>Whether latents are reshaped as the first release did; and whether the decoder predicts proxy codes.</summary>
    public bool IsLegacy { get; init; } = true;
    /// <summary>Entries of the proxy codebook.</summary>
    public int ProxyCodebookSize { get; init; } = 1024;
    /// <summary>The decoder that paints from proxy codes.</summary>
    public MaskGitDecoderConfig PixelDecoder { get; init; } = new();
    /// <summary>Words that guide the decoder (TA-TiTok).</summary>
    public int TextContextLength { get; init; } = 77;
    /// <summary>Width of a word's feature (TA-TiTok).</summary>
    public int TextEmbedDim { get; init; } = 768;

    /// <summary>Width, blocks and heads of the encoder.</summary>
    public (int Width, int Layers, int Heads) Encoder => Sizes(VitEncModelSize, VitEncWidth, VitEncNumLayers, VitEncNumHeads);

    /// <summary>Width, blocks and heads of the decoder.</summary>
    public (int Width, int Layers, int Heads) Decoder => Sizes(VitDecModelSize, VitDecWidth, VitDecNumLayers, VitDecNumHeads);

    private static (int, int, int) Sizes(string name, int? width, int? layers, int? heads)
    {
        var known = Published.GetValueOrDefault(name);
        return ((width ?? known.Width, layers ?? known.Layers, heads ?? known.Heads) is (> 0, > 0, > 0) sizes)
            ? sizes
            : throw new CheckpointException(ErrorCodes.ConfigInvalid, "The size of a transformer is not known.") { Where = "model.vq_model", Expected = string.Join(", ", Published.Keys), Found = name };
    }

    private static readonly Dictionary<string, (int Width, int Layers, int Heads)> Published = new() { ["small"] = (512, 8, 8), ["base"] = (768, 12, 12), ["large"] = (1024, 24, 16) };
}

/// <summary>Encoder, quantizer and decoder of TiTok; its descendants share most of it.</summary>
public static class TiTokNetwork
{
    /// <summary>The call <c>encode</c>: image (B, 3, S, S), noise (B, C, 1, N) for continuous tokens -> codes (B, 1, N) or quantized (B, C, 1, N).</summary>
    public static void Encode(Scope titok, TiTokSizes sizes, int imageSize)
    {
        var g = titok.Graph;
        var batch = Dim.Symbol("batch");
        var image = g.Input("image", [batch, 3, imageSize, imageSize]);
        var latent = Latent(titok, image, sizes);                                          // (B, N, C)
        g.Stage("latent", Channels(latent));
        if (sizes.QuantizeMode == "vae")
        {
            var noise = g.Input("noise", [batch, sizes.TokenSize, 1, sizes.NumLatentTokens]);
            var posterior = DiagonalGaussian.Of(Channels(latent));
            g.Output("mean", posterior.Mean);
            g.Stage("logvar", posterior.LogVariance);
            g.Output("quantized", posterior.Sample(noise));
            return;
        }

        var codebook = Codebook(titok, sizes);
        var codes = VectorQuantization.Nearest(sizes.UseL2Norm ? latent.L2Normalize() : latent, codebook);
        g.Output("quantized", Channels(codebook.Gather(codes)));
        g.Output("codes", codes.Unsqueeze(1));
    }

    /// <summary>The call <c>decode_tokens</c>: tokens (B, 1, T), or (B, C, 1, T) when continuous; T at most N -> reconstruction (B, 3, S, S).</summary>
    public static void DecodeTokens(Scope titok, TiTokSizes sizes, int imageSize)
    {
        var g = titok.Graph;
        g.Output("reconstruction", Paint(titok, Decode(titok, TokenInput(titok, sizes), sizes, imageSize), sizes, imageSize));
    }

    /// <summary>Tokens as the decoder takes them, (B, T, C).</summary>
    public static Value TokenInput(Scope titok, TiTokSizes sizes)
    {
        var (batch, count) = (Dim.Symbol("batch"), Dim.Symbol("tokens"));
        if (sizes.QuantizeMode == "vae") return titok.Graph.Input("tokens", [batch, sizes.TokenSize, 1, count]).Squeeze(2).Swap(1, 2);
        return Codebook(titok, sizes).Gather(titok.Graph.Input("tokens", ElementType.Int64, [batch, 1, count]).Squeeze(1));
    }

    /// <summary>Class token, patches and latent tokens through the transformer; the latent tokens are kept. -> (B, N, C), twice C for means and log-variances.</summary>
    public static Value Latent(Scope titok, Value image, TiTokSizes sizes)
    {
        var encoder = titok["encoder"];
        var (width, layers, heads) = sizes.Encoder;
        var count = sizes.NumLatentTokens;
        var patches = encoder.Stage("patch_embed", encoder["patch_embed"].Conv(image, width, sizes.VitEncPatchSize, stride: sizes.VitEncPatchSize));
        var batch = patches.Shape[0];
        var x = ValueShape.Concat(1, encoder.Weight("class_embedding", 1, width).Unsqueeze(0).Expand(batch, 1, width), patches.Flatten(2).Swap(1, 2));
        x += encoder.Weight("positional_embedding", x.Shape[1].Size, width);
        var latents = titok.Weight("latent_tokens", count, width) + encoder.Weight("latent_token_positional_embedding", count, width);
        x = ValueShape.Concat(1, x, latents.Unsqueeze(0).Expand(batch, count, width));     // (B, 1 + P + N, D)

        x = encoder.Stage("encoder_ln_pre", encoder["ln_pre"].LayerNorm(x));
        for (var i = 0; i < layers; i++) x = encoder.Stage($"encoder_block_{i}", encoder["transformer"][i].ResidualAttentionBlock(x, heads));
        x = encoder["ln_post"].LayerNorm(x.Last(1, count));                                // (B, N, D)
        // The first release read the numbers of (N, D) as (D, N).
        if (sizes.IsLegacy) x = x.Reshape(batch, width, count).Swap(1, 2);
        return encoder["conv_out"].PointwiseLinear(x, sizes.QuantizeMode == "vae" ? 2 * sizes.TokenSize : sizes.TokenSize);
    }

    /// <summary>Class token, mask tokens and latent tokens (then <paramref name="guidance"/>) through the transformer; the mask tokens are kept. z (B, T, C) -> (B, P, D).</summary>
    public static Value Decode(Scope titok, Value z, TiTokSizes sizes, int imageSize, Value? guidance = null)
    {
        var decoder = titok["decoder"];
        var (width, layers, heads) = sizes.Decoder;
        var grid = imageSize / sizes.VitDecPatchSize;
        var batch = z.Shape[0];
        var x = decoder["decoder_embed"].Linear(z, width);
        x += decoder.Weight("latent_token_positional_embedding", sizes.NumLatentTokens, width).Take(0, z.Shape[1]);
        var masks = decoder.Weight("mask_token", 1, 1, width).Expand(batch, grid * grid, width);
        var canvas = ValueShape.Concat(1, decoder.Weight("class_embedding", 1, width).Unsqueeze(0).Expand(batch, 1, width), masks)
                   + decoder.Weight("positional_embedding", grid * grid + 1, width);
        x = guidance is null ? ValueShape.Concat(1, canvas, x) : ValueShape.Concat(1, canvas, x, guidance);   // (B, 1 + P + T, D)

        x = decoder.Stage("decoder_ln_pre", decoder["ln_pre"].LayerNorm(x));
        for (var i = 0; i < layers; i++) x = decoder.Stage($"decoder_block_{i}", decoder["transformer"][i].ResidualAttentionBlock(x, heads));
        return decoder["ln_post"].LayerNorm(x.Slice(1, 1, 1 + grid * grid));
    }

    /// <summary>Pixels of the mask tokens: patches and a 3x3 convolution; or logits of proxy codes, whose mixture of MaskGIT's codebook its decoder paints. x (B, P, D) -> (B, 3, S, S).</summary>
    public static Value Paint(Scope titok, Value x, TiTokSizes sizes, int imageSize, string logitsStage = "proxy_logits")
    {
        var decoder = titok["decoder"];
        var (width, patch) = (sizes.Decoder.Width, sizes.VitDecPatchSize);
        var grid = imageSize / patch;
        if (!sizes.IsLegacy)
        {
            var pixels = decoder["ffn.0"].PointwiseLinear(x, patch * patch * 3).Unpatchify(patch, grid, grid, 3);
            return decoder["conv_out"].Conv(decoder.Stage("decoder_ffn", pixels), 3, 3, padding: 1);
        }

        var entries = sizes.ProxyCodebookSize;
        var logits = decoder["ffn.2"].PointwiseLinear(decoder["ffn.0"].PointwiseLinear(x, 2 * width).Tanh(), entries);   // (B, P, K)
        var map = titok.Stage(logitsStage, logits.Swap(1, 2).Reshape(x.Shape[0], entries, grid, grid));
        if (!sizes.FinetuneDecoder) return map;
        var channels = sizes.PixelDecoder.ZChannels;
        var mixed = logits.Softmax().MatMul(titok["pixel_quantize.embedding"].Weight("weight", entries, channels));
        return MaskGitDecoder.Build(titok["pixel_decoder"], mixed.Swap(1, 2).Reshape(x.Shape[0], channels, grid, grid), sizes.PixelDecoder);
    }

    /// <summary>A caption as TA-TiTok's decoder reads it, after the latent tokens and with positions of its own: input <c>text_guidance</c> (B, words, E) -> (B, words, D).</summary>
    public static Value Caption(Scope titok, Dim batch, TiTokSizes sizes)
    {
        var (decoder, width) = (titok["decoder"], sizes.Decoder.Width);
        var words = titok.Graph.Input("text_guidance", [batch, sizes.TextContextLength, sizes.TextEmbedDim]);
        return decoder.Stage("text_guidance_proj", decoder["text_guidance_proj"].Linear(words, width)) + decoder.Weight("text_guidance_positional_embedding", sizes.TextContextLength, width);
    }

    /// <summary>The entries that codes stand for, (K, C); on the unit sphere where the model compares there.</summary>
    public static Value Codebook(Scope titok, TiTokSizes sizes)
    {
        var table = titok["quantize.embedding"].Weight("weight", sizes.CodebookSize, sizes.TokenSize);
        return sizes.UseL2Norm ? table.L2Normalize() : table;
    }

    /// <summary>(B, N, C) as the authors' picture of height one, (B, C, 1, N).</summary>
    public static Value Channels(Value rows) => rows.Swap(1, 2).Unsqueeze(2);
}
