using System.Text.Json;
using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.LanguageModels.Tests;

/// <summary>Every tensor that a published size needs, compared with approved text: <c>name [shape]</c> a line. A size without text writes it, to be read and approved.</summary>
public sealed class InventoryTests
{
    private static readonly Dictionary<string, (ModelArchitecture Architecture, string Name)> Published = new()
    {
        // transformers' own count of BltForCausalLM with its default configuration is the same.
        ["blt.1b"] = (BltModel.Architecture, "itazap/blt-1b-hf"),
        // google/byt5-small's 299,637,760 and the gate's 2,945.
        ["mrt5.small"] = (MrT5Model.Architecture, "stanfordnlp/mrt5-small"),
        ["magnet.three-scripts"] = (MagnetModel.Architecture, "routing_oscar_cyrl10x_latin5x_deva13x"),
        ["h-net.1stage-l"] = (HNetModel.Architecture, "cartesia-ai/hnet_1stage_L"),
        ["h-net.1stage-xl"] = (HNetModel.Architecture, "cartesia-ai/hnet_1stage_XL"),
        ["h-net.2stage-l"] = (HNetModel.Architecture, "cartesia-ai/hnet_2stage_L"),
        ["h-net.2stage-xl"] = (HNetModel.Architecture, "cartesia-ai/hnet_2stage_XL"),
        ["h-net.2stage-xl-chinese"] = (HNetModel.Architecture, "cartesia-ai/hnet_2stage_XL_chinese"),
        ["h-net.2stage-xl-code"] = (HNetModel.Architecture, "cartesia-ai/hnet_2stage_XL_code"),
        // 3,564,976,800 parameters and the table of rotary angles, 393,216, which is published with them.
        ["huginn.0125"] = (HuginnModel.Architecture, "tomg-group-umd/huginn-0125"),
        ["toucan.text8"] = (ToucanModel.Architecture, "toucan (x10), text8"),
        ["learn-your-tokens.byte"] = (LearnYourTokensModel.Architecture, "unitrain.py: bytes, 4 prefixes, words of 12"),
    };

    public static TheoryData<string> Sizes => [.. Published.Keys];

    [Theory, MemberData(nameof(Sizes))]
    public void Inventory_PublishedSize_IsApprovedAndTheCardSaysSo(string size)
    {
        var (architecture, name) = Published[size];
        var parameters = ApprovedInventory.Verify("ModelZoo.Plugins.LanguageModels.Tests", size, Graphs(size).SelectMany(graph => Network.Inventory(graph)).Distinct().Order(StringComparer.Ordinal).ToArray());
        Assert.Equal(architecture.Card.Sizes.Single(published => published.Name == name).Parameters, parameters);
    }

    [Fact]
    public void Architectures_WithoutAnInventory_SayWhy() => ApprovedInventory.CoversAll<LanguageModelsPlugin>(Published.Values.Select(published => (published.Architecture.Card.Id, published.Name)), new Dictionary<string, string> { ["language-models/hat"] = "The sizes' configurations are not public where we can read them." });

    private static IReadOnlyList<Action<Scope>> Graphs(string size) => size switch
    {
        "blt.1b" => [scope => BltNetworks.Build(scope, BltPart.WholePatcher, new()), scope => BltNetworks.Build(scope, BltPart.Whole, new())],
        "mrt5.small" => MrT5Runner.Graphs(new() { DeleteGateLayer = 3 }),
        "magnet.three-scripts" => Hourglass.Graphs(new MagnetConfig(), 262, new MagnetConfig().Scripts.Select(MagnetConfig.Predictor)),
        "h-net.1stage-l" => HNet("""["m4", ["T22"], "m4"]""", [1024, 1536], [0, 4096], [32, 48]),
        "h-net.1stage-xl" => HNet("""["m4", ["T24"], "m4"]""", [1024, 2048], [0, 5504], [32, 64]),
        "h-net.2stage-l" => HNet("""["m4", ["T1m4", ["T26"], "m4T1"], "m4"]""", [1024, 1024, 1536], [0, 2816, 4096], [32, 32, 48]),
        "h-net.2stage-xl" => HNet("""["m4", ["T1m4", ["T27"], "m4T1"], "m4"]""", [1024, 1536, 2048], [0, 4096, 5504], [32, 48, 64]),
        "h-net.2stage-xl-chinese" => HNet("""["m4", ["T1m4", ["T30"], "m4T1"], "m4"]""", [1024, 1536, 2048], [0, 4096, 5504], [32, 48, 64]),
        "h-net.2stage-xl-code" => HNet("""["m4", ["T1m4", ["T28"], "m4T1"], "m4"]""", [1024, 1536, 2048], [0, 4096, 5504], [32, 48, 64]),
        "huginn.0125" => [.. Enum.GetValues<HuginnPart>().Select(part => (Action<Scope>)(scope => HuginnNetworks.Build(scope, part, new(), isCached: false)))],
        "toucan.text8" => Hourglass.Graphs(new ToucanConfig(), new ToucanConfig().Ids, new ToucanConfig().Predictor!),
        "learn-your-tokens.byte" => LearnYourTokens(new() { NumPrefix = 4, BlockSize = 256, NLayer = 8, NHead = 8, NEmbd = 512, Base = "byte" }, 384),
        _ => throw new ArgumentOutOfRangeException(nameof(size), size, "No such size."),
    };

    private static IReadOnlyList<Action<Scope>> LearnYourTokens(LearnYourTokensConfig config, int ids) =>
        [scope => LearnYourTokensNetwork.Words(scope, config, ids, config.CanvasSize), scope => LearnYourTokensNetwork.Spell(scope, config, ids)];

    private static IReadOnlyList<Action<Scope>> HNet(string layout, int[] widths, int[] intermediate, int[] rotary)
    {
        var config = new HNetConfig { ArchLayout = JsonElement.Parse(layout), DModel = widths, DIntermediate = intermediate, AttnCfg = new() { NumHeads = [16], RotaryEmbDim = rotary, WindowSize = [1023] } };
        return [.. config.Stages().SelectMany(stage => HNetNetwork.Parts(config, stage))];
    }
}
