using System.Text.Json;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.LanguageModels.Tests.Shared;

public class CharacterVocabularyTests
{
    [Theory, InlineData("""[" ", "a", "й", "<eos>"]"""), InlineData("""{"й": 2, " ": 0, "a": 1, "<eos>": 3}""")]
    public void OfJson_AListOrAnObject_GivesIdsInOrder(string json)
    {
        var vocabulary = CharacterVocabulary.OfJson(JsonElement.Parse(json), "vocab.json", 4);
        Assert.Equal([1, 2, 0, 1], vocabulary.Encode("aй a"));
        Assert.Equal("aй a", vocabulary.Decode([1, 2, 0, 3, 1]));
        Assert.Equal(4, vocabulary.Size);
    }

    [Theory, InlineData(256, 0), InlineData(259, 3), InlineData(384, 3)]
    public void OfBytes_AnySize_RoundTrips(int size, int offset)
    {
        var vocabulary = CharacterVocabulary.OfBytes(size);
        Assert.Equal([195 + offset, 169 + offset], vocabulary.Encode("é"));
        Assert.Equal("é", vocabulary.Decode(vocabulary.Encode("é")));
        Assert.Equal("\uFFFD", vocabulary.Decode([195 + offset]));
    }

    [Fact]
    public void Encode_AnUnknownCharacter_IsRefusedByName() => Assert.Contains("U+0062", Assert.Throws<MediaException>(() => CharacterVocabulary.Of(["a"]).Encode("ab")).Found, StringComparison.Ordinal);

    [Fact]
    public void Encode_AnUnknownCapital_SaysThatLowerCaseIsKnown()
    {
        var vocabulary = CharacterVocabulary.Of(["a"]);
        Assert.Equal("Write the text in lower case.", Assert.Throws<MediaException>(() => vocabulary.Encode("A")).Remedy);
        Assert.Equal("U+0000", Assert.Throws<MediaException>(() => vocabulary.Encode("\0")).Found);
    }

    [Theory, InlineData("3"), InlineData("[]"), InlineData("{}"), InlineData("""["a", null]"""), InlineData("""["a", "b", "c"]"""), InlineData("""{"a": "b"}"""), InlineData("""{"a": 0, "b": 2000000000}"""), InlineData("""{"a": -1}""")]
    public void OfJson_AnotherFormOrOtherIds_IsRefused(string json) => Assert.Equal(ErrorCodes.ConfigInvalid, Assert.Throws<ModelZooException>(() => CharacterVocabulary.OfJson(JsonElement.Parse(json), "vocab.json", 2)).Code);

    [Fact]
    public void OfFile_NoJson_IsRefusedByName()
    {
        var file = Path.GetTempFileName();
        File.WriteAllText(file, "{");
        var error = Assert.Throws<ModelZooException>(() => CharacterVocabulary.OfFile(file, 2));
        File.Delete(file);
        Assert.Equal((ErrorCodes.ConfigInvalid, file), (error.Code, error.Where));
    }
}
