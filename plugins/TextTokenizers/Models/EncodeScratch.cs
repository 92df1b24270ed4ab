using ModelZoo.Plugins.TextTokenizers.Scanning;

namespace ModelZoo.Plugins.TextTokenizers.Models;

/// <summary>
/// What one thread needs while it encodes: the tokens of pieces that it met, and buffers. Of bounded size; rented from a pool, so that nobody waits for a lock.
/// </summary>
internal sealed class EncodeScratch
{
    /// <summary>Where the pieces end that are encoded at a time.</summary>
    public readonly int[] Ends = new int[4 * CharacterBlock.Size];

    /// <summary>How many short pieces of those encoded last had not been met before.</summary>
    public int NewPieces;

    /// <summary>Tokens of short pieces.</summary>
    public readonly PieceCache Pieces = new();

    /// <summary>Tokens of long pieces, and of short ones that have many.</summary>
    public readonly LongPieceCache Long = new();

    /// <summary>What long pieces need.</summary>
    public readonly SeamMerger Seams = new();

    /// <summary>Appends the tokens of a short piece if they are kept.</summary>
    public bool TryEncode(ReadOnlySpan<byte> piece, in PieceKey key, ulong hash, IdBuffer output)
    {
        if (!Pieces.TryGet(key, hash, out var tokens, out var count)) return false;
        if (count > PieceCache.MaxTokens) return Long.TryEncode(piece, LongPieceCache.Hash(piece, key.Kind), output);
        output.Add(tokens, count);
        return true;
    }

    /// <summary>Keeps the tokens of a short piece: the ids from a place on.</summary>
    public void Keep(ReadOnlySpan<byte> piece, in PieceKey key, ulong hash, IdBuffer output, int from)
    {
        if (!Pieces.Keep(key, hash, output.Four(from), output.Count - from)) Long.Keep(piece, LongPieceCache.Hash(piece, key.Kind), output.Span[from..]);
    }
}
