using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Scanning;

namespace ModelZoo.Plugins.TextTokenizers.Models;

/// <summary>
/// Byte pair encoding of bytes: of rank files, where any two neighbours merge that spell a token together, or of merge lists.
/// Pieces are looked up among those met before, then in the vocabulary, and only then merged: short ones step by step, long ones by <see cref="PairBacktracker"/>.
/// </summary>
internal sealed class BytePairEncoder
{
    /// <summary>How many bytes beyond its end a text must be readable, for loading vectors.</summary>
    public const int Padding = 32;

    private const int SmallPiece = 20;
    private const int StackLimit = 256;

    private readonly MergeTable? _merges;
    private readonly int[] _byteIds = new int[256];
    private readonly Lazy<PairBacktracker?> _backtracker;
    private readonly Pool<EncodeScratch> _scratch = new();
    private readonly (int Rank, int Id)[] _bytePairs = new (int, int)[0x10000];

    /// <summary>An encoder.</summary>
    /// <param name="vocabulary">Bytes of each token.</param>
    /// <param name="merges">The merges; null when ids are ranks.</param>
    /// <param name="takesWholePieces">Whether a piece that is a token is taken as it is.</param>
    public BytePairEncoder(TokenTable vocabulary, MergeTable? merges, bool takesWholePieces)
    {
        (Vocabulary, _merges, TakesWholePieces) = (vocabulary, merges, takesWholePieces);
        for (var b = 0; b < 256; b++) _byteIds[b] = vocabulary.TryGet([(byte)b], out var id) ? id : -1;
        for (var pair = 0; pair < _bytePairs.Length; pair++) _bytePairs[pair] = FindBytePair((byte)(pair >> 8), (byte)pair);
        _backtracker = new(() => PairBacktracker.TryMake(this));
    }

    /// <summary>Bytes of each token.</summary>
    public TokenTable Vocabulary { get; }

    /// <summary>Whether a piece that is a token is taken as it is.</summary>
    public bool TakesWholePieces { get; }

    /// <summary>Whether every byte is a token, so that any text can be encoded.</summary>
    public bool IsComplete => Array.IndexOf(_byteIds, -1) < 0;

    /// <summary>Encodes a stretch of text, cut by a well-known pattern.</summary>
    /// <param name="text">The text; <see cref="Padding"/> bytes behind the stretch must be readable.</param>
    /// <param name="length">Length of the stretch.</param>
    /// <param name="pattern">The pattern.</param>
    /// <param name="output">Where the ids go.</param>
    /// <param name="ends">Where the ends of the pieces go, and the number of ids after each; null when nobody asks.</param>
    /// <returns>Number of ids of the last piece.</returns>
    public int Encode(ReadOnlySpan<byte> text, int length, KnownPattern pattern, IdBuffer output, List<(int End, int Ids)>? ends = null)
    {
        if (text.Length < length + Padding) throw new ArgumentException("The text is not padded.", nameof(text));
        var scratch = _scratch.Rent();
        try
        {
            var stretch = text[..length];
            return pattern switch
            {
                KnownPattern.Gpt2 => Encode<Gpt2Scanner>(stretch, output, scratch, ends),
                KnownPattern.Cl100k => Encode<Cl100kScanner<KnownPatterns.Cl100kOptions>>(stretch, output, scratch, ends),
                KnownPattern.Llama3 => Encode<Cl100kScanner<KnownPatterns.Llama3Options>>(stretch, output, scratch, ends),
                KnownPattern.Qwen => Encode<Cl100kScanner<KnownPatterns.QwenOptions>>(stretch, output, scratch, ends),
                KnownPattern.O200k => Encode<O200kScanner<KnownPatterns.Llama3Options>>(stretch, output, scratch, ends),
                KnownPattern.MistralNemo => Encode<O200kScanner<KnownPatterns.MistralNemoOptions>>(stretch, output, scratch, ends),
                _ => throw new ArgumentOutOfRangeException(nameof(pattern), pattern, "No scanner."),
            };
        }
        finally
        {
            _scratch.Return(scratch);
        }
    }

    /// <summary>Appends the tokens of a piece.</summary>
    /// <exception cref="MediaException">A byte of it is no token.</exception>
    public void Encode(ReadOnlySpan<byte> piece, IdBuffer output)
    {
        if (piece.IsEmpty) return;
        if (TakesWholePieces && Vocabulary.TryGet(piece, out var whole))
        {
            output.Add(whole);
            return;
        }

        if (piece.Length <= SmallPiece)
        {
            Merge(piece, output);
            return;
        }

        var scratch = _scratch.Rent();
        EncodeLong(piece, output, scratch);
        _scratch.Return(scratch);
    }

    /// <summary>Appends the tokens that merges of a rank below <paramref name="limit"/> make of a piece.</summary>
    public void Merge(ReadOnlySpan<byte> piece, IdBuffer output, int limit = int.MaxValue)
    {
        if (piece.Length <= StackLimit && IsComplete) MergeSmall(piece, output, limit);
        else MergeLarge(piece, output, limit);
    }

    /// <summary>The tokens that merges make, in order of rank.</summary>
    public IEnumerable<(int Id, int Rank)> MergedTokens() => _merges is null
        ? Vocabulary.Ids.Where(id => Vocabulary.BytesOf(id).Length > 1).Select(id => (id, id))
        : _merges.Merges.Select((merge, rank) => (merge.NewId, rank));

    /// <summary>Whether two tokens merge with that rank.</summary>
    public bool IsMerge(int left, int right, int rank) => _merges is null || (_merges.TryGet(left, right, out var found, out _) && found == rank);

    private int Encode<TScanner>(ReadOnlySpan<byte> text, IdBuffer output, EncodeScratch scratch, List<(int End, int Ids)>? ends) where TScanner : IPieceScanner
    {
        ref var bytes = ref MemoryMarshal.GetReference(text);
        var lastCount = 0;
        for (var start = 0; start < text.Length;)
        {
            var end = TScanner.Next(text, start);
            var length = end - start;
            var before = output.Count;
            if (length <= EncodeScratch.MaxLength)
            {
                var key = Vector128.LoadUnsafe(ref bytes, (nuint)start) & Vector128.LessThan(Vector128<byte>.Indices, Vector128.Create((byte)length));
                var hash = TokenTable.Hash(key, length);
                ref readonly var slot = ref scratch.Find(key, length, hash, out var found);
                if (found)
                {
                    var room = output.Room(EncodeScratch.MaxTokens);
                    room[0] = slot.Id0;
                    room[1] = slot.Id1;
                    room[2] = slot.Id2;
                    output.Advance(slot.Count);
                }
                else
                {
                    EncodeNew(text.Slice(start, length), key, hash, output, scratch);
                }
            }
            else
            {
                EncodeLong(text.Slice(start, length), output, scratch);
            }

            lastCount = output.Count - before;
            ends?.Add((end, output.Count));
            start = end;
        }

        return lastCount;
    }

    private void EncodeNew(ReadOnlySpan<byte> piece, Vector128<byte> key, ulong hash, IdBuffer output, EncodeScratch scratch)
    {
        var before = output.Count;
        if (TakesWholePieces && Vocabulary.TryGetShort(key, piece.Length, hash, out var whole)) output.Add(whole);
        else Merge(piece, output);
        scratch.Keep(key, piece.Length, hash, output.Span[before..]);
    }

    private void EncodeLong(ReadOnlySpan<byte> piece, IdBuffer output, EncodeScratch scratch)
    {
        if (TakesWholePieces && piece.Length <= Vocabulary.LongestToken && Vocabulary.TryGet(piece, out var whole)) output.Add(whole);
        else if (piece.Length > SmallPiece && _backtracker.Value is { } backtracker) backtracker.Encode(piece, output, scratch);
        else Merge(piece, output);
    }

    // Rows of start, rank and id of each symbol and of its merge with the next; the lowest rank is found by looking at all.
    [SkipLocalsInit]
    private void MergeSmall(ReadOnlySpan<byte> piece, IdBuffer output, int limit)
    {
        Span<int> starts = stackalloc int[piece.Length + 1];
        Span<int> ids = stackalloc int[piece.Length];
        Span<(int Rank, int Id)> merges = stackalloc (int, int)[piece.Length];
        var count = piece.Length;
        for (var i = 0; i < count; i++)
        {
            starts[i] = i;
            ids[i] = _byteIds[piece[i]];
            merges[i] = i + 1 < count ? _bytePairs[piece[i] << 8 | piece[i + 1]] : (int.MaxValue, -1);
        }

        starts[count] = count;
        while (count > 1)
        {
            var (best, rank) = (0, merges[0].Rank);
            for (var i = 1; i < count - 1; i++)
            {
                if (merges[i].Rank >= rank) continue;
                rank = merges[i].Rank;
                best = i;
            }

            if (rank >= limit || rank == int.MaxValue) break;
            ids[best] = merges[best].Id;
            // The symbol after it goes.
            var rest = count - best - 2;
            starts.Slice(best + 2, rest + 1).CopyTo(starts[(best + 1)..]);
            ids.Slice(best + 2, rest).CopyTo(ids[(best + 1)..]);
            merges.Slice(best + 2, rest).CopyTo(merges[(best + 1)..]);
            count--;
            merges[best] = best + 1 < count ? FindMerge(piece, starts, ids, best) : (int.MaxValue, -1);
            if (best > 0) merges[best - 1] = FindMerge(piece, starts, ids, best - 1);
        }

        ids[..count].CopyTo(output.Room(count));
        output.Advance(count);
    }

    private (int Rank, int Id) FindMerge(ReadOnlySpan<byte> piece, ReadOnlySpan<int> starts, ReadOnlySpan<int> ids, int left)
    {
        if (_merges is not null) return _merges.TryGet(ids[left], ids[left + 1], out var rank, out var newId) ? (rank, newId) : (int.MaxValue, -1);
        return Vocabulary.TryGet(piece[starts[left]..starts[left + 2]], out var id) ? (id, id) : (int.MaxValue, -1);
    }

    private (int Rank, int Id) FindBytePair(byte left, byte right)
    {
        if (_merges is not null) return _merges.TryGet(_byteIds[left], _byteIds[right], out var rank, out var newId) ? (rank, newId) : (int.MaxValue, -1);
        return Vocabulary.TryGet([left, right], out var id) ? (id, id) : (int.MaxValue, -1);
    }

    private void MergeLarge(ReadOnlySpan<byte> piece, IdBuffer output, int limit)
    {
        using var rented = new RentedArray<BpeMerger.Symbol>(piece.Length);
        var symbols = rented.Span;
        for (var i = 0; i < piece.Length; i++)
        {
            var id = _byteIds[piece[i]];
            if (id < 0) throw new MediaException(ErrorCodes.MediaUnsupported, "A byte is not in the vocabulary.") { Found = $"0x{piece[i]:X2}" };
            symbols[i] = new() { Id = id, Length = 1, Previous = i - 1, Next = i + 1 < piece.Length ? i + 1 : -1 };
        }

        if (_merges is null) BpeMerger.Merge(symbols, new BytesRule(Vocabulary, piece, limit));
        else BpeMerger.Merge(symbols, new PairRule(_merges, limit));
        for (var i = 0; i >= 0; i = symbols[i].Next) output.Add(symbols[i].Id);
    }
}
