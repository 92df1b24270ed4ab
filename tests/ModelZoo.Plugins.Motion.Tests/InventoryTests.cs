using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.Motion.Tests;

/// <summary>Every tensor that a published size needs, compared with approved text: <c>name [shape]</c> a line. A size without text writes it, to be read and approved.</summary>
public sealed class InventoryTests
{
    // Tokenizer and transformers together; of T2M-GPT's, 228M are the transformer's, as the paper says.
    private static readonly Dictionary<string, (ModelArchitecture Architecture, string Name, Func<IReadOnlyList<string>> Lines)> Published = new()
    {
        ["mmm.humanml3d"] = (MmmModel.Architecture, "exitudio/MMM: HumanML3D", () => Network.Inventory(scope => MmmModel.Build(scope, new()))),
        ["mmm-upper-body.humanml3d"] = (UpperBodyModel.Architecture, "exitudio/MMM: HumanML3D, upper body", () => Network.Inventory(scope => UpperBodyModel.Build(scope, new()))),
        ["t2m-gpt.humanml3d"] = (T2mGptModel.Architecture, "Mael-zys/T2M-GPT: HumanML3D", () => Network.Inventory(scope => T2mGptModel.Build(scope, new()))),
        ["t2m-gpt.kit"] = (T2mGptModel.Architecture, "Mael-zys/T2M-GPT: KIT-ML", () => Network.Inventory(scope => T2mGptModel.Build(scope, new() { Dataname = "kit" }))),
        ["momask.humanml3d"] = (MoMaskModel.Architecture, "EricGuo5513/momask-codes: HumanML3D", () => MoMaskModel.Inventory(Residual(263))),
        ["momask.kit"] = (MoMaskModel.Architecture, "EricGuo5513/momask-codes: KIT-ML", () => MoMaskModel.Inventory(Residual(251))),
        ["bamm.humanml3d"] = (BammModel.Architecture, "exitudio/BAMM: HumanML3D", () => BammModel.Inventory(Residual(263))),
        ["moto.oxe"] = (MotoModel.Architecture, "TencentARC/Moto: OXE", Moto),
    };

    private static readonly Dictionary<string, string> WithoutInventory = new()
    {
        ["motion/lcb"] = "The authors published neither code nor weights.",
        ["motion/lmr"] = "The published train_config.json, which has the sizes, lies beside the weights alone; neither repository nor paper prints them.",
        ["motion/m2dm"] = "The authors published neither code nor weights.",
    };

    public static TheoryData<string> Sizes => [.. Published.Keys];

    [Theory, MemberData(nameof(Sizes))]
    public void Inventory_PublishedSize_IsApprovedAndTheCardSaysSo(string size)
    {
        var (architecture, name, lines) = Published[size];
        var parameters = ApprovedInventory.Verify("ModelZoo.Plugins.Motion.Tests", size, lines());
        Assert.Equal(architecture.Card.Sizes.Single(published => published.Name == name).Parameters, parameters);
    }

    [Fact]
    public void Architectures_WithoutAnInventory_SayWhy() => ApprovedInventory.CoversAll<MotionPlugin>(Published.Values.Select(published => (published.Architecture.Card.Id, published.Name)), WithoutInventory);

    private static ResidualMotionConfig Residual(int features) => new(new() { DimPose = features }, new(), new() { ShareWeight = true });

    // config.yaml of the two published folders: ViT-MAE large before, T5 base for words.
    private static IReadOnlyList<string> Moto()
    {
        var former = new MotoTokenizerConfig.Part { Config = new() { NumHiddenLayers = 4, InputHiddenSize = 1024, NumPatches = 197 } };
        var decoder = new MotoTokenizerConfig.Part { Config = new() { NumPatches = 196 } };
        return Network.Inventory(scope => MotoModel.Build(scope, new() { MFormer = former, Decoder = decoder }, new(), features: 1024, words: 768));
    }
}
