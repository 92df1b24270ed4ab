using System.Text.Json;
using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Diffusion;
using ModelZoo.Plugins.DiffusionTransformers.ConceptSteerers;
using ModelZoo.Plugins.DiffusionTransformers.DiT;
using ModelZoo.Plugins.DiffusionTransformers.DiTMoE;
using ModelZoo.Plugins.DiffusionTransformers.DyDiT;
using ModelZoo.Plugins.DiffusionTransformers.FlexDiT;
using ModelZoo.Plugins.DiffusionTransformers.Flux;
using ModelZoo.Plugins.DiffusionTransformers.Haste;
using ModelZoo.Plugins.DiffusionTransformers.LightningDiT;
using ModelZoo.Plugins.DiffusionTransformers.PixArt;
using ModelZoo.Plugins.DiffusionTransformers.ProMoE;
using ModelZoo.Plugins.DiffusionTransformers.Rae;
using ModelZoo.Plugins.DiffusionTransformers.Rin;
using ModelZoo.Plugins.DiffusionTransformers.Sana;
using ModelZoo.Plugins.DiffusionTransformers.SD3;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.SiT;
using ModelZoo.Plugins.DiffusionTransformers.UDiT;
using ModelZoo.Plugins.DiffusionTransformers.UNet;

namespace ModelZoo.Plugins.DiffusionTransformers.Tests;

/// <summary>Every tensor that a published size needs, compared with approved text: <c>name [shape]</c> a line. A size without text writes it, to be read and approved.</summary>
public sealed class InventoryTests
{
    // The papers round these: 33M, 130M, 458M and 675M (DiT, SiT), 610M (PixArt), 590M and 1.6B (SANA), 2B and 8B (SD3; its stored table of positions is counted here), 12B (FLUX), 860M and 2.6B (Stable Diffusion),
    // 16.5B (DiT-MoE), 839M and 415M beside DINOv2's 87M (RAE). HASTE adds its projector of 8M to SiT. RIN is that of the repository's file for 64 pixels; the paper's 281M are a larger one.
    private static readonly Dictionary<string, (ModelArchitecture Architecture, string Name, Func<IReadOnlyList<string>> Lines)> Published = new()
    {
        ["dit.xl-2"] = (DiTModel.Architecture, "facebookresearch/DiT: DiT-XL-2-256x256", () => Dit(new())),
        ["dit.xl-2-512"] = (DiTModel.Architecture, "facebookresearch/DiT: DiT-XL-2-512x512", () => Dit(new() { InputSize = 64 })),
        ["sit.s-2"] = (SiTModel.Architecture, "willisma/SiT: SiT-S-2", () => Dit(new() { HiddenSize = 384, Depth = 12, NumHeads = 6 })),
        ["sit.b-2"] = (SiTModel.Architecture, "willisma/SiT: SiT-B-2", () => Dit(new() { HiddenSize = 768, Depth = 12, NumHeads = 12 })),
        ["sit.l-2"] = (SiTModel.Architecture, "willisma/SiT: SiT-L-2", () => Dit(new() { HiddenSize = 1024, Depth = 24, NumHeads = 16 })),
        ["sit.xl-2"] = (SiTModel.Architecture, "willisma/SiT: SiT-XL-2-256x256", () => Dit(new())),
        ["lightningdit.xl-1"] = (LightningDiTModel.Architecture, "hustvl/lightningdit-xl-imagenet256-800ep", () => Lightning(new())),
        ["lightningdit.xl-1-64ep"] = (LightningDiTModel.Architecture, "hustvl/lightningdit-xl-imagenet256-64ep", () => Lightning(new() { UseQknorm = true })),
        ["u-dit.s"] = (UDiTModel.Architecture, "YuchuanTian/U-DiT: U-DiT-S", () => UDit(96, 4)),
        ["u-dit.b"] = (UDiTModel.Architecture, "YuchuanTian/U-DiT: U-DiT-B", () => UDit(192, 8)),
        ["u-dit.l"] = (UDiTModel.Architecture, "YuchuanTian/U-DiT: U-DiT-L", () => UDit(384, 16)),
        ["unet.sd15"] = (UNetModel.Architecture, "stable-diffusion-v1-5/stable-diffusion-v1-5: unet", () => UNetOf(new() { LayersPerBlock = Json("2"), CrossAttentionDim = Json("768"), TransformerLayersPerBlock = Json("1"), AttentionHeadDim = Json("8") })),
        ["unet.sd21"] = (UNetModel.Architecture, "stabilityai/stable-diffusion-2-1: unet", () => UNetOf(new()
        {
            LayersPerBlock = Json("2"), CrossAttentionDim = Json("1024"), TransformerLayersPerBlock = Json("1"), AttentionHeadDim = Json("[5, 10, 20, 20]"), UseLinearProjection = true,
        })),
        ["unet.sdxl"] = (UNetModel.Architecture, "stabilityai/stable-diffusion-xl-base-1.0: unet", () => UNetOf(new()
        {
            BlockOutChannels = [320, 640, 1280], DownBlockTypes = ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"], UpBlockTypes = ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
            LayersPerBlock = Json("2"), CrossAttentionDim = Json("2048"), TransformerLayersPerBlock = Json("[1, 2, 10]"), AttentionHeadDim = Json("[5, 10, 20]"), UseLinearProjection = true,
            AdditionEmbedType = "text_time", AdditionTimeEmbedDim = 256, ProjectionClassEmbeddingsInputDim = 2816,
        })),
        ["flux.dev"] = (FluxModel.Architecture, "black-forest-labs/FLUX.1-dev: transformer", () => Network.Inventory(scope => FluxTransformer.Declare(scope, new() { GuidanceEmbeds = true }))),
        ["flux.schnell"] = (FluxModel.Architecture, "black-forest-labs/FLUX.1-schnell: transformer", () => Network.Inventory(scope => FluxTransformer.Declare(scope, new()))),
        ["sd3.medium"] = (SD3Model.Architecture, "stabilityai/stable-diffusion-3-medium-diffusers: transformer", () => Sd3(new() { NumLayers = 24, NumAttentionHeads = 24, CaptionProjectionDim = 1536, PosEmbedMaxSize = 192 })),
        ["sd3.5-medium"] = (SD3Model.Architecture, "stabilityai/stable-diffusion-3.5-medium: transformer", () => Sd3(new()
        {
            NumLayers = 24, NumAttentionHeads = 24, CaptionProjectionDim = 1536, PosEmbedMaxSize = 384, QkNorm = "rms_norm", DualAttentionLayers = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
        })),
        ["sd3.5-large"] = (SD3Model.Architecture, "stabilityai/stable-diffusion-3.5-large: transformer", () => Sd3(new() { NumLayers = 38, NumAttentionHeads = 38, CaptionProjectionDim = 2432, PosEmbedMaxSize = 192, QkNorm = "rms_norm" })),
        ["pixart-alpha.xl-2-512"] = (PixArtModel.Alpha, "PixArt-alpha/PixArt-XL-2-512x512: transformer", () => DiffusersPixArt(new() { SampleSize = 64, UseAdditionalConditions = false, CaptionChannels = 4096 })),
        ["pixart-alpha.xl-2-1024"] = (PixArtModel.Alpha, "PixArt-alpha/PixArt-XL-2-1024-MS: transformer", () => DiffusersPixArt(new() { SampleSize = 128, UseAdditionalConditions = true, CaptionChannels = 4096 })),
        ["pixart-sigma.xl-2-1024"] = (PixArtModel.Sigma, "PixArt-alpha/PixArt-Sigma-XL-2-1024-MS: transformer", () => DiffusersPixArt(new() { SampleSize = 128, UseAdditionalConditions = false, CaptionChannels = 4096 })),
        ["sana.600m-1024"] = (SanaModel.Architecture, "Efficient-Large-Model/Sana_600M_1024px_diffusers: transformer", () => SanaOf(new()
        {
            NumAttentionHeads = 36, AttentionHeadDim = 32, NumLayers = 28, NumCrossAttentionHeads = 16, CrossAttentionHeadDim = 72, CrossAttentionDim = 1152,
        })),
        ["sana.1600m-1024"] = (SanaModel.Architecture, "Efficient-Large-Model/Sana_1600M_1024px_diffusers: transformer", () => SanaOf(new())),
        ["dit-moe.s-8e2a"] = (DiTMoEModel.Architecture, "feizc/DiT-MoE: DiT-MoE-S/2-8E2A", () => DitMoE(new() { HiddenSize = 384, Depth = 12, NumHeads = 6 })),
        ["dit-moe.s-16e2a"] = (DiTMoEModel.Architecture, "feizc/DiT-MoE: DiT-MoE-S/2-16E2A", () => DitMoE(new() { HiddenSize = 384, Depth = 12, NumHeads = 6, NumExperts = 16 })),
        ["dit-moe.b-8e2a"] = (DiTMoEModel.Architecture, "feizc/DiT-MoE: DiT-MoE-B/2-8E2A", () => DitMoE(new() { HiddenSize = 768, Depth = 12, NumHeads = 12 })),
        ["dit-moe.xl-8e2a"] = (DiTMoEModel.Architecture, "feizc/DiT-MoE: DiT-MoE-XL/2-8E2A", () => DitMoE(new())),
        ["dit-moe.g-16e2a"] = (DiTMoEModel.Architecture, "feizc/DiT-MoE: DiT-MoE-G/2-16E2A", () => DitMoE(new() { HiddenSize = 1408, Depth = 40, NumExperts = 16 })),
        ["dydit-plus-plus.xl-2"] = (DyDiTModel.Architecture, "alibaba-damo-academy/DyDiT: DyDiT-XL", () => ClassNetwork.Inventory(new DiTConfig().Sample, (scope, x, t, y) => DyDiTNetwork.Build(scope, x, t, y, new(), complete: false))),
        ["flexdit.xl-2-512"] = (FlexDiTModel.Architecture, "changsn/SparseDiT: DiT-XL/2, 512", () => Flex(new() { InputSize = 64 })),
        ["haste.sit-xl-2"] = (HasteModel.Architecture, "NUS-HPC-AI-Lab/HASTE: SiT-XL/2", () => ClassNetwork.Inventory(new HasteConfig().Sample, (scope, x, t, y) => HasteNetwork.Build(scope, x, t, y, new()))),
        ["promoe.s"] = (ProMoEModel.Architecture, "ali-vilab/ProMoE: ProMoE-S-Flow", () => ProMoE(384, 12, 6)),
        ["promoe.b"] = (ProMoEModel.Architecture, "ali-vilab/ProMoE: ProMoE-B-Flow", () => ProMoE(768, 12, 12)),
        ["promoe.l"] = (ProMoEModel.Architecture, "ali-vilab/ProMoE: ProMoE-L-Flow", () => ProMoE(1024, 24, 16)),
        ["promoe.xl"] = (ProMoEModel.Architecture, "ali-vilab/ProMoE: ProMoE-XL-Flow", () => ProMoE(1152, 28, 16)),
        ["rae.dinov2-b"] = (RaeModel.Architecture, "bytetriper/RAE: DINOv2-B, ViTXL_n08", RaeAutoencoder),
        ["rae.ditdh-xl"] = (RaeModel.Architecture, "bytetriper/RAE: DiTDH-XL", () => ClassNetwork.Inventory(new DdtConfig { InputSize = 16 }.Sample, (scope, x, t, y) => RaeNetworks.Denoise(scope, x, t, y, new() { InputSize = 16 }))),
        ["rin.imagenet-64"] = (RinModel.Architecture, "google-research/pix2seq: imagenet 64", () => Network.Inventory(scope => RinNetwork.Declare(scope, new() { RwNumHeads = 16, SelfCond = "latent", TimeOnLatent = true, CondOnLatentN = 1 }, 1000))),
        ["concept-steerers.sd14"] = (ConceptSteerersModel.Architecture, "kim-dahye/steerers: SD 1.4, 4 times 768", () => Network.Inventory(scope => ConceptSteerersCalls.Declare(scope, new SparseAutoencoderConfig()))),
    };

    private static readonly Dictionary<string, string> WithoutInventory = new()
    {
        ["diffusion-transformers/cat-pruning"] = "It has no weights of its own: it prunes the tokens of SD3, which has its inventory.",
        ["diffusion-transformers/clear"] = "It has no tensors of its own: it fine-tunes FLUX.1, which has its inventory.",
        ["diffusion-transformers/cocoins"] = "The authors published neither code nor weights.",
        ["diffusion-transformers/dat-encoder"] = "The authors published neither code nor weights.",
        ["diffusion-transformers/delta-dit"] = "It has no weights of its own: it caches blocks of DiT, which has its inventory.",
        ["diffusion-transformers/discriminative-class-tokens"] = "Its weights are one token; Stable Diffusion's UNet and CLIP have their inventories.",
        ["diffusion-transformers/dit4sr"] = "The sizes stand in a config.json that lies beside the weights alone.",
        ["diffusion-transformers/flowtok"] = "The layout here is that of a specification; the authors' own came later.",
        ["diffusion-transformers/in-context-lora"] = "Its weights are low-rank updates of FLUX.1, which has its inventory.",
        ["diffusion-transformers/interpretdiffusion"] = "Its weights are one vector a concept; Stable Diffusion's UNet has its inventory.",
        ["diffusion-transformers/kaleido"] = "The authors published neither code nor weights.",
        ["diffusion-transformers/latexblend"] = "Its weights are one feature a concept; Stable Diffusion XL's UNet has its inventory.",
        ["diffusion-transformers/layertracer"] = "It is FLUX.1 with low-rank updates; FLUX.1 has its inventory.",
        ["diffusion-transformers/li-dit"] = "The authors published neither code nor weights.",
        ["diffusion-transformers/pt-dit"] = "The public repository holds neither code nor a configuration.",
        ["diffusion-transformers/svg2"] = "It has no weights of its own: it permutes the attention of other models.",
        ["diffusion-transformers/tokencompose"] = "It has no tensors of its own: it fine-tunes Stable Diffusion's UNet, which has its inventory.",
        ["diffusion-transformers/tokenverse"] = "The authors published neither code nor weights.",
        ["diffusion-transformers/tome-sd"] = "It has no weights of its own: it merges tokens of Stable Diffusion's UNet, which has its inventory.",
        ["diffusion-transformers/tome-semantic-binding"] = "It has no weights of its own: it guides Stable Diffusion XL's UNet, which has its inventory.",
        ["diffusion-transformers/zipir"] = "The authors published neither code nor weights.",
    };

    public static TheoryData<string> Sizes => [.. Published.Keys];

    [Theory, MemberData(nameof(Sizes))]
    public void Inventory_PublishedSize_IsApprovedAndTheCardSaysSo(string size)
    {
        var (architecture, name, lines) = Published[size];
        var parameters = ApprovedInventory.Verify("ModelZoo.Plugins.DiffusionTransformers.Tests", size, lines());
        Assert.Equal(architecture.Card.Sizes.Single(published => published.Name == name).Parameters, parameters);
    }

    [Fact]
    public void Architectures_WithoutAnInventory_SayWhy() => ApprovedInventory.CoversAll<DiffusionTransformersPlugin>(Published.Values.Select(published => (published.Architecture.Card.Id, published.Name)), WithoutInventory);

    private static IReadOnlyList<string> Dit(DiTConfig config) => ClassNetwork.Inventory(config.Sample, (scope, x, t, y) => DiTNetwork.Build(scope, x, t, y, config));

    // One patch a place of VA-VAE's 16 x 16 x 32 latent.
    private static IReadOnlyList<string> Lightning(LightningDiTConfig variant)
    {
        var config = variant with { InputSize = 16, PatchSize = 1, InChannels = 32, LearnSigma = false, UseSwiglu = true, UseRope = true, UseRmsnorm = true };
        return ClassNetwork.Inventory(config.Sample, (scope, x, t, y) => LightningDiTNetwork.Build(scope, x, t, y, config));
    }

    private static IReadOnlyList<string> UDit(int width, int heads)
    {
        var config = new UDiTConfig { HiddenSize = width, NumHeads = heads, MlpRatio = 2, AttnType = "v2", PosembType = "rope2d", DownShortcut = 1 };
        return ClassNetwork.Inventory([config.InChannels, config.InputSize, config.InputSize], (scope, x, t, y) => UDiTNetwork.Build(scope, x, t, y, config));
    }

    private static IReadOnlyList<string> UNetOf(UNetConfig config) => Network.Inventory(scope => UNet.UNet.Declare(scope, config, 64, 64));

    private static IReadOnlyList<string> Sd3(SD3Config config) => TextNetwork.Inventory(SD3Network.Conditions(config), 128, 128, (scope, inputs) => SD3Network.Build(scope, inputs, config));

    private static IReadOnlyList<string> DiffusersPixArt(DiffusersPixArtConfig config) =>
        TextNetwork.Inventory(DiffusersPixArtNetwork.Conditions(config), config.SampleSize, config.SampleSize, (scope, inputs) => DiffusersPixArtNetwork.Build(scope, inputs, config));

    private static IReadOnlyList<string> SanaOf(SanaConfig config) => TextNetwork.Inventory(SanaNetwork.Conditions(config), 32, 32, (scope, inputs) => SanaNetwork.Build(scope, inputs, config));

    private static IReadOnlyList<string> DitMoE(DiTMoEConfig config) => ClassNetwork.Inventory(config.Sample, (scope, x, t, y) => DiTMoENetwork.Build(scope, x, t, y, config));

    private static IReadOnlyList<string> Flex(FlexDiTConfig config) => ClassNetwork.Inventory(config.Sample, (scope, x, t, y) => FlexDiTNetwork.Build(scope, x, t, y, config));

    // Half of a perceptron of four times the width for the experts that are chosen, half for the one that all share.
    private static IReadOnlyList<string> ProMoE(int width, int depth, int heads)
    {
        var experts = new ProMoEExperts { NumRoutedExperts = 12, MoeIntermediateSize = 2 * width, SharedExpertIntermediateSize = 2 * width, Interleave = true, TopK = 1, RouterWeightMode = "identity" };
        var config = new ProMoEConfig { HiddenSize = width, Depth = depth, NumHeads = heads, LearnSigma = false, Experts = experts };
        return ClassNetwork.Inventory(config.Sample, (scope, x, t, y) => ProMoENetwork.Build(scope, x, t, y, config));
    }

    // DINOv2 with registers, and the decoder of configs/decoder/ViTXL.
    private static IReadOnlyList<string> RaeAutoencoder()
    {
        var decoder = new RaeDecoderConfig { DecoderHiddenSize = 1152, DecoderIntermediateSize = 4096, DecoderNumHiddenLayers = 28 };
        return
        [
            .. Network.Inventory(scope => scope.Graph.Output("tokens", RaeNetworks.Encode(scope, scope.Graph.Input("x", [1, 3, 224, 224]), new(), plainNorm: true))),
            .. Network.Inventory(scope => scope.Graph.Output("patches", RaeNetworks.Decode(scope, scope.Graph.Input("z", [1, 256, 768]), decoder, 16))),
        ];
    }

    private static JsonElement Json(string text) => JsonDocument.Parse(text).RootElement;
}
