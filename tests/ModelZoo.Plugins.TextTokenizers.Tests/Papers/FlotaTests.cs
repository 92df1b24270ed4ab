using ModelZoo.Plugins.TextTokenizers.Papers;

namespace ModelZoo.Plugins.TextTokenizers.Tests.Papers;

public sealed class FlotaTests
{
    // re.findall(r'[\w]+|[^\s\w]', text): marks are no part of a word there.
    [Theory]
    [InlineData("well-known, x_1²\u00a0Ⅷ", "well|-|known|,|x_1²|Ⅷ")]
    [InlineData("हिन्दी 𝒳a😀b", "ह|ि|न|्|द|ी|𝒳a|😀|b")]
    [InlineData(" \u001c\n", "")]
    public void Words_Text_AreThoseOfThePythonExpression(string text, string expected) => Assert.Equal(expected, string.Join('|', Flota.Words(text)));

    [Theory]
    [InlineData(1, "##able")]
    [InlineData(2, "un|##able")]
    [InlineData(0, "un|##do|##able")]
    public void Tokenize_AtMostK_TakesTheLongestFirst(int k, string expected)
    {
        var flota = new Flota(new HashSet<string> { "un", "##do", "##able" }, "##", marksContinuation: true, maxLength: 18);
        Assert.Equal(expected, string.Join('|', flota.Tokenize("undoable", k, strict: false)));
    }
}
