using System.Text.Json;
using ModelZoo.Conformance;
using ModelZoo.Networks.Encoders;

namespace ModelZoo.Networks.Tests.Encoders;

/// <summary>Ids of texts, against those that the sentencepiece library gave.</summary>
public sealed class SentencePiecesTests
{
    private static readonly string Tokenizers = Repository.Path("tests", "ModelZoo.Networks.Tests", "Encoders", "tokenizers");

    public static TheoryData<string> Models => [.. Directory.GetDirectories(Tokenizers).Select(path => Path.GetFileName(path)).Order()];

    [Theory]
    [MemberData(nameof(Models))]
    public void Encode_TextsOfTheReference_GivesItsIds(string model)
    {
        var pieces = SentencePieces.Open(Path.Combine(Tokenizers, model));
        var expected = JsonSerializer.Deserialize<Dictionary<string, int[]>>(File.ReadAllText(Path.Combine(Tokenizers, model, "ids.json")))!;
        var wrong = expected.Where(line => !pieces.Encode(line.Key).SequenceEqual(line.Value)).Select(line => $"{JsonSerializer.Serialize(line.Key)}: {string.Join(' ', pieces.Encode(line.Key))} for {string.Join(' ', line.Value)}").ToList();
        Assert.True(wrong.Count == 0, $"{wrong.Count} of {expected.Count}: {string.Join('\n', wrong.Take(8))}");
    }
}
