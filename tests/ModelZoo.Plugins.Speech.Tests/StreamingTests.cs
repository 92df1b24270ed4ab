using ModelZoo.Conformance;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.Speech.Tests;

/// <summary>The law of <see cref="ITokenizeStreaming"/>: whatever the pieces, their results one after the other are those of the whole.</summary>
public sealed class StreamingTests
{
    public static TheoryData<string, int, int> Pieces
    {
        get
        {
            var data = new TheoryData<string, int, int>();
            foreach (var model in new[] { "speech/encodec.8khz", "speech/mimi.tiny-a", "speech/mimi.tiny-moshi" })
            {
                foreach (var (length, piece) in new[] { (4000, 997), (3001, 80), (1283, 17), (60, 7), (2400, 4000) }) data.Add(model, length, piece);
            }

            return data;
        }
    }

    [Theory, MemberData(nameof(Pieces))]
    public async Task Tokenize_InPieces_EqualsTheWhole(string id, int length, int piece)
    {
        await using var model = await Open(id);
        var sound = Sound(Rate(id), length);
        var (whole, codec) = (await model.Get<ITokenize>().TokenizeAsync(sound, Options(id)), model.Get<ITokenizeStreaming>());
        var columns = new List<int[]>();
        await foreach (var tokens in codec.TokenizeAsync(Cut(sound, piece), Options(id))) columns.AddRange(Columns(tokens));
        Assert.Equal(Columns(whole), columns);
    }

    [Theory, MemberData(nameof(Pieces))]
    public async Task Detokenize_InPieces_EqualsTheWhole(string id, int length, int piece)
    {
        await using var model = await Open(id);
        var tokens = await model.Get<ITokenize>().TokenizeAsync(Sound(Rate(id), length), Options(id)) with { SourceLength = 0 };
        var whole = (Audio)await model.Get<ITokenize>().DetokenizeAsync(tokens, Options(id));
        var samples = new List<float>();
        await foreach (var part in model.Get<ITokenizeStreaming>().DetokenizeAsync(Cut(tokens, 1 + piece % 5), Options(id))) samples.AddRange(((Audio)part).Samples.Span);
        Assert.Equal(whole.Length, samples.Count);
        var largest = whole.Samples.Span.ToArray().Max(MathF.Abs);
        for (var i = 0; i < samples.Count; i++) Assert.InRange(samples[i] - whole.Samples[0, i], -1e-5f * largest, 1e-5f * largest);
    }

    [Fact]
    public async Task Tokenize_OfAnotherRate_IsRefused()
    {
        await using var model = await Open("speech/encodec.8khz");
        var error = await Assert.ThrowsAsync<MediaException>(async () =>
        {
            await foreach (var _ in model.Get<ITokenizeStreaming>().TokenizeAsync(Cut(Sound(16000, 2000), 500), new EncodecOptions())) { }
        });
        Assert.Equal((ErrorCodes.MediaUnsupported, "8000 Hz"), (error.Code, error.Expected));
    }

    private static ValueTask<IModel> Open(string id)
    {
        var (architecture, folder) = id switch
        {
            "speech/encodec.8khz" => (EncodecModel.Architecture, Repository.Path("samples", "encodec-8khz")),
            _ => (MimiModel.Architecture, Repository.Path("tests", "parity", "speech", "mimi", id.Split('.')[1], "checkpoint")),
        };
        return architecture.Open(new() { Id = ModelId.Parse(id), Folder = folder, Services = HostServices.Instance }, CancellationToken.None);
    }

    private static ModelOptions Options(string id) => id.StartsWith("speech/encodec", StringComparison.Ordinal) ? new EncodecOptions() : new CodecOptions();

    private static int Rate(string id) => id.StartsWith("speech/encodec", StringComparison.Ordinal) ? 8000 : 2400;

    private static async IAsyncEnumerable<Media> Cut(Audio sound, int piece)
    {
        for (var start = 0; start < sound.Length; start += piece)
        {
            var part = sound.Samples.Span[start..Math.Min(sound.Length, start + piece)].ToArray();
            yield return new Audio(Tensor.Create(part, 1, part.Length), sound.SampleRate);
        }

        await Task.CompletedTask;
    }

    private static async IAsyncEnumerable<Tokens> Cut(Tokens tokens, int piece)
    {
        var (columns, codebooks) = (Columns(tokens), (int)tokens.Ids.Shape[0]);
        foreach (var part in columns.Chunk(piece))
        {
            var ids = Tensor.Zeros<int>(codebooks, part.Length);
            for (var q = 0; q < codebooks; q++)
            {
                for (var t = 0; t < part.Length; t++) ids[q, t] = part[t][q];
            }

            yield return tokens with { Ids = ids };
        }

        await Task.CompletedTask;
    }

    private static List<int[]> Columns(Tokens tokens) =>
        [.. Enumerable.Range(0, (int)tokens.Ids.Shape[1]).Select(t => Enumerable.Range(0, (int)tokens.Ids.Shape[0]).Select(q => tokens.Ids[q, t]).ToArray())];

    private static Audio Sound(int rate, int samples) =>
        new(Tensor.Create([.. Enumerable.Range(0, samples).Select(i => 0.3f * MathF.Sin(0.05f * i) + 0.1f * MathF.Sin(0.31f * i + 0.0001f * i * i))], 1, samples), rate);
}
