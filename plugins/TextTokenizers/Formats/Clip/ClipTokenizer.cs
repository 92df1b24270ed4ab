using System.IO.Compression;
using System.Text;
using ModelZoo.Contracts;
using ModelZoo.Networks.Strings;
using ModelZoo.Plugins.TextTokenizers.Models;
using ModelZoo.Plugins.TextTokenizers.Pipeline;
using ModelZoo.Plugins.TextTokenizers.PostProcessors;
using ModelZoo.Plugins.TextTokenizers.Regex;

namespace ModelZoo.Plugins.TextTokenizers.Formats.Clip;

/// <summary>CLIP's SimpleTokenizer: cleaned, lower-cased text, bytes as characters, BPE with an end-of-word mark.</summary>
public sealed class ClipTokenizer : Tokenizer
{
    private const string Start = "<|startoftext|>";
    private const string End = "<|endoftext|>";
    private const string Suffix = "</w>";
    private const int MaxMerges = 49152 - 256 - 2;

    private readonly BpeModel _model;
    private readonly TextRegex _pattern = new(@"(?i)<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+", RegexFlavor.Rust);
    private readonly string[] _tokens;

    private ClipTokenizer(string[] tokens, BpeModel model) => (_tokens, _model) = (tokens, model);

    /// <summary>Length of the rows that the model takes.</summary>
    public const int ContextLength = 77;

    /// <summary>Id of the token at the start.</summary>
    public int StartId => _tokens.Length - 2;

    /// <summary>Id of the token at the end.</summary>
    public int EndId => _tokens.Length - 1;

    /// <summary>Reads <c>bpe_simple_vocab_16e6.txt.gz</c>, or the same unpacked.</summary>
    /// <exception cref="CheckpointException">It is missing or breaks the format.</exception>
    public static ClipTokenizer Load(string path)
    {
        try
        {
            using var file = File.OpenRead(path);
            using Stream stream = path.EndsWith(".gz", StringComparison.Ordinal) ? new GZipStream(file, CompressionMode.Decompress) : file;
            using var reader = new StreamReader(stream, new UTF8Encoding(false, throwOnInvalidBytes: true));
            return Parse(reader.ReadToEnd());
        }
        catch (Exception error) when (error is IOException or InvalidDataException or DecoderFallbackException)
        {
            throw new CheckpointException(ErrorCodes.CheckpointMissing, $"CLIP's merges cannot be read: {error.Message}", error) { Where = path };
        }
    }

    /// <summary>Reads the unpacked file: a heading, then a merge a line.</summary>
    /// <exception cref="CheckpointException">A merge names an unknown token.</exception>
    public static ClipTokenizer Parse(string file)
    {
        var merges = file.Split('\n').Skip(1).Take(MaxMerges).Select(line => line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)).ToArray();
        var alphabet = Enumerable.Range(0, 256).Select(b => (byte)b).OrderBy(b => ByteAlphabet.ToCharacter(b) > 255 ? 1 : 0).ThenBy(b => b).Select(b => ByteAlphabet.ToCharacter(b).ToString()).ToArray();
        string[] tokens = [.. alphabet, .. alphabet.Select(character => character + Suffix), .. merges.Select(merge => string.Concat(merge)), Start, End];
        var table = new TokenTable(tokens.Length);
        for (var id = 0; id < tokens.Length; id++) table.Add(Encoding.UTF8.GetBytes(tokens[id]), id);
        var resolved = new List<(int, int, int)>(merges.Length);
        var buffer = new byte[table.LongestToken * 2];
        foreach (var merge in merges)
        {
            if (merge.Length != 2) continue;
            if (!MergeFiles.TryResolve(table, merge[0], merge[1], 0, buffer, out var ids, out var missing))
            {
                throw new CheckpointException(ErrorCodes.CheckpointMalformed, "A merge names a token that is not in the vocabulary.") { Where = string.Join(' ', merge), Found = missing };
            }

            resolved.Add(ids);
        }

        return new(tokens, new BpeModel(table, new(resolved), new() { EndOfWordSuffix = Suffix }));
    }

    /// <inheritdoc/>
    public override int IdLimit => _tokens.Length;

    /// <inheritdoc/>
    public override IEnumerable<int> Ids => Enumerable.Range(0, _tokens.Length);

    /// <inheritdoc/>
    public override int? IdOf(string token) => _model.Vocabulary.TryGet(token, out var id) ? id : null;

    /// <inheritdoc/>
    public override string? TokenOf(int id) => (uint)id < (uint)_tokens.Length ? _tokens[id] : null;

    /// <inheritdoc/>
    public override ReadOnlySpan<byte> BytesOf(int id)
    {
        if (TokenOf(id) is not { } token) return default;
        var word = token.EndsWith(Suffix, StringComparison.Ordinal) && token.Length > Suffix.Length;
        var bytes = new List<byte>();
        ByteAlphabet.TryDecode(Encoding.UTF8.GetBytes(word ? token[..^Suffix.Length] : token), bytes);
        if (word) bytes.Add((byte)' ');
        return bytes.ToArray();
    }

    /// <inheritdoc/>
    public override bool IsSpecial(int id) => id == StartId || id == EndId;

    /// <summary>The text as it is cut: wrong encodings and entities repaired, white space made single spaces, lower case.</summary>
    public static string Clean(string text)
    {
        text = PythonText.Strip(HtmlEntities.Unescape(HtmlEntities.Unescape(TextFixer.Fix(text))));
        var result = new StringBuilder(text.Length);
        foreach (var c in text)
        {
            if (!Unicode.CodePoints.IsWhiteSpace(c)) result.Append(c);
            else if (result.Length == 0 || result[^1] != ' ') result.Append(' ');
        }

        return PythonText.Lower(PythonText.Strip(result.ToString()));
    }

    /// <inheritdoc/>
    public override int[] EncodeToIds(ReadOnlySpan<char> text, bool addSpecialTokens = false) => [.. EncodeToTokens(text.ToString(), addSpecialTokens).Select(token => token.Id)];

    /// <inheritdoc/>
    public override string SpannedText(string text) => Clean(text);

    /// <summary>The encoding of a text, or of a pair of texts; offsets are those in the cleaned text.</summary>
    public override TokenEncoding EncodeTexts(string text, string? pair, EncodeOptions options) => Finish(EncodeSequence(text, 0, options), pair is null ? null : EncodeSequence(pair, 1, options), options);

    /// <inheritdoc/>
    internal override PostProcessor? AroundTexts => TemplatePostProcessor.Around((Start, StartId), (End, EndId));

    private TokenEncoding EncodeSequence(string text, int type, EncodeOptions options)
    {
        var utf8 = Encoding.UTF8.GetBytes(Clean(text));
        var offsets = new OffsetMap(utf8, options.Offsets);
        var result = new TokenEncoding();
        var tokens = new List<PieceToken>();
        var search = _pattern.Matches(utf8);
        for (var word = 0; search.Next(out var start, out var end); word++)
        {
            tokens.Clear();
            var piece = Encoding.UTF8.GetBytes(ByteAlphabet.Encode(utf8.AsSpan(start, end - start)));
            if (Encoding.UTF8.GetString(piece) is (Start or End) and var name && options.FoundSpecialTokens?.Contains(name) != false && _model.Vocabulary.TryGet(piece, out var special)) tokens.Add(new(special, 0, piece.Length));
            else _model.Tokenize(piece, tokens);
            var at = start;
            foreach (var token in tokens)
            {
                // Every character of a token is one byte of the text.
                var length = Encoding.UTF8.GetCharCount(piece.AsSpan(token.Start, token.End - token.Start));
                var wholeEnd = at + length;
                while (options.Offsets != OffsetUnit.Byte && wholeEnd < utf8.Length && (utf8[wholeEnd] & 0xC0) == 0x80) wholeEnd++;
                result.Add(token.Id, _tokens[token.Id], offsets.Convert(at, wholeEnd), word, type);
                at += length;
            }
        }

        return result;
    }

    /// <summary>A row for the model: start, tokens, end, then zeros.</summary>
    /// <exception cref="MediaException">The text is too long and is not to be cut.</exception>
    public int[] EncodeRow(string text, bool truncate = false)
    {
        var ids = EncodeToIds(text, addSpecialTokens: true);
        if (ids.Length > ContextLength && !truncate) throw new MediaException(ErrorCodes.MediaUnsupported, "The text is too long.") { Expected = $"at most {ContextLength} tokens", Found = $"{ids.Length}" };
        var row = new int[ContextLength];
        ids.AsSpan(0, Math.Min(ids.Length, ContextLength)).CopyTo(row);
        if (ids.Length > ContextLength) row[^1] = EndId;
        return row;
    }

    /// <inheritdoc/>
    public override string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = false)
    {
        var bytes = new List<byte>();
        foreach (var id in ids)
        {
            if (TokenOf(id) is not { } token) throw new MediaException(ErrorCodes.TokensInvalid, "An id has no token.") { Expected = $"0..{_tokens.Length - 1}", Found = $"{id}" };
            if (!(skipSpecialTokens && IsSpecial(id))) ByteAlphabet.TryDecode(Encoding.UTF8.GetBytes(token), bytes);
        }

        return Encoding.UTF8.GetString([.. bytes]).Replace(Suffix, " ", StringComparison.Ordinal);
    }
}
