namespace ModelZoo.Contracts.Tests.Models;

public class ModelIdTests
{
    [Theory]
    [InlineData("speech/encodec", "speech", "encodec", null)]
    [InlineData("speech/encodec.24khz", "speech", "encodec", "24khz")]
    [InlineData("image-tokenizers/titok.l-32", "image-tokenizers", "titok", "l-32")]
    public void Parse_Name_RoundTrips(string text, string family, string architecture, string? tag)
    {
        var id = ModelId.Parse(text);
        Assert.Equal(new(family, architecture, tag), id);
        Assert.Equal(text, id.ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("encodec")]
    [InlineData("/encodec")]
    [InlineData("speech/")]
    [InlineData("speech/../encodec")]
    [InlineData("Speech/encodec")]
    [InlineData("speech/encodec.")]
    public void Parse_AnythingElse_IsRefused(string text) => Assert.Equal(ErrorCodes.ModelUnknown, Assert.Throws<ModelZooException>(() => ModelId.Parse(text)).Code);
}
