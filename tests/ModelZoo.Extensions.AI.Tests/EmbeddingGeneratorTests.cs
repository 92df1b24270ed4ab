using Microsoft.Extensions.AI;
using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Plugins.Components;

namespace ModelZoo.Extensions.AI.Tests;

/// <summary>CLIP's text encoder of the sample <c>mmm-synthetic</c> as a generator of vectors.</summary>
public sealed class EmbeddingGeneratorTests
{
    private static async Task<IModel> OpenAsync(params string[] folder)
    {
        var clip = new ComponentsPlugin().Architectures.Single(architecture => architecture.Card.Id == "components/clip-text");
        return await clip.Open(new() { Id = ModelId.Parse(clip.Card.Id), Folder = Repository.Path(folder), Services = HostServices.Instance }, default);
    }

    [Fact]
    public async Task Clip_Texts_AreVectorsInTheirOrderAndTheSameAlone()
    {
        await using var model = await OpenAsync("samples", "mmm-synthetic", "clip");
        using var generator = model.AsEmbeddingGenerator("components/clip-text");
        string[] texts = [.. new[] { "walks", "jumps", "runs", "turns" }.SelectMany(verb => new[] { "forward", "left", "slowly" }.Select(way => $"a person {verb} {way}"))];
        var together = await generator.GenerateAsync(texts);
        Assert.Equal((12, 64), (together.Count, together[0].Dimensions));
        for (var i = 0; i < texts.Length; i += 5)
        {
            var alone = await generator.GenerateVectorAsync(texts[i]);
            Assert.All(alone.Span.ToArray().Zip(together[i].Vector.Span.ToArray()), pair => Assert.Equal(pair.First, pair.Second, 1e-5f));
        }

        Assert.NotEqual(together[0].Vector.ToArray(), together[1].Vector.ToArray());
    }

    [Fact]
    public async Task Clip_Vector_IsWhatTheAuthorsCallGives()
    {
        await using var model = await OpenAsync("samples", "mmm-synthetic", "clip");
        var words = Networks.Encoders.ClipWords.Open(Repository.Path("samples", "mmm-synthetic", "clip")).Encode("a person waves", 77, 1);
        var expected = (await model.Get<IReferenceCalls>().CallAsync("encode", new CallArguments().With("input_ids", Tensor.Create(words, 1, 77)))).Tensor("text_embeds").As<float>();
        using var generator = model.AsEmbeddingGenerator();
        Assert.Equal(expected.Span.ToArray(), (await generator.GenerateVectorAsync("a person waves")).ToArray());
    }

    [Fact]
    public async Task Dimensions_ThatTheModelHasNoOptionFor_AreRefused()
    {
        await using var model = await OpenAsync("samples", "mmm-synthetic", "clip");
        using var generator = model.AsEmbeddingGenerator();
        Assert.Equal("dimensions", (await Assert.ThrowsAsync<OptionsException>(() => generator.GenerateAsync(["a"], new() { Dimensions = 8 }))).Where);
    }

    [Fact]
    public async Task Cancel_BeforeTheEnd_Stops()
    {
        await using var model = await OpenAsync("samples", "mmm-synthetic", "clip");
        using var generator = model.AsEmbeddingGenerator();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => generator.GenerateAsync(["a"], cancellationToken: new(canceled: true)));
    }
}
