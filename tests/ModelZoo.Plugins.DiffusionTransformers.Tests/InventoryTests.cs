using System.Text.Json;
using ModelZoo.Conformance;
using ModelZoo.Networks;
using ModelZoo.Networks.Diffusion;
using ModelZoo.Plugins.DiffusionTransformers.DiT;
using ModelZoo.Plugins.DiffusionTransformers.Flux;
using ModelZoo.Plugins.DiffusionTransformers.PixArt;
using ModelZoo.Plugins.DiffusionTransformers.Sana;
using ModelZoo.Plugins.DiffusionTransformers.SD3;
using ModelZoo.Plugins.DiffusionTransformers.Shared;

namespace ModelZoo.Plugins.DiffusionTransformers.Tests;

/// <summary>Every tensor that a published size needs, compared with approved text: <c>name [shape]</c> a line. A size without text writes it, to be read and approved.</summary>
public sealed class InventoryTests
{
    // Numbers of parameters; SD3's count in its stored table of positions, 192 x 192 x 1536, which its paper leaves out.
    [Theory]
    [InlineData("dit.xl-2", 675_129_632L)]
    [InlineData("unet.sd15", 859_520_964L)]
    [InlineData("flux.dev", 11_901_408_320L)]
    [InlineData("sd3.medium", 2_084_951_104L)]
    [InlineData("pixart-sigma.xl-2-1024", 610_856_096L)]
    [InlineData("sana.1600m-1024", 1_604_462_752L)]
    public void Inventory_PublishedSize_IsApproved(string size, long parameters)
    {
        var lines = Of(size);
        Assert.Equal(parameters, ApprovedInventory.Verify("ModelZoo.Plugins.DiffusionTransformers.Tests", size, lines));
    }

    private static IReadOnlyList<string> Of(string size)
    {
        switch (size)
        {
            case "dit.xl-2":
                var dit = new DiTConfig();
                return ClassNetwork.Inventory(dit.Sample, (scope, x, t, y) => DiTNetwork.Build(scope, x, t, y, dit));
            case "unet.sd15":
                var unet = new UNetConfig { LayersPerBlock = Json("2"), CrossAttentionDim = Json("768"), TransformerLayersPerBlock = Json("1"), AttentionHeadDim = Json("8") };
                return Network.Inventory(scope => UNet.UNet.Declare(scope, unet, 64, 64));
            case "flux.dev":
                return Network.Inventory(scope => FluxTransformer.Declare(scope, new() { GuidanceEmbeds = true }));
            case "sd3.medium":
                var sd3 = new SD3Config { NumLayers = 24, NumAttentionHeads = 24, CaptionProjectionDim = 1536, PosEmbedMaxSize = 192 };
                return TextNetwork.Inventory(SD3Network.Conditions(sd3), 128, 128, (scope, inputs) => SD3Network.Build(scope, inputs, sd3));
            case "pixart-sigma.xl-2-1024":
                var pixart = new DiffusersPixArtConfig { NumAttentionHeads = 16, AttentionHeadDim = 72, OutChannels = 8, NumLayers = 28, CrossAttentionDim = 1152, SampleSize = 128, UseAdditionalConditions = false, CaptionChannels = 4096 };
                return TextNetwork.Inventory(DiffusersPixArtNetwork.Conditions(pixart), 128, 128, (scope, inputs) => DiffusersPixArtNetwork.Build(scope, inputs, pixart));
            default:
                var sana = new SanaConfig { NumAttentionHeads = 70, AttentionHeadDim = 32, NumLayers = 20, NumCrossAttentionHeads = 20, CrossAttentionHeadDim = 112, CrossAttentionDim = 2240 };
                return TextNetwork.Inventory(SanaNetwork.Conditions(sana), 32, 32, (scope, inputs) => SanaNetwork.Build(scope, inputs, sana));
        }
    }

    private static JsonElement Json(string text) => JsonDocument.Parse(text).RootElement;
}
