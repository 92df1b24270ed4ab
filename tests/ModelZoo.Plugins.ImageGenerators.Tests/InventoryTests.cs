using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.ImageGenerators.Tests;

/// <summary>Every tensor that a published size needs, compared with approved text: <c>name [shape]</c> a line. A size without text writes it, to be read and approved.</summary>
public sealed class InventoryTests
{
    // The papers round these: 177M and 287M (TiTok), 305M (MaskBit), 261M, 461M, 955M and 1.5B (RAR), 111M, 343M, 775M, 1.4B and 3.1B (LlamaGen), 208M, 479M and 943M (MAR), 310M to 2.4B (VAR),
    // 172M, 608M and 1.1B (xAR), 244M, 529M and 1.09B (Hi-MAR), 343M, 804M and 1.5B (Open-MAGVIT2). ImageFolder's 362M are its blocks without class, positions and the two heads of 4096.
    private static readonly Dictionary<string, (ModelArchitecture Architecture, string Name, Action<Scope>[] Networks)> Published = new()
    {
        ["titok-maskgit.l-32"] = (TiTokMaskGitModel.Architecture, "yucornetto/generator_titok_l32_imagenet", [scope => TiTokMaskGitNetwork.Logits(scope, new(), 4096)]),
        ["titok-maskgit.b-64"] = (TiTokMaskGitModel.Architecture, "yucornetto/generator_titok_b64_imagenet", [scope => TiTokMaskGitNetwork.Logits(scope, new() { ImageSeqLen = 64 }, 4096)]),
        ["titok-maskgit.s-128"] = (TiTokMaskGitModel.Architecture, "yucornetto/generator_titok_s128_imagenet",
            [scope => TiTokMaskGitNetwork.Logits(scope, new() { ModelType = "UViT", HiddenSize = 1024, NumHiddenLayers = 20, IntermediateSize = 4096, ImageSeqLen = 128 }, 4096)]),
        ["maskgen-vq.l"] = (MaskGenVqModel.Architecture, "turkeyju/generator_maskgen_vq_l", [scope => MaskGenVqNetwork.Logits(scope, new(), new())]),
        ["maskgen-vq.xl"] = (MaskGenVqModel.Architecture, "turkeyju/generator_maskgen_vq_xl", [scope => MaskGenVqNetwork.Logits(scope, ExtraLargeMaskGen, new())]),
        ["maskgen-kl.l"] = (MaskGenKlModel.Architecture, "turkeyju/generator_maskgen_kl_l", MaskGenKl(new(), 1024)),
        ["maskgen-kl.xl"] = (MaskGenKlModel.Architecture, "turkeyju/generator_maskgen_kl_xl", MaskGenKl(ExtraLargeMaskGen, 1280)),
        ["maskbit.10bit"] = (MaskBitModel.Architecture, "markweber/maskbit_generator_10bit", [scope => MaskBitNetwork.Logits(scope, new(), 10)]),
        ["maskbit.12bit"] = (MaskBitModel.Architecture, "markweber/maskbit_generator_12bit", [scope => MaskBitNetwork.Logits(scope, new(), 12)]),
        ["maskbit.14bit"] = (MaskBitModel.Architecture, "markweber/maskbit_generator_14bit", [scope => MaskBitNetwork.Logits(scope, new(), 14)]),
        ["maskbit.16bit"] = (MaskBitModel.Architecture, "markweber/maskbit_generator_16bit", [scope => MaskBitNetwork.Logits(scope, new(), 16)]),
        ["maskbit.18bit"] = (MaskBitModel.Architecture, "markweber/maskbit_generator_18bit", [scope => MaskBitNetwork.Logits(scope, new(), 18)]),
        ["rar.b"] = (RarModel.Architecture, "yucornetto/RAR: rar_b", [scope => RarNetwork.Step(scope, new(), 1024)]),
        ["rar.l"] = (RarModel.Architecture, "yucornetto/RAR: rar_l", [scope => RarNetwork.Step(scope, new() { HiddenSize = 1024, IntermediateSize = 4096 }, 1024)]),
        ["rar.xl"] = (RarModel.Architecture, "yucornetto/RAR: rar_xl", [scope => RarNetwork.Step(scope, new() { HiddenSize = 1280, NumHiddenLayers = 32, IntermediateSize = 5120 }, 1024)]),
        ["rar.xxl"] = (RarModel.Architecture, "yucornetto/RAR: rar_xxl", [scope => RarNetwork.Step(scope, new() { HiddenSize = 1408, NumHiddenLayers = 40, IntermediateSize = 6144 }, 1024)]),
        ["llamagen.b"] = (LlamaGenModel.Architecture, "FoundationVision/LlamaGen: c2i_B_256", LlamaGen(768, 12, 12)),
        ["llamagen.l"] = (LlamaGenModel.Architecture, "FoundationVision/LlamaGen: c2i_L_256", LlamaGen(1024, 24, 16)),
        ["llamagen.xl"] = (LlamaGenModel.Architecture, "FoundationVision/LlamaGen: c2i_XL_384", LlamaGen(1280, 36, 20)),
        ["llamagen.xxl"] = (LlamaGenModel.Architecture, "FoundationVision/LlamaGen: c2i_XXL_384", LlamaGen(1536, 48, 24)),
        ["llamagen.3b"] = (LlamaGenModel.Architecture, "FoundationVision/LlamaGen: c2i_3B_384", LlamaGen(3200, 24, 32)),
        ["llamagen.t2i-xl"] = (LlamaGenModel.Architecture, "FoundationVision/LlamaGen: t2i_XL_stage1_256",
            [scope => LlamaGenNetwork.Step(scope, new() { Dim = 1280, NLayer = 36, NHead = 20, ModelType = "t2i", ClsTokenNum = 120 })]),
        ["mar.b"] = (MarModel.Architecture, "LTH14/mar: mar_base", Mar(768, 12, 12, 1024, 6)),
        ["mar.l"] = (MarModel.Architecture, "LTH14/mar: mar_large", Mar(1024, 16, 16, 1280, 8)),
        ["mar.h"] = (MarModel.Architecture, "LTH14/mar: mar_huge", Mar(1280, 20, 16, 1536, 12)),
        ["var.d16"] = (VarModel.Architecture, "FoundationVision/var: var_d16", Var(16)),
        ["var.d20"] = (VarModel.Architecture, "FoundationVision/var: var_d20", Var(20)),
        ["var.d24"] = (VarModel.Architecture, "FoundationVision/var: var_d24", Var(24)),
        ["var.d30"] = (VarModel.Architecture, "FoundationVision/var: var_d30", Var(30)),
        ["var.d36"] = (VarModel.Architecture, "FoundationVision/var: var_d36", Var(36, large: true)),
        ["taming-transformer.drin"] = (TamingTransformerModel.Architecture, "CompVis/taming-transformers: drin_transformer",
            [scope => MinGptNetwork.Forward(scope["transformer"], new() { VocabSize = 1024, BlockSize = 512, NLayer = 24, NHead = 16, NEmbd = 1024 }, embeddings: false)]),
        ["semanticist-ar.l"] = (SemanticistArModel.Architecture, "tennant/semanticist: semanticist_ar_gen_L",
        [
            scope => SemanticistArNetwork.Start(scope, new()),
            scope => SemanticistArNetwork.Next(scope, new()),
            scope => SemanticistArNetwork.Step(scope, new()),
            scope => SemanticistArNetwork.Head(scope["diffloss.net"], new()),
        ]),
        ["fqgan-far.b"] = (FqGanFarModel.Architecture, "showlab/FQGAN: FAR-B",
        [
            scope => FqGanFarNetwork.Start(scope, new()),
            scope => FqGanFarNetwork.Next(scope, new(), 2),
            scope => FqGanFarNetwork.Step(scope, new()),
            scope => FqGanFarNetwork.Head(scope, new(), 0),
            scope => FqGanFarNetwork.Head(scope, new(), 1),
        ]),
        ["d-ar.l"] = (DArModel.Architecture, "showlab/D-AR: D-AR-L", [scope => DArNetwork.Forward(scope, new())]),
        ["instella-ar"] = (InstellaArModel.Architecture, "amd/Instella-T2I: ar", [scope => InstellaArNetwork.Forward(scope, new())]),
        ["instella-diffusion"] = (InstellaDiffusionModel.Architecture, "amd/Instella-T2I: diffusion", [scope => InstellaDiffusionNetwork.Build(scope, new())]),
        ["latentlm.l"] = (LatentLmModel.Architecture, "microsoft/unilm: latentlm-L", [scope => LatentLmNetwork.Parallel(scope, new()), scope => LatentLmNetwork.Head(scope, new())]),
        ["enat.l"] = (EnatModel.Architecture, "LeapLabTHU/ENAT: ENAT-L", [scope => EnatNetwork.Build(scope, new(), new(true, true, true))]),
        ["xar.b"] = (XarModel.Architecture, "OliverRen/xAR: xAR-B", Xar(768, 8, 12)),
        ["xar.l"] = (XarModel.Architecture, "OliverRen/xAR: xAR-L", Xar(1024, 16, 16)),
        ["xar.h"] = (XarModel.Architecture, "OliverRen/xAR: xAR-H", Xar(1280, 20, 16)),
        ["hi-mar.b"] = (HiMarModel.Architecture, "HiDream-ai/Hi-MAR: Hi-MAR-B", HiMar(768, 12, 12, 1024, 512, 6, 8)),
        ["hi-mar.l"] = (HiMarModel.Architecture, "HiDream-ai/Hi-MAR: Hi-MAR-L", HiMar(1024, 16, 16, 1280, 512, 8, 8)),
        ["hi-mar.h"] = (HiMarModel.Architecture, "HiDream-ai/Hi-MAR: Hi-MAR-H", HiMar(1280, 20, 16, 1536, 768, 12, 12)),
        ["detok-mar.b"] = (DeTokMarModel.Architecture, "jjiaweiyang/l-DeTok: mar_base", DeTokMar("base", 1024, 6)),
        ["detok-mar.l"] = (DeTokMarModel.Architecture, "jjiaweiyang/l-DeTok: mar_large", DeTokMar("large", 1280, 8)),
        ["imagefolder-var.d17"] = (ImageFolderVarModel.Architecture, "qiuk6/XQ-GAN: VAR-d17-MSVR10P2-4096",
            [scope => VarNetwork.Forward(scope, VarConfig.Published(17) with { PatchNums = [1, 1, 2, 3, 3, 4, 5, 6, 8, 11] }, 2 * 4096, 2 * 32)]),
        ["open-magvit2.b"] = (OpenMagvit2Model.Architecture, "TencentARC/Open-MAGVIT2-AR-B-256-resolution", OpenMagvit2(1024, 24, 2, 16)),
        ["open-magvit2.l"] = (OpenMagvit2Model.Architecture, "TencentARC/Open-MAGVIT2-AR-L-256-resolution", OpenMagvit2(1280, 36, 3, 20)),
        ["open-magvit2.xl"] = (OpenMagvit2Model.Architecture, "TencentARC/Open-MAGVIT2-AR-XL-256-resolution", OpenMagvit2(1536, 48, 4, 24)),
        ["gigatok-ar.b"] = (GigaTokArModel.Architecture, "SilentView/GigaTok: GPT_B256", GigaTok(768, 12, 12)),
        ["gigatok-ar.xl"] = (GigaTokArModel.Architecture, "SilentView/GigaTok: GPT_XL256", GigaTok(1280, 36, 20)),
        ["gigatok-ar.xxl"] = (GigaTokArModel.Architecture, "SilentView/GigaTok: GPT_XXL256", GigaTok(1536, 48, 24)),
    };

    private static readonly Dictionary<string, string> WithoutInventory = new()
    {
        ["image-generators/tcts"] = "The authors published neither code nor weights.",
        ["image-generators/token-shuffle"] = "The authors published neither code nor weights.",
    };

    public static TheoryData<string> Sizes => [.. Published.Keys];

    [Theory, MemberData(nameof(Sizes))]
    public void Inventory_PublishedSize_IsApprovedAndTheCardSaysSo(string size)
    {
        var (architecture, name, networks) = Published[size];
        string[] lines = [.. networks.SelectMany(Network.Inventory).Distinct().Order(StringComparer.Ordinal)];
        var parameters = ApprovedInventory.Verify("ModelZoo.Plugins.ImageGenerators.Tests", size, lines);
        Assert.Equal(architecture.Card.Sizes.Single(published => published.Name == name).Parameters, parameters);
    }

    [Fact]
    public void Architectures_WithoutAnInventory_SayWhy() => ApprovedInventory.CoversAll<ImageGeneratorsPlugin>(Published.Values.Select(published => (published.Architecture.Card.Id, published.Name)), WithoutInventory);

    private static MaskGenConfig ExtraLargeMaskGen => new() { DecoderEmbedDim = 1280, DecoderDepth = 20 };

    private static Action<Scope>[] MaskGenKl(MaskGenConfig config, int head) =>
        [scope => MaskGenKlNetwork.Conditions(scope, config, new() { NumLatentTokens = 32 }), scope => DiffusionHead.Declare(scope["diffloss.net"], new(16, config.DecoderEmbedDim, head, 8))];

    private static Action<Scope>[] LlamaGen(int width, int layers, int heads) => [scope => LlamaGenNetwork.Step(scope, new() { Dim = width, NLayer = layers, NHead = heads })];

    private static Action<Scope>[] Mar(int width, int depth, int heads, int headWidth, int headDepth)
    {
        var config = new MarConfig { EncoderEmbedDim = width, EncoderDepth = depth, EncoderNumHeads = heads, DecoderEmbedDim = width, DecoderDepth = depth, DecoderNumHeads = heads, DifflossW = headWidth, DifflossD = headDepth };
        return [scope => MarNetwork.Conditions(scope, config.Sizes), scope => DiffusionHead.Declare(scope["diffloss.net"], new(16, width, headWidth, headDepth))];
    }

    private static Action<Scope>[] Var(int depth, bool large = false) => [scope => VarNetwork.Forward(scope, VarConfig.Published(depth, large), 4096, 32)];

    private static Action<Scope>[] Xar(int width, int depth, int heads) => [scope => XarNetwork.Velocity(scope, new()
    {
        EncoderEmbedDim = width, EncoderDepth = depth, EncoderNumHeads = heads, DecoderEmbedDim = width, DecoderDepth = depth, DecoderNumHeads = heads,
    })];

    private static Action<Scope>[] HiMar(int width, int depth, int heads, int headWidth, int gridWidth, int headDepth, int gridHeads)
    {
        var config = new HiMarConfig
        {
            EncoderEmbedDim = width, EncoderDepth = depth, EncoderNumHeads = heads, DecoderEmbedDim = width, DecoderDepth = depth, DecoderNumHeads = heads,
            CondScale = 8, DifflossD = headDepth, DifflossW = headWidth, GdmD = headDepth, GdmW = gridWidth, Head = gridHeads,
        };
        return
        [
            scope => HiMarNetwork.Conditions(scope, config, 0),
            scope => HiMarNetwork.Conditions(scope, config, 1),
            scope => HiMarNetwork.Denoise(scope["cond_diffloss.net"], config),
            scope => DiffusionHead.Declare(scope["diffloss.net"], new(config.VaeEmbedDim, width, headWidth, headDepth)),
        ];
    }

    private static Action<Scope>[] DeTokMar(string size, int headWidth, int headDepth)
    {
        var config = new DeTokMarConfig { ModelSize = size, DifflossW = headWidth, DifflossD = headDepth };
        return [scope => MarNetwork.Conditions(scope, config.Sizes), scope => DiffusionHead.Declare(scope["diffloss.net"], new(16, config.Sizes.Decoder.Width, headWidth, headDepth))];
    }

    private static Action<Scope>[] OpenMagvit2(int width, int places, int parts, int heads)
    {
        var config = new OpenMagvit2Config { Dim = width, SpatialNLayer = places, FactorizedNLayer = parts, NHead = heads };
        return [scope => OpenMagvit2Network.Step(scope, config), scope => OpenMagvit2Network.Parts(scope, config, both: true)];
    }

    private static Action<Scope>[] GigaTok(int width, int layers, int heads) => [scope => GigaTokArNetwork.Step(scope, new() { Dim = width, NLayer = layers, NHead = heads })];
}
