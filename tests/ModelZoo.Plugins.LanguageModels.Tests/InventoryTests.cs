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
        ["magnet.three-scripts"] = (MagnetModel.Architecture, "routing_oscar_cyrl10x_latin5x_deva13x"),
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
    public void Architectures_WithoutAnInventory_SayWhy() => ApprovedInventory.CoversAll<LanguageModelsPlugin>(Published.Values.Select(published => (published.Architecture.Card.Id, published.Name)), new Dictionary<string, string>());

    private static IReadOnlyList<Action<Scope>> Graphs(string size) => size switch
    {
        "blt.1b" => [scope => BltNetworks.Build(scope, BltPart.WholePatcher, new()), scope => BltNetworks.Build(scope, BltPart.Whole, new())],
        "magnet.three-scripts" => Hourglass.Graphs(new MagnetConfig(), 262, new MagnetConfig().Scripts.Select(MagnetConfig.Predictor)),
        _ => throw new ArgumentOutOfRangeException(nameof(size), size, "No such size."),
    };
}
