// MrT5: Dynamic Token Merging for Efficient Byte-level Language Models. Kallini, Murty, Manning, Potts, Csordás. arXiv:2410.20771. github.com/jkallini/mrt5
// Published layout: config.json + model.safetensors of MrT5ForConditionalGeneration. Deviations: none; of the paper's comparisons random deletion is not read.
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.RegularExpressions;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>ByT5 whose encoder takes bytes out after a few layers, once their neighbours hold what they said.</summary>
public sealed partial class MrT5Model : IModel, ITokenize<Text, MrT5TokenizeOptions>, IGenerate<Text, MrT5GenerateOptions>, IEvaluate, IReferenceCalls
{
    // Texts of training; longer ones are read in stretches.
    // Each byte sees each other: what attention takes grows with the square of the length.
    private const int Longest = 4096;

    private const int Stretch = 1023, End = 1, FirstMark = 258, LastMark = 248;

    private readonly MrT5Config _config;
    private readonly ByteVocabulary _vocabulary;
    private readonly Checkpoint _checkpoint;
    private readonly MrT5Runner _runner;
    private readonly MrT5Reference _reference;

    private MrT5Model(string id, MrT5Config config, Checkpoint checkpoint, NetworkContext context)
    {
        (_checkpoint, _runner) = (checkpoint, new(context, config));
        (_reference, _config) = (new(_runner, config), config);
        _vocabulary = new((int)config.VocabSize, Offset: 3, End: End);
        Space = _vocabulary.Space(id);
    }

    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "language-models/mrt5",
            Paper = "MrT5: Dynamic Token Merging for Efficient Byte-level Language Models",
            ArXiv = "2410.20771",
            Authors = ["Julie Kallini", "Shikhar Murty", "Christopher D. Manning", "Christopher Potts", "Róbert Csordás"],
            Repository = "jkallini/mrt5",
            CodeLicense = "Apache-2.0",
            Inputs = [Modality.Text],
            Outputs = [Modality.Tokens, Modality.Text],
            Layouts = ["transformers: config.json + model.safetensors"],
            Sizes = [new("stanfordnlp/mrt5-small", 299_640_705, [])],
        },
        OpenAsync);

    /// <inheritdoc/>
    public ModelFacts Facts => LanguageFacts.Of(_checkpoint, _runner.Networks, KeyValuePair.Create("deletion", _config.HasGate ? $"{_config.DeletionType} before layer {_config.DeleteGateLayer}" : "none"));

    /// <inheritdoc/>
    public TokenSpace Space { get; }

    /// <inheritdoc/>
    public Modality Evaluates => Modality.Text;

    /// <inheritdoc/>
    public IReadOnlyList<string> DefaultMetrics { get; } = [ByteMetrics.BitsPerByte.Name, ByteMetrics.ByteAccuracy.Name, ByteMetrics.DeletionRate.Name];

    /// <inheritdoc/>
    public OptionsSchema EvaluateOptions => OptionsSchema.Of<MrT5EvaluateOptions>();

    /// <summary>The bytes of a text, with the gate of each (extra <c>gates</c>) and whether it is kept (extra <c>kept</c>). A piece is a byte that is kept and those behind it that are not.</summary>
    public async ValueTask<Tokens> TokenizeAsync(Text media, MrT5TokenizeOptions options, CancellationToken cancel = default)
    {
        var ids = _vocabulary.Encode(media.Value);
        var (gates, kept, lengths) = (new List<float>(ids.Length), new List<long>(ids.Length), new List<int>());
        foreach (var part in ids.Chunk(Stretch))
        {
            var values = await GatesAsync([.. part, End], cancel).ConfigureAwait(false);
            for (var i = 0; i < part.Length; i++)
            {
                var isKept = values is null || values[i] > (float)(options.Threshold ?? _config.Threshold);
                gates.Add(values?[i] ?? 0);
                kept.Add(isKept ? 1 : 0);
                if (isKept || i == 0) lengths.Add(0);
                lengths[^1]++;
            }
        }

        return PieceTokens.Of(Space, media.Value, ids, lengths, ("gates", Tensor.Create(gates.ToArray(), gates.Count)), (ByteMetrics.Kept, Tensor.Create(kept.ToArray(), kept.Count)));
    }

    /// <inheritdoc/>
    public ValueTask<Text> DetokenizeAsync(Tokens tokens, MrT5TokenizeOptions options, CancellationToken cancel = default) => ValueTask.FromResult(new Text(_vocabulary.Text(tokens.Expect(Space).Ids.Span)));

    /// <summary>What the decoder writes when the encoder has read the prompt, in which <c>&lt;extra_id_0&gt;</c> to 10 stand for spans that are missing; so they do in what it writes.</summary>
    public async IAsyncEnumerable<Generation<Text>> GenerateAsync(Prompt prompt, MrT5GenerateOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var encoded = await EncodeAsync([.. Read(ByteGeneration.TextOf(prompt)), End], options, cancel).ConfigureAwait(false);
        await foreach (var step in ByteGeneration.StreamAsync(_runner.Begin(encoded), Spell, End, [_config.DecoderStartTokenId], options, seed, cancel).ConfigureAwait(false)) yield return step;
    }

    /// <summary>Texts with a target are measured by it; of others spans are taken out, which are to be restored.</summary>
    public async IAsyncEnumerable<Observation> ObserveAsync(IAsyncEnumerable<Example> examples, ModelOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        var chosen = options.Expect<MrT5EvaluateOptions>();
        await foreach (var example in examples.WithCancellation(cancel).ConfigureAwait(false))
        {
            var (ids, bits, right, kept) = (_vocabulary.Encode(example.Media.Expect<Text>().Value), new List<double>(), new List<long>(), new List<long>());
            foreach (var task in Tasks(ids, example, seed)) await MeasureAsync(task, chosen, bits, right, kept, cancel).ConfigureAwait(false);
            yield return new(example.Id, example.Target ?? example.Media, bits.Count == 0 ? null : new NamedTensors(new Dictionary<string, Tensor>
            {
                [ByteMetrics.Bits] = Tensor.Create(bits.ToArray(), bits.Count), [ByteMetrics.Right] = Tensor.Create(right.ToArray(), right.Count), [ByteMetrics.Kept] = Tensor.Create(kept.ToArray(), kept.Count),
            })) { Label = example.Label };
        }
    }

    /// <inheritdoc/>
    public async ValueTask<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel = default) => await _reference.CallAsync(call, arguments, cancel).ConfigureAwait(false);

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _runner.Dispose();
        _checkpoint.Dispose();
        return ValueTask.CompletedTask;
    }

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var config = PublishedConfig.Read<MrT5Config>(source.RequireFolder()).Value.Checked(source.RequireFolder());
        var checkpoint = source.OpenCheckpoint();
        return ValueTask.FromResult<IModel>(new MrT5Model(source.Id.ToString(), config, checkpoint, NetworkContext.Of(source, checkpoint)));
    }

    private IEnumerable<CorruptedBytes> Tasks(int[] ids, Example example, ulong seed)
    {
        if (example.Target is Text target)
        {
            var labels = _vocabulary.Encode(target.Value);
            return [new([.. ids, End], [.. labels, End], [.. Enumerable.Repeat(true, labels.Length), false])];
        }

        return ids.Chunk(Stretch).Where(part => part.Length > 1).Select((part, place) => SpanCorruption.Apply(part, Philox.Of(seed, example.Ordinal, place)));
    }

    private async Task MeasureAsync(CorruptedBytes task, MrT5EvaluateOptions options, List<double> bits, List<long> right, List<long> kept, CancellationToken cancel)
    {
        var encoded = await EncodeAsync(task.Inputs, options, cancel).ConfigureAwait(false);
        var ids = Row([_config.DecoderStartTokenId, .. task.Labels.AsSpan(..^1)]);
        var logits = await _runner.DecodeAsync(ids, null, encoded.States, encoded.Keys, cancel).ConfigureAwait(false);
        var all = ByteEvaluation.Bits(logits, task.Labels);
        for (var i = 0; i < all.Length; i++)
        {
            if (!task.IsByte[i]) continue;
            bits.Add(all[i]);
            right.Add(LogitProcessing.ArgMax(logits.Slice(0).Slice(i).Span) == task.Labels[i] ? 1 : 0);
        }

        for (var i = 0; i < task.Inputs.Length; i++) kept.Add(encoded.Gates is null || encoded.Gates[0, i, 0] > (float)(options.Threshold ?? _config.Threshold) ? 1 : 0);
    }

    private Task<MrT5Encoded> EncodeAsync(int[] ids, IMrT5DeletionOptions options, CancellationToken cancel) => ids.Length > Longest
        ? throw new MediaException(ErrorCodes.MediaUnsupported, "The text is longer than the encoder reads at once.") { Expected = $"{Longest} bytes at most, the end of the text being one", Found = $"{ids.Length}" }
        : _runner.EncodeAsync(Row(ids), null, !options.Soft, options.Threshold, cancel);

    private async Task<float[]?> GatesAsync(int[] ids, CancellationToken cancel) => (await _runner.GatesAsync(Row(ids), cancel).ConfigureAwait(false))?.Span.ToArray();

    // Marks of missing spans count down from id 258: those that no text could need, the ids of the bytes that UTF-8 never has, are written out.
    private byte[] Spell(int id) => id is <= FirstMark and >= LastMark ? Encoding.ASCII.GetBytes($"<extra_id_{FirstMark - id}>") : _vocabulary.ByteOf(id) is { } value ? [value] : [];

    private int[] Read(string text)
    {
        var (ids, at) = (new List<int>(), 0);
        foreach (Match mark in Mark().Matches(text))
        {
            ids.AddRange(_vocabulary.Encode(text[at..mark.Index]));
            ids.Add(FirstMark - int.Parse(mark.Groups[1].ValueSpan, System.Globalization.CultureInfo.InvariantCulture));
            at = mark.Index + mark.Length;
        }

        return [.. ids, .. _vocabulary.Encode(text[at..])];
    }

    private static Tensor<long> Row(ReadOnlySpan<int> ids)
    {
        var row = Tensor.Zeros<long>(1, ids.Length);
        for (var i = 0; i < ids.Length; i++) row.Span[i] = ids[i];
        return row;
    }

    [GeneratedRegex("<extra_id_(10|[0-9])>", RegexOptions.CultureInvariant)]
    private static partial Regex Mark();
}
