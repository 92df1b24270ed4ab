using System.Text.Json;
using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Autoencoders;

namespace ModelZoo.Plugins.ImageTokenizers.Tests;

/// <summary>Every tensor that a published size needs, compared with approved text: <c>name [shape]</c> a line. A size without text writes it, to be read and approved.</summary>
public sealed class PublishedSizesTests
{
    private static readonly string Folder = Repository.Path("tests", "ModelZoo.Plugins.ImageTokenizers.Tests", "Inventories");

    private static readonly string[] DcAeBlocks = ["ResBlock", "ResBlock", "ResBlock", "EfficientViTBlock", "EfficientViTBlock", "EfficientViTBlock"];

    private static readonly AutoencoderKlConfig StableDiffusionVae = new()
    {
        BlockOutChannels = [128, 256, 512, 512], LayersPerBlock = 2, DownBlockTypes = [.. Enumerable.Repeat("DownEncoderBlock2D", 4)], UpBlockTypes = [.. Enumerable.Repeat("UpDecoderBlock2D", 4)],
    };

    // The authors' repositories round these: 72M and 70M (LlamaGen), 54M (MaskBit). GigaTok's 136M, 232M and 622M count a head for distillation, of 7M, 14M and 24M, that only training needs.
    private static readonly Dictionary<string, (ModelArchitecture Architecture, string Name, Func<TokenizerPlan> Plan)> Published = new()
    {
        ["titok.l-32"] = (TiTokModel.Architecture, "yucornetto/tokenizer_titok_l32_imagenet", () => TiTok("large", "large", 32)),
        ["titok.b-64"] = (TiTokModel.Architecture, "yucornetto/tokenizer_titok_b64_imagenet", () => TiTok("base", "base", 64)),
        ["titok.s-128"] = (TiTokModel.Architecture, "yucornetto/tokenizer_titok_s128_imagenet", () => TiTok("small", "small", 128)),
        ["titok.bl-64-vq8k"] = (TiTokModel.Architecture, "yucornetto/tokenizer_titok_bl64_vq8k_imagenet", () => TiTokModel.Plan(new(OneStage("base", "large", 64) with { CodebookSize = 8192, TokenSize = 64 }, new()))),
        ["titok.bl-128-vq8k"] = (TiTokModel.Architecture, "yucornetto/tokenizer_titok_bl128_vq8k_imagenet", () => TiTokModel.Plan(new(OneStage("base", "large", 128) with { CodebookSize = 8192, TokenSize = 64 }, new()))),
        ["titok.sl-256-vq8k"] = (TiTokModel.Architecture, "yucornetto/tokenizer_titok_sl256_vq8k_imagenet", () => TiTokModel.Plan(new(OneStage("small", "large", 256) with { CodebookSize = 8192, TokenSize = 64 }, new()))),
        ["titok.ll-32-vae"] = (TiTokModel.Architecture, "yucornetto/tokenizer_titok_ll32_vae_c16_imagenet", () => TiTokModel.Plan(new(OneStage("large", "large", 32) with { QuantizeMode = "vae", TokenSize = 16 }, new()))),
        ["titok.bl-64-vae"] = (TiTokModel.Architecture, "yucornetto/tokenizer_titok_bl64_vae_c16_imagenet", () => TiTokModel.Plan(new(OneStage("base", "large", 64) with { QuantizeMode = "vae", TokenSize = 16 }, new()))),
        ["titok.bl-128-vae"] = (TiTokModel.Architecture, "yucornetto/tokenizer_titok_bl128_vae_c16_imagenet", () => TiTokModel.Plan(new(OneStage("base", "large", 128) with { QuantizeMode = "vae", TokenSize = 16 }, new()))),
        ["ta-titok.bl-32-vq"] = (TaTiTokModel.Architecture, "turkeyju/tokenizer_tatitok_bl32_vq", () => TaTiTok(OneStage("base", "large", 32) with { CodebookSize = 8192, TokenSize = 64 })),
        ["ta-titok.bl-64-vq"] = (TaTiTokModel.Architecture, "turkeyju/tokenizer_tatitok_bl64_vq", () => TaTiTok(OneStage("base", "large", 64) with { CodebookSize = 8192, TokenSize = 64 })),
        ["ta-titok.bl-128-vq"] = (TaTiTokModel.Architecture, "turkeyju/tokenizer_tatitok_bl128_vq", () => TaTiTok(OneStage("base", "large", 128) with { CodebookSize = 8192, TokenSize = 64 })),
        ["ta-titok.bl-32-vae"] = (TaTiTokModel.Architecture, "turkeyju/tokenizer_tatitok_bl32_vae", () => TaTiTok(OneStage("base", "large", 32) with { QuantizeMode = "vae", TokenSize = 16 })),
        ["ta-titok.bl-64-vae"] = (TaTiTokModel.Architecture, "turkeyju/tokenizer_tatitok_bl64_vae", () => TaTiTok(OneStage("base", "large", 64) with { QuantizeMode = "vae", TokenSize = 16 })),
        ["ta-titok.sl-128-vae"] = (TaTiTokModel.Architecture, "turkeyju/tokenizer_tatitok_sl128_vae", () => TaTiTok(OneStage("small", "large", 128) with { QuantizeMode = "vae", TokenSize = 16 })),
        ["one-d-piece.l-256"] = (OneDPieceModel.Architecture, "turingmotors/One-D-Piece-L-256", () => OneDPiece("large")),
        ["one-d-piece.b-256"] = (OneDPieceModel.Architecture, "turingmotors/One-D-Piece-B-256", () => OneDPiece("base")),
        ["one-d-piece.s-256"] = (OneDPieceModel.Architecture, "turingmotors/One-D-Piece-S-256", () => OneDPiece("small")),
        ["vqgan.f16-1024"] = (VqganModel.Architecture, "CompVis/taming-transformers: vqgan_imagenet_f16_1024", () => VqganModel.Plan(new() { NEmbed = 1024 })),
        ["vqgan.f16-16384"] = (VqganModel.Architecture, "CompVis/taming-transformers: vqgan_imagenet_f16_16384", () => VqganModel.Plan(new() { NEmbed = 16384 })),
        ["maskbit.10bit"] = (MaskBitModel.Architecture, "markweber/maskbit_tokenizer_10bit", () => MaskBitModel.Plan(new() { TokenSize = 10 })),
        ["maskbit.12bit"] = (MaskBitModel.Architecture, "markweber/maskbit_tokenizer_12bit", () => MaskBitModel.Plan(new() { TokenSize = 12 })),
        ["maskbit.14bit"] = (MaskBitModel.Architecture, "markweber/maskbit_tokenizer_14bit", () => MaskBitModel.Plan(new() { TokenSize = 14 })),
        ["maskbit.16bit"] = (MaskBitModel.Architecture, "markweber/maskbit_tokenizer_16bit", () => MaskBitModel.Plan(new() { TokenSize = 16 })),
        ["maskbit.18bit"] = (MaskBitModel.Architecture, "markweber/maskbit_tokenizer_18bit", () => MaskBitModel.Plan(new() { TokenSize = 18 })),
        ["llamagen-vq.ds16"] = (LlamaGenVqModel.Architecture, "FoundationVision/LlamaGen: vq_ds16_c2i", () => LlamaGenVqModel.Plan(new())),
        ["llamagen-vq.ds8"] = (LlamaGenVqModel.Architecture, "FoundationVision/LlamaGen: vq_ds8_c2i", () => LlamaGenVqModel.Plan(new() { EncoderChMult = [1, 2, 2, 4], DecoderChMult = [1, 2, 2, 4] })),
        ["gigatok.ss"] = (GigaTokModel.Architecture, "YuuTennYi/GigaTok: VQ_SS256", () => GigaTok("small", "small")),
        ["gigatok.sb"] = (GigaTokModel.Architecture, "YuuTennYi/GigaTok: VQ_SB256", () => GigaTok("small", "base")),
        ["gigatok.bl"] = (GigaTokModel.Architecture, "YuuTennYi/GigaTok: VQ_BL256", () => GigaTok("base", "large")),
        ["gigatok.xlxxl"] = (GigaTokModel.Architecture, "YuuTennYi/GigaTok: VQ_XLXXL256", () => GigaTok("xl", "xxl")),
        ["unitok"] = (UniTokModel.Architecture, "FoundationVision/unitok_tokenizer", () => UniTokModel.Plan(new())),
        ["dc-ae.f32c32-sana"] = (DcAeModel.Architecture, "mit-han-lab/dc-ae-f32c32-sana-1.0-diffusers", () => DcAeModel.Plan(DcAe() with
        {
            DownsampleBlockType = "Conv", UpsampleBlockType = "interpolate", DecoderNormTypes = Json("rms_norm"), DecoderActFns = Json("silu"),
        })),
        ["autoencoder-kl.sd-vae-ft-mse"] = (AutoencoderKlModel.Architecture, "stabilityai/sd-vae-ft-mse", () => AutoencoderKlModel.Plan(StableDiffusionVae)),
        ["autoencoder-kl.sdxl"] = (AutoencoderKlModel.Architecture, "stabilityai/sdxl-vae", () => AutoencoderKlModel.Plan(StableDiffusionVae with { ScalingFactor = 0.13025 })),
        ["autoencoder-kl.sd3"] = (AutoencoderKlModel.Architecture, "stabilityai/stable-diffusion-3-medium-diffusers: vae", () => AutoencoderKlModel.Plan(StableDiffusionVae with { LatentChannels = 16, UseQuantConv = false, UsePostQuantConv = false })),
        ["autoencoder-tiny.taesd"] = (AutoencoderTinyModel.Architecture, "madebyollin/taesd", () => AutoencoderTinyModel.Plan(new())),
        ["autoencoder-tiny.taesd3"] = (AutoencoderTinyModel.Architecture, "madebyollin/taesd3", () => AutoencoderTinyModel.Plan(new() { LatentChannels = 16 })),
        ["vq-model.ldm-celebahq"] = (VqModelModel.Architecture, "CompVis/ldm-celebahq-256: vqvae", () => VqModelModel.Plan(new()
        {
            BlockOutChannels = [128, 256, 512], LayersPerBlock = 2, LatentChannels = 3, NumVqEmbeddings = 8192, DownBlockTypes = [.. Enumerable.Repeat("DownEncoderBlock2D", 3)], UpBlockTypes = [.. Enumerable.Repeat("UpDecoderBlock2D", 3)],
        })),
        ["va-vae.f16d32"] = (VaVaeModel.Architecture, "hustvl/vavae-imagenet256-f16d32-dinov2", () => VaVaeModel.Plan(new() { EmbedDim = 32, Ddconfig = new() { ZChannels = 32, DoubleZ = true } })),
        ["var-vqvae"] = (VarVqvaeModel.Architecture, "FoundationVision/var: vae_ch160v4096z32", () => VarVqvaeModel.Plan(new())),
        ["semanticist.l"] = (SemanticistModel.Architecture, "tennant/semanticist: semanticist_tok_L", () => SemanticistModel.Plan(new())),
        ["semanticist.xl"] = (SemanticistModel.Architecture, "tennant/semanticist: semanticist_tok_XL", () => SemanticistModel.Plan(new() { DitModel = "DiT-XL-2" })),
        ["l-detok.bb"] = (LDeTokModel.Architecture, "Jiawei-Yang/DeTok: l-DeTok-BB", () => LDeTokModel.Plan(new())),
    };

    public static TheoryData<string> Sizes => [.. Published.Keys];

    [Theory, MemberData(nameof(Sizes))]
    public void Inventory_PublishedSize_IsApprovedAndTheCardSaysSo(string size)
    {
        var (architecture, name, plan) = Published[size];
        var networks = plan().Networks.Values.Concat(plan().SizedNetworks.Values.Select(sized => (Action<Scope>)(scope => sized.Build(scope, sized.Rows, sized.Columns))));
        string[] lines = [.. networks.SelectMany(Network.Inventory).Distinct().Order(StringComparer.Ordinal)];
        Assert.Equal(architecture.Card.Sizes.Single(published => published.Name == name).Parameters, ApprovedInventory.Verify("ModelZoo.Plugins.ImageTokenizers.Tests", size, lines));
    }

    // The published file of the tokenizer says codebook_size 4096 beside 14 bits; the authors' code reads the bits alone.
    [Fact]
    public void VocabularySizes_OfLookupFreeMaskBit_AreThoseOfItsBits()
    {
        Assert.Equal([1 << 14], MaskBitModel.Plan(new() { CodebookSize = 4096, TokenSize = 14 }).VocabularySizes);
        Assert.Equal([4096], MaskBitModel.Plan(new() { QuantizerType = "lookup", CodebookSize = 4096, TokenSize = 256 }).VocabularySizes);
    }

    private static TokenizerPlan TiTok(string encoder, string decoder, int tokens) => TiTokModel.Plan(new(new() { UseL2Norm = true, VitEncModelSize = encoder, VitDecModelSize = decoder, NumLatentTokens = tokens }, new()));

    // Trained in one stage, straight to pixels.
    private static TiTokSizes OneStage(string encoder, string decoder, int tokens) => new() { VitEncModelSize = encoder, VitDecModelSize = decoder, NumLatentTokens = tokens, IsLegacy = false, FinetuneDecoder = false };

    private static TokenizerPlan OneDPiece(string size) => OneDPieceModel.Plan(new(new() { UseL2Norm = true, VitEncModelSize = size, VitDecModelSize = size, NumLatentTokens = 256 }, new()));

    private static TokenizerPlan GigaTok(string encoder, string decoder) =>
        GigaTokModel.Plan(new() { EncoderSize = encoder, DecoderSize = decoder, MultiLevelQueryInit = true, AdaptiveGn = true, D2sUp = true, UseAttn = false }, new());

    private static AutoencoderDcConfig DcAe() => new() { EncoderBlockTypes = JsonSerializer.SerializeToElement(DcAeBlocks), DecoderBlockTypes = JsonSerializer.SerializeToElement(DcAeBlocks) };

    private static JsonElement Json(string text) => JsonSerializer.SerializeToElement(text);

    // The text encoder stands beside the tokenizer and is not counted.
    private static TokenizerPlan TaTiTok(TiTokSizes sizes) =>
        TaTiTokModel.Plan(new(sizes, new()), CaptionReader.Clip(new() { Id = ModelId.Parse("image-tokenizers/ta-titok.published"), Folder = Folder, Services = HostServices.Instance }, sizes.TextContextLength, sizes.TextEmbedDim));
}
