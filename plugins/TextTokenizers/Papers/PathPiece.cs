// Tokenization Is More Than Compression. Schmidt, Reddy, Zhang, Alameddine, Uzan, Pinter, Tanner. arXiv:2402.18376. github.com/kensho-technologies/pathpiece
// Published layout: vocab.hex, an entry of hexadecimal bytes a line, the line number being its id. Deviations: none.
using System.Text;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>The segmentation into the fewest tokens of a fixed byte vocabulary, by dynamic programming.</summary>
internal sealed class PathPiece(byte[][] vocabulary) : ITextCodec
{
    public static ModelArchitecture Architecture { get; } = Paper.Row(
        Paper.Tokenizer("pathpiece", "Tokenization Is More Than Compression", "2402.18376",
            ["Craig W. Schmidt", "Varshini Reddy", "Haoran Zhang", "Alec Alameddine", "Omri Uzan", "Yuval Pinter", "Chris Tanner"], "kensho-technologies/pathpiece", "AI Pubs Open RAIL-S")
            with { Layouts = ["vocab.hex"] },
        source => Open(source, new(source.HexVocabulary("vocab.hex"))));

    private readonly ByteTrie _trie = new(vocabulary);

    public int VocabularySize => vocabulary.Length;

    public string VocabularyDigest => Published.Digest(vocabulary.Select(Convert.ToHexString));

    public int[] Encode(string text) => Shortest(Encoding.UTF8.GetBytes(text));

    public string Decode(ReadOnlySpan<int> ids)
    {
        var bytes = new List<byte>();
        foreach (var id in ids) bytes.AddRange(vocabulary[id]);
        return Encoding.UTF8.GetString([.. bytes]);
    }

    public byte[]? Spelling(int id) => vocabulary[id];

    /// <summary>Fewest tokens; of equal paths, the one whose last token is longest at each place.</summary>
    public int[] Shortest(ReadOnlySpan<byte> bytes)
    {
        var length = new int[bytes.Length + 1];    // tokens of the best path to each place
        var width = new int[bytes.Length + 1];     // width of its last token
        var token = new int[bytes.Length + 1];
        Array.Fill(length, int.MaxValue, 1, bytes.Length);
        for (var start = 0; start < bytes.Length; start++)
        {
            if (length[start] == int.MaxValue) continue;
            foreach (var (id, size) in _trie.Prefixes(bytes[start..]))
            {
                // Starts come from left to right, so a token found earlier for the same end is longer and stays on ties.
                var end = start + size;
                if (length[start] + 1 >= length[end]) continue;
                (length[end], width[end], token[end]) = (length[start] + 1, size, id);
            }
        }

        if (length[^1] == int.MaxValue) throw new MediaException(ErrorCodes.TokensInvalid, "The vocabulary cannot spell the text.") { Remedy = "Give it all 256 bytes." };
        var path = new int[length[^1]];
        for (int end = bytes.Length, i = path.Length; i > 0; end -= width[end]) path[--i] = token[end];
        return path;
    }

    /// <summary>The longest token at each place, from the left.</summary>
    public int[] Greedy(ReadOnlySpan<byte> bytes)
    {
        var ids = new List<int>();
        while (!bytes.IsEmpty)
        {
            var (id, size) = _trie.Longest(bytes);
            if (size == 0) throw new MediaException(ErrorCodes.TokensInvalid, "The vocabulary cannot spell the text.") { Remedy = "Give it all 256 bytes." };
            ids.Add(id);
            bytes = bytes[size..];
        }

        return [.. ids];
    }

    private static PaperModel Open(ModelSource source, PathPiece pieces) => new PaperModel(source)
        .OnLines("encode", line =>
        {
            var bytes = line.Bytes();
            return Line.Of(("greedy", pieces.Greedy(bytes)), ("pathpiece", pieces.Shortest(bytes)));
        })
        .Tokenizes(pieces);
}
