using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>Where a sampler is.</summary>
/// <param name="Step">Steps done.</param>
/// <param name="Steps">Steps in all.</param>
/// <param name="Samples">After the last step: codes (B, ..), int64, or latents (B, ..), float32.</param>
public sealed record SamplingStep(int Step, int Steps, Tensor? Samples = null);

/// <summary>What a generator makes before its tokenizer turns it into pictures.</summary>
/// <param name="Layout">How codes are arranged.</param>
/// <param name="VocabularySizes">Number of ids of each codebook; empty for latents.</param>
internal sealed record SampleSpace(TokenLayout Layout, EquatableList<int> VocabularySizes)
{
    /// <summary>Continuous latents.</summary>
    public static SampleSpace Latents { get; } = new(TokenLayout.Grid, []);
}

/// <summary>
/// What all image generators do the same: pictures, when the folder has the tokenizer that decodes them; otherwise the tokens of one picture, or named tensors (<c>codes</c> or <c>latents</c>) of several or of continuous ones.
/// A paper brings the sampler and the calls of its authors' code.
/// </summary>
/// <typeparam name="TOptions">Options of the sampler.</typeparam>
public abstract class ImageGenerator<TOptions> : IModel, IGenerate, IReferenceCalls where TOptions : PictureOptions, new()
{
    private readonly ModelSource _source;
    private readonly Checkpoint _checkpoint;
    private readonly SampleSpace _space;
    private readonly IPictureDecoder? _decoder;
    private readonly bool _paints;

    /// <summary>Nothing is built yet.</summary>
    /// <param name="source">Where the weights are.</param>
    /// <param name="checkpoint">The weights.</param>
    /// <param name="space">What the sampler makes.</param>
    /// <param name="decoder">The tokenizer's decoder; null when the folder has none.</param>
    /// <param name="paints">False for methods whose tokens go to another model, whatever the folder has.</param>
    private protected ImageGenerator(ModelSource source, Checkpoint checkpoint, SampleSpace space, IPictureDecoder? decoder, bool paints = true) =>
        (_source, _checkpoint, _space, _decoder, _paints) = (source, checkpoint, space, decoder, paints);

    /// <inheritdoc/>
    public ModelFacts Facts => new()
    {
        Parameters = _checkpoint.Tensors.Where(tensor => tensor.Type.IsFloat()).Sum(tensor => Tensor.Count([.. tensor.Shape])),
        MappedBytes = _checkpoint.Files.Sum(file => new FileInfo(file).Length),
        Digests = _checkpoint.DigestsAsync,
        Lacks = _decoder is null && _paints ? "The tokenizer that turns what the model makes into pictures is not there: put its published files where `modelzoo info` says under layouts." : null,
        Properties =
        [
            new("vocabulary", _space.VocabularySizes.Count == 0 ? "continuous" : string.Join(" + ", _space.VocabularySizes)),
        ],
    };

    /// <inheritdoc/>
    public Modality Makes => _decoder is not null ? Modality.Image : _space.VocabularySizes.Count > 0 ? Modality.Tokens : Modality.Tensors;

    /// <inheritdoc/>
    public OptionsSchema GenerateOptions => OptionsSchema.Of<TOptions>();

    /// <summary>The networks that were built.</summary>
    protected abstract IEnumerable<IDisposable> Networks { get; }

    /// <inheritdoc/>
    public async IAsyncEnumerable<Generation> GenerateAsync(Prompt prompt, ModelOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        await foreach (var step in SampleAsync(prompt, options.Expect<TOptions>(), seed, cancel).ConfigureAwait(false))
        {
            if (step.Samples is null) yield return Generation<Image>.Progress(step.Step, step.Steps);
            else yield return await FinalAsync(step.Samples, prompt, step.Steps, cancel).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public abstract ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default);

    /// <summary>Runs the sampler; the last step has the samples.</summary>
    protected abstract IAsyncEnumerable<SamplingStep> SampleAsync(Prompt prompt, TOptions options, ulong seed, CancellationToken cancel);

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        foreach (var network in Networks) network.Dispose();
        _decoder?.Dispose();
        _checkpoint.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>Samples to pixels (B, 3, H, W) in 0..1; for tokenizers that look at the prompt too.</summary>
    private protected virtual Task<Tensor<float>> PaintAsync(IPictureDecoder decoder, Tensor samples, Prompt prompt, CancellationToken cancel) => decoder.DecodeAsync(samples, cancel);

    /// <summary>What a model says to a call that it does not have.</summary>
    private protected static ModelZooException Unsupported(string call, params string[] calls) =>
        new(ErrorCodes.VerbUnsupported, $"The authors' code has no call '{call}', or it is not here.") { Expected = string.Join(", ", calls) };

    private async Task<Generation> FinalAsync(Tensor samples, Prompt prompt, int steps, CancellationToken cancel)
    {
        if (_decoder is not null) return Generation<Image>.Final(PictureGrid.Of(await PaintAsync(_decoder, samples, prompt, cancel).ConfigureAwait(false)), steps);
        if (samples is not Tensor<long> codes || codes.Shape[0] != 1)
            return Generation<NamedTensors>.Final(new(new Dictionary<string, Tensor> { [samples is Tensor<long> ? "codes" : "latents"] = samples }), steps);
        var ids = Tensor.Create(Array.ConvertAll(codes.Span.ToArray(), id => checked((int)id)), codes.Shape[1..]);
        return Generation<Tokens>.Final(new(new(_source.Id.ToString(), _space.Layout, _space.VocabularySizes, VocabularyDigest()), ids), steps);
    }

    // Which codebook the ids index is the tokenizer's secret: they are told apart by the generator.
    private string VocabularyDigest() => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{_source.Id.WithoutTag}:{string.Join(',', _space.VocabularySizes)}")));
}

/// <summary>Opening of generators.</summary>
internal static class Generators
{
    /// <summary>Opens the weights that the source names, or the folder's own: of several copies in one file the first of <paramref name="copies"/>, so that averaged weights win over raw ones; gives up the files when that fails.</summary>
    public static ValueTask<IModel> Open(ModelSource source, Func<Checkpoint, IModel> open, params string[] copies)
    {
        var checkpoint = source.OpenCheckpoint(copies);
        try
        {
            return ValueTask.FromResult(open(checkpoint));
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }
}
