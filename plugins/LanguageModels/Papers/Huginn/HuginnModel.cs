// Scaling up Test-Time Compute with Latent Reasoning: A Recurrent Depth Approach. Geiping, McLeish, Jain, Kirchenbauer, Singh, Bartoldson, Kailkhura, Bhatele, Goldstein. arXiv:2502.05171.
// github.com/seal-rg/recurrent-pretraining (raven_modeling_minimal.py). Published layout: config.json + model.safetensors, tokenizer.json (tomg-group-umd/huginn-0125).
// Deviations: one sequence at a time; caches as the authors' strategy `full`; no warm starts between tokens, no noise at test time, no speculative or diffusion-style generation.
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>A language model that thinks by applying one block again and again, as often as it is told, or until nothing changes any more.</summary>
public sealed class HuginnModel : IModel, IGenerate<Text, HuginnGenerateOptions>, IEvaluate, IReferenceCalls
{
    private readonly HuginnConfig _config;
    private readonly ModelSource _source;
    private readonly Checkpoint _checkpoint;
    private readonly HuginnNetworks _networks;
    private readonly HuginnReference _reference;
    private PublishedTokenizer? _tokenizer;

    private HuginnModel(ModelSource source, HuginnConfig config, Checkpoint checkpoint)
    {
        (_source, _config, _checkpoint, _networks) = (source, config, checkpoint, new(NetworkContext.Of(source, checkpoint), config));
        _reference = new(_networks, config);
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "language-models/huginn",
            Paper = "Scaling up Test-Time Compute with Latent Reasoning: A Recurrent Depth Approach",
            ArXiv = "2502.05171",
            Authors = ["Jonas Geiping", "Sean McLeish", "Neel Jain", "John Kirchenbauer", "Siddharth Singh", "Brian R. Bartoldson", "Bhavya Kailkhura", "Abhinav Bhatele", "Tom Goldstein"],
            Repository = "seal-rg/recurrent-pretraining",
            CodeLicense = "Apache-2.0",
            WeightsLicense = "Apache-2.0",
            Inputs = [Modality.Text],
            Outputs = [Modality.Text],
            Layouts = ["transformers with the authors' code: config.json + model.safetensors, tokenizer.json"],
            Sizes = [new("tomg-group-umd/huginn-0125", 3_565_370_016, [])],
            Deviations = "Caches are kept as the authors' strategy `full`; no warm starts between tokens, no noise at test time, no speculative or diffusion-style generation.",
        },
        OpenAsync);

    /// <inheritdoc/>
    public ModelFacts Facts => PublishedTokenizer.Describe(LanguageFacts.Of(_checkpoint, _networks.Built,
        new("layers", string.Create(CultureInfo.InvariantCulture, $"{_config.NLayersInPrelude} + {_config.NLayersInRecurrentBlock} again and again + {_config.NLayersInCoda}")),
        new("recurrences", _config.MeanRecurrence.ToString(CultureInfo.InvariantCulture)), new("context", $"{_config.BlockSize} tokens")), _source.RequireFolder());

    /// <inheritdoc/>
    public Modality Evaluates => Modality.Text;

    /// <inheritdoc/>
    public IReadOnlyList<string> DefaultMetrics => [ByteMetrics.BitsPerByte.Name];

    /// <inheritdoc/>
    public OptionsSchema EvaluateOptions => OptionsSchema.Of<HuginnEvaluateOptions>();

    /// <summary>Goes on from a text.</summary>
    public async IAsyncEnumerable<Generation<Text>> GenerateAsync(Prompt prompt, HuginnGenerateOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var tokenizer = await TokenizerAsync(cancel).ConfigureAwait(false);
        var ids = await tokenizer.EncodeAsync(ByteGeneration.TextOf(prompt), cancel).ConfigureAwait(false);
        if (ids.Length == 0 && _config.BosTokenId is { } start) ids = [start];
        // A text ends where the longest sequence does; of the last token nothing is read.
        options = options with { MaxNewTokens = Math.Min(options.MaxNewTokens, Math.Max(1, _config.BlockSize - ids.Length + 1)) };
        using var stream = new HuginnStream(_networks, _config, options, seed);
        await foreach (var step in TokenGeneration.StreamAsync(stream, tokenizer, ids, _config.EndTokens, options, seed, cancel).ConfigureAwait(false)) yield return step;
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<Observation> ObserveAsync(IAsyncEnumerable<Example> examples, ModelOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var (chosen, tokenizer) = (options.Expect<HuginnEvaluateOptions>(), await TokenizerAsync(cancel).ConfigureAwait(false));
        await foreach (var example in examples.WithCancellation(cancel).ConfigureAwait(false))
        {
            var text = example.Media.Expect<Text>().Value;
            var (ids, bits) = (await tokenizer.EncodeAsync(text, cancel).ConfigureAwait(false), new List<double>());
            if (_config.BosTokenId is { } start && (ids.Length == 0 || ids[0] != start)) ids = [start, .. ids];
            // The last token of a stretch is the first that the next one knows.
            var context = Math.Min(chosen.Context, _config.BlockSize + 1);
            for (var first = 0; first + 1 < ids.Length; first += context - 1) bits.AddRange(await MeasureAsync(ids[first..Math.Min(first + context, ids.Length)], chosen, seed, cancel).ConfigureAwait(false));
            yield return new(example.Id, example.Media, new NamedTensors(new Dictionary<string, Tensor>
            {
                [ByteMetrics.Bits] = Tensor.Create(bits.ToArray(), bits.Count),
                [ByteMetrics.Bytes] = Tensor.Create([(long)Encoding.UTF8.GetByteCount(text)], 1),
            })) { Label = example.Label };
        }
    }

    /// <inheritdoc/>
    public async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default) => await _reference.CallAsync(call, arguments, cancel).ConfigureAwait(false);

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _networks.Dispose();
        _checkpoint.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>A stream of this model, for tests of it beside the whole.</summary>
    internal HuginnStream Begin(HuginnGenerateOptions options, ulong seed) => new(_networks, _config, options, seed);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var folder = source.RequireFolder();
        var config = PublishedConfig.Read<HuginnConfig>(folder).Value.Checked(folder);
        var checkpoint = source.OpenCheckpoint();
        var model = new HuginnModel(source, config, checkpoint);
        // A checkpoint that lacks something is refused here, one that has too much as well.
        foreach (var part in Enum.GetValues<HuginnPart>()) _ = model._networks[part, true];
        checkpoint.ThrowIfUnused(@"^lm_head\.weight$");
        return ValueTask.FromResult<IModel>(model);
    }

    // Only texts need it.
    private async Task<PublishedTokenizer> TokenizerAsync(CancellationToken cancel) => _tokenizer ??= await PublishedTokenizer.OpenAsync(_source, cancel).ConfigureAwait(false);

    private async Task<double[]> MeasureAsync(int[] ids, HuginnEvaluateOptions options, ulong seed, CancellationToken cancel)
    {
        var count = ids.Length - 1;
        var (given, positions) = (Tensor.Zeros<long>(1, count), Tensor.Zeros<long>(1, count));
        for (var i = 0; i < count; i++) (given[0, i], positions[0, i]) = (ids[i], i);
        var (_, read) = await _networks.ForwardAsync(given, positions, HuginnState.Draw(_config, 0, count, options.StateScale, seed), options.Steps ?? _config.MeanRecurrence, cancel).ConfigureAwait(false);
        return ByteEvaluation.Bits(read["logits"], ids.AsSpan(1));
    }
}
