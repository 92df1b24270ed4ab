using System.Buffers;
using System.Text;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Models;
using ModelZoo.Plugins.TextTokenizers.Pipeline;
using ModelZoo.Plugins.TextTokenizers.PostProcessors;

namespace ModelZoo.Plugins.TextTokenizers.Formats.SentencePiece;

/// <summary>A piece of an encoded text.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Text">The piece; for unknown text the text itself.</param>
/// <param name="Start">Where its surface starts in the text, in bytes of UTF-8.</param>
/// <param name="End">Where its surface ends. A piece may have an empty surface.</param>
public readonly record struct SentencePieceToken(int Id, string Text, int Start, int End);

/// <summary>SentencePiece's processor: unigram, BPE, word and character models.</summary>
public sealed class SentencePieceTokenizer : Tokenizer
{
    private const string SpaceMark = "\u2581";
    private const float SelfTestTolerance = 1e-7f;

    private readonly SentencePieceVocabulary _vocabulary;
    private readonly SentencePieceNormalizer _normalizer;
    private readonly SentencePieceNormalizer? _denormalizer;
    private readonly Segmenter _segmenter;
    private readonly IdsEncoder _ids;
    private readonly Pool<IdBuffer> _buffers = new();

    /// <summary>A processor of a model file.</summary>
    /// <exception cref="CheckpointException">The model breaks the format.</exception>
    public SentencePieceTokenizer(SentencePieceFile file) : this(Checked(() => new SentencePieceVocabulary(file)))
    {
        foreach (var (input, expected) in file.SelfTests)
        {
            var found = string.Join(' ', Encode(input).Select(piece => piece.Text));
            if (found == expected || (file.Kind == SentencePieceKind.Unigram && Math.Abs(_vocabulary.ScoreOf(found.Split(' ')) - _vocabulary.ScoreOf(expected.Split(' '))) <= SelfTestTolerance)) continue;
            throw new CheckpointException(ErrorCodes.CheckpointMalformed, "The SentencePiece model does not pass its own test.") { Where = input, Expected = expected, Found = found };
        }
    }

    private SentencePieceTokenizer(SentencePieceVocabulary vocabulary)
    {
        _vocabulary = vocabulary;
        var file = vocabulary.File;
        _normalizer = Checked(() => new SentencePieceNormalizer(file.Normalizer, file.TreatWhitespaceAsSuffix, vocabulary.Symbols));
        if (file.Denormalizer is { CharacterMap.Length: > 0 } rules) _denormalizer = Checked(() => new SentencePieceNormalizer(rules, false, new()));
        _segmenter = file.Kind switch
        {
            SentencePieceKind.Unigram => new UnigramSegmenter(vocabulary),
            SentencePieceKind.Bpe => new BpeSegmenter(vocabulary),
            SentencePieceKind.Word => new WordSegmenter(vocabulary),
            _ => new CharacterSegmenter(vocabulary),
        };
        _ids = new(vocabulary, _normalizer, _segmenter);
        AroundTexts = TemplatePostProcessor.Around(StartId is { } start ? (file.StartPiece, start) : null, EndId is { } end ? (file.EndPiece, end) : null);
    }

    /// <summary>The model file.</summary>
    public SentencePieceFile File => _vocabulary.File;

    /// <summary>Id of the unknown piece.</summary>
    public int UnknownId => _vocabulary.UnknownId;

    /// <summary>Id of the piece at the start; null when there is none.</summary>
    public int? StartId => ControlId(File.StartPiece);

    /// <summary>Id of the piece at the end; null when there is none.</summary>
    public int? EndId => ControlId(File.EndPiece);

    /// <summary>Id of the padding piece; null when there is none.</summary>
    public int? PaddingId => ControlId(File.PaddingPiece);

    /// <inheritdoc/>
    public override int IdLimit => _vocabulary.Count;

    /// <inheritdoc/>
    public override IEnumerable<int> Ids => Enumerable.Range(0, _vocabulary.Count);

    /// <summary>The piece of an id.</summary>
    public VocabularyPiece PieceOf(int id) => (uint)id < (uint)_vocabulary.Count ? _vocabulary[id] : throw UnknownIdError(id);

    /// <inheritdoc/>
    public override int? IdOf(string token) => _vocabulary.IdOf(Encoding.UTF8.GetBytes(token)) is var id && (id != UnknownId || token == _vocabulary[id].Text) ? id : null;

    /// <inheritdoc/>
    public override string? TokenOf(int id) => (uint)id < (uint)_vocabulary.Count ? _vocabulary[id].Text : null;

    /// <inheritdoc/>
    public override ReadOnlySpan<byte> BytesOf(int id)
    {
        if ((uint)id >= (uint)_vocabulary.Count) return default;
        return _vocabulary[id].Type == PieceType.Byte
            ? new[] { (byte)ByteTokens.ValueOf(_vocabulary[id].Text) }
            : Encoding.UTF8.GetBytes(_vocabulary[id].Text.Replace(SpaceMark, " ", StringComparison.Ordinal));
    }

    /// <inheritdoc/>
    public override bool IsSpecial(int id) => (uint)id < (uint)_vocabulary.Count && _vocabulary[id].Type is PieceType.Control or PieceType.Unknown;

    /// <summary>The normalized text.</summary>
    public string Normalize(string text) => Normalize(_normalizer, text);

    /// <summary>The pieces of a text.</summary>
    public List<SentencePieceToken> Encode(string text) => Encode(Encoding.UTF8.GetBytes(text));

    /// <summary>The pieces of UTF-8; each invalid byte counts as U+FFFD.</summary>
    public List<SentencePieceToken> Encode(ReadOnlySpan<byte> utf8)
    {
        using var normalized = _normalizer.Normalize(utf8);
        var segments = new List<Segment>();
        _segmenter.Cut(normalized.Bytes, segments);
        return Describe(normalized, segments);
    }

    /// <summary>The best segmentations with their scores, best first; only the first one, with score 0, when one is asked for.</summary>
    /// <exception cref="MediaException">The model is no unigram model.</exception>
    public IReadOnlyList<(List<SentencePieceToken> Pieces, float Score)> EncodeNBest(string text, int count)
    {
        if (File.Kind != SentencePieceKind.Unigram) throw new MediaException(ErrorCodes.VerbUnsupported, "Only unigram models have n-best segmentations.");
        using var normalized = _normalizer.Normalize(Encoding.UTF8.GetBytes(text));
        count = Math.Clamp(count, 1, 1024);
        if (normalized.Bytes.IsEmpty) return [([], 0)];
        if (count == 1)
        {
            var segments = new List<Segment>();
            _segmenter.Cut(normalized.Bytes, segments);
            return [(Describe(normalized, segments), 0)];
        }

        return [.. new UnigramLattice(_vocabulary, normalized.Bytes).Best(count).Select(best => (Describe(normalized, best.Segments), best.Score))];
    }

    /// <summary>How uncertain the segmentation of a text is: the entropy, in nats, of what <see cref="Sample"/> draws.</summary>
    /// <exception cref="MediaException">The model is no unigram model.</exception>
    public float CalculateEntropy(string text, float alpha)
    {
        if (File.Kind != SentencePieceKind.Unigram) throw new MediaException(ErrorCodes.VerbUnsupported, "Only unigram models have an entropy.");
        using var normalized = _normalizer.Normalize(Encoding.UTF8.GetBytes(text));
        return new UnigramLattice(_vocabulary, normalized.Bytes).Entropy(alpha);
    }

    /// <summary>A segmentation drawn at random: of a unigram model with probability proportional to p^<paramref name="alpha"/>; of a BPE model with merges dropped with probability <paramref name="alpha"/>.</summary>
    /// <param name="text">The text.</param>
    /// <param name="alpha">Smoothing, or dropout.</param>
    /// <param name="uniform">Draws from 0 (included) to 1 (excluded).</param>
    /// <exception cref="MediaException">The model is a word or character model.</exception>
    public List<SentencePieceToken> Sample(string text, float alpha, Func<double> uniform)
    {
        using var normalized = _normalizer.Normalize(Encoding.UTF8.GetBytes(text));
        if (normalized.Bytes.IsEmpty) return [];
        var segments = new List<Segment>();
        if (_segmenter is BpeSegmenter bpe) bpe.Cut(normalized.Bytes, segments, () => uniform() < alpha);
        else if (_segmenter is UnigramSegmenter) segments = new UnigramLattice(_vocabulary, normalized.Bytes).Sample(alpha, uniform);
        else throw new MediaException(ErrorCodes.VerbUnsupported, "Only unigram and BPE models are sampled from.");
        return Describe(normalized, segments);
    }

    /// <summary>A processor that uses only the given pieces, single characters, and control, unknown and user-defined pieces, as of subword-nmt's vocabulary threshold.</summary>
    /// <remarks>As in the reference, pieces of bytes that are not listed are no longer put together when decoding.</remarks>
    /// <exception cref="MediaException">The model is a word or character model.</exception>
    public SentencePieceTokenizer WithVocabulary(IEnumerable<string> pieces) => File.Kind is SentencePieceKind.Unigram or SentencePieceKind.Bpe
        ? new(_vocabulary.Restrict(pieces.ToHashSet(StringComparer.Ordinal)))
        : throw new MediaException(ErrorCodes.VerbUnsupported, "Only the vocabulary of unigram and BPE models can be restricted.");

    /// <inheritdoc/>
    public override int[] EncodeToIds(ReadOnlySpan<char> text, bool addSpecialTokens = false)
    {
        using var utf8 = new Utf8Buffer(text);
        return WithIds(utf8.Span, addSpecialTokens, ids => ids.ToArray());
    }

    /// <summary>The ids of UTF-8; each invalid byte counts as U+FFFD.</summary>
    public int[] EncodeToIds(ReadOnlySpan<byte> utf8, bool addSpecialTokens = false) => WithIds(utf8, addSpecialTokens, ids => ids.ToArray());

    /// <inheritdoc/>
    public override int CountTokens(ReadOnlySpan<char> text, bool addSpecialTokens = false)
    {
        using var utf8 = new Utf8Buffer(text);
        return WithIds(utf8.Span, addSpecialTokens, ids => ids.Count);
    }

    private T WithIds<T>(ReadOnlySpan<byte> utf8, bool addSpecialTokens, Func<IdBuffer, T> use)
    {
        var ids = _buffers.Rent();
        if (addSpecialTokens && StartId is { } start) ids.Add(start);
        _ids.Encode(utf8, ids);
        if (addSpecialTokens && EndId is { } end) ids.Add(end);
        var result = use(ids);
        ids.Clear();
        _buffers.Return(ids);
        return result;
    }

    /// <inheritdoc/>
    public override TokenEncoding EncodeTexts(string text, string? pair, EncodeOptions options) =>
        Finish(EncodeSequence(text, 0, options.Offsets), pair is null ? null : EncodeSequence(pair, 1, options.Offsets), options);

    /// <inheritdoc/>
    public override bool TakesSpecialTokensAsText => true;

    /// <inheritdoc/>
    public override bool FindsSpecialTokens => false;

    /// <inheritdoc/>
    internal override PostProcessor? AroundTexts { get; }

    /// <inheritdoc/>
    internal override Padding? OwnPadding => PaddingId is { } id ? new(Id: id, Token: File.PaddingPiece) : null;

    private TokenEncoding EncodeSequence(string text, int type, OffsetUnit unit)
    {
        var utf8 = Encoding.UTF8.GetBytes(text);
        var offsets = new OffsetMap(utf8, unit);
        var end = unit switch { OffsetUnit.Byte => utf8.Length, OffsetUnit.Utf16 => text.Length, _ => text.EnumerateRunes().Count() };
        var result = new TokenEncoding();
        foreach (var piece in Encode(utf8)) result.Add(piece.Id, piece.Text, piece.Start < utf8.Length ? offsets.Convert(piece.Start, piece.End) : (end, end), null, type);
        return result;
    }

    /// <inheritdoc/>
    /// <exception cref="MediaException">An id has no piece.</exception>
    public override string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = false)
    {
        var pieces = new List<string>(ids.Length);
        foreach (var id in ids)
        {
            if ((uint)id >= (uint)_vocabulary.Count) throw UnknownIdError(id);
            if (!(skipSpecialTokens && IsSpecial(id))) pieces.Add(_vocabulary[id].Text);
        }

        return DecodePieces(pieces);
    }

    /// <summary>The text of pieces.</summary>
    public string DecodePieces(IReadOnlyList<string> pieces)
    {
        var text = new StringBuilder();
        var bytes = new List<byte>();
        var (atStart, markSeen) = (true, false);
        foreach (var piece in pieces)
        {
            var id = _vocabulary.IdOf(Encoding.UTF8.GetBytes(piece));
            if (_vocabulary[id].Type == PieceType.Byte)
            {
                bytes.Add((byte)ByteTokens.ValueOf(piece));
                continue;
            }

            Flush(bytes, text);
            if (markSeen || text.Length > 0) atStart = false;
            text.Append(Surface(piece, id, atStart, out markSeen));
        }

        Flush(bytes, text);
        return _denormalizer is null ? text.ToString() : Normalize(_denormalizer, text.ToString());
    }

    /// <summary>Decodes ids one by one, giving text as soon as it is certain.</summary>
    public DecodeStream StartDecoding(bool skipSpecialTokens = false) => new(this, skipSpecialTokens);

    private string Surface(string piece, int id, bool atStart, out bool markTaken)
    {
        markTaken = false;
        switch (_vocabulary[id].Type)
        {
            case PieceType.Control: return "";
            case PieceType.Unknown: return _vocabulary[id].Text == piece ? File.UnknownSurface : piece;
        }

        if (atStart && (File.Normalizer.AddDummyPrefix || File.Normalizer.RemoveExtraWhitespaces) && piece.StartsWith(SpaceMark, StringComparison.Ordinal))
        {
            piece = piece[SpaceMark.Length..];
            // Where spaces at the start vanish, all of them do.
            markTaken = !File.Normalizer.RemoveExtraWhitespaces;
        }

        return piece.Replace(SpaceMark, " ", StringComparison.Ordinal);
    }

    // Whole characters as they are, U+FFFD for each byte that belongs to none.
    private static void Flush(List<byte> bytes, StringBuilder text)
    {
        var run = bytes.ToArray().AsSpan();
        bytes.Clear();
        while (!run.IsEmpty)
        {
            var valid = Rune.DecodeFromUtf8(run, out var rune, out var length) == OperationStatus.Done;
            if (valid) text.Append(rune);
            else text.Append('\uFFFD');
            run = run[(valid ? length : 1)..];
        }
    }

    private static string Normalize(SentencePieceNormalizer normalizer, string text)
    {
        using var normalized = normalizer.Normalize(Encoding.UTF8.GetBytes(text));
        return Encoding.UTF8.GetString(normalized.Bytes);
    }

    private List<SentencePieceToken> Describe(NormalizedText normalized, List<Segment> segments)
    {
        var result = new List<SentencePieceToken>(segments.Count);
        var afterUnknown = false;
        var taken = 0;
        foreach (var (start, end, id) in segments)
        {
            // A piece with the text of a control piece becomes that. The reference then forgets to step over its text, and all that follows stands too early.
            var isUnknown = id == UnknownId;
            var isControl = _vocabulary[id].Type == PieceType.Control;
            var first = normalized.Origin(taken);
            if (!isControl) taken += end - start;
            var last = normalized.Origin(taken);
            var bytes = normalized.Bytes[start..end];
            if (isUnknown && File.ByteFallback)
            {
                // The last byte holds the surface, the others none.
                for (var i = 0; i < bytes.Length; i++)
                {
                    var name = ByteTokens.NameOf(bytes[i]);
                    result.Add(new(_vocabulary.IdOf(Encoding.UTF8.GetBytes(name)), name, first, i == bytes.Length - 1 ? last : first));
                }
            }
            else if (isUnknown && afterUnknown)
            {
                result[^1] = result[^1] with { Text = result[^1].Text + Encoding.UTF8.GetString(bytes), End = last };
            }
            else
            {
                result.Add(new(id, isUnknown ? Encoding.UTF8.GetString(bytes) : _vocabulary[id].Text, first, last));
            }

            afterUnknown = isUnknown;
        }

        return result;
    }

    private static T Checked<T>(Func<T> make)
    {
        try
        {
            return make();
        }
        catch (FormatException error)
        {
            throw new CheckpointException(ErrorCodes.CheckpointMalformed, $"The SentencePiece model cannot be used: {error.Message}.", error);
        }
    }

    private int? ControlId(string piece) => _vocabulary.IdOf(Encoding.UTF8.GetBytes(piece)) is var id && _vocabulary[id].Type == PieceType.Control ? id : null;

    private MediaException UnknownIdError(int id) => new(ErrorCodes.TokensInvalid, "An id has no piece.") { Expected = $"0..{_vocabulary.Count - 1}", Found = $"{id}" };
}
