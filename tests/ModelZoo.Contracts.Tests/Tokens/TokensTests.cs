namespace ModelZoo.Contracts.Tests.Tokens;

public class TokensTests
{
    private static readonly TokenSpace Space = new("speech/encodec.test", TokenLayout.Frames, [16, 16], "aa");

    private static Contracts.Tokens Make(params int[] ids) => new(Space, Tensor.Create(ids, 2, ids.Length / 2));

    [Fact]
    public void Spaces_WithTheSameNumbers_AreEqual() => Assert.Equal(Space, new("speech/encodec.test", TokenLayout.Frames, [16, 16], "aa"));

    [Fact]
    public void Expect_TheSameVocabulary_GivesTheTokens() => Assert.Equal(4, Make(0, 1, 2, 15).Expect(Space).Ids.Length);

    [Fact]
    public void Expect_AnotherVocabulary_IsRefused()
    {
        var error = Assert.Throws<MediaException>(() => Make(0, 1).Expect(Space with { VocabularyDigest = "bb" }));
        Assert.Equal(ErrorCodes.TokensForeign, error.Code);
        Assert.Contains("speech/encodec.test", error.Message);
    }

    [Theory]
    [InlineData(16)]
    [InlineData(-1)]
    public void Expect_IdOutsideTheVocabulary_IsRefused(int id) => Assert.Equal(ErrorCodes.TokensInvalid, Assert.Throws<MediaException>(() => Make(0, id).Expect(Space)).Code);
}
