using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Recommenders.Tests;

public sealed class HistoryReaderTests : IDisposable
{
    private readonly string _file = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():N}.jsonl");

    public void Dispose() => File.Delete(_file);

    [Fact]
    public async Task Read_LinesOfBothForms_LeaveTheLastItemOutUnlessATargetIsGiven()
    {
        var examples = await ReadAsync("{\"user\": \"u\", \"items\": [3, \"x\", 4]}\n\n[1]\n[1, 2]\n{\"user\": 7, \"items\": [5], \"target\": 6}\n");
        Assert.Equal(["u: 3 x -> 4", "4: 1 -> 2", "7: 5 -> 6"], examples.Select(e => $"{e.Label}: {string.Join(' ', ((Items)e.Media).Ids)} -> {((Items)e.Target!).Ids.Single()}"));
    }

    [Theory]
    [InlineData("{\"user\": 1}")]
    [InlineData("nonsense")]
    [InlineData("[1, [2]]")]
    [InlineData("{\"items\": [1], \"target\": {}}")]
    [InlineData("[1, 2]\n3")]
    public async Task Read_NoHistory_NamesTheLine(string text)
    {
        var error = await Assert.ThrowsAsync<ModelZooException>(() => ReadAsync(text));
        Assert.Equal(ErrorCodes.DatasetInvalid, error.Code);
        Assert.EndsWith($"line {text.Split('\n').Length}", error.Where, StringComparison.Ordinal);
    }

    private async Task<List<Example>> ReadAsync(string text)
    {
        await File.WriteAllTextAsync(_file, text);
        var (reader, examples) = (new HistoryReader(), new List<Example>());
        Assert.True(reader.CanRead(_file));
        await foreach (var example in reader.ReadAsync(_file, null!)) examples.Add(example);
        return examples;
    }
}
