using System.Text.Json;
using ModelZoo.Contracts;
using Xunit;

namespace ModelZoo.Conformance;

/// <summary>
/// The laws that every plugin keeps. An author inherits this class in a test project, and every law is a test:
/// <code>
/// public sealed class MyPluginLaws : PluginLaws&lt;MyPlugin&gt;
/// {
///     protected override IEnumerable&lt;LawSample&gt; Samples =&gt; [new("example/bytes", new Text("Hello"))];
/// }
/// </code>
/// </summary>
/// <typeparam name="TPlugin">The plugin.</typeparam>
public abstract class PluginLaws<TPlugin> where TPlugin : IModelPlugin, new()
{
    /// <summary>Models with an input, for the laws of the verbs; without samples only the table is looked at.</summary>
    protected virtual IEnumerable<LawSample> Samples => [];

    [Fact]
    public void Table_EveryCard_IsComplete()
    {
        var ids = new HashSet<string>();
        foreach (var card in new TPlugin().Architectures.Select(architecture => architecture.Card))
        {
            Assert.True(ModelId.TryParse(card.Id, out var id) && id.Tag is null, $"'{card.Id}' is not family/architecture in lower case.");
            Assert.True(ids.Add(card.Id), $"{card.Id} is there twice.");
            Assert.False(string.IsNullOrWhiteSpace(card.Paper), $"{card.Id} names no paper.");
            Assert.True(card.Hidden || card.Authors.Count > 0, $"{card.Id} names no authors.");
            Assert.True(card.Hidden || (card.Inputs.Count > 0 && card.Outputs.Count > 0), $"{card.Id} does not say what goes in and comes out.");
            JsonSerializer.Serialize(card);
        }
    }

    [Fact]
    public void Table_EveryMetric_HasItsOwnNameAndASentence()
    {
        var metrics = new TPlugin().Metrics;
        Assert.Equal(metrics.Count, metrics.Select(metric => metric.Name).Distinct().Count());
        foreach (var metric in metrics)
        {
            Assert.True(metric.Name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '-' or '.' or '@'), $"'{metric.Name}' is not lower-case with dashes.");
            Assert.False(string.IsNullOrWhiteSpace(metric.Description), $"{metric.Name} is not described.");
            Assert.Null(metric.Start().Result());
        }
    }

    [Fact]
    public async Task Options_EveryVerb_ExplainsThemAndTakesItsOwnDefaults()
    {
        await ForEachAsync((sample, model) =>
        {
            OptionsSchema?[] schemas = [model.Find<ITokenize>()?.TokenizeOptions, model.Find<IGenerate>()?.GenerateOptions, model.Find<IEvaluate>()?.EvaluateOptions];
            foreach (var option in schemas.OfType<OptionsSchema>().SelectMany(schema => schema.Options.Select(option => (schema, option))))
            {
                Assert.False(string.IsNullOrWhiteSpace(option.option.Description), $"Option {option.option.Name} of {sample.Model} is not described.");
                if (option.option.Default is { } value) option.schema.Bind([new(option.option.Name, OptionDescription.Show(value))]);
            }

            return Task.CompletedTask;
        });
    }

    [Fact]
    public Task Tokenize_SameInput_GivesTheSameTokensAloneAndBesideOthers() => ForEachAsync(async (sample, model) =>
    {
        if (model.Find<ITokenize>() is not { } tokenizer || sample.Input is null) return;
        var options = tokenizer.TokenizeOptions.Defaults;
        var alone = await tokenizer.TokenizeAsync(sample.Input, options);
        var together = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(async () => await tokenizer.TokenizeAsync(sample.Input, options))));
        foreach (var other in together)
        {
            Assert.Equal(alone.Space, other.Space);
            Assert.Equal(alone.Ids.Span.ToArray(), other.Ids.Span.ToArray());
        }
    });

    [Fact]
    public Task Tokenize_Tokens_AreOfTheirSpaceAndComeBackAsTheSameKindOfMedia() => ForEachAsync(async (sample, model) =>
    {
        if (model.Find<ITokenize>() is not { } tokenizer || sample.Input is null) return;
        var options = tokenizer.TokenizeOptions.Defaults;
        var tokens = await tokenizer.TokenizeAsync(sample.Input, options);
        tokens.Expect(tokens.Space);
        if (sample.IsLossless is { } same) Assert.True(same(sample.Input, await tokenizer.DetokenizeAsync(tokens, options)), $"{sample.Model} does not give its input back.");
        else if (sample.Decodes) Assert.Equal(sample.Input.Modality, (await tokenizer.DetokenizeAsync(tokens, options)).Modality);
        var foreign = tokens with { Space = tokens.Space with { VocabularyDigest = "of another model" } };
        if (sample.Decodes) await Assert.ThrowsAsync<MediaException>(async () => await tokenizer.DetokenizeAsync(foreign, options));
    });

    [Fact]
    public Task Generate_SameSeed_GivesTheSameResultAloneAndBesideOthers() => ForEachAsync(async (sample, model) =>
    {
        if (model.Find<IGenerate>() is not { } generator || sample.Prompt is null) return;
        var alone = await LastAsync(generator, sample, 11);
        var together = await StepByStepAsync(generator, sample, 11, 12);
        Assert.Equal(Describe(alone), Describe(together[0]));
        Assert.Equal(Describe(alone), Describe(await LastAsync(generator, sample, 11)));
    });

    [Fact]
    public Task Generate_Cancelled_StopsWithinAStep() => ForEachAsync(async (sample, model) =>
    {
        if (model.Find<IGenerate>() is not { } generator || sample.Prompt is null) return;
        using var stop = new CancellationTokenSource();
        var after = 0;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var _ in generator.GenerateAsync(sample.Prompt, generator.GenerateOptions.Defaults, 1, stop.Token))
            {
                if (stop.IsCancellationRequested) after++;
                stop.Cancel();
            }
        });
        Assert.True(after <= 1, $"{sample.Model} went on for {after} steps after it was cancelled.");
    });

    /// <summary>Used and let go, the plugin leaves nothing behind that holds it: no handler on a static event, no thread or timer, no cache of its types in shared code.</summary>
    [Fact]
    public async Task Unload_AfterUse_NothingHoldsThePlugin()
    {
        var context = await UnloadProbe.UseAndUnloadAsync(typeof(TPlugin), async plugin =>
        {
            foreach (var sample in Samples)
            {
                await using var model = await OpenAsync(plugin, sample);
                if (model.Find<ITokenize>() is { } tokenizer && sample.Input is not null) await tokenizer.TokenizeAsync(sample.Input, tokenizer.TokenizeOptions.Defaults);
                if (model.Find<IGenerate>() is { } generator && sample.Prompt is not null) await LastAsync(generator, sample, 1);
            }
        });
        Assert.True(await UnloadProbe.DiesAsync(context), $"{typeof(TPlugin)} was let go, and something holds it: a handler on a static event, a thread, a timer, a thread static, or a cache of its types in shared code.");
    }

    private async Task ForEachAsync(Func<LawSample, IModel, Task> law)
    {
        foreach (var sample in Samples)
        {
            await using var model = await OpenAsync(new TPlugin(), sample);
            await law(sample, model);
        }
    }

    private static ValueTask<IModel> OpenAsync(IModelPlugin plugin, LawSample sample) => plugin.Architectures.Single(architecture => architecture.Card.Id == sample.Model)
        .Open(new() { Id = ModelId.Parse(sample.Model), Folder = sample.Checkpoint, Services = HostServices.Instance }, default);

    private static async Task<Media?> LastAsync(IGenerate generator, LawSample sample, ulong seed)
    {
        Media? last = null;
        await foreach (var step in generator.GenerateAsync(sample.Prompt!, generator.GenerateOptions.Defaults, seed)) last = step.IsFinal ? step.Value : last;
        return last ?? throw new InvalidOperationException($"{sample.Model} ended without a result.");
    }

    // Several at once, a step of each in turn, so that what they share shows.
    private static async Task<IReadOnlyList<Media?>> StepByStepAsync(IGenerate generator, LawSample sample, params ulong[] seeds)
    {
        var running = seeds.Select(seed => generator.GenerateAsync(sample.Prompt!, generator.GenerateOptions.Defaults, seed).GetAsyncEnumerator()).ToList();
        var last = new Media?[seeds.Length];
        for (var moved = true; moved;)
        {
            moved = false;
            for (var i = 0; i < running.Count; i++)
            {
                if (!await running[i].MoveNextAsync()) continue;
                moved = true;
                if (running[i].Current.IsFinal) last[i] = running[i].Current.Value;
            }
        }

        foreach (var one in running) await one.DisposeAsync();
        return last;
    }

    private static string Describe(Media? media) => media switch
    {
        Text text => text.Value,
        Image image => Convert.ToHexString(image.Pixels.Bytes),
        Audio audio => Convert.ToHexString(audio.Samples.Bytes),
        Video video => Convert.ToHexString(video.Frames.Bytes),
        Motion motion => Convert.ToHexString(motion.Features.Bytes),
        Mesh mesh => Convert.ToHexString(mesh.Vertices.Bytes),
        Items items => string.Join('\n', items.Ids),
        Tokens tokens => Convert.ToHexString(tokens.Ids.Bytes),
        NamedTensors tensors => string.Concat(tensors.Values.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => pair.Key + Convert.ToHexString(pair.Value.Bytes))),
        _ => "",
    };
}

/// <summary>A model with an input for the laws.</summary>
/// <param name="Model"><c>family/architecture</c>.</param>
/// <param name="Input">What it tokenizes.</param>
public sealed record LawSample(string Model, Media? Input = null)
{
    /// <summary>Folder of its checkpoint, when it has weights.</summary>
    public string? Checkpoint { get; init; }

    /// <summary>What it generates from.</summary>
    public Prompt? Prompt { get; init; }

    /// <summary>Whether tokens can be turned back.</summary>
    public bool Decodes { get; init; } = true;

    /// <summary>For tokenizers that lose nothing: whether what came back is what went in.</summary>
    public Func<Media, Media, bool>? IsLossless { get; init; }
}
