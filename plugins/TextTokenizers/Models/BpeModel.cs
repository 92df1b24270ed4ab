using System.Text;
using System.Text.Json;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Pipeline;
using ModelZoo.Plugins.TextTokenizers.Unicode;

namespace ModelZoo.Plugins.TextTokenizers.Models;

/// <summary>Settings of a <see cref="BpeModel"/>, as tokenizer.json names them.</summary>
public sealed record BpeOptions
{
    /// <summary>Share of merges that are dropped at random (BPE-dropout); null or 0 for none.</summary>
    public double? Dropout { get; init; }

    /// <summary>Stands for characters that are not in the vocabulary; without it they vanish.</summary>
    public string? UnknownToken { get; init; }

    /// <summary>In front of every character of a piece but the first, when it is looked up.</summary>
    public string? ContinuingSubwordPrefix { get; init; }

    /// <summary>Behind the last character of a piece, when it is looked up.</summary>
    public string? EndOfWordSuffix { get; init; }

    /// <summary>Whether neighbouring unknown characters are one token.</summary>
    public bool FuseUnknown { get; init; }

    /// <summary>Whether unknown characters become the tokens of their bytes, where all of them are there.</summary>
    public bool ByteFallback { get; init; }

    /// <summary>Whether a piece that is in the vocabulary is taken whole, even where no merges lead to it.</summary>
    public bool IgnoreMerges { get; init; }
}

/// <summary>Byte pair encoding over characters (or, after a byte-level step, over bytes written as characters).</summary>
public sealed class BpeModel : TokenizerModel
{
    private const int StackLimit = 64;

    private readonly byte[] _prefix;
    private readonly byte[] _suffix;
    private readonly int[]? _byteIds;
    private readonly int? _unknownId;

    /// <summary>A model of a vocabulary and its merges in order.</summary>
    /// <exception cref="FormatException">The dropout is not between 0 and 1.</exception>
    public BpeModel(TokenTable vocabulary, MergeTable merges, BpeOptions options)
    {
        if (options.Dropout is < 0 or > 1 or double.NaN) throw new FormatException($"the dropout {options.Dropout} is not between 0 and 1");
        (Vocabulary, Merges, Options) = (vocabulary, merges, options);
        _prefix = Encoding.UTF8.GetBytes(options.ContinuingSubwordPrefix ?? "");
        _suffix = Encoding.UTF8.GetBytes(options.EndOfWordSuffix ?? "");
        _byteIds = options.ByteFallback ? [.. Enumerable.Range(0, 256).Select(b => vocabulary.TryGet(ByteTokens.NameOf((byte)b), out var id) ? id : -1)] : null;
        _unknownId = options.UnknownToken is { } token && vocabulary.TryGet(token, out var unknown) ? unknown : null;
    }

    /// <inheritdoc/>
    public override TokenTable Vocabulary { get; }

    /// <summary>The merges.</summary>
    public MergeTable Merges { get; }

    /// <summary>The settings.</summary>
    public BpeOptions Options { get; }

    /// <summary>Whether merges are dropped at random.</summary>
    public bool IsRandom => Options.Dropout is > 0;

    internal override void Tokenize(ReadOnlySpan<byte> piece, List<PieceToken> output) => Tokenize(piece, output, null);

    /// <summary>The tokens of a piece, merges being dropped as <paramref name="skip"/> says.</summary>
    internal void Tokenize(ReadOnlySpan<byte> piece, List<PieceToken> output, Func<bool>? skip)
    {
        if (piece.IsEmpty) return;
        if (Options.IgnoreMerges && !IsRandom && Vocabulary.TryGet(piece, out var whole))
        {
            output.Add(new(whole, 0, piece.Length));
            return;
        }

        // A character with its suffix may give as many symbols as both have bytes.
        var capacity = piece.Length + _suffix.Length + (_byteIds is null ? 0 : _prefix.Length * piece.Length);
        using var rented = capacity > StackLimit ? new RentedArray<BpeMerger.Symbol>(capacity) : default;
        var symbols = capacity > StackLimit ? rented.Span : stackalloc BpeMerger.Symbol[StackLimit];
        symbols = symbols[..Initial(piece, symbols)];
        if (symbols.IsEmpty) return;
        BpeMerger.Merge(symbols, new PairRule(Merges), skip);
        var start = 0;
        foreach (ref readonly var symbol in symbols)
        {
            if (symbol.Length == 0) continue;
            output.Add(new(symbol.Id, start, start + symbol.Length));
            start += symbol.Length;
        }
    }

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteString("type", "BPE");
        if (Options.Dropout is { } dropout) writer.WriteNumber("dropout", dropout);
        else writer.WriteNull("dropout");
        writer.WriteString("unk_token", Options.UnknownToken);
        writer.WriteString("continuing_subword_prefix", Options.ContinuingSubwordPrefix);
        writer.WriteString("end_of_word_suffix", Options.EndOfWordSuffix);
        writer.WriteBoolean("fuse_unk", Options.FuseUnknown);
        writer.WriteBoolean("byte_fallback", Options.ByteFallback);
        writer.WriteBoolean("ignore_merges", Options.IgnoreMerges);
        WriteVocabulary(writer);
        writer.WriteStartArray("merges");
        foreach (var (left, right, _) in Merges.Merges)
        {
            writer.WriteStartArray();
            writer.WriteStringValue(Vocabulary.BytesOf(left));
            writer.WriteStringValue(Vocabulary.BytesOf(right));
            writer.WriteEndArray();
        }

        writer.WriteEndArray();
    }

    // One symbol for each character, unknown ones replaced as the options say.
    private int Initial(ReadOnlySpan<byte> piece, Span<BpeMerger.Symbol> symbols)
    {
        Span<byte> buffer = stackalloc byte[128];
        var count = 0;
        var unknown = 0; // bytes of the unknown token that is being made
        for (var i = 0; i < piece.Length;)
        {
            var length = CodePoints.Utf8Length(piece[i]);
            var isLast = i + length == piece.Length;
            var character = Decorate(piece.Slice(i, length), i == 0 ? [] : _prefix, isLast ? _suffix : [], buffer);
            i += length;
            if (Vocabulary.TryGet(character, out var id))
            {
                if (unknown > 0) Add(symbols, ref count, _unknownId!.Value, unknown);
                unknown = 0;
                Add(symbols, ref count, id, length);
                continue;
            }

            if (_byteIds is not null && HasAllBytes(character))
            {
                // As in the reference, bytes go in front of an unknown token that is not yet closed.
                foreach (var b in character) Add(symbols, ref count, _byteIds[b], 1);
                continue;
            }

            if (Options.UnknownToken is null) continue;
            if (_unknownId is null) throw new MediaException(ErrorCodes.MediaUnsupported, "The unknown token is not in the vocabulary.") { Expected = Options.UnknownToken };
            if (unknown > 0 && !Options.FuseUnknown)
            {
                Add(symbols, ref count, _unknownId.Value, unknown);
                unknown = 0;
            }

            unknown += length;
        }

        if (unknown > 0) Add(symbols, ref count, _unknownId!.Value, unknown);
        if (count > 0) symbols[count - 1].Next = -1;
        return count;
    }

    private static ReadOnlySpan<byte> Decorate(ReadOnlySpan<byte> character, ReadOnlySpan<byte> prefix, ReadOnlySpan<byte> suffix, Span<byte> buffer)
    {
        if (prefix.IsEmpty && suffix.IsEmpty) return character;
        var length = prefix.Length + character.Length + suffix.Length;
        if (length > buffer.Length) buffer = new byte[length];
        prefix.CopyTo(buffer);
        character.CopyTo(buffer[prefix.Length..]);
        suffix.CopyTo(buffer[(prefix.Length + character.Length)..]);
        return buffer[..length];
    }

    private bool HasAllBytes(ReadOnlySpan<byte> character)
    {
        foreach (var b in character) if (_byteIds![b] < 0) return false;
        return true;
    }

    private static void Add(Span<BpeMerger.Symbol> symbols, ref int count, int id, int length)
    {
        symbols[count] = new() { Id = id, Length = length, Previous = count - 1, Next = count + 1 };
        count++;
    }
}
