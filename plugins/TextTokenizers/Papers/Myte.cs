// MYTE: Morphology-Driven Byte Encoding for Better and Fairer Multilingual Language Modeling. Limisiewicz, Blevins, Gonen, Ahia, Zettlemoyer. arXiv:2403.10691. github.com/tomlimi/MYTE
// Published layout: decompose_map.json and merge_map.json, byte strings in hexadecimal to byte strings. Deviations: none.
using System.Text;
using System.Text.Json;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Pipeline;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>UTF-8 bytes, capital letters taken apart and morphemes exchanged for short codes.</summary>
internal sealed class Myte(Myte.Rewriter decompose, Myte.Rewriter merge) : ITextCodec
{
    /// <summary>Ids before the bytes: pad, end of sequence, unknown.</summary>
    private const int Offset = 3;

    public static ModelArchitecture Architecture { get; } = Paper.Row(
        Paper.Tokenizer("myte", "MYTE: Morphology-Driven Byte Encoding for Better and Fairer Multilingual Language Modeling", "2403.10691",
            ["Tomasz Limisiewicz", "Terra Blevins", "Hila Gonen", "Orevaoghene Ahia", "Luke Zettlemoyer"], "tomlimi/MYTE", "none stated")
            with { Layouts = ["decompose_map.json + merge_map.json"] },
        source => Open(source, new(new(source.Json("decompose_map.json")), new(source.Json("merge_map.json")))));

    public int VocabularySize => 256 + Offset;

    public string VocabularyDigest => Published.Digest([decompose.Digest, merge.Digest]);

    /// <summary>Capital letters become a mark and the small letter.</summary>
    public byte[] Decompose(ReadOnlySpan<byte> bytes) => decompose.Rewrite(bytes);

    /// <summary>Morphemes become their codes.</summary>
    public byte[] Merge(ReadOnlySpan<byte> bytes) => merge.Rewrite(bytes);

    /// <summary>Codes become morphemes. Bytes of the text that look like a code do too, so this does not always give back what was merged.</summary>
    public byte[] Unmerge(ReadOnlySpan<byte> bytes) => merge.Undo(bytes);

    /// <summary>Marks and small letters become capital letters.</summary>
    public byte[] Compose(ReadOnlySpan<byte> bytes) => decompose.Undo(bytes);

    public int[] Encode(string text) => Ids(Merge(Decompose(Encoding.UTF8.GetBytes(text))));

    /// <remarks>Each byte of a code comes from all of what the code stands for.</remarks>
    public IReadOnlyList<PlacedToken> Place(string text)
    {
        var utf8 = Encoding.UTF8.GetBytes(text);
        List<(int Start, int End)> taken = [], merged = [];
        var bytes = merge.Rewrite(decompose.Rewrite(utf8, taken), merged);
        var map = new OffsetMap(utf8, OffsetUnit.Utf16);
        return [.. Ids(bytes).Zip(merged, (id, from) =>
        {
            var (start, end) = TokenPlaces.Units(map, taken[from.Start].Start, taken[from.End - 1].End, utf8.Length, text.Length);
            return new PlacedToken(id, start, end);
        })];
    }

    public string Decode(ReadOnlySpan<int> ids)
    {
        var bytes = new List<byte>(ids.Length);
        foreach (var id in ids)
        {
            if (id >= Offset) bytes.Add((byte)(id - Offset));
        }

        return Encoding.UTF8.GetString(Compose(Unmerge([.. bytes])));
    }

    private static int[] Ids(byte[] bytes) => [.. bytes.Select(value => value + Offset)];

    private static PaperModel Open(ModelSource source, Myte myte) => new PaperModel(source)
        .OnLines("encode", line =>
        {
            var decomposed = myte.Decompose(line.Bytes());
            var merged = myte.Merge(decomposed);
            var unmerged = myte.Unmerge(merged);
            return Line.Of(
                ("decomposed", Hex(decomposed)), ("merged", Hex(merged)), ("ids", Ids(merged)),
                ("unmerged", Hex(unmerged)), ("restored", Hex(myte.Compose(unmerged))));
        })
        .Tokenizes(myte);

    private static string Hex(byte[] bytes) => Convert.ToHexStringLower(bytes);

    /// <summary>Exchanges byte strings, longest first from the left; single bytes that no rule begins with stay.</summary>
    internal sealed class Rewriter
    {
        private readonly List<byte[]> _from = [];
        private readonly List<byte[]> _to = [];
        private readonly ByteTrie _forward;
        private readonly ByteTrie _backward;

        /// <summary>Reads rules such as <c>{"41": "c2 61"}</c>: bytes in hexadecimal with blanks between.</summary>
        public Rewriter(JsonElement rules)
        {
            foreach (var rule in rules.AsMembers())
            {
                _from.Add(Bytes(rule.Name));
                _to.Add(Bytes(rule.Value.AsText()));
            }

            (_forward, _backward) = (new(_from), new(_to));
            Digest = Published.Digest(rules.AsMembers().Select(rule => $"{rule.Name}>{rule.Value}"));
        }

        /// <summary>SHA-256 of the rules.</summary>
        public string Digest { get; }

        /// <param name="bytes">What is rewritten.</param>
        /// <param name="places">Takes, for each byte that comes out, the range of bytes that it comes from.</param>
        public byte[] Rewrite(ReadOnlySpan<byte> bytes, List<(int Start, int End)>? places = null) => Exchange(bytes, _forward, _to, places);

        public byte[] Undo(ReadOnlySpan<byte> bytes) => Exchange(bytes, _backward, _from, null);

        private static byte[] Exchange(ReadOnlySpan<byte> bytes, ByteTrie rules, List<byte[]> results, List<(int Start, int End)>? places)
        {
            var output = new List<byte>(bytes.Length);
            for (int at = 0, end; at < bytes.Length; at = end)
            {
                var (rule, width) = rules.Longest(bytes[at..]);
                if (width == 0) output.Add(bytes[at]);
                else output.AddRange(results[rule]);
                end = at + Math.Max(1, width);
                while (places?.Count < output.Count) places.Add((at, end));
            }

            return [.. output];
        }

        private static byte[] Bytes(string hex) => Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal));
    }
}
