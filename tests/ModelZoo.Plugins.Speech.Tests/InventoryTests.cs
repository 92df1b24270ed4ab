using ModelZoo.Conformance;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Speech.Tests;

/// <summary>Every tensor that a published size needs, compared with approved text: <c>name [shape]</c> a line. A size without text writes it, to be read and approved.</summary>
public sealed class InventoryTests
{
    private static readonly string Folder = Repository.Path("tests", "ModelZoo.Plugins.Speech.Tests", "Inventories");

    private static readonly Dictionary<string, (ModelArchitecture Architecture, Func<IReadOnlyList<string>> Lines)> Published = new()
    {
        ["encodec.24khz"] = (EncodecModel.Architecture, () => EncodecCodec.Inventory(new())),
        ["encodec.48khz"] = (EncodecModel.Architecture, () => EncodecCodec.Inventory(new() { SamplingRate = 48000, AudioChannels = 2, TargetBandwidths = [3, 6, 12, 24], NormType = "time_group_norm", UseCausalConv = false, Normalize = true, ChunkLengthS = 1, Overlap = 0.01 })),
        ["dac.16khz"] = (DacModel.Architecture, () => DacModel.Inventory(new() { DownsamplingRatios = [2, 4, 5, 8], NCodebooks = 12 })),
        ["dac.24khz"] = (DacModel.Architecture, () => DacModel.Inventory(new() { SamplingRate = 24000, DownsamplingRatios = [2, 4, 5, 8], NCodebooks = 32 })),
        ["dac.44khz"] = (DacModel.Architecture, () => DacModel.Inventory(new() { SamplingRate = 44100, DownsamplingRatios = [2, 4, 8, 8], NCodebooks = 9 })),
        ["mimi"] = (MimiModel.Architecture, () => MimiModel.Inventory(new())),
    };

    public static TheoryData<string> Sizes => [.. Published.Keys];

    [Theory, MemberData(nameof(Sizes))]
    public void Inventory_PublishedSize_IsApprovedAndTheCardSaysSo(string size)
    {
        var (architecture, inventory) = Published[size];
        var lines = inventory();
        var file = Path.Combine(Folder, size + ".txt");
        if (!File.Exists(file))
        {
            Directory.CreateDirectory(Folder);
            File.WriteAllLines(file, lines);
            Assert.Fail($"{file} was not there: {lines.Sum(Elements)} numbers in {lines.Count} tensors are written.");
        }

        Assert.Equal(File.ReadAllLines(file), lines);
        Assert.Equal(architecture.Card.Sizes.Single(published => published.Name.EndsWith(size.Replace('.', '_'), StringComparison.Ordinal)).Parameters, lines.Sum(Elements));
    }

    private static long Elements(string line) => line[(line.IndexOf('[') + 1)..^1].Split(", ", StringSplitOptions.RemoveEmptyEntries).Aggregate(1L, (product, extent) => product * long.Parse(extent));
}
