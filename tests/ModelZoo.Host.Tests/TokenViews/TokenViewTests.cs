using ModelZoo.Contracts;
using ModelZoo.Host.TokenViews;

namespace ModelZoo.Host.Tests.TokenViews;

public class TokenViewTests
{
    private static readonly TokenSpace Space = new("family/model", TokenLayout.Flat, [100], "digest");

    private static Tokens Make(params (int Id, int Start, int End)[] tokens) =>
        new(Space, Tensor.Create([.. tokens.Select(token => token.Id)], tokens.Length)) { Spans = [.. tokens.Select(token => new TokenSpan(token.Start, token.End))] };

    [Fact]
    public void Of_GapsSharedCharactersAndAddedTokens_PiecesAreTheText()
    {
        const string Text = "hi  \U0001F600!";
        var pieces = TextPieces.Of(Text, Make((1, 0, 0), (7, 0, 2), (8, 4, 6), (9, 4, 6), (5, 6, 7), (2, 7, 7)));
        Assert.Equal(Text, string.Concat(pieces.Select(piece => piece.Text)));
        Assert.Equal([1, 7, null, 8, 9, 5, 2], pieces.Select(piece => piece.Id));
        Assert.Equal(["", "hi", "  ", "\U0001F600", "", "!", ""], pieces.Select(piece => piece.Text));
    }

    [Fact]
    public void Of_TokensOfAnotherText_StandInThat() =>
        Assert.Equal(["ab", "\n", "cd"], TextPieces.Of("AB", Make((1, 0, 2), (2, 3, 5)) with { SpannedText = "ab\ncd" }).Select(piece => piece.Text));

    [Fact]
    public void Of_TokensOfPieces_AreOneStretchAPiece()
    {
        var tokens = Make((1, 0, 2), (2, 2, 2), (3, 2, 3), (4, 3, 6), (5, 6, 6), (6, 6, 6)) with { Extras = new Dictionary<string, Tensor> { [Tokens.PieceLengths] = Tensor.Create([2L, 1, 3], 3) } };
        Assert.Equal([new(1, 0, "ab"), new(3, 2, "c"), new(4, 3, "def")], TextPieces.Of("abcdef", tokens));
    }

    [Fact]
    public void Of_TokensWithoutPlaces_SaysSo()
    {
        var tokens = new Tokens(Space, Tensor.Create([1, 2], 2));
        Assert.Equal(ErrorCodes.VerbUnsupported, Assert.Throws<ModelZooException>(() => TextPieces.Of("ab", tokens)).Code);
    }

    [Fact]
    public void Visible_ControlCharacters_NeitherMoveTheCursorNorTurnTheText()
    {
        Assert.Equal("a\u23CE\n\u241B[31m\u2192\u2426b", TextPieces.Visible("a\n\u001B[31m\t\u202Eb"));
    }

    [Fact]
    public void Render_TwoColumns_EscapesTheTextAndMarksWhatOneSideAloneHas()
    {
        var (left, right) = (TextPieces.Of("<b>", Make((1, 0, 1), (2, 1, 3))), TextPieces.Of("<b>", Make((1, 0, 1), (3, 1, 2), (4, 2, 3))));
        var page = TokenPage.Render([new("one", left), new("two", right)], "x<y>");
        Assert.Contains("x&lt;y&gt;", page, StringComparison.Ordinal);
        Assert.Contains("<span class=\"c0\" data-i=\"1\" data-s=\"0\" data-e=\"1\" data-b=\"1\">&lt;</span>", page, StringComparison.Ordinal);
        Assert.Contains("<span class=\"c1 own\" data-i=\"2\"", page, StringComparison.Ordinal);
        Assert.Equal(3, page.Split(" own\"").Length - 1);
    }
}
