using ModelZoo.Contracts;

namespace ModelZoo.Host.Terminal.Tests;

public class GrowingOutputTests
{
    [Fact]
    public void Show_NobodyLooks_WritesTheWholeAlone()
    {
        using StringWriter output = new(), error = new();
        var growing = new GrowingOutput(new(output, error));
        Assert.False(growing.IsShown);
        foreach (var part in new[] { "a", "ab", "x" }) growing.Show(new Text(part));
        growing.End(new Text("abc"));
        Assert.Equal("abc\n", output.ToString());
    }
}
