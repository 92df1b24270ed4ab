using System.Text;

namespace ModelZoo.Plugins.LanguageModels.Tests;

public class GrowingTextTests
{
    [Theory]
    [InlineData("plain")]
    [InlineData("Käse 🧀 日本")]
    public void Append_EachByte_ShowsWholeCharactersOnly(string text)
    {
        var growing = new GrowingText([]);
        foreach (var value in Encoding.UTF8.GetBytes(text))
        {
            growing.Append(value);
            Assert.StartsWith(growing.Shown, text, StringComparison.Ordinal);
            Assert.DoesNotContain('\uFFFD', growing.Shown);
        }

        Assert.Equal(text, growing.Shown);
    }

    [Fact]
    public void Finish_BytesThatAreNoText_AreReplaced()
    {
        byte[] broken = [(byte)'a', 0xFF, (byte)'b', 0xE6, 0x97, (byte)'c', 0xF0, 0x9F];
        var growing = new GrowingText([]);
        foreach (var value in broken) growing.Append(value);
        growing.Finish();
        Assert.Equal(Encoding.UTF8.GetString(broken), growing.Shown);
    }

    [Theory]
    [InlineData("one\n\ntwo", "\n\n", "one")]
    [InlineData("one\ntwo\n", "\n\n", "one\ntwo\n")]
    [InlineData("ababac!", "abac", "ab")]
    [InlineData("Käse", "ä", "K")]
    [InlineData("nothing", "", "nothing")]
    public void Append_AStop_EndsTheTextBeforeIt(string text, string stop, string expected)
    {
        var growing = new GrowingText([stop]);
        foreach (var value in Encoding.UTF8.GetBytes(text))
        {
            growing.Append(value);
            Assert.StartsWith(growing.Shown, expected, StringComparison.Ordinal);
        }

        growing.Finish();
        Assert.Equal(expected, growing.Shown);
        Assert.Equal(expected != text, growing.HasStopped);
    }

    [Fact]
    public void Append_TwoStopsAtOnce_EndsAtTheFirst()
    {
        var growing = new GrowingText(["def", "cd"]);
        foreach (var value in "abcdef"u8) growing.Append(value);
        Assert.Equal("ab", growing.Shown);
    }
}
