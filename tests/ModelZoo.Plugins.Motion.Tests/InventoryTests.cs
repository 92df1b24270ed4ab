using ModelZoo.Conformance;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.Motion.Tests;

/// <summary>Every tensor that a published size needs, compared with approved text: <c>name [shape]</c> a line. A size without text writes it, to be read and approved.</summary>
public sealed class InventoryTests
{
    public static TheoryData<string> Sizes => ["mmm.humanml3d", "mmm-upper-body.humanml3d", "t2m-gpt.humanml3d", "momask.humanml3d", "bamm.humanml3d", "moto.oxe"];

    [Theory, MemberData(nameof(Sizes))]
    public void Inventory_PublishedSize_IsApproved(string size)
    {
        // Their networks have outputs of one name.
        var residual = new ResidualMotionConfig(new(), new(), new() { ShareWeight = true });
        var lines = size switch
        {
            "momask.humanml3d" => MoMaskModel.Inventory(residual),
            "bamm.humanml3d" => BammModel.Inventory(residual),
            _ => Network.Inventory(scope => Build(scope, size)),
        };
        ApprovedInventory.Verify("ModelZoo.Plugins.Motion.Tests", size, lines);
    }

    private static void Build(Scope scope, string size)
    {
        switch (size)
        {
            case "mmm.humanml3d":
                MmmModel.Build(scope, new());
                break;
            case "mmm-upper-body.humanml3d":
                UpperBodyModel.Build(scope, new());
                break;
            case "t2m-gpt.humanml3d":
                T2mGptModel.Build(scope, new());
                break;
            default:
                // config.yaml of the two published folders: ViT-MAE large before, T5 base for words.
                var former = new MotoTokenizerConfig.Part { Config = new() { NumHiddenLayers = 4, InputHiddenSize = 1024, NumPatches = 197 } };
                var decoder = new MotoTokenizerConfig.Part { Config = new() { NumPatches = 196 } };
                MotoModel.Build(scope, new() { MFormer = former, Decoder = decoder }, new(), features: 1024, words: 768);
                break;
        }
    }
}
