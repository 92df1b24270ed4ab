// Dynamic Chunking for End-to-End Hierarchical Sequence Modeling. Hwang, Wang, Gu. arXiv:2507.07955. github.com/goombalab/hnet
// Published layouts: hnet_1stage_L.pt (state dict) with the repository's configs/hnet_1stage_L.json beside it, as config.json or under its own name.
// Deviations: float32 throughout; the authors smooth chunks in bfloat16. Texts end at byte 255 as theirs do; options of drawing are the family's.
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>Options of cutting a text into chunks.</summary>
public sealed record HNetTokenizeOptions : ModelOptions
{
    /// <summary>Whose chunks the pieces are.</summary>
    [Description("Stage whose chunks are the pieces: 0 for the outermost, 1 for chunks of chunks."), Range(0, 64)]
    public int Stage { get; init; }
}

/// <summary>H-Net: bytes in chunks that the model itself learned to make, and chunks of these.</summary>
public sealed class HNetModel : IModel, ITokenize<Text, HNetTokenizeOptions>, IGenerate<Text, TextGenerationOptions>, IEvaluate, IReferenceCalls
{
    private static readonly ByteVocabulary Vocabulary = new(256, Start: 254, End: 255);

    private readonly Checkpoint _checkpoint;
    private readonly int _stages;
    private readonly HNetLevel _outermost;

    private HNetModel(ModelSource source, Checkpoint checkpoint, HNetConfig config)
    {
        _checkpoint = checkpoint;
        _stages = config.Stages().Count - 1;
        _outermost = HNetLevel.Build(NetworkContext.Of(source, checkpoint), config);
        checkpoint.ThrowIfUnused();
        Space = Vocabulary.Space(source.Id.ToString());
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "language-models/h-net",
            Paper = "Dynamic Chunking for End-to-End Hierarchical Sequence Modeling",
            ArXiv = "2507.07955",
            Authors = ["Sukjun Hwang", "Brandon Wang", "Albert Gu"],
            Repository = "goombalab/hnet",
            CodeLicense = "MIT",
            WeightsLicense = "not known",
            Inputs = [Modality.Text],
            Outputs = [Modality.Text, Modality.Tokens],
            Layouts = ["authors: hnet_*.pt + config.json (configs/hnet_*.json)"],
            Sizes =
            [
                new("cartesia-ai/hnet_1stage_L", 679_405_312, []),
                new("cartesia-ai/hnet_1stage_XL", 1_270_833_920, []),
                new("cartesia-ai/hnet_2stage_L", 874_315_264, []),
                new("cartesia-ai/hnet_2stage_XL", 1_603_492_224, []),
                new("cartesia-ai/hnet_2stage_XL_chinese", 1_755_285_888, []),
                new("cartesia-ai/hnet_2stage_XL_code", 1_654_090_112, []),
            ],
            Deviations = "Computed in float32; the authors smooth chunks in bfloat16.",
        },
        OpenAsync);

    /// <inheritdoc/>
    public TokenSpace Space { get; }

    /// <inheritdoc/>
    public Modality Evaluates => Modality.Text;

    /// <inheritdoc/>
    public IReadOnlyList<string> DefaultMetrics => ByteMetrics.Names;

    /// <inheritdoc/>
    public OptionsSchema EvaluateOptions => OptionsSchema.Of<ByteEvaluationOptions>();

    /// <inheritdoc/>
    public ModelFacts Facts => LanguageFacts.Of(_checkpoint, _outermost.Networks, new KeyValuePair<string, string>("stages of chunks", $"{_stages}"));

    /// <summary>The bytes in chunks. Beside them: <c>boundary_prob</c> (bytes, stages), the chance that a chunk begins, 0 where no chunk of the stage around begins; <c>chunk_level</c> (bytes), of how many stages a chunk begins there.</summary>
    public async ValueTask<Tokens> TokenizeAsync(Text media, HNetTokenizeOptions options, CancellationToken cancel = default)
    {
        if (options.Stage > 0 && options.Stage >= _stages) throw new OptionsException(ErrorCodes.OptionRange, "The model has no such stage.") { Where = "stage", Expected = $"0..{Math.Max(_stages, 1) - 1}", Found = $"{options.Stage}" };
        var ids = Vocabulary.Encode(media.Value);
        var sequence = Vocabulary.Begin(ids);
        var routed = await _outermost.RouteAsync(Ids(sequence), [sequence.Length], cancel).ConfigureAwait(false);
        var (probabilities, levels) = Columns(routed, sequence.Length);
        var pieces = Pieces(levels, options.Stage);
        if (_stages == 0) return PieceTokens.Of(Space, media.Value, ids, pieces);
        return PieceTokens.Of(Space, media.Value, ids, pieces, ("boundary_prob", Tensor.Create(probabilities, ids.Length, _stages)), ("chunk_level", Tensor.Create(levels, ids.Length)));
    }

    /// <inheritdoc/>
    public ValueTask<Text> DetokenizeAsync(Tokens tokens, HNetTokenizeOptions options, CancellationToken cancel = default) =>
        ValueTask.FromResult(new Text(Vocabulary.Text(tokens.Expect(Space).Ids.Span)));

    /// <inheritdoc/>
    public IAsyncEnumerable<Generation<Text>> GenerateAsync(Prompt prompt, TextGenerationOptions options, ulong seed, CancellationToken cancel = default) =>
        ByteGeneration.StreamAsync(Begin(), Vocabulary, Vocabulary.Begin(Vocabulary.Encode(ByteGeneration.TextOf(prompt))), options, seed, cancel);

    /// <inheritdoc/>
    public IAsyncEnumerable<Observation> ObserveAsync(IAsyncEnumerable<Example> examples, ModelOptions options, ulong seed, CancellationToken cancel = default) =>
        ByteEvaluation.ObserveAsync(examples, options.Expect<ByteEvaluationOptions>().Context, MeasureAsync, cancel);

    /// <inheritdoc/>
    public async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        switch (call)
        {
            case "forward":
                return await ForwardAsync(arguments.Tensor<long>("input_ids"), arguments.FindTensor<long>("mask"), arguments.Literal("num_last_tokens", 0), cancel).ConfigureAwait(false);
            case "step":
                return await StepAsync(arguments.Tensor<long>("input_ids"), arguments.Tensor<long>("tokens"), cancel).ConfigureAwait(false);
            case "generate":
                if (arguments.Literal("temperature", 1f) != 0 && arguments.Literal("top_p", 0.9f) > 0) throw new ModelZooException(ErrorCodes.VerbUnsupported, "Draws are not part of a call.") { Where = "top_p", Expected = "0: the most probable byte" };
                var prompt = Vocabulary.Begin(Vocabulary.Encode(arguments.Literal<string>("prompt")));
                var made = await new AutoregressiveDecoder(arguments.Literal("max_tokens", 1024)) { EndTokens = new HashSet<int> { Vocabulary.End!.Value } }
                    .GenerateAsync(Begin(), Tensor.Create(prompt, 1, prompt.Length), 0, cancel: cancel).ConfigureAwait(false);
                long[] tokens = [.. made[0].Where(id => id != Vocabulary.End).Select(id => (long)id)];
                return new CallResults().Return(Tensor.Create(tokens, 1, tokens.Length));
            default:
                throw new ModelZooException(ErrorCodes.VerbUnsupported, $"H-Net has no call '{call}'.") { Expected = "forward, step, generate" };
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        foreach (var network in _outermost.Networks) network.Dispose();
        _checkpoint.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>Sequences at their beginning.</summary>
    internal HNetSequences Begin() => new(_outermost);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var folder = source.RequireFolder();
        var config = PublishedConfig.Read<HNetConfig>(Directory.GetFiles(folder, "*.json") is [var only] ? only : folder).Value;
        var checkpoint = source.OpenCheckpoint();
        return ValueTask.FromResult<IModel>(new HNetModel(source, checkpoint, config));
    }

    // Without a mask the authors' code runs packed: sequences one after the other in all that it tells of the stages.
    private async Task<CallResults> ForwardAsync(Tensor<long> ids, Tensor<long>? mask, int last, CancellationToken cancel)
    {
        int[] lengths = [.. Enumerable.Range(0, (int)ids.Shape[0]).Select(row => mask is null ? (int)ids.Shape[1] : mask.Slice(row).Span.Count(1))];
        var trace = new HNetTrace();
        var (logits, _) = await _outermost.RunAsync(ids, lengths, _outermost.Begin(lengths.Length), trace, cancel).ConfigureAwait(false);
        return trace.ToResults(isPacked: mask is null).Add("logits", last > 0 ? Last(logits, last) : logits);
    }

    // The logits after a prompt and after each of some bytes, of one sequence; and whether a chunk began with these.
    private async Task<CallResults> StepAsync(Tensor<long> ids, Tensor<long> tokens, CancellationToken cancel)
    {
        var (logits, state) = await _outermost.RunAsync(ids, [(int)ids.Shape[1]], _outermost.Begin(1), null, cancel).ConfigureAwait(false);
        var (rows, begins) = (new List<float>(Last(logits, 1).Span.ToArray()), new List<long>());
        foreach (var token in tokens.Span.ToArray())
        {
            var trace = new HNetTrace();
            (logits, state) = await _outermost.RunAsync(Tensor.Create([token], 1, 1), [1], state, trace, cancel).ConfigureAwait(false);
            rows.AddRange(logits.Span);
            begins.Add(trace.Boundaries is [var outermost, ..] && !outermost.Begins(0, 0) ? 0 : 1);
        }

        return new CallResults().Add("boundary_mask", Tensor.Create(begins.ToArray(), 1, begins.Count)).Add("logits", Tensor.Create(rows.ToArray(), 1, tokens.Length + 1, logits.Shape[2]));
    }

    private async Task<MeasuredBytes> MeasureAsync(byte[] bytes, CancellationToken cancel)
    {
        var (targets, trace) = (Vocabulary.Encode(bytes), new HNetTrace());
        var sequence = Vocabulary.Begin(targets);
        var (logits, _) = await _outermost.RunAsync(Ids(sequence), [sequence.Length], _outermost.Begin(1), trace, cancel).ConfigureAwait(false);
        return new(ByteEvaluation.Bits(logits, targets), Pieces(Columns(trace.Boundaries, sequence.Length).Levels, 0));
    }

    // What the stages say of each byte after the start: a stage sees only the places where a chunk of the one around it begins.
    private (float[] Probabilities, long[] Levels) Columns(IReadOnlyList<HNetBoundaries> routed, int length)
    {
        var (probabilities, levels) = (new float[(length - 1) * _stages], new long[length - 1]);
        int[] places = [.. Enumerable.Range(-1, length)];
        foreach (var (stage, boundaries) in routed.Index())
        {
            var begins = places.Where((_, i) => boundaries.Begins(0, i)).ToArray();
            foreach (var (i, place) in places.Index().Where(pair => pair.Item >= 0)) probabilities[place * _stages + stage] = boundaries.Probability[0, i];
            foreach (var place in begins.Where(place => place >= 0)) levels[place]++;
            places = begins;
        }

        return (probabilities, levels);
    }

    // Bytes of each chunk of a stage; of each byte where there are no stages. What follows the start belongs to its chunk.
    private List<int> Pieces(long[] levels, int stage)
    {
        var lengths = new List<int>();
        foreach (var level in levels)
        {
            if (lengths.Count == 0 || _stages == 0 || level > stage) lengths.Add(0);
            lengths[^1]++;
        }

        return lengths;
    }

    private static Tensor<long> Ids(int[] ids) => Tensor.Create([.. ids.Select(id => (long)id)], 1, ids.Length);

    private static Tensor<float> Last(Tensor<float> logits, int count)
    {
        var (rows, length, width) = ((int)logits.Shape[0], (int)logits.Shape[1], (int)logits.Shape[2]);
        count = Math.Min(count, length);
        var last = Tensor.Zeros<float>(rows, count, width);
        for (var row = 0; row < rows; row++) logits.Slice(row).Span[((length - count) * width)..].CopyTo(last.Slice(row).Span);
        return last;
    }
}
