// Byte Latent Transformer: Patches Scale Better Than Tokens. Pagnoni, Pasunuru, Rodriguez, Nguyen, Muller, Li, Zhou, Yu, Weston, Zettlemoyer, Ghosh, Lewis, Holtzman, Iyer. arXiv:2412.09871.
// github.com/facebookresearch/blt; transformers' BltForCausalLM. Published layouts: transformers' config.json + model.safetensors (itazap/blt-1b-hf); the authors' (facebook/blt-1b).
// Deviations: in the first layout, as transformers computes it, bytes see all bytes before them, where the authors' own code has windows of 512. The verbs cut as the authors' patcher does, the next byte included; `forward` as transformers does.
using System.Globalization;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>Texts as patches of bytes: cut where the next byte is hard to foresee, continued byte by byte, measured in bits.</summary>
public sealed class BltModel : IModel, ITokenize<Text, BltTokenizeOptions>, IGenerate<Text, BltGenerateOptions>, IEvaluate, IReferenceCalls
{
    private readonly BltConfig _config;
    private readonly Checkpoint _checkpoint;
    private readonly BltNetworks _networks;
    private readonly BltReference _reference;
    private readonly ByteVocabulary _vocabulary;

    private BltModel(string id, BltConfig config, Checkpoint checkpoint, NetworkContext context)
    {
        (_config, _checkpoint, _networks) = (config, checkpoint, new(context, config));
        _reference = new(_networks, config);
        _vocabulary = new(config.VocabSize, Offset: 4, Start: 1, End: 2);
        Space = _vocabulary.Space(id);
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "language-models/blt",
            Paper = "Byte Latent Transformer: Patches Scale Better Than Tokens",
            ArXiv = "2412.09871",
            Authors =
            [
                "Artidoro Pagnoni", "Ram Pasunuru", "Pedro Rodriguez", "John Nguyen", "Benjamin Muller", "Margaret Li", "Chunting Zhou", "Lili Yu", "Jason Weston", "Luke Zettlemoyer", "Gargi Ghosh", "Mike Lewis", "Ari Holtzman",
                "Srinivasan Iyer",
            ],
            Repository = "facebookresearch/blt",
            CodeLicense = "CC-BY-NC-4.0",
            WeightsLicense = "FAIR Noncommercial Research License",
            Inputs = [Modality.Text],
            Outputs = [Modality.Tokens, Modality.Text],
            Layouts = ["transformers: config.json + model.safetensors", "authors: config.json (args) + model.safetensors, train_args.json, entropy_model/"],
            Sizes = [new("itazap/blt-1b-hf", 4_633_391_872, [])],
            Deviations = "In the layout of transformers bytes see all bytes before them, as there; the authors' own code has windows of 512.",
        },
        OpenAsync);

    /// <inheritdoc/>
    public ModelFacts Facts => LanguageFacts.Of(_checkpoint, _networks.Built, new("patching", _config.PatchingMode), new("threshold", string.Create(CultureInfo.InvariantCulture, $"{_config.PatchingThreshold} nats")), new("context", $"{_config.MaxPositionEmbeddings} bytes"));

    /// <inheritdoc/>
    public TokenSpace Space { get; }

    /// <inheritdoc/>
    public Modality Evaluates => Modality.Text;

    /// <inheritdoc/>
    public IReadOnlyList<string> DefaultMetrics => ByteMetrics.Names;

    /// <inheritdoc/>
    public OptionsSchema EvaluateOptions => OptionsSchema.Of<BltEvaluateOptions>();

    /// <summary>The bytes of a text in their patches, with the entropy of each byte (extra <c>entropies</c>, in nats) where entropies cut. The mark that begins a sequence is no part of the result.</summary>
    public async ValueTask<Tokens> TokenizeAsync(Text media, BltTokenizeOptions options, CancellationToken cancel = default)
    {
        var (rule, ids) = (Rule(options), _vocabulary.Encode(media.Value));
        var (lengths, entropies) = (new List<int>(), new List<float>(ids.Length));
        // The small model has a longest sequence of its own; beyond, it begins anew.
        foreach (var part in ids.Chunk(Math.Max(1, _config.PatcherConfig.MaxPositionEmbeddings - 1)))
        {
            var (before, cutter, length) = (_vocabulary.Begin(part.AsSpan(..^1)), rule.Begin(), 0);
            var foreseen = await EntropiesAsync(before, rule, cancel).ConfigureAwait(false);
            for (var i = 0; i < part.Length; i++, length++)
            {
                if (!cutter.Take(before[i], foreseen[i]) || length == 0) continue;
                lengths.Add(length);
                length = 0;
            }

            lengths.Add(length);
            entropies.AddRange(foreseen);
        }

        return rule.IsEntropic ? PieceTokens.Of(Space, media.Value, ids, lengths, ("entropies", Tensor.Create(entropies.ToArray(), entropies.Count))) : PieceTokens.Of(Space, media.Value, ids, lengths);
    }

    /// <inheritdoc/>
    public ValueTask<Text> DetokenizeAsync(Tokens tokens, BltTokenizeOptions options, CancellationToken cancel = default) => ValueTask.FromResult(new Text(_vocabulary.Text(tokens.Expect(Space).Ids.Span)));

    /// <summary>Goes on from a text, or begins one. The bytes that are cut, and what they give, are the same as if all were computed anew at each byte.</summary>
    public async IAsyncEnumerable<Generation<Text>> GenerateAsync(Prompt prompt, BltGenerateOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        using var stream = new BltStream(_networks, _config, Rule(options));
        var ids = _vocabulary.Begin(_vocabulary.Encode(ByteGeneration.TextOf(prompt)));
        await foreach (var step in ByteGeneration.StreamAsync(stream, _vocabulary, ids, options, seed, cancel).ConfigureAwait(false)) yield return step;
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<Observation> ObserveAsync(IAsyncEnumerable<Example> examples, ModelOptions options, ulong seed, CancellationToken cancel = default)
    {
        var chosen = options.Expect<BltEvaluateOptions>();
        return ByteEvaluation.ObserveAsync(examples, chosen.Context, (bytes, stop) => MeasureAsync(_vocabulary.Encode(bytes), Rule(chosen), stop), cancel);
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
    internal BltStream Begin(BltGenerateOptions options) => new(_networks, _config, Rule(options));

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var folder = source.RequireFolder();
        var isAuthors = BltAuthorsLayout.Is(folder);
        var config = (isAuthors ? BltAuthorsLayout.Read(folder) : PublishedConfig.Read<BltConfig>(folder).Value).Checked(folder);
        var checkpoint = isAuthors ? BltAuthorsLayout.Open(folder) : source.OpenCheckpoint();
        var model = new BltModel(source.Id.ToString(), config, checkpoint, NetworkContext.Of(source, isAuthors ? BltAuthorsLayout.Names.Apply(checkpoint) : checkpoint));
        model.Require();
        return ValueTask.FromResult<IModel>(model);
    }

    // What the verbs run on is built at once: a checkpoint that lacks something is refused here.
    private void Require()
    {
        foreach (var part in (BltPart[])[BltPart.Encoder, BltPart.Pool, BltPart.Global, BltPart.Decoder]) _ = _networks[part];
        if (_config.PatchInForward) _ = _networks[BltPart.Patcher];
    }

    private BltPatchRule Rule(IBltPatchingOptions options)
    {
        var rule = _config.Rule(options.Patching) with { Threshold = options.Threshold ?? _config.PatchingThreshold };
        return rule.IsEntropic && !_config.PatchInForward
            ? throw new OptionsException(ErrorCodes.OptionRange, "This checkpoint has no small model whose entropies could cut.") { Where = "patching", Expected = "space, static, byte", Found = "entropy" }
            : rule;
    }

    private async Task<float[]> EntropiesAsync(int[] ids, BltPatchRule rule, CancellationToken cancel)
    {
        if (!rule.IsEntropic) return new float[ids.Length];
        using var state = _networks[BltPart.Patcher].Begin(1);
        var entropies = new List<float>(ids.Length);
        foreach (var part in ids.Chunk(BltStream.Stretch))
            entropies.AddRange((await state.StepAsync(cancel, ("ids", Tensor.Create([.. part.Select(id => (long)id)], 1, part.Length))).ConfigureAwait(false))["entropies"].Span);
        return [.. entropies];
    }

    private async Task<MeasuredBytes> MeasureAsync(int[] ids, BltPatchRule rule, CancellationToken cancel)
    {
        using var stream = new BltStream(_networks, _config, rule);
        var (logits, begins) = await stream.TakeAsync(_vocabulary.Begin(ids.AsSpan(..^1)), cancel).ConfigureAwait(false);
        var starts = begins.Index().Where(pair => pair.Item).Select(pair => pair.Index).Append(ids.Length).ToArray();
        return new(ByteEvaluation.Bits(logits, ids), [.. starts.Skip(1).Zip(starts, (end, start) => end - start)]);
    }
}
