using System.Text.Json;
using ModelZoo.Conformance;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Speech.Tests;

public sealed class EncodecTests : IAsyncLifetime
{
    private static readonly string Folder = Repository.Path("samples", "encodec-8khz");
    private IModel _model = null!;

    public async Task InitializeAsync() =>
        _model = await EncodecModel.Architecture.Open(new() { Id = ModelId.Parse("speech/encodec.8khz"), Folder = Folder, Services = HostServices.Instance }, CancellationToken.None);

    public Task DisposeAsync() => _model.DisposeAsync().AsTask();

    [Fact]
    public async Task Tokenize_ThenDetokenize_EqualsDirectReconstruction()
    {
        var (audio, codec) = (Sound(8000, 3001), _model.Get<ITokenize>());
        var tokens = await codec.TokenizeAsync(audio, new EncodecOptions());
        var direct = (Audio)await codec.DetokenizeAsync(tokens, new EncodecOptions());
        Assert.Equal(audio.Length, direct.Length);
        var reread = tokens with { Ids = Tensor.Create(tokens.Ids.Span.ToArray(), tokens.Ids.Shape) };
        Assert.Equal(direct.Samples.Span.ToArray(), ((Audio)await codec.DetokenizeAsync(reread, new EncodecOptions())).Samples.Span.ToArray());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(79)]
    [InlineData(80)]
    [InlineData(1280)]
    [InlineData(1281)]
    public async Task Tokenize_AnyLength_HasOneFramePerStartedHop(int samples)
    {
        var codec = _model.Get<ITokenize>();
        var tokens = await codec.TokenizeAsync(Sound(8000, samples), new EncodecOptions());
        Assert.Equal([8, (samples + 79) / 80], tokens.Ids.Shape.ToArray());
        Assert.Equal(samples, ((Audio)await codec.DetokenizeAsync(tokens, new EncodecOptions())).Length);
    }

    [Fact]
    public async Task Tokenize_SmallerBandwidth_IsAPrefixOfTheCodebooks()
    {
        var codec = _model.Get<ITokenize>();
        var all = await codec.TokenizeAsync(Sound(8000, 2000), new EncodecOptions());
        var few = await codec.TokenizeAsync(Sound(8000, 2000), new EncodecOptions { Bandwidth = 1.6 });
        Assert.Equal(2, few.Ids.Shape[0]);
        Assert.Equal(all.Ids.Span[..few.Ids.Length].ToArray(), few.Ids.Span.ToArray());
    }

    [Fact]
    public async Task Tokenize_UnknownBandwidth_IsRefused()
    {
        var error = await Assert.ThrowsAsync<OptionsException>(async () => await _model.Get<ITokenize>().TokenizeAsync(Sound(8000, 800), new EncodecOptions { Bandwidth = 5 }));
        Assert.Equal((ErrorCodes.OptionRange, "0.8, 1.6, 3.2, 6.4"), (error.Code, error.Expected));
    }

    [Fact]
    public async Task Detokenize_TokensOfAnotherVocabulary_AreRefused()
    {
        var codec = _model.Get<ITokenize>();
        var tokens = await codec.TokenizeAsync(Sound(8000, 800), new EncodecOptions());
        var foreign = tokens with { Space = tokens.Space with { VocabularyDigest = "0" } };
        Assert.Equal(ErrorCodes.TokensForeign, (await Assert.ThrowsAsync<MediaException>(async () => await codec.DetokenizeAsync(foreign, new EncodecOptions()))).Code);
    }

    [Fact]
    public async Task Tokenize_Cancelled_Stops()
    {
        using var cancel = new CancellationTokenSource();
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await _model.Get<ITokenize>().TokenizeAsync(Sound(8000, 8000), new EncodecOptions(), cancel.Token));
    }

    [Fact]
    public async Task Tokenize_TheSampleRecordings_GivesTheReferenceCodes()
    {
        using var reference = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(Folder, "reference.json")));
        var (differing, total) = (0L, 0L);
        foreach (var recording in reference.RootElement.GetProperty("recordings").EnumerateObject())
        {
            var tokens = await _model.Get<ITokenize>().TokenizeAsync(ReadWav(Path.Combine(Folder, "recordings", recording.Name)), new EncodecOptions());
            Assert.Equal(recording.Value.GetProperty("codes_shape").Deserialize<long[]>(), tokens.Ids.Shape.ToArray());
            var first = recording.Value.GetProperty("codes_first_frames").Deserialize<int[][]>()!;
            for (var q = 0; q < first.Length; q++)
            {
                for (var t = 0; t < first[q].Length; t++, total++) differing += tokens.Ids[q, t] == first[q][t] ? 0 : 1;
            }

            var sum = 0L;
            foreach (var id in tokens.Ids.Span) sum += id;
            Assert.Equal(recording.Value.GetProperty("codes_sum").GetInt64(), sum);
        }

        Assert.Equal((0L, 384L), (differing, total));
    }

    // 16-bit mono with a plain 44-byte header, as the samples are.
    private static Audio ReadWav(string path)
    {
        var bytes = File.ReadAllBytes(path).AsSpan(44);
        var samples = new float[bytes.Length / 2];
        for (var i = 0; i < samples.Length; i++) samples[i] = BitConverter.ToInt16(bytes[(2 * i)..]) / 32768f;
        return new(Tensor.Create(samples, 1, samples.Length), 8000);
    }

    private static Audio Sound(int rate, int samples) =>
        new(Tensor.Create([.. Enumerable.Range(0, samples).Select(i => 0.3f * MathF.Sin(0.05f * i) + 0.1f * MathF.Sin(0.31f * i))], 1, samples), rate);
}
