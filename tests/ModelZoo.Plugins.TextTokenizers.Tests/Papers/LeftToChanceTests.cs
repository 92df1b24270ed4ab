using ModelZoo.Conformance;
using ModelZoo.Networks.Parity;
using ModelZoo.Plugins.TextTokenizers.Papers;

namespace ModelZoo.Plugins.TextTokenizers.Tests.Papers;

/// <summary>Papers whose reference takes the first of equals in the order of a hash table: compared as far as there is no choice.</summary>
public sealed class LeftToChanceTests
{
    [Theory, ParityCases("text-tokenizers/picky-bpe")]
    public void PickyBpe_DeterminedEvents_AreThoseOfTheReference(ParityCase @case)
    {
        var config = System.Text.Json.JsonElement.Parse(File.ReadAllText(Path.Combine(@case.CheckpointFolder!, "config.json")));
        var trainer = new PickyBpeTrainer(config.GetProperty("vocab_size").GetInt32(), config.GetProperty("threshold").GetDouble(), config.GetProperty("coverage").GetDouble());
        var lines = ParityRunner.ReadLines(Path.Combine(@case.Folder, "inputs.jsonl")).Select(line => line.GetProperty("text").GetString()!);
        var expected = ParityRunner.ReadLines(Path.Combine(@case.Folder, "expected-events.jsonl"));

        var events = trainer.Train(lines, CancellationToken.None);

        Assert.InRange(events.Count, 100, expected.Count);
        Assert.All(events.Zip(expected), pair => Assert.True(System.Text.Json.JsonElement.DeepEquals(PickyBpeTrainer.Describe(pair.First), pair.Second), pair.Second.GetRawText()));
    }

    [Theory, ParityCases("text-tokenizers/greedtok")]
    public void GreedTok_UntilTheFirstTie_PicksWhatTheReferencePicks(ParityCase @case)
    {
        var config = System.Text.Json.JsonElement.Parse(File.ReadAllText(Path.Combine(@case.CheckpointFolder!, "config.json")));
        var words = ParityRunner.ReadLines(Path.Combine(@case.Folder, "inputs.jsonl"))
            .Select(line => (System.Text.Encoding.UTF8.GetBytes(line.GetProperty("word").GetString()!), line.GetProperty("count").GetInt64()));
        var greedy = new GreedTok(words, config.GetProperty("max_token_length").GetInt32(), config.GetProperty("min_word_count").GetInt64());
        var expected = ParityRunner.ReadLines(Path.Combine(@case.Folder, "expected-ranks.jsonl"));

        var picked = greedy.Select(expected.Count, CancellationToken.None);

        var same = picked.Zip(expected).TakeWhile(pair => pair.First.Token == pair.Second.GetProperty("token").GetString()).Count();
        Assert.InRange(same, 10, expected.Count);
        Assert.All(picked.Zip(expected).Take(same + 1), pair => Assert.Equal(pair.Second.GetProperty("gain").GetInt64(), pair.First.Gain));
    }
}
