using ModelZoo.Contracts;

namespace ModelZoo.Plugins.LanguageModels.Tests.Shared;

public class WordMetricsTests
{
    [Fact]
    public void NextWordAccuracy_TwoTexts_IsTheShareOfAllWordsWithParts()
    {
        var accumulator = WordMetrics.NextWordAccuracy.Start();
        accumulator.Add(Observe([true, false, true], ["the", "cat", "."]));
        accumulator.Add(Observe([false, true], ["the", "42"]));
        accumulator.Add(new("left out", null, null));
        var result = accumulator.Result()!;
        Assert.Equal(3 / 5.0, result.Value);
        Assert.Equal((2, 1), (result.Count, result.LeftOut));
        // "the" comes twice; the others once, of which two were foreseen.
        Assert.Equal([("plain", 1 / 3.0), ("number", 1), ("punctuation", 1), ("once", 2 / 3.0)], result.Parts.Select(part => (part.Key, part.Value)));
    }

    private static Observation Observe(bool[] hits, string[] words) => WordMetrics.Of(new("text", null, new NamedTensors(new Dictionary<string, Tensor>())), hits, words);
}
