using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Encoders;

namespace ModelZoo.Plugins.Components.Tests.Parts;

/// <summary>Every tensor that a published size needs, compared with approved text: <c>name [shape]</c> a line; the numbers of parameters are those that the publishers' own files hold.</summary>
public sealed class InventoryTests
{
    private static readonly Dim Batch = Dim.Symbol("batch"), Length = Dim.Symbol("length");

    [Theory]
    [InlineData("clip-text.vit-b-32", 63_165_952)]
    [InlineData("clip-text.vit-l-14", 123_060_480)]
    [InlineData("clip-text.vit-h-14", 340_387_840)]
    [InlineData("clip-text.vit-bigg-14", 694_659_840)]
    [InlineData("t5-encoder.small", 35_330_816)]
    [InlineData("t5-encoder.base", 109_628_544)]
    [InlineData("t5-encoder.large", 334_939_648)]
    [InlineData("t5-encoder.v1_1-xl", 1_223_527_424)]
    [InlineData("t5-encoder.v1_1-xxl", 4_762_310_656)]
    [InlineData("umt5.xxl", 5_680_910_336)]
    [InlineData("gemma-2.2b", 2_614_341_888)]
    public void Inventory_PublishedSize_IsApproved(string size, long parameters)
    {
        var lines = Network.Inventory(scope => Build(size, scope, scope.Graph.Input("ids", ElementType.Int64, [Batch, Length])));
        Assert.Equal(parameters, ApprovedInventory.Verify("ModelZoo.Plugins.Components.Tests", size, lines));
    }

    private static void Build(string size, Scope scope, Value ids)
    {
        switch (size)
        {
            case "clip-text.vit-b-32":
                ClipText.Encode(scope, ids, new());
                break;
            case "clip-text.vit-l-14":
                ClipText.Encode(scope, ids, new() { HiddenSize = 768, IntermediateSize = 3072, NumAttentionHeads = 12 });
                break;
            case "clip-text.vit-h-14":
                ClipText.Encode(scope, ids, new() { HiddenSize = 1024, IntermediateSize = 4096, NumHiddenLayers = 23, NumAttentionHeads = 16, HiddenAct = "gelu" });
                break;
            case "clip-text.vit-bigg-14":
                var config = new ClipTextConfig { HiddenSize = 1280, IntermediateSize = 5120, NumHiddenLayers = 32, NumAttentionHeads = 20, ProjectionDim = 1280, HiddenAct = "gelu" };
                ClipText.Project(scope, ClipText.Encode(scope, ids, config).Pooled, config.ProjectionDim);
                break;
            case "t5-encoder.small":
                T5Encoder.Encode(scope, ids, new());
                break;
            case "t5-encoder.base":
                T5Encoder.Encode(scope, ids, new() { DModel = 768, DFf = 3072, NumLayers = 12, NumHeads = 12 });
                break;
            case "t5-encoder.large":
                T5Encoder.Encode(scope, ids, new() { DModel = 1024, DFf = 4096, NumLayers = 24, NumHeads = 16 });
                break;
            case "t5-encoder.v1_1-xl":
                T5Encoder.Encode(scope, ids, new() { DModel = 2048, DFf = 5120, NumLayers = 24, NumHeads = 32, FeedForwardProj = "gated-gelu" });
                break;
            case "t5-encoder.v1_1-xxl":
                T5Encoder.Encode(scope, ids, new() { DModel = 4096, DFf = 10240, NumLayers = 24, NumHeads = 64, FeedForwardProj = "gated-gelu" });
                break;
            case "umt5.xxl":
                T5Encoder.Encode(scope, ids, new() { ModelType = "umt5", VocabSize = 256384, DModel = 4096, DFf = 10240, NumLayers = 24, NumHeads = 64, FeedForwardProj = "gated-gelu" });
                break;
            default:
                Gemma2.Encode(scope, ids, new());
                break;
        }
    }
}
