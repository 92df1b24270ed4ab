using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Metrics;

namespace ModelZoo.Plugins.TextTokenizers.Tests.Metrics;

public sealed class IntrinsicMetricsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("lines").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static MetricValue? Measure(string metric, string text, int[] cuts, string? label = null)
    {
        int[] places = [0, .. cuts, text.Length];
        var spans = places.Zip(places.Skip(1), (start, end) => new TokenSpan(start, end)).ToList();
        var tokens = new Tokens(new("test/x", TokenLayout.Flat, [100], "digest"), Tensor.Create(Enumerable.Range(0, spans.Count).ToArray(), spans.Count)) { Spans = spans };
        var sum = IntrinsicMetrics.All.Single(known => known.Name == metric).Start();
        sum.Add(new("a", new Text(text), new Text(text)) { Tokens = tokens, Label = label });
        return sum.Result();
    }

    [Theory]
    [InlineData("ev ler de", new[] { 2, 5 }, 1.0)]
    [InlineData("ev ler de", new[] { 2, 4 }, 0.5)]
    [InlineData("ev ler de", new int[0], 0.0)]
    public void BoundaryF1_CutsAndMorphemes_AgreeAsCounted(string morphemes, int[] cuts, double expected) => Assert.Equal(expected, Measure("boundary-f1", "evlerde", cuts, morphemes)!.Value, 12);

    [Fact]
    public void BoundaryF1_LabelThatDoesNotSpellTheWord_IsNothing() => Assert.Null(Measure("boundary-f1", "evlerde", [2], "turkish"));

    [Fact]
    public void TokensPerNumber_DigitsAlone_Count() => Assert.Equal(1.5, Measure("tokens-per-number", "in 1999 and 7", [3, 5, 7, 12])!.Value, 12);

    [Fact]
    public void TokenClasses_OfOneScriptEach_AreShares()
    {
        var value = Measure("token-classes", "word слово !? a", [4, 10, 13])!;
        Assert.Equal(0.75, value.Value, 12);     // "!?" is the fourth
        Assert.Equal(1, value.Parts.Sum(part => part.Value), 12);
        Assert.Contains(value.Parts, part => part.Key == "spaced_alpha");
    }

    [Theory]
    [InlineData("words.tsv", "evde\tev de\n\ngel\tgel\n", "evde,gel", "ev de")]
    [InlineData("texts.jsonl", "{\"text\": \"ein\\nText\", \"label\": \"de\"}\n{\"word\": \"evde\", \"gold\": [\"ev\", \"de\"]}\n", "ein\nText,evde", null)]
    public async Task LinesOfText_EachLine_IsAnExample(string name, string content, string texts, string? gold)
    {
        var path = Path.Combine(_folder, name);
        await File.WriteAllTextAsync(path, content);
        var reader = new LinesOfText();
        Assert.True(reader.CanRead(path));
        var examples = await reader.ReadAsync(path, null!).ToListAsync();
        Assert.Equal(texts, string.Join(',', examples.Select(example => example.Media.Expect<Text>().Value)));
        Assert.Equal(gold, (examples[0].Target as Text)?.Value);
    }

    [Theory]
    [InlineData("words.tsv", "evde\tev-de\n", "words.tsv:1")]
    [InlineData("texts.jsonl", "{\"text\": \"a\"}\n{\"txt\": 1}\n", "texts.jsonl:2")]
    [InlineData("texts.jsonl", "[]\n", "texts.jsonl:1")]
    public async Task LinesOfText_BadLine_IsNamed(string name, string content, string place)
    {
        var path = Path.Combine(_folder, name);
        await File.WriteAllTextAsync(path, content);
        var error = await Assert.ThrowsAsync<ModelZooException>(async () => await new LinesOfText().ReadAsync(path, null!).ToListAsync());
        Assert.Contains(place, error.Message, StringComparison.Ordinal);
    }
}
