using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.ImageTokenizers;

/// <summary>
/// What all image tokenizers do with a paper's plan: pictures to tokens and back, strips of reconstructions, evaluation, the authors' calls. Discrete tokens are ids without the batch dimension; tokenizers
/// with continuous latents give no ids and put the latent, without the batch dimension, in <see cref="Tokens.Extras"/> under <c>latent</c>.
/// </summary>
public sealed class ImageTokenizer : IModel, ITokenize<Image, ImageTokenizerOptions>, IGenerate<Image, ReconstructionStrip>, IEvaluate, IReferenceCalls
{
    private const string Latent = "latent";

    private readonly TokenizerPlan _plan;
    private readonly Checkpoint _checkpoint;
    private readonly NetworkSet _networks;
    private readonly Lazy<TokenSpace> _space;

    private ImageTokenizer(ModelSource source, TokenizerPlan plan, Checkpoint checkpoint, NetworkSet networks)
    {
        (_plan, _checkpoint, _networks) = (plan, checkpoint, networks);
        _space = new(() => new(source.Id.ToString(), plan.Layout, plan.VocabularySizes, VocabularyDigest(source.Id)));
    }

    /// <inheritdoc/>
    public ModelFacts Facts => new()
    {
        Parameters = _checkpoint.Tensors.Where(tensor => tensor.Type.IsFloat()).Sum(tensor => Tensor.Count([.. tensor.Shape])),
        MappedBytes = _checkpoint.Files.Sum(file => new FileInfo(file).Length),
        Digests = _checkpoint.DigestsAsync,
        Properties =
        [
            new("picture", _plan.Preparation.Size > 0 ? $"{_plan.Preparation.Size} pixels" : "any size"),
            new("vocabulary", _plan.VocabularySizes.Count == 0 ? "continuous" : string.Join(" + ", _plan.VocabularySizes)),
        ],
    };

    /// <inheritdoc/>
    public Modality Evaluates => Modality.Image;

    /// <inheritdoc/>
    public IReadOnlyList<string> DefaultMetrics => [.. _plan.Decode is null ? (string[])[] : ["psnr", "ssim", "pixel-fid@8"], .. _plan.VocabularySizes.Count == 0 ? (string[])[] : ["codebook-usage", "codebook-perplexity"]];

    /// <inheritdoc/>
    public OptionsSchema EvaluateOptions => OptionsSchema.Of<ImageTokenizerEvaluation>();

    /// <summary>Opens published weights.</summary>
    /// <param name="source">Where they are.</param>
    /// <param name="plan">The paper's networks, for these weights.</param>
    /// <param name="weights">The checkpoint as the networks see it: under other names, or averaged; null when it is as published.</param>
    /// <param name="copies">Where in a PyTorch file the weights are published, averaged ones first.</param>
    internal static IModel Open(ModelSource source, Func<Checkpoint, TokenizerPlan> plan, Func<ITensorSource, ITensorSource>? weights = null, params string[] copies)
    {
        var checkpoint = source.OpenCheckpoint(copies);
        try
        {
            var made = plan(checkpoint);
            var networks = new NetworkSet(NetworkContext.Of(source, weights?.Invoke(checkpoint) ?? checkpoint), source.Id.ToString(), made.Networks, made.SizedNetworks);
            checkpoint.ThrowIfUnused([.. made.TrainingOnly]);
            return new ImageTokenizer(source, made, checkpoint, networks);
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public ValueTask<Tokens> TokenizeAsync(Image media, ImageTokenizerOptions options, CancellationToken cancel = default) =>
        EncodeAsync(_plan.Preparation.Crop(media, options.Size), options, cancel);

    /// <inheritdoc/>
    public async ValueTask<Image> DetokenizeAsync(Tokens tokens, ImageTokenizerOptions options, CancellationToken cancel = default)
    {
        var decode = _plan.Decode ?? throw Unpainted();
        ExpectCaption(options.Caption);
        tokens.Expect(_space.Value);
        var kept = Prefix(tokens, options.Tokens);
        Tensor codes = _plan.VocabularySizes.Count > 0
            ? Widen(kept.Ids)
            : kept.Extras.GetValueOrDefault(Latent) is { } latent ? latent.Reshape([1, .. latent.Shape]) : throw new MediaException(ErrorCodes.TokensInvalid, "The tokens lack their latent.") { Expected = "extras: latent" };
        if (codes.Length == 0 && await MisfitAsync(codes, null, options.Caption, cancel).ConfigureAwait(false) is { } empty) throw empty;
        Tensor<float> output;
        try
        {
            output = await decode(_networks, codes, options, cancel).ConfigureAwait(false);
        }
        catch (Exception error) when (error is ArgumentException or ModelZooException { Code: ErrorCodes.EngineFailed or ErrorCodes.TensorType })
        {
            if (await MisfitAsync(codes, error, options.Caption, cancel).ConfigureAwait(false) is { } misfit) throw misfit;
            throw;
        }

        return _plan.Preparation.FromNetwork(output);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<Generation<Image>> GenerateAsync(Prompt prompt, ReconstructionStrip options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        if (_plan.Decode is null) throw Unpainted();
        var crop = _plan.Preparation.Crop(prompt.Require<Image>(), null);
        var caption = _plan.Captions is null ? null : prompt.Text;
        var tokens = await EncodeAsync(crop, new() { Caption = caption }, cancel).ConfigureAwait(false);
        int?[] counts = options.Tokens.Length > 0 ? [.. options.Tokens.Select(count => (int?)count)] : _plan.PrefixTokens is { } all ? [.. Doubling(all)] : [null];
        var pictures = new List<Tensor<float>>();
        foreach (var count in counts)
        {
            var decoded = await DetokenizeAsync(tokens, new() { Tokens = count, Seed = seed, Caption = caption }, cancel).ConfigureAwait(false);
            pictures.Add(decoded.Pixels);
            yield return Generation<Image>.Progress(pictures.Count, counts.Length, decoded);
        }

        if (crop.Height == pictures[0].Shape[1]) pictures.Add(crop.Pixels);
        yield return Generation<Image>.Final(new(ImageTransforms.SideBySide(pictures)), counts.Length);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<Observation> ObserveAsync(IAsyncEnumerable<Example> examples, ModelOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var asked = options.Expect<ImageTokenizerEvaluation>();
        int?[] counts = asked.Tokens.Length > 0 ? [.. asked.Tokens.Select(count => (int?)count)] : [null];
        await foreach (var example in examples.WithCancellation(cancel).ConfigureAwait(false))
        {
            var crop = _plan.Preparation.Crop(example.Media.Expect<Image>(), asked.Size);
            var caption = asked.Caption ?? (_plan.Captions is { Exists: true } ? example.Label : null);
            var tokens = await EncodeAsync(crop, new() { Size = asked.Size, Caption = caption }, cancel).ConfigureAwait(false);
            foreach (var count in counts)
            {
                var decoded = _plan.Decode is null ? null : await DetokenizeAsync(tokens, new() { Tokens = count, Seed = seed, Caption = caption }, cancel).ConfigureAwait(false);
                yield return new(example.Id, crop, decoded) { Tokens = Prefix(tokens, count), Label = example.Label, Group = count is null ? "" : count == 1 ? "1 token" : $"{count} tokens" };
            }
        }
    }

    /// <inheritdoc/>
    public async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default)
    {
        if (_plan.Calls.TryGetValue(call, out var composed)) return await composed(_networks, arguments, cancel).ConfigureAwait(false);
        if (_networks.Names.Contains(call)) return (await _networks.RunAsync(call, arguments, cancel).ConfigureAwait(false)).ToResults();
        throw new ModelZooException(ErrorCodes.VerbUnsupported, $"The authors' code has no call '{call}', or it is not here.") { Expected = string.Join(", ", _networks.Names.Concat(_plan.Calls.Keys).Distinct()) };
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _networks.Dispose();
        foreach (var companion in _plan.Companions) companion.Dispose();
        _plan.Captions?.Dispose();
        _checkpoint.Dispose();
        return ValueTask.CompletedTask;
    }

    private async ValueTask<Tokens> EncodeAsync(Image crop, ImageTokenizerOptions options, CancellationToken cancel)
    {
        ExpectCaption(options.Caption);
        var codes = await _plan.Encode(_networks, _plan.Preparation.ToNetwork(crop), options, cancel).ConfigureAwait(false);
        var tokens = codes is Tensor<long> ids
            ? new Tokens(_space.Value, Narrow(ids))
            : new Tokens(_space.Value, Tensor.Zeros<int>(0)) { Extras = new Dictionary<string, Tensor> { [Latent] = codes.Reshape(codes.Shape[1..]) } };
        return Prefix(tokens with { SourceLength = (long)crop.Height * crop.Width }, options.Tokens);
    }

    // Where a decoder fails or has nothing to take, what an encoder gives for a plain picture tells whether the arrangement of the tokens is the reason.
    private async ValueTask<MediaException?> MisfitAsync(Tensor codes, Exception? error, string? caption, CancellationToken cancel)
    {
        var side = _plan.Preparation.Size > 0 ? _plan.Preparation.Size : 4 * _plan.Preparation.Multiple;
        var plain = new Image(Tensor.Zeros<float>(3, side, side));
        var usual = await _plan.Encode(_networks, _plan.Preparation.ToNetwork(plain), new() { Caption = caption }, cancel).ConfigureAwait(false);
        var (found, expected) = (codes.Shape[1..].ToArray(), usual.Shape[1..].ToArray());
        var fits = _plan.Preparation.Fixed ? found.AsSpan().SequenceEqual(expected) : found.Length == expected.Length && !found.Contains(0);
        return fits ? null : new(ErrorCodes.TokensInvalid, "The decoder does not take tokens in this arrangement.", error)
        { Expected = $"{string.Join(" x ", expected)}, as a picture of {side} x {side} gives", Found = string.Join(" x ", found) };
    }

    private ModelZooException Unpainted()
    {
        var (why, remedy) = _plan.Unpainted!.Value;
        return new(ErrorCodes.VerbUnsupported, why) { Where = _space.Value.Model, Remedy = remedy };
    }

    private void ExpectCaption(string? caption)
    {
        if (caption is not null && _plan.Captions is null) throw new OptionsException(ErrorCodes.OptionRange, "This method takes no caption.") { Where = "caption", Expected = "nothing", Found = caption };
        _plan.Captions?.Expect(caption);
    }

    private Tokens Prefix(Tokens tokens, int? count)
    {
        if (count is not { } keep) return tokens;
        if (_plan.PrefixTokens is not { } most) throw new OptionsException(ErrorCodes.OptionRange, "This method needs all of its tokens.") { Where = "tokens", Found = keep.ToString() };
        if (keep > most) throw new OptionsException(ErrorCodes.OptionRange, "There are not so many tokens.") { Where = "tokens", Expected = $"1..{most}", Found = keep.ToString() };
        return tokens.Ids.Length > 0
            ? keep >= tokens.Ids.Length ? tokens : tokens with { Ids = new(tokens.Ids.Memory[..keep], [keep]) }
            : tokens with { Extras = new Dictionary<string, Tensor> { [Latent] = FirstRows(tokens.Extras[Latent].As<float>(), keep) } };
    }

    // Continuous tokens are (tokens, width).
    private static Tensor<float> FirstRows(Tensor<float> latent, int keep) =>
        keep >= latent.Shape[0] ? latent : new(latent.Memory[..(keep * (int)latent.Shape[1])], [keep, latent.Shape[1]]);

    private string VocabularyDigest(ModelId id)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        if (_plan.Codebooks.Count == 0) hash.AppendData(Encoding.UTF8.GetBytes($"{id.WithoutTag}:{_plan.VocabularySizes.Count}x{string.Join(',', _plan.VocabularySizes)}:{(_plan.VocabularySizes.Count == 0 ? _checkpoint.Digest : "")}"));
        foreach (var name in _plan.Codebooks) hash.AppendData(MemoryMarshal.AsBytes(WeightConversion.ToFloat32(_checkpoint.Get(name)).Span<float>()));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static IEnumerable<int?> Doubling(int all)
    {
        for (var count = 1; count < all; count *= 2) yield return count;
        yield return all;
    }

    private static Tensor<int> Narrow(Tensor<long> ids)
    {
        var narrow = Tensor.Zeros<int>(ids.Shape[1..]);
        for (var i = 0; i < narrow.Length; i++) narrow.Span[i] = checked((int)ids.Span[i]);
        return narrow;
    }

    private static Tensor<long> Widen(Tensor<int> ids)
    {
        var wide = Tensor.Zeros<long>([1, .. ids.Shape]);
        for (var i = 0; i < wide.Length; i++) wide.Span[i] = ids.Span[i];
        return wide;
    }
}
