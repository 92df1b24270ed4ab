using System.Text;

namespace ModelZoo.Plugins.LanguageModels.Tests;

public class HatSplitterTests
{
    private const string Strange = "𓀀✨𝒜𝓁𝑔𝑜𝓇𝒾𝓉𝒽𝓂 شْء 你好吗 こんにちは 안녕하세요 𞤢𞤭𞤤 𝔽(λx.𝑥²) 🤖🍕⟨𝛴, 𝜋⟩ 🜚 𝔽↦𝑒ⁿω₀📡;𝑧𝑎<𝔱𝓇𝑢∃>🛠️ҀЋހ±(Δ𝓧) 乁( •_• )ㄏ   ⿰木日👾";

    // What the crate hat-splitter gives.
    [Theory]
    [InlineData("", "")]
    [InlineData("Hello, world!", "Hello,| world!")]
    [InlineData("howAreYou", "how|Are|You")]
    [InlineData("how_are_you", "how_|are_|you")]
    [InlineData("can't stop", "can'|t| stop")]
    [InlineData("3.14 of 1,000", "3.|14| of| 1,|000")]
    [InlineData("one   two \n\n three", "one|   |two| |\n|\n| three")]
    [InlineData("äh: (…) and - so", "äh:| (…)| and| -| so")]
    [InlineData("日本 カタカナ x", "日|本| カタカナ| x")]
    [InlineData("🇩🇪🇫🇷🇩 👩‍🚀👍🏽", "🇩🇪|🇫🇷|🇩| 👩‍🚀|👍🏽")]
    [InlineData("\r\n\r", "\r\n|\r")]
    public void Words_OfATexts_AreThoseOfTheAuthorsCrate(string text, string expected) => Assert.Equal(expected, string.Join('|', HatSplitter.Words(text)));

    // Examples of the annex' own test file.
    [Theory]
    [InlineData("a\u0308b", "a\u0308b")]
    [InlineData("a.b", "a.b")]
    [InlineData("a..b", "a|.|.|b")]
    [InlineData("1,2.3", "1,2.3")]
    [InlineData("\u05D0\"\u05D0", "\u05D0\"\u05D0")]
    [InlineData("\u05D0'", "\u05D0'")]
    [InlineData("a_1", "a_1")]
    [InlineData("\u0308a", "\u0308|a")]
    [InlineData("a\u200D\U0001F6D1b", "a\u200D\U0001F6D1|b")]
    [InlineData("  \u0308 ", "  \u0308| ")]
    public void Split_AtBoundaries_FollowsTheRules(string text, string expected) => Assert.Equal(expected, string.Join('|', WordBounds.Split(text)));

    [Theory]
    [InlineData("verylongword", 10, "10 2")]
    [InlineData("🌝", 2, "2 2")]
    [InlineData("für", 2, "1 2 1")]
    public void Encode_LongWords_AreCutBetweenCharactersWhereThatGoes(string text, int longest, string lengths) => Assert.Equal(lengths, string.Join(' ', new HatSplitter(new Dictionary<string, int>(), longest).Encode(text).Select(word => word.Length)));

    [Fact]
    public void Encode_EachPrefix_BeginsWithTheWordsOfTheWhole()
    {
        var splitter = new HatSplitter(new Dictionary<string, int>(), 1024);
        var whole = splitter.Encode(Strange);
        var length = 0;
        foreach (var rune in Strange.EnumerateRunes())
        {
            foreach (var (word, part) in whole.Zip(splitter.Encode(Strange[..length]))) Assert.Equal(word[..part.Length], part);
            length += rune.Utf16SequenceLength;
        }

        Assert.Equal(Encoding.UTF8.GetBytes(Strange), whole.SelectMany(word => word).Select(id => (byte)id));
    }

    [Fact]
    public void Encode_SpecialTokens_AreWordsOfOneId()
    {
        var splitter = new HatSplitter(new Dictionary<string, int> { ["<|eot_id|>"] = 192, ["<|"] = 193 }, 100);
        var words = splitter.Encode("a<|eot_id|>b <|c");
        Assert.Equal(["97", "192", "98", "32", "193", "99"], words.Select(word => string.Join(' ', word)));
        Assert.Equal(words, splitter.Encode([.. words.SelectMany(word => word)]));
        Assert.Equal([[97, 0xE6, 0x97]], splitter.Encode([97, 0xE6, 0x97]));
    }
}
