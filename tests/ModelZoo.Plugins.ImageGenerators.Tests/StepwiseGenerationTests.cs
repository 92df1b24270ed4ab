using ModelZoo.Conformance;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.ImageGenerators.Tests;

/// <summary>The laws of generation for the generators that go scale by scale, token by token or window by window, on the tiny checkpoints of the parity cases.</summary>
public sealed class StepwiseGenerationTests : PluginLaws<ImageGeneratorsPlugin>
{
    private static readonly string[] FromClasses = ["var/partial-shared", "imagefolder-var/tiny", "taming-transformer/class", "fqgan-far/dual", "d-ar/c2i", "enat/reuse", "latentlm/grid"];

    protected override IEnumerable<LawSample> Samples => FromClasses.Select(name => new LawSample(Model(name)) { Checkpoint = Folder(name), Prompt = new("3") });

    /// <summary>A sample has its own random streams: it is the same alone and beside others.</summary>
    [Theory]
    [InlineData("taming-transformer/class")]
    [InlineData("fqgan-far/dual")]
    [InlineData("d-ar/c2i")]
    [InlineData("enat/reuse")]
    public async Task Generate_AloneAndInABatch_GivesTheSameFirstSample(string name)
    {
        await using var model = await OpenAsync(name);
        var alone = Assert.IsType<Tokens>(await LastAsync(model, new("1")));
        var both = Assert.IsType<NamedTensors>(await LastAsync(model, new("1, 2")));
        Assert.Equal(alone.Ids.Span.ToArray(), both.Values["codes"].As<long>().Slice(0).Span.ToArray().Select(id => (int)id));
    }

    [Fact]
    public async Task Generate_MixedEntries_GiveAnotherPicture()
    {
        await using var model = await OpenAsync("var/partial-shared");
        var chosen = Assert.IsType<Image>(await LastAsync(model, new("1")));
        var mixed = Assert.IsType<Image>(await LastAsync(model, new("1"), KeyValuePair.Create("more_smooth", "true")));
        Assert.Equal(chosen.Pixels.Shape.ToArray(), mixed.Pixels.Shape.ToArray());
        Assert.NotEqual(chosen.Pixels.Span.ToArray(), mixed.Pixels.Span.ToArray());
    }

    [Theory]
    [InlineData("instella-ar/tiny")]
    [InlineData("instella-diffusion/tiny")]
    public async Task Generate_HiddenStatesOfAPrompt_GiveBits(string name)
    {
        await using var model = await OpenAsync(name);
        var features = new NamedTensors(new Dictionary<string, Tensor> { ["llm_features"] = Tensor.Zeros<float>(2, 2, 3, 20), ["text_mask"] = Tensor.Create<long>([1, 1, 1, 1, 0, 0], 2, 3) });
        var bits = Assert.IsType<Tokens>(await LastAsync(model, new(null, [features])));
        Assert.Equal([6, 10], bits.Ids.Shape.ToArray());
        var error = await Assert.ThrowsAsync<MediaException>(() => LastAsync(model, new("a cat")));
        Assert.Contains("llm_features", error.Expected, StringComparison.Ordinal);
    }

    private static async Task<Media?> LastAsync(IModel model, Prompt prompt, params KeyValuePair<string, string>[] options)
    {
        Media? last = null;
        var generator = model.Get<IGenerate>();
        await foreach (var step in generator.GenerateAsync(prompt, generator.GenerateOptions.Bind(options), seed: 5)) last = step.IsFinal ? step.Value : last;
        return last;
    }

    private static ValueTask<IModel> OpenAsync(string name) =>
        new ImageGeneratorsPlugin().Architectures.Single(architecture => architecture.Card.Id == Model(name)).Open(new() { Id = ModelId.Parse(Model(name)), Folder = Folder(name), Services = HostServices.Instance }, default);

    private static string Model(string name) => $"image-generators/{name.Split('/')[0]}";

    private static string Folder(string name) => Repository.Path("tests", "parity", "image-generators", name, "checkpoint");
}
