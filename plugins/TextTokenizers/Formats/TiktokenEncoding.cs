using System.Text;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Models;
using ModelZoo.Plugins.TextTokenizers.Pipeline;
using ModelZoo.Plugins.TextTokenizers.Regex;
using ModelZoo.Plugins.TextTokenizers.Scanning;

namespace ModelZoo.Plugins.TextTokenizers.Formats;

/// <summary>tiktoken's Encoding: a rank file, a pattern that cuts the text, and special tokens.</summary>
public sealed class TiktokenEncoding : Tokenizer
{
    private readonly BytePairEncoder _encoder;
    private readonly Lazy<TextRegex> _regex;
    private readonly KnownPattern _known;
    private readonly Pool<IdBuffer> _buffers = new();
    private readonly SortedDictionary<string, int> _special = new(StringComparer.Ordinal);
    private readonly Dictionary<int, byte[]> _specialBytes = [];
    private readonly ByteTrie _specialTrie = new();

    /// <summary>An encoding.</summary>
    /// <param name="name">Its name, such as <c>cl100k_base</c>.</param>
    /// <param name="ranks">Bytes of each token; its id is its rank.</param>
    /// <param name="pattern">The pattern that cuts the text.</param>
    /// <param name="specialTokens">The special tokens by text.</param>
    /// <param name="vocabularySize">The number of tokens, to be checked; null when there are gaps between ids.</param>
    /// <exception cref="CheckpointException">The pattern cannot be read, or the number of tokens is another.</exception>
    public TiktokenEncoding(string name, TokenTable ranks, string pattern, IReadOnlyDictionary<string, int> specialTokens, int? vocabularySize = null)
    {
        (Name, Pattern, _known) = (name, pattern, KnownPatterns.Find(pattern));
        _encoder = new(ranks, null, takesWholePieces: true);
        _regex = new(() => ReadPattern(name, pattern));
        if (_known == KnownPattern.None) _ = _regex.Value;      // the well-known ones have scanners

        foreach (var (text, id) in specialTokens)
        {
            _special[text] = id;
            _specialBytes[id] = Encoding.UTF8.GetBytes(text);
            _specialTrie.Add(_specialBytes[id], id);
        }

        IdLimit = Math.Max(ranks.IdLimit, _special.Count == 0 ? 0 : _special.Values.Max() + 1);
        if (vocabularySize is { } size && (size != ranks.Count + _special.Count || size != IdLimit))
        {
            throw new CheckpointException(ErrorCodes.CheckpointMalformed, "The encoding has another number of tokens than it says.")
            { Where = name, Expected = $"{size} tokens with ids below it", Found = $"{ranks.Count} ranks, {_special.Count} special tokens, ids below {IdLimit}" };
        }
    }

    /// <summary>Its name.</summary>
    public string Name { get; }

    /// <summary>The pattern that cuts the text.</summary>
    public string Pattern { get; }

    /// <summary>The special tokens.</summary>
    public IReadOnlyDictionary<string, int> SpecialTokens => _special;

    /// <inheritdoc/>
    public override int IdLimit { get; }

    /// <inheritdoc/>
    public override IEnumerable<int> Ids => _encoder.Vocabulary.Ids.Union(_special.Values).Order();

    /// <inheritdoc/>
    public override int? IdOf(string token) => _special.TryGetValue(token, out var id) || _encoder.Vocabulary.TryGet(token, out id) ? id : null;

    /// <summary>The bytes of an id in <see cref="ByteAlphabet"/>, or the special token.</summary>
    public override string? TokenOf(int id) =>
        _encoder.Vocabulary.Contains(id) ? ByteAlphabet.Encode(_encoder.Vocabulary.BytesOf(id)) : _specialBytes.TryGetValue(id, out var special) ? Encoding.UTF8.GetString(special) : null;

    /// <inheritdoc/>
    public override ReadOnlySpan<byte> BytesOf(int id) => _encoder.Vocabulary.Contains(id) ? _encoder.Vocabulary.BytesOf(id) : _specialBytes.GetValueOrDefault(id);

    /// <inheritdoc/>
    public override bool IsSpecial(int id) => _specialBytes.ContainsKey(id);

    /// <summary>The id of a single token, ordinary or special; null when the bytes are none.</summary>
    public int? EncodeSingleToken(ReadOnlySpan<byte> token)
    {
        if (_encoder.Vocabulary.TryGet(token, out var id)) return id;
        return _specialTrie.Longest(token, out id) == token.Length && !token.IsEmpty ? id : null;
    }

    /// <summary>Encodes a text, taking special tokens as ordinary text.</summary>
    public int[] EncodeOrdinary(ReadOnlySpan<char> text)
    {
        using var utf8 = new Utf8Buffer(text);
        var output = _buffers.Rent();
        EncodeStretch(utf8, 0, utf8.Length, output);
        return Take(output);
    }

    /// <summary>Encodes a text in which some special tokens are allowed.</summary>
    /// <param name="text">The text.</param>
    /// <param name="allowed">Special tokens that become their ids; null for all.</param>
    /// <param name="disallowed">Special tokens that must not be in the text; null for all that are not allowed.</param>
    /// <exception cref="MediaException">The text holds a disallowed special token.</exception>
    public int[] Encode(ReadOnlySpan<char> text, IReadOnlySet<string>? allowed, IReadOnlySet<string>? disallowed)
    {
        Check(text, allowed, disallowed);
        using var utf8 = new Utf8Buffer(text);
        var output = _buffers.Rent();
        Encode(utf8, allowed, output);
        return Take(output);
    }

    /// <summary>Encodes bytes. What follows the first invalid byte is encoded without being cut.</summary>
    public int[] EncodeBytes(ReadOnlySpan<byte> bytes)
    {
        var output = new IdBuffer();
        var valid = Utf8Prefix(bytes);
        using var utf8 = new Utf8Buffer(bytes[..valid]);
        var lastPiece = Encode(utf8, NoTokens, output);
        if (valid == bytes.Length) return output.ToArray();
        lastPiece = UnstableTokens(output.Span, lastPiece);
        var rest = new List<byte>(DecodeBytes(output.Span[^lastPiece..]));
        output.Truncate(output.Count - lastPiece);
        rest.AddRange(bytes[valid..]);
        _encoder.Encode(rest.ToArray(), output);
        return output.ToArray();
    }

    /// <summary>Encodes a text that may go on: the tokens that are certain, and all ways in which the rest may begin.</summary>
    /// <exception cref="MediaException">The text holds a disallowed special token.</exception>
    public (int[] Stable, IReadOnlyList<int[]> Completions) EncodeWithUnstable(ReadOnlySpan<char> text, IReadOnlySet<string>? allowed, IReadOnlySet<string>? disallowed)
    {
        Check(text, allowed, disallowed);
        using var utf8 = new Utf8Buffer(text);
        var output = new IdBuffer();
        var lastPiece = Encode(utf8, allowed, output);
        if (lastPiece == 0) return (output.ToArray(), []);
        lastPiece = UnstableTokens(output.Span, lastPiece);
        var unstable = DecodeBytes(output.Span[^lastPiece..]);
        output.Truncate(output.Count - lastPiece);
        return (output.ToArray(), unstable.Length == 0 ? [] : new TiktokenCompletions(this, _encoder).Find(unstable));
    }

    /// <summary>The bytes of ids.</summary>
    /// <exception cref="MediaException">An id has no token.</exception>
    public byte[] DecodeBytes(ReadOnlySpan<int> ids)
    {
        var result = new List<byte>(ids.Length * 4);
        foreach (var id in ids)
        {
            var bytes = BytesOf(id);
            if (bytes.IsEmpty) throw new MediaException(ErrorCodes.TokensInvalid, "An id has no token.") { Expected = $"an id of {Name}", Found = $"{id}" };
            result.AddRange(bytes);
        }

        return [.. result];
    }

    /// <inheritdoc/>
    /// <exception cref="MediaException">An id has no token.</exception>
    public override string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = false)
    {
        if (!skipSpecialTokens) return Encoding.UTF8.GetString(DecodeBytes(ids));
        var kept = new List<int>(ids.Length);
        foreach (var id in ids) if (!IsSpecial(id)) kept.Add(id);
        return Encoding.UTF8.GetString(DecodeBytes([.. kept]));
    }

    /// <summary>Decodes ids one by one, giving text as soon as it is certain.</summary>
    public DecodeStream StartDecoding(bool skipSpecialTokens = false) => new(this, skipSpecialTokens);

    /// <inheritdoc/>
    public override int[] EncodeToIds(ReadOnlySpan<char> text, bool addSpecialTokens = false) => EncodeOrdinary(text);

    /// <inheritdoc/>
    public override TokenEncoding EncodeTexts(string text, string? pair, EncodeOptions options) => Finish(EncodeSequence(text, 0, options), pair is null ? null : EncodeSequence(pair, 1, options), options);

    /// <inheritdoc/>
    public override bool TakesSpecialTokensAsText => true;

    private TokenEncoding EncodeSequence(string text, int type, EncodeOptions options)
    {
        using var utf8 = new Utf8Buffer(text);
        var output = new IdBuffer();
        Encode(utf8, options.FoundSpecialTokens, output);
        var offsets = new OffsetMap(utf8.Span, options.Offsets);
        var result = new TokenEncoding();
        var start = 0;
        foreach (var id in output.Span)
        {
            var end = start + BytesOf(id).Length;
            // A character counts to every token that holds a byte of it, unless bytes are counted.
            var wholeEnd = end;
            while (options.Offsets != OffsetUnit.Byte && wholeEnd < utf8.Length && (utf8.Span[wholeEnd] & 0xC0) == 0x80) wholeEnd++;
            result.Add(id, TokenOf(id)!, offsets.Convert(start, wholeEnd), null, type);
            start = end;
        }

        return result;
    }

    /// <inheritdoc/>
    public override int CountTokens(ReadOnlySpan<char> text, bool addSpecialTokens = false)
    {
        using var utf8 = new Utf8Buffer(text);
        var output = _buffers.Rent();
        EncodeStretch(utf8, 0, utf8.Length, output);
        var count = output.Count;
        output.Clear();
        _buffers.Return(output);
        return count;
    }

    internal void EncodeOrdinary(byte[] text, IdBuffer output)
    {
        using var utf8 = new Utf8Buffer(text);
        EncodeStretch(utf8, 0, utf8.Length, output);
    }

    private int[] Take(IdBuffer output)
    {
        var result = output.ToArray();
        output.Clear();
        _buffers.Return(output);
        return result;
    }

    // Returns the number of tokens of the last piece; 0 when the last token is a special one.
    private int Encode(Utf8Buffer utf8, IReadOnlySet<string>? allowed, IdBuffer output)
    {
        var lastPiece = 0;
        for (var start = 0; ;)
        {
            var (at, length, id) = FindSpecial(utf8.Span, start, allowed);
            if (at > start) lastPiece = EncodeStretch(utf8, start, at, output);
            if (length == 0) return lastPiece;
            output.Add(id);
            lastPiece = 0;
            start = at + length;
        }
    }

    private int EncodeStretch(Utf8Buffer utf8, int start, int end, IdBuffer output)
    {
        if (_known != KnownPattern.None && _encoder.IsComplete) return _encoder.Encode(utf8.From(start), end - start, _known, output);
        var count = output.Count;
        var text = utf8.Memory[start..end];
        var search = _regex.Value.Matches(text);
        while (search.Next(out var first, out var last))
        {
            count = output.Count;
            _encoder.Encode(text.Span[first..last], output);
        }

        return output.Count - count;
    }

    private (int At, int Length, int Id) FindSpecial(ReadOnlySpan<byte> utf8, int start, IReadOnlySet<string>? allowed)
    {
        if (allowed is { Count: 0 } || _special.Count == 0) return (utf8.Length, 0, -1);
        for (var at = start; at < utf8.Length; at++)
        {
            var length = _specialTrie.Longest(utf8[at..], out var id);
            if (length > 0 && (allowed is null || allowed.Contains(Encoding.UTF8.GetString(_specialBytes[id])))) return (at, length, id);
        }

        return (utf8.Length, 0, -1);
    }

    private void Check(ReadOnlySpan<char> text, IReadOnlySet<string>? allowed, IReadOnlySet<string>? disallowed)
    {
        foreach (var token in disallowed ?? _special.Keys.Where(token => allowed is not null && !allowed.Contains(token)))
        {
            if (token.Length > 0 && text.IndexOf(token, StringComparison.Ordinal) >= 0)
            {
                throw new MediaException(ErrorCodes.MediaUnsupported, "The text holds a special token that is not allowed.")
                { Found = token, Remedy = "Allow it, or take it as ordinary text by disallowing none." };
            }
        }
    }

    // Pieces of white space may still be cut otherwise, so all of them at the end are uncertain.
    private int UnstableTokens(ReadOnlySpan<int> ids, int lastPiece)
    {
        if (lastPiece == 0 || !IsSpace(ids[^lastPiece])) return lastPiece;
        while (lastPiece < ids.Length && IsSpace(ids[^(lastPiece + 1)])) lastPiece++;
        return lastPiece;
    }

    private bool IsSpace(int id) => _encoder.Vocabulary.Contains(id) && _encoder.Vocabulary.BytesOf(id).IndexOfAnyExcept(" \n\t"u8) < 0;

    private static TextRegex ReadPattern(string name, string pattern)
    {
        try
        {
            return new(pattern, RegexFlavor.Rust);
        }
        catch (FormatException error)
        {
            throw new CheckpointException(ErrorCodes.CheckpointMalformed, $"The pattern cannot be used: {error.Message}.", error) { Where = name };
        }
    }

    private static readonly HashSet<string> NoTokens = [];

    private static int Utf8Prefix(ReadOnlySpan<byte> bytes)
    {
        var at = 0;
        while (at < bytes.Length && Rune.DecodeFromUtf8(bytes[at..], out _, out var used) == System.Buffers.OperationStatus.Done) at += used;
        return at;
    }
}
