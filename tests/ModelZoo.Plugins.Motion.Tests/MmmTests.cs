using System.Text.Json;
using ModelZoo.Conformance;
using ModelZoo.Contracts;
using ModelZoo.Inference;

namespace ModelZoo.Plugins.Motion.Tests;

/// <summary>MMM with the demonstration checkpoint: what its training script measured.</summary>
public sealed class MmmTests : IAsyncLifetime
{
    private static readonly string Folder = Repository.Path("samples", "mmm-synthetic");
    private static readonly JsonElement Reference = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder, "reference.json"))).RootElement;
    private IModel _model = null!;

    public async Task InitializeAsync() =>
        _model = await MmmModel.Architecture.Open(new() { Id = ModelId.Parse("motion/mmm.synthetic"), Folder = Folder, Services = HostServices.Instance }, CancellationToken.None);

    public Task DisposeAsync() => _model.DisposeAsync().AsTask();

    public static TheoryData<string> Motions => [.. Reference.GetProperty("motions").EnumerateObject().Select(motion => motion.Name)];

    public static TheoryData<string> Captions => [.. Reference.GetProperty("greedy_tokens_of_80_frames").EnumerateObject().Select(caption => caption.Name)];

    [Theory, MemberData(nameof(Motions))]
    public async Task Tokenize_UnseenMotion_GivesTheReferencesTokens(string name)
    {
        var tokens = await _model.Get<ITokenize>().TokenizeAsync(Read(name), new NoOptions());

        Assert.Equal(Ids(Reference.GetProperty("motions").GetProperty(name).GetProperty("tokens")), tokens.Ids.Span.ToArray());
    }

    [Theory, MemberData(nameof(Motions))]
    public async Task Detokenize_TokensOfAMotion_IsAsNearAsTheReferenceSays(string name)
    {
        var motion = Read(name);
        var tokenizer = _model.Get<ITokenize>();
        var back = await tokenizer.DetokenizeAsync(await tokenizer.TokenizeAsync(motion, new NoOptions()), new NoOptions());
        var metric = LocalMpjpe.Metric.Start();

        metric.Add(new(name, motion, back));

        Assert.Equal(Reference.GetProperty("motions").GetProperty(name).GetProperty("local_mpjpe_mm").GetDouble(), metric.Result()!.Value, 2);
    }

    [Theory, MemberData(nameof(Captions))]
    public async Task Generate_Greedily_GivesTheReferencesTokens(string caption)
    {
        var expected = Ids(Reference.GetProperty("greedy_tokens_of_80_frames").GetProperty(caption));
        var tokenizer = _model.Get<ITokenize>();
        var space = (await tokenizer.TokenizeAsync(Read("circle.npy"), new NoOptions())).Space;
        var decoded = (Contracts.Motion)await tokenizer.DetokenizeAsync(new Tokens(space, Tensor.Create(expected, expected.Length)), new NoOptions());

        var made = await LastAsync(new(caption), new MmmOptions { Frames = 80, Greedy = true }, seed: 0);

        Assert.Equal(decoded.Features.Span.ToArray(), made.Features.Span.ToArray());
    }

    [Fact]
    public async Task Generate_EditWithoutAMotion_IsRefused() =>
        Assert.Equal("edit_from, edit_to", (await Assert.ThrowsAsync<OptionsException>(() => LastAsync(new("a man walks"), new MmmOptions { EditFrom = 4 }, seed: 0))).Where);

    [Fact]
    public void Statistics_OfOtherFrames_AreRefusedByFile()
    {
        Assert.Equal(263, MotionStatistics.Find(Folder, 263)!.Mean.Count);
        var error = Assert.Throws<CheckpointException>(() => MotionStatistics.Find(Folder, 251));
        Assert.Equal((Path.Combine(Folder, "mean.npy"), "251 numbers"), (error.Where, error.Expected));
    }

    [Fact]
    public async Task Generate_WithTheSameSeed_GivesTheSame()
    {
        var options = new MmmOptions { Frames = 60 };

        var (first, second, other) = (await LastAsync(new("a man jumps"), options, 1), await LastAsync(new("a man jumps"), options, 1), await LastAsync(new("a man jumps"), options, 2));

        Assert.Equal(60, first.Features.Shape[0]);
        Assert.Equal(first.Features.Span.ToArray(), second.Features.Span.ToArray());
        Assert.NotEqual(first.Features.Span.ToArray(), other.Features.Span.ToArray());
    }

    [Fact]
    public async Task Generate_FromAMotion_KeepsWhatIsNotMadeAnew()
    {
        var given = Read("kick.npy");
        var kept = await _model.Get<ITokenize>().TokenizeAsync(given, new NoOptions());

        var edited = await LastAsync(new("someone squats", [given]), new MmmOptions { EditFrom = 40, EditTo = 80 }, seed: 3);

        Assert.Equal(given.Features.Shape[0], edited.Features.Shape[0]);
        var plain = (Contracts.Motion)await _model.Get<ITokenize>().DetokenizeAsync(kept, new NoOptions());
        // The decoder sees some tokens to either side: frames at the far ends depend on kept tokens alone.
        Assert.Equal(plain.Features.Slice(0).Span.ToArray(), edited.Features.Slice(0).Span.ToArray());
        Assert.NotEqual(plain.Features.Slice(60).Span.ToArray(), edited.Features.Slice(60).Span.ToArray());
    }

    [Fact]
    public async Task Generate_FromSeveralCaptions_JoinsThemWithTransitions()
    {
        var motion = await LastAsync(new("a person walks forward | someone kicks with the left leg"), new MmmOptions { Frames = 60, TransitionTokens = 2 }, seed: 1);

        Assert.Equal(60 + 2 * 4 + 60, motion.Features.Shape[0]);
    }

    [Theory]
    [InlineData("")]
    [InlineData(" | ")]
    public async Task Generate_WithoutWords_MakesAnyMotion(string prompt) =>
        Assert.Equal(40, (await LastAsync(new(prompt), new MmmOptions { Frames = 40 }, seed: 1)).Features.Shape[0]);

    [Fact]
    public async Task Generate_FromWhatIsNoMotion_IsRefused() =>
        await Assert.ThrowsAsync<MediaException>(() => LastAsync(new("a man jumps", [new Items(["1"])]), new MmmOptions { Frames = 40 }, seed: 1));

    [Fact]
    public async Task Tokenize_AnotherRepresentation_IsRefused() =>
        await Assert.ThrowsAsync<MediaException>(async () => await _model.Get<ITokenize>().TokenizeAsync(new Contracts.Motion(Tensor.Zeros<float>(8, 66), 20, "features-66"), new NoOptions()));

    private async Task<Contracts.Motion> LastAsync(Prompt prompt, MmmOptions options, ulong seed)
    {
        Contracts.Motion? last = null;
        await foreach (var step in _model.Get<IGenerate>().GenerateAsync(prompt, options, seed)) last = step.Value as Contracts.Motion ?? last;
        return last!;
    }

    private static int[] Ids(JsonElement ids) => ids.Deserialize<int[]>()!;

    private static Contracts.Motion Read(string name) => new(NumpyFile.Read(Path.Combine(Folder, "motions", name)).As<float>(), 20, "humanml3d-263");
}
