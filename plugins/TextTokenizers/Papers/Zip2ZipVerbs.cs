using System.Text;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>The verb tokenize from tokens to fewer tokens, and back to tokens of the space that they came from.</summary>
internal sealed class Zip2ZipVerbs(string model, Zip2ZipConfig config, Zip2Zip coder) : ITokenize
{
    private const string SourceModel = "source_model", SourceDigest = "source_digest";

    private readonly TokenSpace _space = new(model, TokenLayout.Flat, [config.InitialVocabSize + config.MaxCodebookSize],
        Published.Digest([$"{config.InitialVocabSize} {config.MaxCodebookSize} {config.MaxSubtokens} {config.PadTokenId}", string.Join(' ', config.DisabledIds.Order())]));

    public Modality Takes => Modality.Tokens;

    public OptionsSchema TokenizeOptions { get; } = OptionsSchema.Of<NoOptions>();

    public ValueTask<Tokens> TokenizeAsync(Media media, ModelOptions options, CancellationToken cancel = default)
    {
        var tokens = media.Expect<Tokens>();
        if (tokens.Space.Layout != TokenLayout.Flat) throw new MediaException(ErrorCodes.MediaUnsupported, "One sequence of tokens is compressed.") { Expected = $"{TokenLayout.Flat}", Found = $"{tokens.Space.Layout}" };
        foreach (var id in tokens.Ids.Span)
        {
            if ((uint)id >= (uint)config.InitialVocabSize)
                throw new MediaException(ErrorCodes.TokensInvalid, "A token is outside the vocabulary that the coder was made for.") { Expected = $"0..{config.InitialVocabSize - 1} (initial_vocab_size)", Found = $"{id}" };
        }

        var compressed = coder.Encode(tokens.Ids.Span).Compressed;
        return ValueTask.FromResult(new Tokens(_space, Tensor.Create(compressed, compressed.Length))
        {
            SourceLength = tokens.Ids.Length,
            Extras = new Dictionary<string, Tensor> { [SourceModel] = Bytes(tokens.Space.Model), [SourceDigest] = Bytes(tokens.Space.VocabularyDigest) },
        });
    }

    public ValueTask<Media> DetokenizeAsync(Tokens tokens, ModelOptions options, CancellationToken cancel = default)
    {
        var ids = coder.Decode(tokens.Expect(_space).Ids.Span);
        var space = new TokenSpace(Read(tokens, SourceModel), TokenLayout.Flat, [config.InitialVocabSize], Read(tokens, SourceDigest));
        return ValueTask.FromResult<Media>(new Tokens(space, Tensor.Create(ids, ids.Length)));
    }

    private static Tensor<byte> Bytes(string text) => Tensor.Create(Encoding.UTF8.GetBytes(text), Encoding.UTF8.GetByteCount(text));

    private static string Read(Tokens tokens, string name) => tokens.Extras.TryGetValue(name, out var bytes) ? Encoding.UTF8.GetString(bytes.As<byte>().Span)
        : throw new MediaException(ErrorCodes.TokensInvalid, "The tokens do not say what was compressed.") { Where = name };
}
