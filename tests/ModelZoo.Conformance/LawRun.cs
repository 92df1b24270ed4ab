using System.Collections.Concurrent;
using ModelZoo.Contracts;

namespace ModelZoo.Conformance;

/// <summary>The laws of models.</summary>
internal enum Law
{
    /// <summary>An input was found for each verb.</summary>
    Tried,
    /// <summary>Options are described, and take their own defaults.</summary>
    Options,
    /// <summary>The same input gives the same tokens, alone and beside others.</summary>
    SameTokens,
    /// <summary>Tokens are of their space and come back.</summary>
    RoundTrip,
    /// <summary>The same seed gives the same result, alone and beside others.</summary>
    SameSeed,
    /// <summary>Cancellation stops within a step.</summary>
    Cancellation,
    /// <summary>Guidance of one is what is predicted of the condition alone.</summary>
    Guidance,
}

/// <summary>Tries the laws on the models of a plugin, and writes down each that was broken, with the model.</summary>
internal sealed class LawRun(IModelPlugin plugin)
{
    private readonly ConcurrentBag<(Law, string)> _broken = [];
    private readonly ConcurrentBag<string> _untried = [];

    /// <summary>What each sample breaks; each model is opened once, two side by side.</summary>
    public static async Task<IReadOnlyList<(Law Law, string What)>> AllAsync(IModelPlugin plugin, IEnumerable<LawSample> samples, IReadOnlySet<string> untried)
    {
        var run = new LawRun(plugin);
        await Parallel.ForEachAsync(samples, new ParallelOptions { MaxDegreeOfParallelism = 2 }, async (sample, _) => await run.TryAsync(sample));
        foreach (var verb in run._untried.Where(verb => !untried.Contains(verb.Split(':')[0]))) run._broken.Add((Law.Tried, verb));
        foreach (var verb in untried.Except(run._untried.Select(verb => verb.Split(':')[0]))) run._broken.Add((Law.Tried, $"{verb} is named as untried, and was tried."));
        return [.. run._broken.Order()];
    }

    /// <summary>Uses each verb of a model once.</summary>
    public async Task UseAsync(LawSample sample)
    {
        await using var model = await OpenAsync(sample);
        if (model.Find<ITokenize>() is { } tokenizer && await InputAsync(sample, tokenizer) is { } input) await tokenizer.TokenizeAsync(input, LawInputs.Quick(tokenizer.TokenizeOptions));
        if (model.Find<IGenerate>() is { } generator && await PromptAsync(sample, generator) is { } prompt) await LastAsync(generator, prompt, 1);
    }

    private async Task TryAsync(LawSample sample)
    {
        await using var model = await OpenAsync(sample);
        await GuardAsync(Law.Options, sample, () => Options(sample, model));
        if (model.Find<ITokenize>() is { } tokenizer && await InputAsync(sample, tokenizer) is { } input)
        {
            await GuardAsync(Law.SameTokens, sample, () => SameTokensAsync(sample, tokenizer, input));
            await GuardAsync(Law.RoundTrip, sample, () => RoundTripAsync(sample, tokenizer, input));
        }

        if (model.Find<IGenerate>() is { } generator && await PromptAsync(sample, generator) is { } prompt)
        {
            await GuardAsync(Law.SameSeed, sample, () => SameSeedAsync(sample, generator, prompt));
            await GuardAsync(Law.Cancellation, sample, () => CancellationAsync(sample, generator, prompt));
            await GuardAsync(Law.Guidance, sample, () => GuidanceAsync(sample, generator, prompt));
        }
    }

    // What a model throws where it should answer breaks the law that was tried.
    private async Task GuardAsync(Law law, LawSample sample, Func<Task> attempt)
    {
        try
        {
            await attempt();
        }
        catch (Exception error)
        {
            Break(law, sample, $"{error.GetType().Name}: {error.Message}");
        }
    }

    private void Break(Law law, LawSample sample, string what) => _broken.Add((law, $"{sample.Model}: {what}"));

    private void Expect(bool kept, Law law, LawSample sample, string what)
    {
        if (!kept) Break(law, sample, what);
    }

    private Task Options(LawSample sample, IModel model)
    {
        OptionsSchema?[] schemas = [model.Find<ITokenize>()?.TokenizeOptions, model.Find<IGenerate>()?.GenerateOptions, model.Find<IEvaluate>()?.EvaluateOptions];
        foreach (var schema in schemas.OfType<OptionsSchema>())
        {
            foreach (var option in schema.Options)
            {
                Expect(!string.IsNullOrWhiteSpace(option.Description), Law.Options, sample, $"option {option.Name} is not described.");
                if (option.Default is { } value) schema.Bind([new(option.Name, OptionDescription.Show(value))]);
            }
        }

        return Task.CompletedTask;
    }

    private async Task SameTokensAsync(LawSample sample, ITokenize tokenizer, Media input)
    {
        var options = tokenizer.TokenizeOptions.Defaults;
        var alone = await tokenizer.TokenizeAsync(input, options);
        foreach (var other in await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => Task.Run(async () => await tokenizer.TokenizeAsync(input, options)))))
            Expect(alone.Space == other.Space && alone.Ids.Span.SequenceEqual(other.Ids.Span), Law.SameTokens, sample, "other tokens beside other calls than alone.");
    }

    private async Task RoundTripAsync(LawSample sample, ITokenize tokenizer, Media input)
    {
        var options = tokenizer.TokenizeOptions.Defaults;
        var tokens = await tokenizer.TokenizeAsync(input, options);
        tokens.Expect(tokens.Space);
        if (!sample.Decodes) return;
        Media back;
        try
        {
            back = await tokenizer.DetokenizeAsync(tokens, options);
        }
        catch (ModelZooException error) when (sample.FindsInputs && error.Code == ErrorCodes.VerbUnsupported)
        {
            return; // the method has no way back, and says so
        }

        Expect(back.Modality == input.Modality, Law.RoundTrip, sample, $"{input.Modality} comes back as {back.Modality}.");
        if (sample.IsLossless is { } same) Expect(same(input, back), Law.RoundTrip, sample, "it does not give its input back.");
        try
        {
            await tokenizer.DetokenizeAsync(tokens with { Space = tokens.Space with { VocabularyDigest = "of another model" } }, options);
            Break(Law.RoundTrip, sample, "it takes tokens of another vocabulary.");
        }
        catch (MediaException)
        {
            // as it must
        }
    }

    private async Task SameSeedAsync(LawSample sample, IGenerate generator, Prompt prompt)
    {
        var alone = Describe(await LastAsync(generator, prompt, 11));
        var together = await StepByStepAsync(generator, prompt, 11, 12);
        Expect(alone == Describe(together[0]), Law.SameSeed, sample, "another result beside another request than alone.");
        Expect(alone == Describe(await LastAsync(generator, prompt, 11)), Law.SameSeed, sample, "another result the second time.");
    }

    private async Task CancellationAsync(LawSample sample, IGenerate generator, Prompt prompt)
    {
        using var stop = new CancellationTokenSource();
        var after = 0;
        try
        {
            await foreach (var _ in generator.GenerateAsync(prompt, LawInputs.Quick(generator.GenerateOptions), 1, stop.Token))
            {
                if (stop.IsCancellationRequested) after++;
                await stop.CancelAsync();
            }
        }
        catch (OperationCanceledException)
        {
            // as it must, unless the last step was under way
        }

        Expect(after <= 1, Law.Cancellation, sample, $"it went on for {after} steps after it was cancelled.");
    }

    // Options of which "1 for none" is said: at one what is avoided is not read, and so near to one that the other half cannot show it changes nothing.
    private async Task GuidanceAsync(LawSample sample, IGenerate generator, Prompt prompt)
    {
        var scales = generator.GenerateOptions.Options.Where(option => option.Description.Contains("1 for none", StringComparison.Ordinal)).ToList();
        if (scales.Count == 0) return;
        (string, string)[] none = [.. scales.Select(option => (option.Name, Scale(option, "1")))];
        var alone = await LastAsync(generator, prompt, 3, none);
        foreach (var option in scales)
        {
            var nearly = await LastAsync(generator, prompt, 3, [.. none.Where(other => other.Item1 != option.Name), (option.Name, Scale(option, "1.000000001"))]);
            var apart = Apart(alone, nearly);
            Expect(apart <= 1e-3, Law.Guidance, sample, $"{option.Name} of one is not what is predicted of the condition alone: {apart:0.0e0} apart.");
        }

        if (generator.GenerateOptions.Options.Any(option => option.Name == "negative_prompt"))
            Expect(Describe(alone) == Describe(await LastAsync(generator, prompt, 3, [.. none, ("negative_prompt", "a dog")])), Law.Guidance, sample, "without guidance it reads what is avoided.");

        static string Scale(OptionDescription option, string scale) => option.Default is Array { Length: var count } ? string.Join(',', Enumerable.Repeat(scale, count)) : scale;
    }

    // How far numbers are apart at most, over the largest; what is not made of numbers is the same or not.
    private static double Apart(Media? one, Media? other)
    {
        if (Numbers(one) is not { } a || Numbers(other) is not { } b || a.Length != b.Length) return Describe(one) == Describe(other) ? 0 : 1;
        return a.Zip(b).Max(pair => Math.Abs(pair.First - pair.Second)) / (1e-6 + a.Max(Math.Abs));
    }

    private static float[]? Numbers(Media? media) => media switch
    {
        Image image => image.Pixels.Span.ToArray(),
        Audio audio => audio.Samples.Span.ToArray(),
        Video video => video.Frames.Span.ToArray(),
        Motion motion => motion.Features.Span.ToArray(),
        NamedTensors tensors when tensors.Values.Values.All(tensor => tensor.Type == ElementType.Float32) => [.. tensors.Values.OrderBy(pair => pair.Key, StringComparer.Ordinal).SelectMany(pair => pair.Value.As<float>().Span.ToArray())],
        _ => null,
    };

    private ValueTask<IModel> OpenAsync(LawSample sample) =>
        plugin.Architectures.Single(architecture => architecture.Card.Id == sample.Model).Open(new() { Id = ModelId.Parse(sample.Model), Folder = sample.Checkpoint, Parts = sample.Parts, Settings = new(sample.Settings), Services = HostServices.Instance }, default);

    private async Task<Media?> InputAsync(LawSample sample, ITokenize tokenizer)
    {
        if (sample.Input is not null || !sample.FindsInputs) return sample.Input;
        return await FindAsync(sample, "tokenize", LawInputs.Media(tokenizer.Takes, sample.Tensors), async media => await tokenizer.TokenizeAsync(media, LawInputs.Quick(tokenizer.TokenizeOptions)));
    }

    private async Task<Prompt?> PromptAsync(LawSample sample, IGenerate generator)
    {
        if (sample.Prompt is not null || !sample.FindsInputs) return sample.Prompt;
        return await FindAsync(sample, "generate", LawInputs.Prompts(sample.Tensors), async prompt => await LastAsync(generator, prompt, 1));
    }

    // The first that the model does not refuse in the way in which inputs are refused.
    private async Task<T?> FindAsync<T>(LawSample sample, string verb, IEnumerable<T> candidates, Func<T, Task> attempt) where T : class
    {
        var refusals = new List<string>();
        foreach (var candidate in candidates)
        {
            try
            {
                await attempt(candidate);
                return candidate;
            }
            catch (ModelZooException refused)
            {
                if (!refusals.Contains(refused.Message)) refusals.Add(refused.Message);
            }
        }

        _untried.Add($"{sample.Model} {verb}: {string.Join(" | ", refusals)}");
        return null;
    }

    private static async Task<Media?> LastAsync(IGenerate generator, Prompt prompt, ulong seed, params (string Name, string Value)[] chosen)
    {
        Media? last = null;
        await foreach (var step in generator.GenerateAsync(prompt, LawInputs.Quick(generator.GenerateOptions, chosen), seed)) last = step.IsFinal ? step.Value : last;
        return last ?? throw new InvalidOperationException("it ended without a result.");
    }

    // Several at once, a step of each in turn, so that what they share shows.
    private static async Task<IReadOnlyList<Media?>> StepByStepAsync(IGenerate generator, Prompt prompt, params ulong[] seeds)
    {
        var running = seeds.Select(seed => generator.GenerateAsync(prompt, LawInputs.Quick(generator.GenerateOptions), seed).GetAsyncEnumerator()).ToList();
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
