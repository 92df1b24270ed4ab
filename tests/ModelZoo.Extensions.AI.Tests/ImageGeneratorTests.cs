using Microsoft.Extensions.AI;
using ModelZoo.Contracts;

namespace ModelZoo.Extensions.AI.Tests;

public sealed class ImageGeneratorTests
{
    [Fact]
    public async Task Pictures_Several_ArePngsWithSeedsThatFollow()
    {
        using var generator = new PainterModel().AsImageGenerator();
        var answer = await generator.GenerateAsync(new("a"), new() { Count = 3, ImageSize = new(5, 4), AdditionalProperties = new() { ["seed"] = 2 } });
        var pictures = answer.Contents.Cast<DataContent>().ToList();
        Assert.All(pictures, picture =>
        {
            Assert.Equal("image/png", picture.MediaType);
            Assert.Equal([0, 0, 0, 5, 0, 0, 0, 4], picture.Data.Span[16..24].ToArray());
        });
        Assert.Equal(3, pictures.DistinctBy(picture => picture.Uri).Count());
        var alone = await generator.GenerateAsync(new("a"), new() { ImageSize = new(5, 4), AdditionalProperties = new() { ["seed"] = 3 } });
        Assert.Equal(pictures[1].Uri, ((DataContent)alone.Contents[0]).Uri);
    }

    [Theory]
    [InlineData("media_type")]
    [InlineData("response_format")]
    [InlineData("count")]
    [InlineData("original_images")]
    public async Task Options_ThatCannotBeHad_AreRefusedByName(string name)
    {
        using var generator = new PainterModel().AsImageGenerator();
        var request = new ImageGenerationRequest("a", name == "original_images" ? [new DataContent(new byte[] { 1 }, "image/png")] : []);
        var options = new ImageGenerationOptions { MediaType = name == "media_type" ? "image/webp" : null, ResponseFormat = name == "response_format" ? ImageGenerationResponseFormat.Uri : null, Count = name == "count" ? 0 : null };
        Assert.Equal(name, (await Assert.ThrowsAsync<OptionsException>(() => generator.GenerateAsync(request, options))).Where);
    }
}
