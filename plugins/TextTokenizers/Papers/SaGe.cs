// Incorporating Context into Subword Vocabularies. Yehezkel, Pinter. arXiv:2210.07095. github.com/MeLeLBGU/SaGe
// Published layout: vocab.hex (an entry of hexadecimal bytes a line) and embeddings.safetensors. Deviations: none.
using System.Text;
using System.Text.Json;
using ModelZoo.Contracts;
using ModelZoo.Networks.Parity;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>Greedy longest match over a byte vocabulary, and the score of each entry: how much less the skip-gram likes its contexts once it is gone.</summary>
internal sealed class SaGe(byte[][] vocabulary) : ITextCodec
{
    /// <summary>Entries that the ablation lists for pruning unless <c>options.prune</c> says otherwise.</summary>
    private const int DefaultPrune = 60;

    private const int DefaultLimit = 16;

    public static ModelArchitecture Architecture { get; } = Paper.Row(
        Paper.Tokenizer("sage-tokenizer", "Incorporating Context into Subword Vocabularies", "2210.07095", ["Shaked Yehezkel", "Yuval Pinter"], "MeLeLBGU/SaGe", "MIT")
            with { Layouts = ["vocab.hex", "vocab.hex + embeddings.safetensors"] },
        source => Open(source, new(source.HexVocabulary("vocab.hex"))));

    private readonly ByteTrie _trie = new(vocabulary);

    public int VocabularySize => vocabulary.Length;

    public string VocabularyDigest => Published.Digest(vocabulary.Select(Convert.ToHexString));

    public int[] Encode(string text) => [.. Segment(Encoding.UTF8.GetBytes(text)).Select(token => token.Id)];

    public string Decode(ReadOnlySpan<int> ids)
    {
        var bytes = new List<byte>();
        foreach (var id in ids) bytes.AddRange(vocabulary[id]);
        return Encoding.UTF8.GetString([.. bytes]);
    }

    public byte[]? Spelling(int id) => vocabulary[id];

    /// <summary>The tokens from the left, each the longest entry of at most <paramref name="limit"/> bytes: id, start and width.</summary>
    public List<(int Id, int Start, int Width)> Segment(ReadOnlySpan<byte> bytes, int limit = DefaultLimit)
    {
        var tokens = new List<(int, int, int)>();
        for (var start = 0; start < bytes.Length;)
        {
            var (id, width) = _trie.Longest(bytes[start..], limit);
            if (width == 0) throw new MediaException(ErrorCodes.TokensInvalid, "The vocabulary cannot spell the text.") { Remedy = "Give it all 256 bytes." };
            tokens.Add((id, start, width));
            start += width;
        }

        return tokens;
    }

    /// <summary>What removing each used entry changes: counts of (removed, target, context) gained and lost around its places, and how many tokens replace it.</summary>
    public Ablation Ablate(IEnumerable<string> texts, int limit, int pad)
    {
        var ablation = new Ablation();
        foreach (var text in texts) Ablate(Encoding.UTF8.GetBytes(text), limit, pad, ablation);
        return ablation;
    }

    /// <summary>-sum of count x log sigmoid(target . context) for each removed entry; entries and contexts share one table (V, D).</summary>
    public static SortedDictionary<int, double> Losses(Ablation ablation, Tensor<float> embeddings)
    {
        var losses = new SortedDictionary<int, double>();
        foreach (var ((removed, target, context), count) in ablation.Triples)
        {
            var dot = 0.0;
            var a = embeddings.Slice(target).Span;
            var b = embeddings.Slice(context).Span;
            for (var i = 0; i < a.Length; i++) dot += (double)a[i] * b[i];
            losses[removed] = losses.GetValueOrDefault(removed) + count * Math.Log(1 + Math.Exp(-dot));
        }

        return losses;
    }

    private void Ablate(byte[] bytes, int limit, int pad, Ablation ablation)
    {
        var tokens = Segment(bytes, limit);
        ablation.TotalTokens += tokens.Count;
        var tokenAt = new Dictionary<int, int>(tokens.Count);
        for (var i = 0; i < tokens.Count; i++) tokenAt.Add(tokens[i].Start, i);

        for (var place = 0; place < tokens.Count; place++)
        {
            var (id, start, width) = tokens[place];
            if (width == 1) continue;

            // Spell the removed token otherwise and go on until the old segmentation is met again.
            var spelled = new List<int>();
            var end = start;
            var beyond = tokens.Count;
            for (var widest = width - 1; end < bytes.Length; widest = limit)
            {
                var (next, size) = _trie.Longest(bytes.AsSpan(end), widest);
                spelled.Add(next);
                end += size;
                if (!tokenAt.TryGetValue(end, out var met)) continue;
                beyond = met;
                break;
            }

            ablation.Sizes[spelled.Count] = ablation.Sizes.GetValueOrDefault(spelled.Count) + 1;
            int[] left = [.. tokens[Math.Max(0, place - pad)..place].Select(token => token.Id)];
            int[] right = [.. tokens[beyond..Math.Min(tokens.Count, beyond + pad)].Select(token => token.Id)];
            Count([.. left, .. spelled, .. right], left.Length, right.Length, pad, id, 1, ablation.Triples);
            Count([.. left, .. tokens[place..beyond].Select(token => token.Id), .. right], left.Length, right.Length, pad, id, -1, ablation.Triples);
        }
    }

    // Pairs that lie in the padding alone are the same before and after, and left out.
    private static void Count(int[] ids, int left, int right, int pad, int removed, int sign, Dictionary<(int, int, int), int> triples)
    {
        bool Inside(int i) => i >= left && i < ids.Length - right;
        for (var target = 0; target < ids.Length; target++)
        {
            for (var context = Math.Max(0, target - pad); context <= Math.Min(ids.Length - 1, target + pad); context++)
            {
                if (context == target || (!Inside(context) && !Inside(target))) continue;
                var key = (removed, ids[target], ids[context]);
                triples[key] = triples.GetValueOrDefault(key) + sign;
            }
        }
    }

    private static PaperModel Open(ModelSource source, SaGe pieces) => new PaperModel(source)
        .OnLines("encode", line =>
        {
            var tokens = pieces.Segment(line.Bytes(), line.Option("max_len", DefaultLimit));
            return Line.Of(("ids", tokens.Select(token => token.Id)), ("spans", tokens.Select(token => (token.Start, token.Width))));
        })
        .OnLines("ablate", line => pieces.Report(line, source))
        .Tokenizes(pieces);

    private JsonElement Report(JsonElement line, ModelSource source)
    {
        var ablation = Ablate(line.Texts("texts"), line.Option("max_len", DefaultLimit), line.Option("pad", 2));
        var losses = Losses(ablation, TensorArchive.Read(source.PathOf("embeddings.safetensors")).Values.Single().As<float>());
        return Line.Of(
            ("total_tokens", ablation.TotalTokens),
            ("triples", ablation.Triples.Where(pair => pair.Value != 0).OrderBy(pair => pair.Key).Select(pair => (pair.Key.Item1, pair.Key.Item2, pair.Key.Item3, pair.Value))),
            ("ablated_sizes", ablation.Sizes.Select(pair => KeyValuePair.Create(pair.Key.ToString(), (object?)pair.Value))),
            ("losses", losses.Select(pair => (pair.Key, pair.Value))),
            ("drop_order", losses.OrderBy(pair => pair.Value).ThenBy(pair => pair.Key).Take(line.Option("prune", DefaultPrune)).Select(pair => pair.Key)));
    }

    /// <summary>What an ablation pass counted.</summary>
    public sealed class Ablation
    {
        /// <summary>Tokens of the corpus.</summary>
        public int TotalTokens { get; set; }

        /// <summary>Change in the count of (removed, target, context).</summary>
        public Dictionary<(int, int, int), int> Triples { get; } = [];

        /// <summary>How often a removed token became so many others.</summary>
        public SortedDictionary<int, int> Sizes { get; } = [];
    }
}
