using System.Text.Json;
using System.Text.Json.Nodes;
using ModelZoo.Contracts;
using ModelZoo.Host.Evaluation;
using ModelZoo.Host.Hosting;
using ModelZoo.Host.Media;
using ModelZoo.Host.Models;
using ModelZoo.Host.Replay;

namespace ModelZoo.Host.Scheduling;

/// <summary>A result, how long it took, and where it comes from.</summary>
internal sealed record VerbResult<T>(T Value, TimeSpan Elapsed, ModelOptions Options, ModelId Model, Provenance Provenance);

/// <summary>The verbs on any model: options bound, media checked, provenance added.</summary>
internal sealed class ModelVerbs(IModelRunner runner, ModelResolver resolver, ProvenanceSource provenance, ModelMeter meter)
{
    private RequestTerms Terms { get; init; } = RequestTerms.None;

    /// <summary>The verbs for one request with its own terms.</summary>
    public ModelVerbs For(RequestTerms terms) => new(runner, resolver, provenance, meter) { Terms = terms };

    /// <summary>Media to tokens.</summary>
    public Task<VerbResult<Tokens>> TokenizeAsync(ModelRequest model, Contracts.Media media, JsonObject options, CancellationToken cancel) =>
        RunAsync<ITokenize, Tokens>(model, "tokenize", options, tokenizer => tokenizer.TokenizeOptions, async (lease, tokenizer, bound, stop) =>
        {
            var tokens = await tokenizer.TokenizeAsync(Fit(tokenizer.Takes, media), bound, stop).ConfigureAwait(false);
            meter.Counted(lease.Resident.Id, "tokenize", tokens.Ids.Length);
            return tokens;
        }, cancel);

    /// <summary>Tokens to media; a bare list of ids is taken for tokens where the model needs no more.</summary>
    public Task<VerbResult<Contracts.Media>> DetokenizeAsync(ModelRequest model, Contracts.Media given, JsonObject options, CancellationToken cancel) =>
        RunAsync<ITokenize, Contracts.Media>(model, "detokenize", options, tokenizer => tokenizer.TokenizeOptions, (lease, tokenizer, bound, stop) =>
        {
            var tokens = given is Items bare ? BareIds.ToTokens(bare, tokenizer, lease.Resident.Id) : given.Expect<Tokens>();
            meter.Counted(lease.Resident.Id, "detokenize", tokens.Ids.Length);
            return tokenizer.DetokenizeAsync(tokens, bound, stop).AsTask();
        }, cancel);

    /// <summary>Prompt to media; each step is reported.</summary>
    public Task<VerbResult<Contracts.Media>> GenerateAsync(ModelRequest model, Prompt prompt, JsonObject options, ulong seed, Action<Generation> report, CancellationToken cancel) =>
        RunAsync<IGenerate, Contracts.Media>(model, "generate", options, generator => generator.GenerateOptions, async (lease, generator, bound, stop) =>
        {
            Contracts.Media? last = null;
            var media = PromptMedia.For(lease.Resident.Id, lease.Resident.Resolved.Architecture.Card, prompt);
            await foreach (var step in generator.GenerateAsync(prompt with { Media = media }, bound, seed, stop).WithCancellation(stop).ConfigureAwait(false))
            {
                stop.ThrowIfCancellationRequested();
                media.ExpectRead(lease.Resident.Id);
                report(step);
                if (step.IsFinal) last = step.Value;
                else meter.Stepped(lease.Resident.Id);
            }

            return last ?? throw new ModelZooException(ErrorCodes.PluginFailed, $"{model.Id} ended without a result.") { Remedy = "This is a fault of the plugin; tell its author." };
        }, cancel);

    /// <summary>Sees, before anything runs, that what a model generates goes into a file of that name or, without one, is a text.</summary>
    /// <exception cref="ModelZooException">It does not; where the model could make what the file holds, the message says what its folder lacks.</exception>
    public Task ExpectGeneratedAsync(ModelRequest model, string? path, CancellationToken cancel) => InspectAsync(model, (lease, _) =>
    {
        if (lease.Model.Find<IGenerate>() is not { } generator) return Task.FromResult(true);
        var could = path is not null && lease.Resident.Resolved.Architecture.Card.Outputs.Any(output => MediaFiles.Writes(output, path));
        return Holds(generator.Makes, path, could ? lease.Model.Facts.Lacks : null);
    }, cancel);

    /// <summary>Sees, before anything runs, that what a model's tokens become goes into a file of that name or, without one, is a text.</summary>
    /// <exception cref="ModelZooException">It does not.</exception>
    public Task ExpectDetokenizedAsync(ModelRequest model, string? path, CancellationToken cancel) =>
        InspectAsync(model, (lease, _) => lease.Model.Find<ITokenize>() is { Takes: var makes } ? Holds(makes, path, null) : Task.FromResult(true), cancel);

    // Standard output holds texts.
    private static Task<bool> Holds(Modality makes, string? path, string? remedy)
    {
        if (path is null ? makes == Modality.Text : MediaFiles.Writes(makes, path)) return Task.FromResult(true);
        var files = string.Join(" or ", MediaFiles.Extensions(makes));
        throw path is null
            ? new OptionsException(ErrorCodes.OptionType, $"The model makes {Name(makes)}, which goes into a file.") { Where = "--out", Expected = files }
            : new MediaException(ErrorCodes.MediaUnsupported, $"The model makes {Name(makes)}, which a file of this kind does not hold.") { Where = path, Expected = files, Remedy = remedy };
    }

    /// <summary>A data set to observations, batch by batch as <see cref="IEvaluate.BatchSize"/> says, each handed on as it comes.</summary>
    public Task<VerbResult<int>> ObserveAsync(ModelRequest model, IAsyncEnumerable<IReadOnlyList<Example>> batches, JsonObject options, ulong seed, Func<ObservedBatch, ValueTask> observe, CancellationToken cancel) =>
        RunAsync<IEvaluate, int>(model, "evaluate", options, evaluator => evaluator.EvaluateOptions, async (_, evaluator, bound, stop) =>
        {
            var count = 0;
            await foreach (var batch in batches.WithCancellation(stop).ConfigureAwait(false))
            {
                var observations = new List<Observation>();
                var given = new GivenExamples(batch);
                try
                {
                    await foreach (var observation in evaluator.ObserveAsync(given.ToAsyncEnumerable(), bound, seed, stop).WithCancellation(stop).ConfigureAwait(false))
                    {
                        stop.ThrowIfCancellationRequested();
                        observations.Add(observation);
                    }
                }
                catch (ModelZooException error) when (given.Place is { } place)
                {
                    throw new ModelZooException(error.Code, error.What, error) { Where = error.Where is null ? place : $"{place}: {error.Where}", Expected = error.Expected, Found = error.Found, Remedy = error.Remedy };
                }

                await observe(ObservedBatch.Of(batch, observations)).ConfigureAwait(false);
                count += observations.Count;
            }

            return count;
        }, cancel);

    /// <summary>What a verb of a model is like under these options, and where its answers come from; waits for nobody.</summary>
    public Task<VerbResult<T>> DescribeAsync<TVerb, T>(ModelRequest model, string verb, JsonObject options, Func<TVerb, OptionsSchema> schema, Func<TVerb, ModelOptions, T> describe, CancellationToken cancel) where TVerb : class =>
        RunAsync(Call(model, ModelCall.Look), verb, options, schema, (_, capability, bound, _) => Task.FromResult(describe(capability, bound)), cancel);

    /// <summary>One of the authors' own calls on raw tensors.</summary>
    public Task<CallResults> CallAsync(ModelRequest model, string call, CallArguments arguments, CancellationToken cancel) =>
        runner.RunAsync(Call(model, "call"), (lease, stop) => lease.Model.Get<IReferenceCalls>().CallAsync(call, arguments, stop).AsTask(), cancel);

    /// <summary>A corpus to a model's files.</summary>
    public async Task<TrainingResult> TrainAsync(ModelRequest model, IReadOnlyList<string> files, string folder, JsonObject options, IProgress<TrainingProgress> progress, CancellationToken cancel) =>
        (await RunAsync<ITrain, TrainingResult>(model, "train", options, trainer => trainer.TrainOptions, (_, trainer, bound, stop) => trainer.TrainAsync(files, folder, bound, progress, stop).AsTask(), cancel).ConfigureAwait(false)).Value;

    /// <summary>Looks at an open model; waits for nobody.</summary>
    public Task<T> InspectAsync<T>(ModelRequest model, Func<ModelLease, CancellationToken, Task<T>> look, CancellationToken cancel) => runner.RunAsync(Call(model, ModelCall.Look), look, cancel);

    private Task<VerbResult<T>> RunAsync<TVerb, T>(ModelRequest model, string verb, JsonObject options, Func<TVerb, OptionsSchema> schema, Func<ModelLease, TVerb, ModelOptions, CancellationToken, Task<T>> work, CancellationToken cancel)
        where TVerb : class => RunAsync(Call(model, verb), verb, options, schema, work, cancel);

    private Task<VerbResult<T>> RunAsync<TVerb, T>(ModelCall call, string verb, JsonObject options, Func<TVerb, OptionsSchema> schema, Func<ModelLease, TVerb, ModelOptions, CancellationToken, Task<T>> work, CancellationToken cancel)
        where TVerb : class => runner.RunAsync(call, async (lease, stop) =>
        {
            var capability = lease.Model.Find<TVerb>() ?? throw new ModelZooException(ErrorCodes.VerbUnsupported, $"{call.Model.Id} cannot {verb}.") { Remedy = lease.Model.Facts.Lacks ?? $"`modelzoo info {call.Model.Id}` shows what it can do." };
            var bound = Bind(schema(capability), lease.Resident.Resolved.Options, verb, options, call.Terms.Data);
            var started = System.Diagnostics.Stopwatch.GetTimestamp();
            var value = await work(lease, capability, bound, stop).ConfigureAwait(false);
            var elapsed = System.Diagnostics.Stopwatch.GetElapsedTime(started);
            return new VerbResult<T>(value, elapsed, bound, lease.Resident.Id, await provenance.OfAsync(lease, stop).ConfigureAwait(false));
        }, cancel);

    private ModelCall Call(ModelRequest model, string verb) => new(resolver.Canonical(model), verb) { Terms = Terms };

    // The manifest's options of the verb under those of the request, whose paths are confined; the manifest's are its author's.
    private static ModelOptions Bind(OptionsSchema schema, JsonElement? manifest, string verb, JsonObject given, DataFolder? data)
    {
        var all = manifest is { } options && options.TryGetProperty(verb, out var ofVerb) ? JsonObject.Create(ofVerb)! : [];
        if (all.Count + given.Count == 0) return schema.Defaults;
        foreach (var (name, value) in given) all[name] = value?.DeepClone();
        foreach (var option in schema.Options.Where(option => data is not null && option.IsPath))
        {
            if (given[option.Name] is JsonValue value && value.TryGetValue(out string? path)) all[option.Name] = data!.Confine(path);
        }

        return schema.Bind(JsonSerializer.SerializeToElement(all));
    }

    /// <summary>Rows of numbers in a file are read as a motion; a model that takes tensors gets them as what they are.</summary>
    internal static NamedTensors Rows(Motion motion) => new(new Dictionary<string, Tensor> { ["array"] = motion.Features });

    // What a model of bytes takes may be a text as well.
    private static Contracts.Media Fit(Modality expected, Contracts.Media media)
    {
        if (expected == Modality.Tensors && media is Motion motion) return Rows(motion);
        if (expected == Modality.Tensors && media is Text text) return MediaFiles.BytesOf(text);
        return media.Modality == expected ? media : throw new MediaException(ErrorCodes.MediaUnsupported, "The model takes another kind of media.")
        {
            Expected = Name(expected),
            Found = media is NamedTensors tensors ? $"tensors: {string.Join(", ", tensors.Values.Select(tensor => $"{tensor.Key} {tensor.Value}"))}" : Name(media.Modality),
        };
    }

    private static string Name(Modality modality) => modality.ToString().ToLowerInvariant();
}
