using System.Text;
using ModelZoo.Plugins.TextTokenizers.Decoders;
using ModelZoo.Plugins.TextTokenizers.Models;
using ModelZoo.Plugins.TextTokenizers.Normalizers;
using ModelZoo.Plugins.TextTokenizers.Pipeline;
using ModelZoo.Plugins.TextTokenizers.PostProcessors;
using ModelZoo.Plugins.TextTokenizers.PreTokenizers;

namespace ModelZoo.Plugins.TextTokenizers;

/// <summary>
/// The pipeline of Hugging Face tokenizers (0.23): added tokens are cut out, the rest is normalized, cut, tokenized by the model, post-processed, truncated and padded.
/// .
/// </summary>
public sealed class PipelineTokenizer : Tokenizer
{
    private readonly IReadOnlyList<AddedToken> _addedTokens;
    private readonly AddedVocabulary _added;
    private readonly Lazy<ByteLevelShortcut?> _shortcut;
    private readonly Lazy<WordwiseEncoder?> _wordwise;
    private readonly Lazy<(int[] Before, int[] After)?> _frame;
    private readonly Lazy<(int[] Before, int[] After)?> _frameWithoutSpecial;
    private readonly Pool<IdBuffer> _buffers = new();

    /// <summary>A pipeline of components.</summary>
    public PipelineTokenizer(TokenizerModel model, IReadOnlyList<AddedToken>? addedTokens = null, Normalizer? normalizer = null)
    {
        (Model, Normalizer, _addedTokens) = (model, normalizer, addedTokens ?? []);
        _added = new(_addedTokens, model.Vocabulary, normalizer);
        _shortcut = new(() => ByteLevelShortcut.TryMake(Model, Normalizer, PreTokenizer));
        _wordwise = new(() => WordwiseEncoder.TryMake(Model, _added, Normalizer, PreTokenizer));
        _frame = new(() => FindFrame(addSpecialTokens: true));
        _frameWithoutSpecial = new(() => FindFrame(addSpecialTokens: false));
    }

    /// <summary>The model.</summary>
    public TokenizerModel Model { get; }

    /// <summary>Changes the text before it is cut.</summary>
    public Normalizer? Normalizer { get; }

    /// <summary>Cuts the text.</summary>
    public PreTokenizer? PreTokenizer { get; init; }

    /// <summary>Adds special tokens.</summary>
    public PostProcessor? PostProcessor { get; init; }

    /// <summary>Turns tokens back into text.</summary>
    public TokenDecoder? Decoder { get; init; }

    /// <summary>How long an encoding may be.</summary>
    public Truncation? Truncation { get; init; }

    /// <summary>How encodings are made equally long.</summary>
    public Padding? Padding { get; init; }

    /// <summary>The added tokens by id.</summary>
    public IReadOnlyDictionary<int, AddedToken> AddedTokens => _added.Tokens;

    /// <inheritdoc/>
    public override int IdLimit => Math.Max(Model.Vocabulary.IdLimit, _added.Tokens.Count == 0 ? 0 : _added.Tokens.Keys.Max() + 1);

    /// <inheritdoc/>
    public override IEnumerable<int> Ids => Model.Vocabulary.Ids.Union(_added.Tokens.Keys).Order();

    /// <inheritdoc/>
    public override int? IdOf(string token) => _added.TryGetId(token, out var id) || Model.Vocabulary.TryGet(token, out id) ? id : null;

    /// <inheritdoc/>
    public override string? TokenOf(int id) => _added.TextOf(id) ?? Model.Vocabulary.TextOf(id);

    /// <inheritdoc/>
    public override ReadOnlySpan<byte> BytesOf(int id)
    {
        var token = TokenOf(id);
        if (token is null) return default;
        var utf8 = Encoding.UTF8.GetBytes(token);
        if (_added.Tokens.ContainsKey(id)) return utf8;
        if (ByteTokens.ValueOf(token) is >= 0 and var value && Model is BpeModel { Options.ByteFallback: true } or UnigramModel { ByteFallback: true }) return new[] { (byte)ByteTokens.ValueOf(token) };
        var bytes = new List<byte>();
        return UsesByteAlphabet && ByteAlphabet.TryDecode(utf8, bytes) ? bytes.ToArray() : utf8;
    }

    /// <inheritdoc/>
    public override bool IsSpecial(int id) => _added.Tokens.TryGetValue(id, out var token) && token.Special;

    /// <summary>Whether tokens are written in <see cref="ByteAlphabet"/>.</summary>
    public bool UsesByteAlphabet => PreTokenizer is ByteLevelPreTokenizer || (PreTokenizer is SequencePreTokenizer sequence && sequence.Items.Any(item => item is ByteLevelPreTokenizer))
        || Normalizer is ByteLevelNormalizer || (Normalizer is SequenceNormalizer normalizers && normalizers.Items.Any(item => item is ByteLevelNormalizer));

    /// <summary>The encoding of a text, or of a pair of texts.</summary>
    /// <exception cref="Contracts.MediaException">The text cannot be encoded: an unknown character without an unknown token.</exception>
    /// <exception cref="TruncationException">It cannot be truncated as the settings say.</exception>
    public TokenEncoding Encode(EncodeInput text, EncodeInput? pair = null, EncodeOptions? options = null)
    {
        options ??= new();
        var truncation = options.NoTruncation ? null : options.Truncation ?? Truncation;
        var first = EncodeSequence(text, 0, options);
        var second = pair is null ? null : EncodeSequence(pair, 1, options);
        var added = options.AddSpecialTokens ? PostProcessor?.AddedTokens(pair is not null) ?? 0 : 0;
        truncation?.Apply(ref first, ref second, added);
        var result = Finish(first, second, options.AddSpecialTokens);
        if (!options.NoPadding) (options.Padding ?? Padding)?.Apply([result]);
        return result;
    }

    /// <inheritdoc/>
    public override TokenEncoding EncodeTexts(string text, string? pair, EncodeOptions options) => Encode(text, pair is null ? null : EncodeInput.Text(pair), options);

    /// <inheritdoc/>
    internal override Padding? OwnPadding => Padding;

    /// <inheritdoc/>
    internal override Truncation? OwnTruncation => Truncation;

    /// <inheritdoc/>
    internal override PostProcessor? AroundTexts => PostProcessor;

    /// <summary>The encodings of many texts, computed side by side and padded together.</summary>
    public IReadOnlyList<TokenEncoding> EncodeBatch(IReadOnlyList<(EncodeInput Text, EncodeInput? Pair)> inputs, EncodeOptions? options = null, CancellationToken cancel = default)
    {
        var result = Batch(inputs.Count, i => Encode(inputs[i].Text, inputs[i].Pair, options), cancel);
        if (options is not { NoPadding: true }) (options?.Padding ?? Padding)?.Apply(result);
        return result;
    }

    /// <inheritdoc/>
    public override int[] EncodeToIds(ReadOnlySpan<char> text, bool addSpecialTokens = false)
    {
        var frame = (addSpecialTokens ? _frame : _frameWithoutSpecial).Value;
        if (frame is { } around)
        {
            var output = _buffers.Rent();
            foreach (var id in around.Before) output.Add(id);
            var taken = TryEncodeShort(text, output);
            if (taken) foreach (var id in around.After) output.Add(id);
            int[] ids = taken ? output.ToArray() : [];
            output.Clear();
            _buffers.Return(output);
            if (taken) return ids;
        }

        return [.. Encode(text.ToString(), options: new() { AddSpecialTokens = addSpecialTokens, NoTruncation = true, NoPadding = true }).Ids];
    }

    /// <inheritdoc/>
    public override int CountTokens(ReadOnlySpan<char> text, bool addSpecialTokens = false)
    {
        var frame = (addSpecialTokens ? _frame : _frameWithoutSpecial).Value;
        if (frame is not { } around) return EncodeToIds(text, addSpecialTokens).Length;
        var output = _buffers.Rent();
        var taken = TryEncodeShort(text, output);
        var count = output.Count + around.Before.Length + around.After.Length;
        output.Clear();
        _buffers.Return(output);
        return taken ? count : EncodeToIds(text, addSpecialTokens).Length;
    }

    /// <inheritdoc/>
    public override string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = false)
    {
        var tokens = new List<string>(ids.Length);
        foreach (var id in ids)
        {
            if (TokenOf(id) is { } token && !(skipSpecialTokens && _added.IsSpecial(token))) tokens.Add(token);
        }

        return Decoder is null ? string.Join(' ', tokens) : string.Concat(Decoder.Decode(tokens));
    }

    /// <summary>Decodes ids one by one, giving text as soon as it is certain.</summary>
    public DecodeStream StartDecoding(bool skipSpecialTokens = false) => new(this, skipSpecialTokens);

    private TokenEncoding Finish(TokenEncoding first, TokenEncoding? second, bool addSpecialTokens)
    {
        if (PostProcessor is not null) return PostProcessor.Process(first, second, addSpecialTokens);
        if (second is null) return first;
        first.SetSequence(0);
        second.SetSequence(1);
        return TokenEncoding.Merge([first, second]);
    }

    private TokenEncoding EncodeSequence(EncodeInput input, int type, EncodeOptions options) => input.IsWords
        ? TokenEncoding.Merge(input.Parts.Select((word, i) => EncodePart(word, type, i, options)))
        : EncodePart(input.Parts[0], type, null, options);

    private TokenEncoding EncodePart(string text, int type, int? word, EncodeOptions options)
    {
        var pieces = _added.Extract(Encoding.UTF8.GetBytes(text), Normalizer, options.FoundSpecialTokens);
        var result = new TokenEncoding();
        var offsets = new OffsetMap(pieces.Original, options.Offsets);
        if (_shortcut.Value is { } shortcut)
        {
            foreach (var piece in pieces.Pieces)
            {
                if (piece.Tokens is null) AddShort(shortcut, piece.Text, type, word, offsets, result);
                else Add(piece, piece.Tokens, word ?? NextWord(result), type, offsets, result);
            }

            return result;
        }

        PreTokenizer?.Apply(pieces);
        var random = Model is BpeModel { IsRandom: true } bpe ? new DropoutDraws(options.Seed, bpe.Options.Dropout!.Value) : null;
        var tokens = new List<PieceToken>();
        for (var i = 0; i < pieces.Pieces.Count; i++)
        {
            var piece = pieces.Pieces[i];
            tokens.Clear();
            if (piece.Tokens is not null) tokens.AddRange(piece.Tokens);
            else if (random is not null) ((BpeModel)Model).Tokenize(piece.Text.Bytes, tokens, random.Next);
            else Model.Tokenize(piece.Text.Bytes, tokens);
            Add(piece, tokens, word ?? i, type, offsets, result);
        }

        return result;
    }

    private void Add(Piece piece, List<PieceToken> tokens, int word, int type, OffsetMap offsets, TokenEncoding result)
    {
        foreach (var token in tokens)
        {
            var (start, end) = piece.Text.ToOriginal(token.Start, token.End);
            result.Add(token.Id, token.Text ?? Model.Vocabulary.TextOf(token.Id) ?? "", offsets.Convert(start, end), word, type);
        }
    }

    private void AddShort(ByteLevelShortcut shortcut, AlignedText text, int type, int? word, OffsetMap offsets, TokenEncoding result)
    {
        using var utf8 = new Utf8Buffer(text.Bytes);
        var ids = _buffers.Rent();
        var ends = new List<(int End, int Ids)>();
        shortcut.Encode(utf8.From(0), utf8.Length, ids, ends);
        var firstWord = NextWord(result);
        var (start, index) = (0, 0);
        for (var piece = 0; piece < ends.Count; piece++)
        {
            for (; index < ends[piece].Ids; index++)
            {
                var id = ids.Span[index];
                var end = start + shortcut.LengthOf(id);
                var (first, last) = text.ToOriginal(start, end);
                result.Add(id, Model.Vocabulary.TextOf(id)!, offsets.Convert(first, last), word ?? firstWord + piece, type);
                start = end;
            }
        }

        ids.Clear();
        _buffers.Return(ids);
    }

    // What post-processing puts in front of one text and behind it, told by what it makes of a text of one token; null where it does more to the text.
    private (int[] Before, int[] After)? FindFrame(bool addSpecialTokens)
    {
        if (PostProcessor is null) return ([], []);
        const int Text = -1;
        var text = new TokenEncoding();
        text.Add(Text, "", (0, 0), 0, 0);
        int[] ids;
        try
        {
            ids = [.. PostProcessor.Process(text, null, addSpecialTokens).Ids];
        }
        catch (Contracts.CheckpointException)
        {
            return null; // encoding says why
        }

        var at = Array.IndexOf(ids, Text);
        return at >= 0 && at == Array.LastIndexOf(ids, Text) ? (ids[..at], ids[(at + 1)..]) : null;
    }

    private static int NextWord(TokenEncoding encoding) => encoding.Count == 0 ? 0 : encoding.WordIds[^1]!.Value + 1;

    private bool TryEncodeShort(ReadOnlySpan<char> text, IdBuffer output)
    {
        if (_shortcut.Value is not { } shortcut)
        {
            if (_wordwise.Value is not { } wordwise) return false;
            using var words = new Utf8Buffer(text);
            wordwise.Encode(words.Span, output);
            return true;
        }

        using var utf8 = new Utf8Buffer(text);
        if (shortcut.TakesRaw(utf8.Span) && _added.CannotMatch(utf8.Span))
        {
            shortcut.Encode(utf8.From(0), utf8.Length, output);
            return true;
        }

        foreach (var piece in _added.Extract(utf8.Span.ToArray(), Normalizer).Pieces)
        {
            if (piece.Tokens is not null)
            {
                foreach (var token in piece.Tokens) output.Add(token.Id);
                continue;
            }

            using var stretch = new Utf8Buffer(piece.Text.Bytes);
            shortcut.Encode(stretch.From(0), stretch.Length, output);
        }

        return true;
    }

    internal IReadOnlyList<AddedToken> AddedTokenList => _addedTokens;

    /// <summary>The draws of BPE-dropout: SplitMix64 from a seed.</summary>
    private sealed class DropoutDraws(ulong seed, double dropout)
    {
        private ulong _state = seed;

        public bool Next()
        {
            var z = _state += 0x9E3779B97F4A7C15UL;
            z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9UL;
            z = (z ^ z >> 27) * 0x94D049BB133111EBUL;
            return ((z ^ z >> 31) >> 11) * (1.0 / (1UL << 53)) < dropout;
        }
    }
}
