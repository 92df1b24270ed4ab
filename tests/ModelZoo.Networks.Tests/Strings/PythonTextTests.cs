namespace ModelZoo.Networks.Strings.Tests;

public sealed class PythonTextTests
{
    // Python 3.11's answers.
    [Theory]
    [InlineData("", "")]
    [InlineData("Straße ÀÉ", "straße àé")]
    [InlineData("İstanbul", "i\u0307stanbul")]
    [InlineData("ΟΔΟΣ", "οδος")]
    [InlineData("ΟΔΟΣ ΣΑΣ", "οδος σας")]
    [InlineData("Σ", "σ")]
    [InlineData("ΑΣ.", "ας.")]
    [InlineData("ΑΣ'Β", "ασ'β")]
    [InlineData("Α\u0301Σ\u0301 Β", "α\u0301ς\u0301 β")]
    [InlineData("ΑΣ1", "ας1")]
    [InlineData("1Σ", "1σ")]
    [InlineData("\U00010400ΑΣ\U00010400", "\U00010428ασ\U00010428")]
    [InlineData("ⒶΣ", "ⓐς")]
    public void Lower_IsPythons(string text, string expected) => Assert.Equal(expected, PythonText.Lower(text));

    [Theory]
    [InlineData("", "")]
    [InlineData("ßA", "Ssa")]
    [InlineData("hELLO wORLD", "Hello world")]
    [InlineData("ΣΑΣ", "Σας")]
    public void Capitalize_IsPythons(string text, string expected) => Assert.Equal(expected, PythonText.Capitalize(text));

    [Fact]
    public void Words_AndStrip_GoByPythonsWhiteSpace()
    {
        const string text = "\u001c a\u001fb\u00a0c \u2003\u0085d\u200be\u3000";
        Assert.Equal(["a", "b", "c", "d\u200be"], PythonText.Words(text));
        Assert.Equal("a\u001fb\u00a0c \u2003\u0085d\u200be", PythonText.Strip(text));
        Assert.Equal(("", 0), (PythonText.Strip(" \t"), PythonText.Words("\u001d").Count));
    }
}
