using ModelZoo.Conformance;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Speech.Tests;

/// <summary>What vocoders and encoders take as a prompt, and what they refuse.</summary>
public sealed class GeneratePromptTests
{
    [Fact]
    public async Task HifiGan_ArrayOfAnNpyFile_IsTheMelWithoutItsBatch()
    {
        await using var model = await OpenAsync(HifiGanModel.Architecture, "hifigan", "tiny-v1");
        var mel = Ramp(1, 80, 6);
        Assert.Equal(await SoundAsync(model, Tensors("mel", mel)), await SoundAsync(model, Tensors("array", mel.Reshape(80, 6))));
    }

    [Theory]
    [InlineData(1, 79, 6)]
    [InlineData(1, 80, 0)]
    [InlineData(2, 80, 6)]
    public async Task HifiGan_MelOfAnotherShape_IsRefused(int batch, int mels, int frames)
    {
        await using var model = await OpenAsync(HifiGanModel.Architecture, "hifigan", "tiny-v1");
        var error = await Assert.ThrowsAsync<MediaException>(() => SoundAsync(model, Tensors("mel", Ramp(batch, mels, frames))));
        Assert.Equal("Float32[1, 80, frames]", error.Expected);
    }

    [Fact]
    public async Task Vocos_EncodecTokens_AreItsFeaturesAtTheirBandwidth()
    {
        await using var model = await OpenAsync(VocosModel.Architecture, "vocos", "tiny-encodec");
        var ids = Tensor.Create(new[] { 1, 5, 9, 2, 15, 0, 3, 3 }, 2, 4);
        var tokens = new Tokens(new("speech/encodec", TokenLayout.Frames, [16, 16], ""), ids);
        var features = (await model.Get<IReferenceCalls>().CallAsync("codes_to_features", new CallArguments().With("codes", Tensor.Create(Array.ConvertAll(ids.Span.ToArray(), id => (long)id), 2, 1, 4)).With("bins", System.Text.Json.JsonSerializer.SerializeToElement(16)))).Tensor("features");
        // Half of the four codebooks: the second of 0.4, 0.8 and 1.6 kbit/s.
        Assert.Equal(await SoundAsync(model, Tensors("features", features), 1), await SoundAsync(model, tokens));
        Assert.Equal("bandwidth_id", (await Assert.ThrowsAsync<OptionsException>(() => SoundAsync(model, Tensors("features", features)))).Where);
        Assert.Equal(ErrorCodes.TokensForeign, (await Assert.ThrowsAsync<MediaException>(() => SoundAsync(model, tokens with { Ids = Tensor.Zeros<int>(5, 4) }))).Code);
    }

    [Fact]
    public async Task UsTokenizer_LongerThanWhisperHears_IsTakenInParts()
    {
        await using var model = await OpenAsync(UsTokenizerModel.Architecture, "dualspeechlm-ustokenizer", "tiny-a");
        var (window, sound) = (28 * 320, Enumerable.Range(0, 28 * 320 + 3200).Select(i => MathF.Sin(i * 0.03f) * 0.3f).ToArray());
        var whole = await TokensAsync(sound);
        Assert.Equal([.. await TokensAsync(sound[..window]), .. await TokensAsync(sound[window..])], whole);

        async Task<long[]> TokensAsync(float[] samples) => ((NamedTensors)await MakeAsync(model, new Audio(Tensor.Create(samples, 1, samples.Length), 16000))).Values["ustokens"].As<long>().Span.ToArray();
    }

    private static async Task<IModel> OpenAsync(ModelArchitecture architecture, string paper, string @case) =>
        await architecture.Open(new() { Id = ModelId.Parse(architecture.Card.Id), Folder = Repository.Path("tests", "parity", "speech", paper, @case, "checkpoint"), Services = HostServices.Instance }, CancellationToken.None);

    private static NamedTensors Tensors(string name, Tensor tensor) => new(new Dictionary<string, Tensor> { [name] = tensor });

    private static Tensor<float> Ramp(params long[] shape) => Tensor.Create([.. Enumerable.Range(0, (int)Tensor.Count(shape)).Select(i => MathF.Sin(i))], shape);

    private static async Task<float[]> SoundAsync(IModel model, Media media, int? bandwidth = null) => ((Audio)await MakeAsync(model, media, bandwidth)).Samples.Span.ToArray();

    private static async Task<Media> MakeAsync(IModel model, Media media, int? bandwidth = null)
    {
        var generator = model.Get<IGenerate>();
        return (await generator.GenerateAsync(new(null, [media]), bandwidth is null ? generator.GenerateOptions.Defaults : new VocosOptions { BandwidthId = bandwidth }, 0).LastAsync()).Value!;
    }
}
