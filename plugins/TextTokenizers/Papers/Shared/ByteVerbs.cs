using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Unicode;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Hosting;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>The verbs of a tokenizer of bytes, each byte being the code point of the same number: programs as well as texts, which come back as what they are.</summary>
internal sealed class ByteVerbs(string model, PipelineTokenizer tokenizer) : ITokenize, IEvaluate
{
    private const string BytesName = "bytes";

    private readonly TokenSpace _space = new(model, TokenLayout.Flat, [tokenizer.IdLimit], tokenizer.VocabularyDigest);

    public Modality Takes => Modality.Tensors;

    public TokenSpace Space => _space;

    public OptionsSchema TokenizeOptions { get; } = OptionsSchema.Of<NoOptions>();

    public Modality Evaluates => Modality.Text;

    public IReadOnlyList<string> DefaultMetrics => TextObservations.DefaultMetrics;

    public OptionsSchema EvaluateOptions { get; } = OptionsSchema.Of<NoOptions>();

    public ValueTask<Tokens> TokenizeAsync(Media media, ModelOptions options, CancellationToken cancel = default)
    {
        cancel.ThrowIfCancellationRequested();
        var bytes = media is Text given ? Encoding.UTF8.GetBytes(given.Value) : (media.Expect<NamedTensors>().Values.GetValueOrDefault(BytesName) as Tensor<byte>)?.Span.ToArray()
            ?? throw new MediaException(ErrorCodes.MediaUnsupported, "The model takes bytes.") { Expected = $"a text, a program, or a tensor '{BytesName}' of uint8", Found = string.Join(", ", media.Expect<NamedTensors>().Values.Keys) };
        int[] ids = [.. tokenizer.EncodePlain(Encoding.Latin1.GetString(bytes)).Ids];
        return ValueTask.FromResult(new Tokens(_space, Tensor.Create(ids, ids.Length))
        {
            Spans = AsText(bytes) is { } text ? TokenPlaces.Of(text.Value, ids.Select(Spelling)) : [],
            SourceLength = bytes.Length,
        });
    }

    public ValueTask<Media> DetokenizeAsync(Tokens tokens, ModelOptions options, CancellationToken cancel = default)
    {
        byte[] bytes = [.. tokens.Expect(_space).Ids.Span.ToArray().SelectMany(Spelling)];
        return ValueTask.FromResult<Media>(AsText(bytes) is { } text ? text : new NamedTensors(new Dictionary<string, Tensor> { [BytesName] = Tensor.Create(bytes, bytes.Length) }));
    }

    public async IAsyncEnumerable<Observation> ObserveAsync(IAsyncEnumerable<Example> examples, ModelOptions options, ulong seed, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        await foreach (var example in examples.WithCancellation(cancel).ConfigureAwait(false))
        {
            var tokens = await TokenizeAsync(example.Media, options, cancel).ConfigureAwait(false);
            yield return new(example.Id, example.Media, await DetokenizeAsync(tokens, options, cancel).ConfigureAwait(false)) { Tokens = tokens, Label = example.Label };
        }
    }

    private static Text? AsText(byte[] bytes) => !bytes.AsSpan().Contains((byte)0) && Utf8.IsValid(bytes) ? new(Encoding.UTF8.GetString(bytes)) : null;

    private byte[] Spelling(int id) => Encoding.Latin1.GetBytes(tokenizer.TokenOf(id) ?? "");
}
