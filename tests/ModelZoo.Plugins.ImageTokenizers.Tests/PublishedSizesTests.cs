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
    // With their autoencoder's 70M taken off TokenBridge has 484M and 907M, as the authors' modules hold; their table says 486M and 910M. DiGIT's 219M are without DINOv2's 72M and the centroids. D-AR says 300M, DC-AE 323M, 677M and 1.1B.
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
        ["autoencoder-kl.flux"] = (AutoencoderKlModel.Architecture, "black-forest-labs/FLUX.1-dev: vae", () => AutoencoderKlModel.Plan(StableDiffusionVae with { LatentChannels = 16, UseQuantConv = false, UsePostQuantConv = false, ScalingFactor = 0.3611 })),
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
        ["dc-ae.f32c32-in"] = (DcAeModel.Architecture, "mit-han-lab/dc-ae-f32c32-in-1.0-diffusers", () => DcAeModel.Plan(ImageNetDcAe(32, [128, 256, 512, 512, 1024, 1024]))),
        ["dc-ae.f64c128-in"] = (DcAeModel.Architecture, "mit-han-lab/dc-ae-f64c128-in-1.0-diffusers", () => DcAeModel.Plan(ImageNetDcAe(128, [128, 256, 512, 512, 1024, 1024, 2048]))),
        ["dc-ae.f128c512-in"] = (DcAeModel.Architecture, "mit-han-lab/dc-ae-f128c512-in-1.0-diffusers", () => DcAeModel.Plan(ImageNetDcAe(512, [128, 256, 512, 512, 1024, 1024, 2048, 2048]))),
        ["ibq.1024"] = (IbqModel.Architecture, "TencentARC/IBQ-Tokenizer-1024", () => Ibq(1024)),
        ["ibq.8192"] = (IbqModel.Architecture, "TencentARC/IBQ-Tokenizer-8192", () => Ibq(8192)),
        ["ibq.16384"] = (IbqModel.Architecture, "TencentARC/IBQ-Tokenizer-16384", () => Ibq(16384)),
        ["ibq.262144"] = (IbqModel.Architecture, "TencentARC/IBQ-Tokenizer-262144", () => Ibq(262144)),
        ["open-magvit2.128"] = (OpenMagvit2Model.Architecture, "TencentARC/Open-MAGVIT2-Tokenizer-128-resolution", () => LfqTokenizer.Plan(new() { Ddconfig = new() { ChMult = [1, 2, 2, 4] } })),
        ["open-magvit2.256"] = (OpenMagvit2Model.Architecture, "TencentARC/Open-MAGVIT2-Tokenizer-256-resolution", () => LfqTokenizer.Plan(new())),
        ["open-magvit2.16384-pretrain"] = (OpenMagvit2Model.Architecture, "TencentARC/Open-MAGVIT2-Tokenizer-16384-Pretrain", () => LfqTokenizer.Plan(new() { NEmbed = 16384, EmbedDim = 14, Ddconfig = new() { ZChannels = 14 } })),
        ["fqgan.dual-ds16"] = (FqGanModel.Architecture, "ZechenBai/FQGAN: fqgan_dual_ds16", () => FqGanModel.Plan(new())),
        ["fqgan.dual-ds8"] = (FqGanModel.Architecture, "ZechenBai/FQGAN: fqgan_dual_ds8", () => FqGanModel.Plan(new() { EncoderChMult = [1, 2, 2, 4], DecoderChMult = [1, 2, 2, 4] })),
        ["hita.vanilla"] = (HitaModel.Architecture, "yexiguafu/hita-gen: hita-tok", () => HitaModel.Plan(new())),
        ["hita.ultra"] = (HitaModel.Architecture, "yexiguafu/hita-gen: hita-ultra", () => HitaModel.Plan(new() { TransformerConfig = new() { DecoderConfig = new() { Params = new() { EnableVfmRecon = true } } } })),
        ["alit.tiny-vqgan"] = (AlitModel.Architecture, "alit_tiny_vqgan", () => Alit(512, 8, 8)),
        ["alit.small-vqgan"] = (AlitModel.Architecture, "alit_small_vqgan", () => Alit(1024, 8, 8)),
        ["alit.base-vqgan"] = (AlitModel.Architecture, "alit_base_vqgan", () => Alit(768, 12, 12)),
        ["alit.semilarge-vqgan"] = (AlitModel.Architecture, "alit_semilarge_vqgan", () => Alit(1024, 16, 16)),
        ["alit.small-vae"] = (AlitModel.Architecture, "alit_small_vae", () => Alit(1024, 8, 8, "vae")),
        ["imagefolder.msvr10p2-4096"] = (ImageFolderModel.Architecture, "qiuk6/XQ-GAN: MSVR10P2-4096", () => ImageFolder(4096)),
        ["imagefolder.msvr10p2-8192"] = (ImageFolderModel.Architecture, "qiuk6/XQ-GAN: MSVR10P2-8192", () => ImageFolder(8192)),
        ["imagefolder.msvr10p2-16384"] = (ImageFolderModel.Architecture, "qiuk6/XQ-GAN: MSVR10P2-16384", () => ImageFolder(16384)),
        ["robusttok.zero"] = (RobustTokModel.Architecture, "qiuk6/RobustTok: RobustTok-zero", () => RobustTokModel.Plan(new() { CodebookEmbedDim = 64, VPatchNums = [16] })),
        ["flextok.d12-d12"] = (FlexTokModel.Architecture, "EPFL-VILAB/flextok_d12_d12_in1k", () => FlexTok(12, 12)),
        ["flextok.d18-d18"] = (FlexTokModel.Architecture, "EPFL-VILAB/flextok_d18_d18_in1k", () => FlexTok(18, 18)),
        ["flextok.d18-d28"] = (FlexTokModel.Architecture, "EPFL-VILAB/flextok_d18_d28_in1k", () => FlexTok(18, 28)),
        ["tokenflow.siglip-32k"] = (TokenFlowModel.Architecture, "ByteFlow-AI/TokenFlow: tokenflow_siglip_32k", () => TokenFlowModel.Plan(new())),
        ["uniflow"] = (UniFlowModel.Architecture, "ZhengrongYue/UniFlow", () => UniFlowModel.Plan(new() { ImageSize = 448, NumAttentionHeads = 16, IntermediateSize = 4096, NumHiddenLayers = 24, QkvBias = true, QkNormalization = false, NormType = "layer_norm", NumSamplingSteps = "1" })),
        ["ming-univision"] = (MingTokModel.Architecture, "inclusionAI/MingTok-Vision", () => MingTokModel.Plan(new()
        {
            LowLevelEncoder = new() { ImgSize = 512, PatchSize = 32, Depth = 12, EmbedDim = 768, FfnLayer = "swiglufused" },
            SemanticDecoder = new() { InDim = 32, PatchSize = 32, DecoderDepth = 24, FfnLayer = "swiglufused" },
            PixelDecoder = new() { DecoderDepth = 24 },
        })),
        ["dualtoken.384"] = (DualTokenModel.Architecture, "songweii/DualToken: model_config_siglip_384_rvq8", () => DualToken(384, 14, 27, 8)),
        ["dualtoken.256"] = (DualTokenModel.Architecture, "songweii/DualToken: model_config_siglip_256_rvq4", () => DualToken(256, 16, 16, 4)),
        ["d-ar"] = (DArModel.Architecture, "showlab/D-AR: D-AR-tokenizer", () => DArModel.Plan(new())),
        ["instella-t2i"] = (InstellaModel.Architecture, "amd/Instella-T2I: bae", () => InstellaModel.Plan(new() { EncoderNumHeads = 12, AxesDimsRope = [8, 28, 28], DownsampleIdx = [7], DecoderLayers = 16, UpsampleIdx = [7] })),
        ["selftok.256"] = (SelftokModel.Architecture, "selftok-team/SelftokTokenizer: 256-eval", () => SelftokModel.Plan(new() { Tokenizer = new() { Params = new() { Stages = "200,400,600,800,1000", KPerStage = "192,184,72,48,16", EncoderConfig = new() { TimeAdaln = true } } } })),
        ["retok-flexible.ss"] = (ReTokModel.Architecture, "zfu006/ReTok: VQ_SS256", () => GigaTok("small", "small")),
        ["retok-flexible.sb"] = (ReTokModel.Architecture, "zfu006/ReTok: VQ_SB256", () => GigaTok("small", "base")),
        ["uniwetok"] = (UniWeTokModel.Architecture, "shallowdream204/BitDance: UniWeTok", () => UniWeTokModel.Plan(new())),
        ["seed"] = (SeedModel.Architecture, "AILab-CVC/SEED: seed_quantizer", () => SeedModel.Plan(new())),
        ["ldm-kl.kl16"] = (LdmKlModel.Architecture, "LTH14/mar: kl16", () => LdmKlModel.Plan(new())),
        ["wetok.imagenet-16"] = (WeTokModel.Architecture, "GrayShine/WeTok: ImageNet_downsample16", () => WeTok(32, [1, 1, 2, 2, 4])),
        ["wetok.imagenet-8"] = (WeTokModel.Architecture, "GrayShine/WeTok: ImageNet_downsample8", () => WeTok(32, [1, 2, 2, 4])),
        ["wetok.general-24"] = (WeTokModel.Architecture, "GrayShine/WeTok: GeneralDomain_compratio24", () => WeTok(64, [1, 2, 2, 4])),
        ["wetok.general-48"] = (WeTokModel.Architecture, "GrayShine/WeTok: GeneralDomain_compratio48", () => WeTok(32, [1, 2, 2, 4])),
        ["wetok.general-192"] = (WeTokModel.Architecture, "GrayShine/WeTok: GeneralDomain_compratio192", () => WeTok(32, [1, 1, 2, 2, 4])),
        ["wetok.general-768"] = (WeTokModel.Architecture, "GrayShine/WeTok: GeneralDomain_compratio768", () => WeTok(32, [1, 1, 2, 2, 4, 8])),
        ["illume-plus"] = (IllumePlusModel.Architecture, "ILLUME-MLLM/dualvitok", () => IllumePlusModel.Plan(new() { Config = new() { PixelEncoder = Illume(128, 32), PixelDecoder = Illume(384, 64) } })),
        ["digit.base"] = (DigitModel.Architecture, "DAMO-NLP-SG/DiGIT: dino_base", () => DigitModel.Plan(new() { Model = new() { ActivationFn = "gelu", DecoderLearnedPos = true } })),
        ["tokenbridge.l"] = (TokenBridgeModel.Architecture, "YuqingWang1029/TokenBridge: tokenbridge_large", () => TokenBridgeModel.Plan(new() { Model = new() { ChannelEmbedDim = 1024, QuantLevels = 64 } })),
        ["tokenbridge.h"] = (TokenBridgeModel.Architecture, "YuqingWang1029/TokenBridge: tokenbridge_huge", () => TokenBridgeModel.Plan(new()
        {
            Model = new() { EncoderEmbedDim = 1280, EncoderDepth = 20, DecoderEmbedDim = 1280, DecoderDepth = 20, ChannelEmbedDim = 1024, ChannelDepth = 6, QuantLevels = 64 },
        })),
    };

    private static readonly Dictionary<string, string> WithoutInventory = new()
    {
        ["image-tokenizers/bpe-image-tokenizer"] = "The merges are a list; the codes are VQGAN's.",
        ["image-tokenizers/cat-adaptive"] = "The authors published neither code nor weights.",
        ["image-tokenizers/epsilon-vae"] = "The authors published neither code nor weights.",
        ["image-tokenizers/ett"] = "The authors published neither code nor weights.",
        ["image-tokenizers/layton"] = "The authors published neither code nor weights.",
        ["image-tokenizers/textok"] = "The authors published neither code nor weights; the third-party code trains small models.",
    };

    public static TheoryData<string> Sizes => [.. Published.Keys];

    [Theory, MemberData(nameof(Sizes))]
    public void Inventory_PublishedSize_IsApprovedAndTheCardSaysSo(string size)
    {
        var (architecture, name, plan) = Published[size];
        var networks = plan().Networks.Values.Concat(plan().SizedNetworks.Values.Select(sized => (Action<Scope>)(scope => sized.Build(scope, sized.Rows, sized.Columns))));
        string[] lines = [.. networks.SelectMany(Network.Inventory).Distinct().Order(StringComparer.Ordinal)];
        var parameters = ApprovedInventory.Verify("ModelZoo.Plugins.ImageTokenizers.Tests", size, lines);
        Assert.Equal(architecture.Card.Sizes.Single(published => published.Name == name).Parameters, parameters);
    }

    [Fact]
    public void Architectures_WithoutAnInventory_SayWhy() => ApprovedInventory.CoversAll<ImageTokenizersPlugin>(Published.Values.Select(published => (published.Architecture.Card.Id, published.Name)), WithoutInventory);

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

    // As published, the first level of the encoder and of the decoder has no blocks.
    private static AutoencoderDcConfig ImageNetDcAe(int latents, int[] widths)
    {
        var (deep, blocks) = (widths.Length - 3, JsonSerializer.SerializeToElement(DcAeBlocks.Take(3).Concat(Enumerable.Repeat("EfficientViTBlock", widths.Length - 3))));
        int[][] noScales = [.. widths.Select(_ => Array.Empty<int>())];
        return new()
        {
            LatentChannels = latents, EncoderBlockTypes = blocks, DecoderBlockTypes = blocks, EncoderBlockOutChannels = widths, DecoderBlockOutChannels = widths,
            EncoderLayersPerBlock = [0, 4, 8, .. Enumerable.Repeat(2, deep)], DecoderLayersPerBlock = [0, 5, 10, .. Enumerable.Repeat(2, deep)], EncoderQkvMultiscales = noScales, DecoderQkvMultiscales = noScales,
            DecoderNormTypes = JsonSerializer.SerializeToElement(Enumerable.Repeat("batch_norm", 3).Concat(Enumerable.Repeat("rms_norm", deep))),
            DecoderActFns = JsonSerializer.SerializeToElement(Enumerable.Repeat("relu", 3).Concat(Enumerable.Repeat("silu", deep))),
        };
    }

    private static TokenizerPlan Ibq(int entries) => IbqModel.Plan(new() { NEmbed = entries, Ddconfig = new() { NumResBlocks = 4 } });

    private static TokenizerPlan Alit(int width, int layers, int heads, string baseTokenizer = "vqgan") => AlitModel.Plan(new()
    {
        Model = new() { EncoderWidth = width, EncoderNumLayers = layers, EncoderNumHeads = heads, DecoderWidth = width, DecoderNumLayers = layers, DecoderNumHeads = heads },
        BaseTokenizer = new() { Id = baseTokenizer, Params = new() { NEmbed = 1024 } },
    });

    private static TokenizerPlan ImageFolder(int entries) => ImageFolderModel.Plan(new() { CodebookSize = entries, ProductQuant = 2, NumLatentTokens = 121 });

    // Heads of 64, as many as there are blocks; patches of 2 x 2 of a 32 x 32 x 16 latent; patches and registers are modulated apart.
    private static TokenizerPlan FlexTok(int encoder, int decoder) => FlexTokModel.Plan(new()
    {
        Vae = StableDiffusionVae with { LatentChannels = 16 }, ScalingFactor = 1, SamplePosterior = true, Encoder = new() { Width = 64 * encoder, Depth = encoder }, Decoder = new() { Width = 64 * decoder, Depth = decoder },
        Registers = 256, Levels = [8, 8, 8, 5, 5, 5], Patch = 2, Grid = 16, TimeWidth = 256, MaxTimestep = 1000, Modulations = 2,
    });

    // As published, without the latent's channels: the decoder's input has as many as it says.
    private static TokenizerPlan DualToken(int size, int patch, int side, int depth)
    {
        var quantizer = new DualTokenQuantizer { EmbedDim = 32, LatentShape = [side, side, 32], CodeShape = [side, side, depth] };
        return DualTokenModel.Plan(new()
        {
            LayerShortcut = 4, WeightShortcut = 0.6, VqSem = quantizer, VqPix = quantizer, Ddconfig = new() { ChMult = [1, 1, 4, 4, 8], AttnResolutions = [size / 16], Resolution = size, DecoderInChannels = 1024 },
            DecoderLatentShape = [size / 16, size / 16], SiglipVisionConfig = new() { ImageSize = size, PatchSize = patch },
        });
    }

    private static TokenizerPlan WeTok(int bits, int[] widths) => LfqTokenizer.Plan(new() { NEmbed = 256, EmbedDim = bits, NumCodebooks = bits / 8, Ddconfig = new() { ZChannels = bits, Ch = 256, ChMult = widths } });

    private static IllumePixel Illume(int width, int latents) => new() { Ch = width, ZChannels = latents, EmbedDim = latents, UseDcUpDownBlocks = true };

    private static JsonElement Json(string text) => JsonSerializer.SerializeToElement(text);

    // The text encoder stands beside the tokenizer and is not counted.
    private static TokenizerPlan TaTiTok(TiTokSizes sizes) =>
        TaTiTokModel.Plan(new(sizes, new()), CaptionReader.Clip(new() { Id = ModelId.Parse("image-tokenizers/ta-titok.published"), Folder = Folder, Services = HostServices.Instance }, sizes.TextContextLength, sizes.TextEmbedDim));
}
