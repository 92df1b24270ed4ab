using System.Text;
using ModelZoo.Plugins.TextTokenizers.Models;

namespace ModelZoo.Plugins.TextTokenizers.Formats.SentencePiece;

/// <summary>The pieces of a model, for looking up.</summary>
internal sealed class SentencePieceVocabulary
{
    private const float UnknownPenalty = 10;

    private readonly VocabularyPiece[] _pieces;
    private readonly byte[][] _bytes;
    private readonly float[] _gains;
    private readonly bool[] _unused;
    private readonly int[] _shownIds;
    private readonly int[] _byteIds;

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
            if (piece.Type == PieceType.UserDefined) Symbols.Add(_bytes[id], id);
            if (piece.Type == PieceType.Normal) (MinScore, MaxScore) = (Math.Min(MinScore, piece.Score), Math.Max(MaxScore, piece.Score));
            if (piece.Type == PieceType.Unknown) UnknownId = UnknownId < 0 ? id : throw new FormatException("there are two unknown pieces");
            if (piece.Type == PieceType.Byte) bytes += ByteTokens.ValueOf(piece.Text) >= 0 && file.ByteFallback ? 1 : throw new FormatException($"the byte piece {piece.Text} has no place in this model");
        }

        if (UnknownId < 0) throw new FormatException("there is no unknown piece");
        if (file.ByteFallback && bytes != 256) throw new FormatException($"there are {bytes} byte pieces, not 256");
        UnknownScore = MinScore - UnknownPenalty;
        Trie = new(Ordinary.Ids.Select(id => (_bytes[id], id)));
        _unused = [.. _pieces.Select(piece => piece.Type == PieceType.Unused)];
        _shownIds = [.. _bytes.Select(piece => IdOf(piece))];
        _byteIds = [.. Enumerable.Range(0, 256).Select(value => IdOf(Encoding.UTF8.GetBytes(ByteTokens.NameOf((byte)value))))];
        // A user-defined symbol gets a bonus, so that it is always taken.
        _gains = [.. _pieces.Select((piece, id) => piece.Type == PieceType.UserDefined ? (float)(_bytes[id].Length * MaxScore - 0.1) : piece.Score)];
        Joint = FindJoint();
    }

    private SentencePieceVocabulary(SentencePieceVocabulary whole, VocabularyPiece[] pieces)
    {
        File = whole.File with { Pieces = pieces };
        _pieces = pieces;
        _unused = [.. pieces.Select(piece => piece.Type == PieceType.Unused)];
        (_bytes, _gains, _shownIds, _byteIds, Joint) = (whole._bytes, whole._gains, whole._shownIds, whole._byteIds, whole.Joint);
        (Ordinary, Reserved, Trie, Symbols) = (whole.Ordinary, whole.Reserved, whole.Trie, whole.Symbols);
        (UnknownId, MinScore, MaxScore, UnknownScore) = (whole.UnknownId, whole.MinScore, whole.MaxScore, whole.UnknownScore);
    }

    /// <summary>The visible space, U+2581.</summary>
    public static ReadOnlySpan<byte> Space => "\u2581"u8;

    public SentencePieceFile File { get; }

    /// <summary>Pieces that text gives rise to.</summary>
    public TokenTable Ordinary { get; }

    /// <summary>Control, unknown and byte pieces.</summary>
    public TokenTable Reserved { get; }

    /// <summary>The ordinary pieces.</summary>
    public DoubleArrayTrie Trie { get; }

    /// <summary>The user-defined symbols.</summary>
    public ByteTrie Symbols { get; } = new();

    public int Count => _pieces.Length;

    public int UnknownId { get; }

    public float MinScore { get; }

    public float MaxScore { get; }

    public float UnknownScore { get; }

    /// <summary>Whether there are pieces that are not used.</summary>
    public bool HasUnused => _unused.Contains(true);

    /// <summary>Where no piece reaches across.</summary>
    public WordJoint Joint { get; }

    public VocabularyPiece this[int id] => _pieces[id];

    public float ScoreOf(int id) => _pieces[id].Score;

    /// <summary>The score of a segmentation.</summary>
    public float ScoreOf(IEnumerable<string> pieces) =>
        pieces.Sum(piece => IdOf(Encoding.UTF8.GetBytes(piece)) is var id && id != UnknownId ? _gains[id] : UnknownScore);

    /// <summary>What an ordinary piece adds to the score of a segmentation.</summary>
    public float GainOf(int id) => _gains[id];

    /// <summary>The largest of them, and of an unknown character's, without sign.</summary>
    public float LargestGain => Math.Max(Math.Abs(UnknownScore), _gains.Max(Math.Abs));

    public bool IsUnused(int id) => _unused[id];

    public bool IsUserDefined(int id) => _pieces[id].Type == PieceType.UserDefined;

    /// <summary>The id of a piece, or the unknown id.</summary>
    public int IdOf(ReadOnlySpan<byte> piece) => Reserved.TryGet(piece, out var id) || Ordinary.TryGet(piece, out id) ? id : UnknownId;

    /// <summary>The id that <see cref="IdOf"/> gives for the text of an ordinary piece: a control piece of the same text goes first.</summary>
    public int ShownId(int id) => _shownIds[id];

    /// <summary>The id of the piece of a byte.</summary>
    public int ByteId(byte value) => _byteIds[value];

    /// <summary>This vocabulary with only those pieces in use that are listed, are one character long or are control, unknown or user-defined pieces.</summary>
    public SentencePieceVocabulary Restrict(IReadOnlySet<string> pieces) => new(this, [.. _pieces.Select((piece, id) => piece.Type switch
    {
        PieceType.Control or PieceType.Unknown or PieceType.UserDefined => piece,
        _ => piece with { Type = pieces.Contains(piece.Text) || Unicode.CodePoints.Utf8Length(_bytes[id][0]) == _bytes[id].Length ? PieceType.Normal : PieceType.Unused },
    })]);

    private static bool IsOrdinary(PieceType type) => type is PieceType.Normal or PieceType.UserDefined or PieceType.Unused;

    private WordJoint FindJoint()
    {
        var (beforeSpace, afterSpace) = (true, true);
        for (var id = 0; id < _pieces.Length; id++)
        {
            if (!IsOrdinary(_pieces[id].Type)) continue;
            var spaces = _pieces[id].Text.Select(c => c == '\u2581').ToArray();
            for (var i = 1; i < spaces.Length; i++)
            {
                beforeSpace &= spaces[i - 1] || !spaces[i];
                afterSpace &= !spaces[i - 1] || spaces[i];
            }
        }

        return beforeSpace ? WordJoint.BeforeSpaces : afterSpace ? WordJoint.AfterSpaces : WordJoint.None;
    }
}

/// <summary>A place between words that no piece reaches across.</summary>
internal enum WordJoint
{
    /// <summary>There is none.</summary>
    None,

    /// <summary>Before a run of spaces.</summary>
    BeforeSpaces,

    /// <summary>After a run of spaces.</summary>
    AfterSpaces,
}
