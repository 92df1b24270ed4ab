using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Text;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Scanning;

namespace ModelZoo.Plugins.TextTokenizers.Models;

/// <summary>
/// Byte pair encoding of bytes: of rank files, where any two neighbours merge that spell a token together, or of merge lists.
/// Pieces are looked up among those met before, then in the vocabulary, and only then merged: at once, or, if they are long, by <see cref="SeamMerger"/>.
/// </summary>
internal sealed class BytePairEncoder
{
    /// <summary>How many bytes beyond its end a text must be readable, for loading vectors.</summary>
    public const int Padding = CharacterBlock.Size;

    private const int LikelyBytes = 4; // of a token
    private const int StackLimit = 256;
    private const int WorthParts = 6;
    private const int LongWord = 48;
    private const int UsuallyNew = 32;   // one of so many pieces

    private readonly MergeTable? _merges;
    private readonly TokenIndex? _index;
    private readonly RegisterMerger? _merger;
    private readonly int[] _byteIds = new int[256];
    private readonly JunctionFilter _junctions;
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
        Array.Fill(_bytePairs, (int.MaxValue, -1));
        foreach (var id in vocabulary.Ids)
        {
            if (vocabulary.BytesOf(id) is [var left, var right]) _bytePairs[left << 8 | right] = FindBytePair(left, right);
        }

        _junctions = new(vocabulary);
        _index = TokenIndex.Create(vocabulary);
        if (_index is null || !IsComplete) return;
        var splits = merges is null ? null : ListedSplits.TryFind(vocabulary, merges);
        if (merges is null || splits is not null) _merger = new(vocabulary, _index, _byteIds, _bytePairs.Select(pair => pair.Id), splits);
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
            output.Reserve(length / LikelyBytes);
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
        var scratch = _scratch.Rent();
        using var padded = new RentedArray<byte>(piece.Length + Padding);
        piece.CopyTo(padded.Span);
        piece = padded.Span[..piece.Length];
        if (piece.Length <= PieceKey.MaxLength) EncodeShort(piece, output, scratch);
        else EncodeLong(piece, output, scratch);
        _scratch.Return(scratch);
    }

    /// <summary>Appends the tokens that merges make of a stretch of a piece, behind which <see cref="Padding"/> bytes are readable, and keeps them.</summary>
    public void EncodeStretch(ReadOnlySpan<byte> stretch, IdBuffer output, EncodeScratch scratch)
    {
        var before = output.Count;
        var hash = LongPieceCache.Hash(stretch, PieceKey.Part);
        if (scratch.Long.TryEncode(stretch, hash, output)) return;
        MergePadded(stretch, output);
        scratch.Long.Keep(stretch, hash, output.Span[before..]);
    }

    private int Encode<TScanner>(ReadOnlySpan<byte> text, IdBuffer output, EncodeScratch scratch, List<(int End, int Ids)>? ends) where TScanner : IPieceScanner
    {
        var last = 0;
        for (var position = 0; position < text.Length;)
        {
            var start = position;
            var pieces = scratch.Ends.AsSpan(0, PieceCutter.Cut<TScanner>(text, ref position, scratch.Ends));
            if (ends is null)
            {
                last = EncodePieces(text, start, pieces, output, scratch);
                continue;
            }

            foreach (ref readonly var end in pieces)
            {
                last = EncodePieces(text, start, new(in end), output, scratch);
                ends.Add((start = end, output.Count));
            }
        }

        return last;
    }

    // Four ids are written for each piece that was met before, and as many of them stay as there are. Returns the number of ids of the last piece.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private int EncodePieces(ReadOnlySpan<byte> text, int start, ReadOnlySpan<int> ends, IdBuffer output, EncodeScratch scratch)
    {
        ref var bytes = ref MemoryMarshal.GetReference(text);
        var pieces = scratch.Pieces;
        if (scratch.NewPieces * UsuallyNew > scratch.Ends.Length) Prefetch(text, start, ends, pieces);
        scratch.NewPieces = 0;
        var room = output.Room(ends.Length * PieceCache.MaxTokens);
        var (count, last) = (0, 0);
        for (var i = 0; i < ends.Length; i++)
        {
            var end = ends[i];
            var length = end - start;
            var before = output.Count + count;
            if (length <= PieceKey.MaxLength)
            {
                var key = PieceKey.At(ref Unsafe.Add(ref bytes, start), length, PieceKey.Whole);
                var hash = key.Hash();
                var isKept = pieces.TryGet(key, hash, out var tokens, out last);
                if (isKept && last <= PieceCache.MaxTokens)
                {
                    tokens.StoreUnsafe(ref MemoryMarshal.GetReference(room), (nuint)count);
                    count += last;
                    start = end;
                    continue;
                }

                output.Advance(count);
                if (isKept) EncodeShort(text[start..end], output, scratch);
                else EncodeNew(text[start..end], key, hash, output, scratch);
            }
            else
            {
                output.Advance(count);
                EncodeLong(text[start..end], output, scratch);
            }

            last = output.Count - before;
            room = output.Room((ends.Length - i) * PieceCache.MaxTokens);
            count = 0;
            start = end;
        }

        output.Advance(count);
        return last;
    }

    // Where many pieces are new, their lines in the cache and in the vocabulary would each be waited for.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Prefetch(ReadOnlySpan<byte> text, int start, ReadOnlySpan<int> ends, PieceCache pieces)
    {
        ref var bytes = ref MemoryMarshal.GetReference(text);
        foreach (var end in ends)
        {
            if (end - start <= PieceKey.MaxLength)
            {
                var hash = PieceKey.At(ref Unsafe.Add(ref bytes, start), end - start, PieceKey.Whole).Hash();
                pieces.Prefetch(hash);
                _index?.Prefetch(hash);
            }

            start = end;
        }
    }

    private void EncodeShort(ReadOnlySpan<byte> piece, IdBuffer output, EncodeScratch scratch)
    {
        var key = PieceKey.At(in piece[0], piece.Length, PieceKey.Whole);
        var hash = key.Hash();
        if (!scratch.TryEncode(piece, key, hash, output)) EncodeNew(piece, key, hash, output, scratch);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void EncodeNew(ReadOnlySpan<byte> piece, PieceKey key, ulong hash, IdBuffer output, EncodeScratch scratch)
    {
        scratch.NewPieces++;
        var before = output.Count;
        if (TakesWholePieces && TryGetShort(key, hash, out var whole)) output.Add(whole);
        else if (piece.Length <= WorthParts || !TryEncodeParts(piece, output, scratch)) MergePadded(piece, output);
        else if (output.Count - before > PieceCache.MaxTokens) return;
        scratch.Keep(piece, key, hash, output, before);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void EncodeLong(ReadOnlySpan<byte> piece, IdBuffer output, EncodeScratch scratch)
    {
        // The longest pieces of other scripts are clauses rather than words: it is their parts that come again.
        var isKept = piece.Length <= (IsAscii(piece) ? LongPieceCache.MaxLength : LongWord);
        var (before, hash) = (output.Count, isKept || piece.Length <= Vocabulary.LongestToken ? TokenTable.HashLong(piece) : 0);
        if (isKept && scratch.Long.TryEncode(piece, hash, output)) return;
        if (TakesWholePieces && Vocabulary.TryGetRare(piece, hash, out var whole)) output.Add(whole);
        else if (TryEncodeParts(piece, output, scratch)) return;
        else if (piece.Length <= SeamMerger.Window) EncodeStretch(piece, output, scratch);
        else scratch.Seams.Encode(this, piece, output, scratch);
        if (isKept) scratch.Long.Keep(piece, hash, output.Span[before..]);
    }

    // By its first bytes; that of another kind that gets through is only kept in vain.
    private static bool IsAscii(ReadOnlySpan<byte> piece) => (MemoryMarshal.Read<ulong>(piece) & 0x8080808080808080UL) == 0;

    // A piece that is not known is cut where no token reaches across: its parts may be. False when there is no such place, and nothing was done.
    private bool TryEncodeParts(ReadOnlySpan<byte> piece, IdBuffer output, EncodeScratch scratch)
    {
        if (Ascii.IsValid(piece)) return false;
        var (position, before, start) = (0, 0U, 0);
        while (_junctions.Next(piece, ref position, ref before) is var junction && junction < piece.Length)
        {
            EncodePart(piece[start..junction], output, scratch);
            start = junction;
        }

        if (start == 0) return false;
        EncodePart(piece[start..], output, scratch);
        return true;
    }

    // Parts are kept apart from pieces: a piece that is a token is taken whole, a part is always merged.
    private void EncodePart(ReadOnlySpan<byte> part, IdBuffer output, EncodeScratch scratch)
    {
        if (part.Length > SeamMerger.Window)
        {
            scratch.Seams.Encode(this, part, output, scratch);
            return;
        }

        if (part.Length > PieceKey.MaxLength)
        {
            EncodeStretch(part, output, scratch);
            return;
        }

        var before = output.Count;
        var key = PieceKey.At(in part[0], part.Length, PieceKey.Part);
        var hash = key.Hash();
        if (scratch.TryEncode(part, key, hash, output)) return;
        MergePadded(part, output);
        scratch.Keep(part, key, hash, output, before);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TryGetShort(in PieceKey key, ulong hash, out int id)
    {
        if (_index is null) return Vocabulary.TryGetShort(key, hash, out id);
        return _index.Open().TryFind(key, hash, out id) ? id < _index.None : Vocabulary.TryGetShort(key, hash, out id);
    }

    // A piece behind which 16 bytes are readable.
    private void MergePadded(ReadOnlySpan<byte> piece, IdBuffer output)
    {
        var count = _merger is null || piece.Length > RegisterMerger.MaxLength ? -1
            : _merger.Merge(ref MemoryMarshal.GetReference(piece), piece.Length, ref MemoryMarshal.GetReference(output.Room(piece.Length)));
        if (count >= 0) output.Advance(count);
        else Merge(piece, output);
    }

    /// <summary>Appends the tokens that merges make of a piece.</summary>
    public void Merge(ReadOnlySpan<byte> piece, IdBuffer output)
    {
        if (piece.Length <= StackLimit && IsComplete) MergeSmall(piece, output);
        else MergeLarge(piece, output);
    }

    // A row for each byte: the symbol that begins there, its neighbours, and its merge with the next one. Rows of symbols that are gone, and of the last, hold no merge.
    // The lowest rank is found by looking at all rows, sixteen at a time.
    [SkipLocalsInit]
    private void MergeSmall(ReadOnlySpan<byte> piece, IdBuffer output)
    {
        var length = piece.Length;
        Span<byte> padded = stackalloc byte[length + Padding];
        piece.CopyTo(padded);
        var rows = (length + Vector512<int>.Count - 1) & -Vector512<int>.Count;
        Span<int> ranks = stackalloc int[rows];
        Span<int> merged = stackalloc int[rows];
        Span<int> ids = stackalloc int[rows];
        Span<short> next = stackalloc short[rows];
        Span<short> previous = stackalloc short[rows + 1];
        for (var i = 0; i < length; i++)
        {
            ids[i] = _byteIds[piece[i]];
            (next[i], previous[i]) = ((short)(i + 1), (short)(i - 1));
            if (i + 1 < length) (ranks[i], merged[i]) = _bytePairs[piece[i] << 8 | piece[i + 1]];
        }

        ranks[(length - 1)..].Fill(int.MaxValue);
        while (true)
        {
            var left = Lowest(ranks);
            if (left < 0) break;
            var after = next[next[left]];
            ids[left] = merged[left];
            ranks[next[left]] = int.MaxValue;
            next[left] = after;
            previous[after] = (short)left;
            (ranks[left], merged[left]) = after < length ? FindMerge(padded, ids, left, after, next[after]) : (int.MaxValue, -1);
            if (previous[left] is >= 0 and var before) (ranks[before], merged[before]) = FindMerge(padded, ids, before, left, after);
        }

        var room = output.Room(length);
        var count = 0;
        for (var i = 0; i < length; i = next[i]) room[count++] = ids[i];
        output.Advance(count);
    }

    // The first row of the lowest rank; -1 when no row holds a merge.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Lowest(ReadOnlySpan<int> ranks)
    {
        ref var first = ref MemoryMarshal.GetReference(ranks);
        var lowest = Vector512.LoadUnsafe(ref first);
        for (var i = Vector512<int>.Count; i < ranks.Length; i += Vector512<int>.Count) lowest = Vector512.Min(lowest, Vector512.LoadUnsafe(ref first, (nuint)i));
        var half = Vector256.Min(lowest.GetLower(), lowest.GetUpper());
        var quarter = Vector128.Min(half.GetLower(), half.GetUpper());
        quarter = Vector128.Min(quarter, Vector128.Shuffle(quarter, Vector128.Create(2, 3, 0, 1)));
        var rank = Math.Min(quarter[0], quarter[1]);
        if (rank == int.MaxValue) return -1;
        for (var i = 0; ; i += Vector512<int>.Count)
        {
            var places = Vector512.Equals(Vector512.LoadUnsafe(ref first, (nuint)i), Vector512.Create(rank)).ExtractMostSignificantBits();
            if (places != 0) return i + BitOperations.TrailingZeroCount(places);
        }
    }

    private (int Rank, int Id) FindMerge(ReadOnlySpan<byte> piece, ReadOnlySpan<int> ids, int left, int right, int end)
    {
        if (_merges is not null) return _merges.TryGet(ids[left], ids[right], out var rank, out var newId) ? (rank, newId) : (int.MaxValue, -1);
        return Vocabulary.TryGetRare(in piece[left], end - left, out var id) ? (id, id) : (int.MaxValue, -1);
    }

    private (int Rank, int Id) FindBytePair(byte left, byte right)
    {
        if (_merges is not null) return _merges.TryGet(_byteIds[left], _byteIds[right], out var rank, out var newId) ? (rank, newId) : (int.MaxValue, -1);
        return Vocabulary.TryGet([left, right], out var id) ? (id, id) : (int.MaxValue, -1);
    }

    private void MergeLarge(ReadOnlySpan<byte> piece, IdBuffer output)
    {
        using var rented = new RentedArray<BpeMerger.Symbol>(piece.Length);
        var symbols = rented.Span;
        for (var i = 0; i < piece.Length; i++)
        {
            var id = _byteIds[piece[i]];
            if (id < 0) throw new MediaException(ErrorCodes.MediaUnsupported, "A byte is not in the vocabulary.") { Found = $"0x{piece[i]:X2}" };
            symbols[i] = new() { Id = id, Length = 1, Previous = i - 1, Next = i + 1 < piece.Length ? i + 1 : -1 };
        }

        if (_merges is null) BpeMerger.Merge(symbols, new BytesRule(Vocabulary, piece));
        else BpeMerger.Merge(symbols, new PairRule(_merges));
        for (var i = 0; i >= 0; i = symbols[i].Next) output.Add(symbols[i].Id);
    }
}
