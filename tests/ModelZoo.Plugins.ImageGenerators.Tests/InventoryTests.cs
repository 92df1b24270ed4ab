using ModelZoo.Conformance;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.ImageGenerators.Tests;

/// <summary>Every tensor that a published size needs, compared with approved text: <c>name [shape]</c> a line. A size without text writes it, to be read and approved.</summary>
public sealed class InventoryTests
{
    // As the papers round them: 177M, 305M (MaskBit), 261M (RAR-B), 111M (LlamaGen-B), 208M (MAR-B). MaskGen's are those of its published configurations.
    [Theory]
    [InlineData("titok-maskgit.l-32", 177_202_432L)]
    [InlineData("maskgen-vq.l", 604_311_552L)]
    [InlineData("maskgen-kl.l", 641_364_000L)]
    [InlineData("maskbit.14bit", 304_929_024L)]
    [InlineData("rar.b", 260_923_648L)]
    [InlineData("llamagen.b", 110_888_448L)]
    [InlineData("mar.b", 207_924_768L)]
    public void Inventory_PublishedSize_IsApproved(string size, long parameters)
    {
        var lines = Of(size);
        Assert.Equal(parameters, ApprovedInventory.Verify("ModelZoo.Plugins.ImageGenerators.Tests", size, lines));
    }

    private static IReadOnlyList<string> Of(string size)
    {
        switch (size)
        {
            case "titok-maskgit.l-32":
                return Network.Inventory(scope => TiTokMaskGitNetwork.Logits(scope, new(), 4096));
            case "maskgen-vq.l":
                return Network.Inventory(scope => MaskGenVqNetwork.Logits(scope, new(), new()));
            case "maskgen-kl.l":
                return Network.Inventory(scope =>
                {
                    MaskGenKlNetwork.Conditions(scope, new(), new() { NumLatentTokens = 32 });
                    DiffusionHead.Declare(scope["diffloss.net"], new(16, 1024, 1024, 8));
                });
            case "maskbit.14bit":
                return Network.Inventory(scope => MaskBitNetwork.Logits(scope, new(), 14));
            case "rar.b":
                return Network.Inventory(scope => RarNetwork.Step(scope, new(), 1024));
            case "llamagen.b":
                return Network.Inventory(scope => LlamaGenNetwork.Step(scope, new() { Dim = 768, NLayer = 12, NHead = 12 }));
            default:
                var mar = new MarConfig { EncoderEmbedDim = 768, EncoderDepth = 12, EncoderNumHeads = 12, DecoderEmbedDim = 768, DecoderDepth = 12, DecoderNumHeads = 12, DifflossD = 6 };
                return Network.Inventory(scope =>
                {
                    MarNetwork.Conditions(scope, mar.Sizes);
                    DiffusionHead.Declare(scope["diffloss.net"], new(16, 768, mar.DifflossW, mar.DifflossD));
                });
        }
    }
}
