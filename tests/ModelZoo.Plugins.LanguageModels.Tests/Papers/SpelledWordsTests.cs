namespace ModelZoo.Plugins.LanguageModels.Tests.Papers;

public class SpelledWordsTests
{
    private static readonly CharacterVocabulary Bytes = CharacterVocabulary.OfBytes(259);

    [Theory]
    [InlineData("It's a well-known fact.", 20, "It|'|s |a |well|-|known |fact|.")]
    [InlineData("  two  spaces\n", 20, "  |two  |spaces\n")]
    [InlineData("overlong", 3, "ove|rlo|ng")]
    [InlineData("a{b}:c}d", 20, "a|{|b|}:|c}d")]
    [InlineData("3.14", 20, "3|.|14")]
    [InlineData("", 20, "")]
    public void Of_PunctuationApart_WordsWithWhiteSpaceAreTheText(string text, int canvas, string expected)
    {
        var (ids, words) = SpelledWords.Of(text, Bytes, canvas, punctuation: true);
        Assert.Equal(expected, string.Join('|', words.Select(word => Bytes.Decode(ids.AsSpan(word.Start, word.Length + word.Tail)))));
        Assert.All(words, word => Assert.InRange(word.Length, 0, canvas));
    }

    [Fact]
    public void Of_WithoutPunctuation_CutsAtWhiteSpaceAlone() => Assert.Equal([(0, 5, 1), (6, 2, 0)], SpelledWords.Of("it's, so", Bytes, 20, punctuation: false).Words.Select(word => (word.Start, word.Length, word.Tail)));

    [Fact]
    public void Of_WhiteSpaceThatTheVocabularyLacks_IsABlank() => Assert.Equal([1, 0, 2], SpelledWords.Of("a\nb", CharacterVocabulary.Of([" ", "a", "b"]), 4, punctuation: true).Ids);
}
