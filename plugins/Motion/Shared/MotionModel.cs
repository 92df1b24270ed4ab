using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.Motion;

/// <summary>What all motion models do the same: statistics of the data set, tokens, evaluation, the caption's features. A paper brings the two directions and the reference's calls.</summary>
public abstract class MotionModel : IModel, ITokenize<Contracts.Motion, NoOptions>, IEvaluate, IReferenceCalls
{
    private readonly ModelSource _source;
    private readonly Checkpoint _checkpoint;
    private readonly MotionFormat _format;
    private readonly MotionStatistics? _statistics;
    private readonly Lazy<TokenSpace> _space;
    private readonly Lazy<TextTower> _text;

    private protected MotionModel(ModelSource source, Checkpoint checkpoint, MotionFormat format)
    {
        (_source, _checkpoint, _format) = (source, checkpoint, format);
        _statistics = MotionStatistics.Find(source.RequireFolder(), format.Features);
        _space = new(() => new(source.Id.ToString(), format.Layout, [.. format.VocabularySizes], checkpoint.Digest));
        _text = new(() => TextTower.Open(source));
    }

    /// <inheritdoc/>
    public ModelFacts Facts => new()
    {
        Parameters = _checkpoint.Tensors.Where(tensor => tensor.Type.IsFloat()).Sum(tensor => Tensor.Count([.. tensor.Shape])),
        MappedBytes = Networks.Sum(network => network.Session.Memory.MappedBytes),
        PrivateBytes = Networks.Sum(network => network.Session.Memory.PrivateBytes),
        Digests = _checkpoint.DigestsAsync,
        Properties =
        [
            new("motion", FormattableString.Invariant($"{_format.Representation}, {_format.FrameRate:0.##} frames a second")),
            new("tokens", FormattableString.Invariant($"one for {_format.Unit} frames, {string.Join(" + ", _format.VocabularySizes)} codes")),
        ],
    };

    /// <inheritdoc/>
    public Modality Evaluates => Modality.Motion;

    /// <inheritdoc/>
    public IReadOnlyList<string> DefaultMetrics => [LocalMpjpe.Metric.Name, .. EmbeddingMetric.All.Select(metric => metric.Name)];

    /// <inheritdoc/>
    public OptionsSchema EvaluateOptions => OptionsSchema.Of<MotionEvaluationOptions>();

    /// <summary>The networks that were built, for the ledger.</summary>
    protected abstract IEnumerable<Network> Networks { get; }

    private protected MotionFormat Format => _format;

    /// <summary>Refuses options of editing where there is no motion to edit.</summary>
    /// <exception cref="OptionsException">One of them is given.</exception>
    private protected static void ExpectNoEdit(int? from, int? to)
    {
        if (from is not null || to is not null) throw new OptionsException(ErrorCodes.OptionRange, "There is no motion to edit.") { Where = "edit_from, edit_to", Remedy = "Give it with --in, or leave these options out." };
    }

    private protected Tensor<float> Normalize(Contracts.Motion motion)
    {
        var frames = _format.Frames(motion);
        return Statistics.Normalize(frames).Reshape(1, frames.Shape[0], frames.Shape[1]);
    }

    private protected MotionStatistics Statistics => _statistics
        ?? throw new CheckpointException(ErrorCodes.CheckpointMissing, "Motions of people need the data set's statistics.") { Where = _source.Folder, Expected = "mean.npy, std.npy", Remedy = "Put them beside the weights." };

    /// <inheritdoc/>
    public async ValueTask<Tokens> TokenizeAsync(Contracts.Motion media, NoOptions options, CancellationToken cancel = default)
    {
        var motion = Normalize(media);
        var codes = await EncodeAsync(motion, cancel).ConfigureAwait(false);
        return ToTokens(codes) with { SourceLength = motion.Shape[1] };
    }

    /// <inheritdoc/>
    public async ValueTask<Contracts.Motion> DetokenizeAsync(Tokens tokens, NoOptions options, CancellationToken cancel = default)
    {
        tokens.Expect(_space.Value);
        var rank = _format.Layout == TokenLayout.Flat ? 1 : 2;
        if (tokens.Ids.Rank != rank || tokens.Ids.Length == 0 || (rank == 2 && tokens.Ids.Shape[0] > _format.VocabularySizes.Count))
            throw new MediaException(ErrorCodes.TokensInvalid, "The tokens have another arrangement.") { Expected = rank == 1 ? "(tokens)" : $"1..{_format.VocabularySizes.Count} codebooks of tokens", Found = tokens.Ids.ToString() };
        _format.CheckLength(tokens.Ids.Shape[^1] * _format.Unit);
        var motion = await DecodeAsync(tokens.Ids, cancel).ConfigureAwait(false);
        return ToMotion(motion, tokens.SourceLength > 0 ? (int)tokens.SourceLength : int.MaxValue);
    }

    /// <summary>Made motions are compared within the whole set, in an order that is drawn for each repeat; reconstruction looks at each alone.</summary>
    public int BatchSize(ModelOptions options) => options.Expect<MotionEvaluationOptions>().Evaluator is null ? 1 : int.MaxValue;

    /// <inheritdoc/>
    public async IAsyncEnumerable<Observation> ObserveAsync(IAsyncEnumerable<Example> examples, ModelOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var settings = options.Expect<MotionEvaluationOptions>();
        if (settings.Evaluator is { } folder)
        {
            if (this is not IGenerate generator) throw new ModelZooException(ErrorCodes.VerbUnsupported, "The model makes no motions of words.") { Where = "evaluator", Remedy = "Leave the evaluator out, and motions are reconstructed." };
            using var evaluator = new MotionTextEvaluator(_source, folder, settings.Glove);
            await foreach (var observation in new MotionEvaluation(evaluator, generator, settings).ObserveAsync(examples, seed, cancel).ConfigureAwait(false)) yield return observation;
            yield break;
        }

        await foreach (var example in examples.WithCancellation(cancel).ConfigureAwait(false))
        {
            var motion = example.Media.Expect<Contracts.Motion>();
            var reference = motion with { Features = _format.Frames(motion) };
            var tokens = await TokenizeAsync(reference, new(), cancel).ConfigureAwait(false);
            yield return new(example.Id, reference, await DetokenizeAsync(tokens, new(), cancel).ConfigureAwait(false)) { Tokens = tokens, Label = example.Label };
        }
    }

    /// <inheritdoc/>
    public abstract ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default);

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        foreach (var network in Networks) network.Dispose();
        if (_text.IsValueCreated) _text.Value.Dispose();
        _checkpoint.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>Normalised frames (1, T, F) to codes, arranged as the format says.</summary>
    protected abstract Task<Tensor<int>> EncodeAsync(Tensor<float> motion, CancellationToken cancel);

    /// <summary>Codes, arranged as the format says, to normalised frames (1, T, F).</summary>
    protected abstract Task<Tensor<float>> DecodeAsync(Tensor<int> codes, CancellationToken cancel);

    private protected Task<CaptionFeatures> CaptionAsync(string caption, CancellationToken cancel) => _text.Value.EncodeAsync(caption, cancel);

    private protected Tokens ToTokens(Tensor<int> codes) => new(_space.Value, codes) { FrameRate = _format.FrameRate / _format.Unit };

    private protected Contracts.Motion ToMotion(Tensor<float> normalized, int frames)
    {
        var features = Statistics.Denormalize(normalized.Reshape(normalized.Shape[1..]));
        var count = Math.Min(frames, (int)features.Shape[0]);
        return new(new(features.Memory[..(count * _format.Features)], [count, _format.Features]), _format.FrameRate, _format.Representation);
    }
}
