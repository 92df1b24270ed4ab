using System.Text.Json;
using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Networks.Parity;

namespace ModelZoo.Plugins.TextTokenizers.Tests.Papers;

/// <summary>Papers whose reference takes the first of equals in the order of a hash table: compared as far as there is no choice.</summary>
public sealed class LeftToChanceTests
{
    // The reference numbers single letters as a hash map shows them; in the combined method those numbers decide between pairs that are as frequent.
    [Theory, ParityCases("text-tokenizers/bytespan")]
    public async Task ByteSpan_SpansAndLearnedTokens_AreThoseOfTheReference(ParityCase @case)
    {
        IReadOnlyList<JsonElement> Read(string file) => ParityRunner.ReadLines(Path.Combine(@case.Folder, file));
        var source = new ModelSource { Id = @case.Model, Folder = @case.CheckpointFolder, Services = HostServices.Instance };
        var architecture = new TextTokenizersPlugin().Architectures.Single(row => row.Card.Id == @case.Model.ToString());
        await using var model = await architecture.Open(source, CancellationToken.None);
        var arguments = new CallArguments();
        foreach (var (name, value) in @case.Calls[0].Inputs)
        {
            if (name == "lines") arguments.With(name, Read(value.GetString()!));
            else arguments.With(name, value);
        }

        var results = await model.Get<IReferenceCalls>().CallAsync("train", arguments);

        var spans = (IReadOnlyList<JsonElement>)results.Find("spans")!;
        Assert.All(spans.Zip(Read("expected-spans.jsonl")), pair => Assert.True(JsonElement.DeepEquals(pair.First, pair.Second), pair.Second.GetRawText()));
        string[] tokens = [.. ((IReadOnlyList<JsonElement>)results.Find("vocab")!).Select(line => line.GetProperty("token").GetString()!)];
        string[] expected = [.. Read("expected.jsonl").Select(line => line.GetProperty("token").GetString()!)];
        Assert.Equal(expected.Length, tokens.Length);
        var learned = Array.FindLastIndex(expected, IsLetter) + 1;
        Assert.Equal(expected[..learned].Order(StringComparer.Ordinal), tokens[..learned].Order(StringComparer.Ordinal));
        var same = tokens.Zip(expected).Skip(learned).TakeWhile(pair => pair.First == pair.Second).Count();
        Assert.InRange(same, @case.Name.Contains("combined", StringComparison.Ordinal) ? 80 : expected.Length - learned, expected.Length);

        // A letter alone, after a blank, or inside a word.
        static bool IsLetter(string token) => token == "<|unk|>" || token.Length == 1 || (token.Length == 2 && token[0] == '\u0120') || (token.Length == 3 && token.StartsWith("##", StringComparison.Ordinal));
    }
}
