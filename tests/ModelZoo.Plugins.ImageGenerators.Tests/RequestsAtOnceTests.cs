using ModelZoo.Conformance;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.ImageGenerators.Tests;

/// <summary>Requests that come while others are under way share runs of the network, and get what they get alone.</summary>
public sealed class RequestsAtOnceTests
{
    [Theory]
    [InlineData("llamagen/c2i")]
    [InlineData("rar/tiny")]
    [InlineData("gigatok-ar/tiny")]
    [InlineData("open-magvit2/bits-4-5")]
    [InlineData("fqgan-far/dual")]
    [InlineData("d-ar/c2i")]
    [InlineData("semanticist-ar/tiny")]
    [InlineData("latentlm/grid")]
    [InlineData("titok-maskgit/tiny-vit")]
    [InlineData("maskbit/lfq-10bit")]
    [InlineData("mar/p1")]
    public async Task Generate_SixAtOnce_EachGivesWhatItGivesAlone(string name)
    {
        var id = $"image-generators/{name.Split('/')[0]}";
        var architecture = new ImageGeneratorsPlugin().Architectures.Single(architecture => architecture.Card.Id == id);
        await using var model = await architecture.Open(new() { Id = ModelId.Parse(id), Folder = Repository.Path("tests", "parity", "image-generators", name, "checkpoint"), Services = HostServices.Instance }, default);
        var generator = model.Get<IGenerate>();
        async Task<Media> RunAsync(int request)
        {
            await Task.Delay(5 * request);
            Media? last = null;
            await foreach (var step in generator.GenerateAsync(new(request % 2 == 0 ? "1" : "2, 3"), generator.GenerateOptions.Bind([]), seed: (ulong)request)) last = step.IsFinal ? step.Value : last;
            return last!;
        }

        var alone = new List<Media>();
        for (var i = 0; i < 6; i++) alone.Add(await RunAsync(i));
        var together = await Task.WhenAll(Enumerable.Range(0, 6).Select(i => Task.Run(() => RunAsync(i))));
        for (var i = 0; i < 6; i++) AssertSame(alone[i], together[i]);
    }

    private static void AssertSame(Media expected, Media actual)
    {
        switch (expected)
        {
            case Tokens tokens:
                Assert.Equal(tokens.Ids.Span.ToArray(), Assert.IsType<Tokens>(actual).Ids.Span.ToArray());
                break;
            case NamedTensors tensors:
                foreach (var (name, tensor) in tensors.Values) AssertNear(tensor, Assert.IsType<NamedTensors>(actual).Values[name]);
                break;
            case Image image:
                Assert.Equal(image.Pixels.Span.ToArray(), Assert.IsType<Image>(actual).Pixels.Span.ToArray());
                break;
            default:
                Assert.Fail($"What is a {expected.GetType().Name}?");
                break;
        }
    }

    private static void AssertNear(Tensor expected, Tensor actual)
    {
        Assert.Equal(expected.Shape.ToArray(), actual.Shape.ToArray());
        if (expected is Tensor<float> numbers)
        {
            var others = actual.As<float>().Span;
            for (var i = 0; i < numbers.Length; i++) Assert.InRange(others[i], numbers.Span[i] - 1e-5f, numbers.Span[i] + 1e-5f);
        }
        else
        {
            Assert.Equal(expected.Bytes.ToArray(), actual.Bytes.ToArray());
        }
    }
}
