using System.Text;
using ModelZoo.Plugins.TextTokenizers.Models;

namespace ModelZoo.Plugins.TextTokenizers.Formats.SentencePiece;

/// <summary>The pieces of a model, for looking up.</summary>
internal sealed class SentencePieceVocabulary
{
    private const float UnknownPenalty = 10;

    private readonly VocabularyPiece[] _pieces;
    private readonly byte[][] _bytes;

    /// <exception cref="FormatException">The pieces break the rules of the format.</exception>
    public SentencePieceVocabulary(SentencePieceFile file)
    {
        File = file;
        _pieces = [.. file.Pieces];
        _bytes = [.. file.Pieces.Select(piece => Encoding.UTF8.GetBytes(piece.Text))];
        Ordinary = new(_pieces.Length);
        Reserved = new(64);
        UnknownId = -1;
        (MinScore, MaxScore) = (float.MaxValue, 1.17549435e-38f); // FLT_MAX and FLT_MIN, from which the reference starts
        var bytes = 0;
        for (var id = 0; id < _pieces.Length; id++)
        {
            var piece = _pieces[id];
            var table = IsOrdinary(piece.Type) ? Ordinary : Reserved;
            if (table.TryGet(_bytes[id], out _)) throw new FormatException($"the piece {piece.Text} is there twice");
            table.Add(_bytes[id], id);
            if (IsOrdinary(piece.Type)) Trie.Add(_bytes[id], id);
            if (piece.Type == PieceType.UserDefined) Symbols.Add(_bytes[id], id);
            if (piece.Type == PieceType.Normal) (MinScore, MaxScore) = (Math.Min(MinScore, piece.Score), Math.Max(MaxScore, piece.Score));
            if (piece.Type == PieceType.Unknown) UnknownId = UnknownId < 0 ? id : throw new FormatException("there are two unknown pieces");
            if (piece.Type == PieceType.Byte) bytes += ByteTokens.ValueOf(piece.Text) >= 0 && file.ByteFallback ? 1 : throw new FormatException($"the byte piece {piece.Text} has no place in this model");
        }

        if (UnknownId < 0) throw new FormatException("there is no unknown piece");
        if (file.ByteFallback && bytes != 256) throw new FormatException($"there are {bytes} byte pieces, not 256");
        UnknownScore = MinScore - UnknownPenalty;
    }

    public SentencePieceFile File { get; }

    /// <summary>Pieces that text gives rise to.</summary>
    public TokenTable Ordinary { get; }

    /// <summary>Control, unknown and byte pieces.</summary>
    public TokenTable Reserved { get; }

    /// <summary>The ordinary pieces.</summary>
    public ByteTrie Trie { get; } = new();

    /// <summary>The user-defined symbols.</summary>
    public ByteTrie Symbols { get; } = new();

    public int Count => _pieces.Length;

    public int UnknownId { get; }

    public float MinScore { get; }

    public float MaxScore { get; }

    public float UnknownScore { get; }

    public VocabularyPiece this[int id] => _pieces[id];

    public ReadOnlySpan<byte> BytesOf(int id) => _bytes[id];

    public float ScoreOf(int id) => _pieces[id].Score;

    public bool IsUnused(int id) => _pieces[id].Type == PieceType.Unused;

    public bool IsUserDefined(int id) => _pieces[id].Type == PieceType.UserDefined;

    /// <summary>The id of a piece, or the unknown id.</summary>
    public int IdOf(ReadOnlySpan<byte> piece) => Reserved.TryGet(piece, out var id) || Ordinary.TryGet(piece, out id) ? id : UnknownId;

    private static bool IsOrdinary(PieceType type) => type is PieceType.Normal or PieceType.UserDefined or PieceType.Unused;
}
