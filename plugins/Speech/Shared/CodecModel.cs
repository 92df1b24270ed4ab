using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Runtime.CompilerServices;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.Speech;

/// <summary>Options of codecs whose quality is a number of codebooks.</summary>
public sealed record CodecOptions : ModelOptions
{
    /// <summary>Codebooks to use; null is all of them.</summary>
    [Description("Codebooks to use, from the first on; all when left out. Fewer are fewer bits.")]
    [Range(1, 256)]
    public int? Codebooks { get; init; }
}

/// <summary>What a codec's numbers mean.</summary>
/// <param name="SampleRate">Samples per second.</param>
/// <param name="HopLength">Samples of one frame.</param>
/// <param name="CodebookSizes">Codes of each codebook.</param>
/// <param name="Layout">How tokens are arranged: (codebooks, frames), or one sequence from coarse to fine.</param>
public sealed record CodecFormat(int SampleRate, int HopLength, IReadOnlyList<int> CodebookSizes, TokenLayout Layout = TokenLayout.Frames)
{
    /// <summary>Codebooks of one size.</summary>
    public CodecFormat(int sampleRate, int hopLength, int codebooks, int codebookSize, TokenLayout layout = TokenLayout.Frames)
        : this(sampleRate, hopLength, [.. Enumerable.Repeat(codebookSize, codebooks)], layout)
    {
    }

    /// <summary>Number of codebooks.</summary>
    public int Codebooks => CodebookSizes.Count;
}

/// <summary>What all mono codecs do the same: resampling, tokens, evaluation. A paper brings the two directions and the reference's calls.</summary>
public abstract class CodecModel(string id, CodecFormat format, Checkpoint checkpoint) : IModel, ITokenize<Audio, CodecOptions>, IEvaluate, IReferenceCalls
{
    private readonly Lazy<TokenSpace> _space = new(() => new(id, format.Layout, [.. format.CodebookSizes], checkpoint.Digest));

    /// <summary>What the codec's numbers mean.</summary>
    protected CodecFormat Format => format;

    /// <summary>The networks that were built, for the ledger.</summary>
    protected abstract IEnumerable<Network> Networks { get; }

    /// <inheritdoc/>
    public ModelFacts Facts => new()
    {
        Parameters = checkpoint.Tensors.Sum(tensor => tensor.Shape.Aggregate(1L, (product, extent) => product * extent)),
        MappedBytes = Networks.Sum(network => network.Session.Memory.MappedBytes),
        PrivateBytes = Networks.Sum(network => network.Session.Memory.PrivateBytes),
        Digests = checkpoint.DigestsAsync,
        Properties =
        [
            new("sampling rate", $"{format.SampleRate} Hz"),
            new("frames", FormattableString.Invariant($"{(double)format.SampleRate / format.HopLength:0.##} per second")),
            new("codebooks", string.Join(" + ", format.CodebookSizes.CountBy(size => size).Select(sizes => $"{sizes.Value} x {sizes.Key}"))),
        ],
    };

    /// <inheritdoc/>
    public Modality Evaluates => Modality.Audio;

    /// <inheritdoc/>
    public IReadOnlyList<string> DefaultMetrics => ["si-sdr", "stft-distance", "mel-distance", "bit-rate", "codebook-perplexity"];

    /// <inheritdoc/>
    public OptionsSchema EvaluateOptions => OptionsSchema.Of<CodecOptions>();

    /// <inheritdoc/>
    public async ValueTask<Tokens> TokenizeAsync(Audio media, CodecOptions options, CancellationToken cancel = default)
    {
        var codebooks = Codebooks(options);
        var audio = Resampler.Convert(media, format.SampleRate, 1);
        if (audio.Length == 0) throw new MediaException(ErrorCodes.MediaMalformed, "The sound is empty.") { Expected = "at least one sample" };
        var codes = await EncodeAsync(audio.Samples.Reshape(1, 1, audio.Length), codebooks, cancel).ConfigureAwait(false);
        return new(_space.Value, codes) { FrameRate = (double)format.SampleRate / format.HopLength, SourceLength = audio.Length };
    }

    /// <inheritdoc/>
    public async ValueTask<Audio> DetokenizeAsync(Tokens tokens, CodecOptions options, CancellationToken cancel = default)
    {
        Expect(tokens);
        var samples = (await DecodeAsync(tokens.Ids, cancel).ConfigureAwait(false)).Span;
        var length = tokens.SourceLength > 0 ? (int)Math.Min(tokens.SourceLength, samples.Length) : samples.Length;
        return new(Tensor.Create(samples[..length].ToArray(), 1, length), format.SampleRate);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<Observation> ObserveAsync(IAsyncEnumerable<Example> examples, ModelOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var asked = options.Expect<CodecOptions>();
        await foreach (var example in examples.WithCancellation(cancel).ConfigureAwait(false))
        {
            var reference = Resampler.Convert(example.Media.Expect<Audio>(), format.SampleRate, 1);
            var tokens = await TokenizeAsync(reference, asked, cancel).ConfigureAwait(false);
            yield return new(example.Id, reference, await DetokenizeAsync(tokens, asked, cancel).ConfigureAwait(false)) { Tokens = tokens, Label = example.Label };
        }
    }

    /// <inheritdoc/>
    public abstract ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default);

    /// <inheritdoc/>
    public virtual ValueTask DisposeAsync()
    {
        foreach (var network in Networks) network.Dispose();
        checkpoint.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>Samples (1, 1, T) to codes, arranged as the format says.</summary>
    protected abstract Task<Tensor<int>> EncodeAsync(Tensor<float> samples, int codebooks, CancellationToken cancel);

    /// <summary>Codes, arranged as the format says, to samples (.., T).</summary>
    protected abstract Task<Tensor<float>> DecodeAsync(Tensor<int> codes, CancellationToken cancel);

    /// <summary>Codes of a piece of a stream as tokens.</summary>
    protected Tokens Space(Tensor<int> codes) => new(_space.Value, codes) { FrameRate = (double)format.SampleRate / format.HopLength };

    /// <summary>Refuses tokens of another codec or of another arrangement.</summary>
    protected Tokens Expect(Tokens tokens)
    {
        tokens.Expect(_space.Value);
        if (format.Layout == TokenLayout.Frames && (tokens.Ids.Rank != 2 || tokens.Ids.Length == 0 || tokens.Ids.Shape[0] > format.Codebooks))
            throw new MediaException(ErrorCodes.TokensInvalid, "The codec's tokens are (codebooks, frames).") { Expected = $"1..{format.Codebooks} codebooks", Found = tokens.Ids.ToString() };
        return tokens;
    }

    /// <summary>The number of codebooks that options ask for.</summary>
    protected int Codebooks(CodecOptions options) => (options.Codebooks ?? format.Codebooks) is var codebooks && codebooks <= format.Codebooks
        ? codebooks
        : throw new OptionsException(ErrorCodes.OptionRange, "The codec has fewer codebooks.") { Where = "codebooks", Expected = $"1..{format.Codebooks}", Found = $"{codebooks}" };
}
