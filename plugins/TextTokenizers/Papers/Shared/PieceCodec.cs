using System.Text;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>A codec over a list of text pieces; a piece that the list lacks becomes ids of its UTF-8 bytes, which follow the list's.</summary>
/// <param name="pieces">The pieces by id.</param>
/// <param name="segment">Text into pieces; joined they are the text.</param>
internal sealed class PieceCodec(IReadOnlyList<string> pieces, Func<string, IEnumerable<string>> segment) : ITextCodec
{
    private readonly Dictionary<string, int> _ids = ById(pieces);

    public int VocabularySize => pieces.Count + 256;

    public string VocabularyDigest => Published.Digest(pieces);

    public int[] Encode(string text)
    {
        var ids = new List<int>();
        foreach (var piece in segment(text))
        {
            if (_ids.TryGetValue(piece, out var id)) ids.Add(id);
            else ids.AddRange(Encoding.UTF8.GetBytes(piece).Select(value => pieces.Count + value));
        }

        return [.. ids];
    }

    public string Decode(ReadOnlySpan<int> ids)
    {
        var bytes = new List<byte>();
        foreach (var id in ids) bytes.AddRange(Spelling(id));
        return Encoding.UTF8.GetString([.. bytes]);
    }

    public byte[] Spelling(int id) => id >= pieces.Count ? [(byte)(id - pieces.Count)] : Encoding.UTF8.GetBytes(pieces[id]);

    private static Dictionary<string, int> ById(IReadOnlyList<string> pieces)
    {
        var ids = new Dictionary<string, int>(pieces.Count);
        for (var id = 0; id < pieces.Count; id++) ids.TryAdd(pieces[id], id);
        return ids;
    }
}
