using System.Text;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.LanguageModels.Tests;

public class PieceTokensTests
{
    private static readonly TokenSpace Space = new("test/pieces", TokenLayout.Flat, [256], "bytes");

    [Fact]
    public void Of_Pieces_FirstByteHasThePlaceOfAllOfIt()
    {
        var tokens = Pieces("one two", 3, 4);
        Assert.Equal([new(0, 3), new(3, 3), new(3, 3), new(3, 7), new(7, 7), new(7, 7), new(7, 7)], tokens.Spans);
        Assert.Equal([3L, 4], tokens.Extras[Tokens.PieceLengths].As<long>().Span.ToArray());
    }

    [Fact]
    public void Of_PieceThatEndsWithinACharacter_CoversAllOfIt() => Assert.Equal([new(0, 2), new(2, 2), new(1, 2), new(2, 3)], Pieces("aéb", 2, 1, 1).Spans);

    [Fact]
    public void Of_SurrogatesPairedAndLone_AreCountedInUnits() => Assert.Equal([new TokenSpan(0, 2), new(2, 3)], Pieces("🧀\uD83E", 4, 3).Spans.Where(span => span.End > span.Start));

    [Fact]
    public void Of_NoText_HasNoTokens() => Assert.Empty(Pieces("").Spans);

    private static Tokens Pieces(string text, params int[] lengths) => PieceTokens.Of(Space, text, [.. Encoding.UTF8.GetBytes(text).Select(value => (int)value)], lengths);
}
