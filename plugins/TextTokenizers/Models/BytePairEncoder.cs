using System.Buffers;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.TextTokenizers.Models;

/// <summary>Byte pair encoding of bytes: of rank files, where any two neighbours merge that spell a token together, or of merge lists.</summary>
internal sealed class BytePairEncoder
{
    private const int StackLimit = 128;

    private readonly MergeTable? _merges;
    private readonly int[] _byteIds = new int[256];

    /// <summary>An encoder.</summary>
    /// <param name="vocabulary">Bytes of each token.</param>
    /// <param name="merges">The merges; null when ids are ranks.</param>
    /// <param name="takesWholePieces">Whether a piece that is a token is taken as it is.</param>
    public BytePairEncoder(TokenTable vocabulary, MergeTable? merges, bool takesWholePieces)
    {
        (Vocabulary, _merges, TakesWholePieces) = (vocabulary, merges, takesWholePieces);
        for (var b = 0; b < 256; b++) _byteIds[b] = vocabulary.TryGet([(byte)b], out var id) ? id : -1;
    }

    /// <summary>Bytes of each token.</summary>
    public TokenTable Vocabulary { get; }

    /// <summary>Whether a piece that is a token is taken as it is.</summary>
    public bool TakesWholePieces { get; }

    /// <summary>Whether every byte is a token, so that any text can be encoded.</summary>
    public bool IsComplete => Array.IndexOf(_byteIds, -1) < 0;

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

        Merge(piece, output);
    }

    /// <summary>Appends the tokens that merging alone makes of a piece.</summary>
    public void Merge(ReadOnlySpan<byte> piece, IdBuffer output)
    {
        var rented = piece.Length > StackLimit ? ArrayPool<BpeMerger.Symbol>.Shared.Rent(piece.Length) : null;
        var symbols = rented is null ? stackalloc BpeMerger.Symbol[piece.Length] : rented.AsSpan(0, piece.Length);
        try
        {
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
        finally
        {
            if (rented is not null) ArrayPool<BpeMerger.Symbol>.Shared.Return(rented);
        }
    }
}
