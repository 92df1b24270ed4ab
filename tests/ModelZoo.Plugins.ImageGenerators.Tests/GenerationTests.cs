using ModelZoo.Conformance;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.ImageGenerators.Tests;

/// <summary>The laws of generation, on the tiny checkpoints of the parity cases: the same seed gives the same, a cancellation stops within a step.</summary>
public sealed class GenerationTests : PluginLaws<ImageGeneratorsPlugin>
{
    private static readonly string[] FromClasses = ["titok-maskgit/tiny-vit", "maskbit/lfq-10bit", "rar/tiny", "llamagen/c2i", "mar/p1", "detok-mar/tiny", "hi-mar/tiny", "open-magvit2/bits-4-5", "gigatok-ar/tiny"];

    protected override IEnumerable<LawSample> Samples => FromClasses.Select(name => new LawSample(Model(name)) { Checkpoint = Folder(name), Prompt = new("3") });

    /// <summary>A sample has its own random streams: it is the same alone and beside others, to the last bit where it is made of ids.</summary>
    [Theory]
    [InlineData("titok-maskgit/tiny-vit")]
    [InlineData("rar/tiny")]
    [InlineData("llamagen/c2i")]
    [InlineData("gigatok-ar/tiny")]
    public async Task Generate_AloneAndInABatch_GivesTheSameFirstSample(string name)
    {
        var architecture = new ImageGeneratorsPlugin().Architectures.Single(architecture => architecture.Card.Id == Model(name));
        await using var model = await architecture.Open(new() { Id = ModelId.Parse(Model(name)), Folder = Folder(name), Services = HostServices.Instance }, default);
        var generator = model.Get<IGenerate>();
        var alone = Assert.IsType<Tokens>(await LastAsync(generator, "1"));
        var both = Assert.IsType<NamedTensors>(await LastAsync(generator, "1, 2"));
        Assert.Equal(alone.Ids.Span.ToArray(), both.Values["codes"].As<long>().Slice(0).Span.ToArray().Select(id => (int)id));
    }

    [Fact]
    public async Task Generate_ClassThatIsNotThere_IsRefused()
    {
        var architecture = new ImageGeneratorsPlugin().Architectures.Single(architecture => architecture.Card.Id == Model("rar/tiny"));
        await using var model = await architecture.Open(new() { Id = ModelId.Parse(Model("rar/tiny")), Folder = Folder("rar/tiny"), Services = HostServices.Instance }, default);
        var error = await Assert.ThrowsAsync<MediaException>(() => LastAsync(model.Get<IGenerate>(), "goldfish"));
        Assert.Equal(ErrorCodes.MediaUnsupported, error.Code);
    }

    [Theory]
    [InlineData("rar/tiny", true)]
    [InlineData("gigatok-ar/tiny", false)]
    public async Task Facts_FolderWithoutTokenizer_SaysWhatIsLackingWhereOneWouldBeUsed(string name, bool lacks)
    {
        var architecture = new ImageGeneratorsPlugin().Architectures.Single(architecture => architecture.Card.Id == Model(name));
        await using var model = await architecture.Open(new() { Id = ModelId.Parse(Model(name)), Folder = Folder(name), Services = HostServices.Instance }, default);
        Assert.Equal(lacks, model.Facts.Lacks is not null);
    }

    private static async Task<Media?> LastAsync(IGenerate generator, string prompt)
    {
        Media? last = null;
        await foreach (var step in generator.GenerateAsync(new(prompt), generator.GenerateOptions.Defaults, seed: 5)) last = step.IsFinal ? step.Value : last;
        return last;
    }

    private static string Model(string name) => $"image-generators/{name.Split('/')[0]}";

    private static string Folder(string name) => Repository.Path("tests", "parity", "image-generators", name, "checkpoint");
}
