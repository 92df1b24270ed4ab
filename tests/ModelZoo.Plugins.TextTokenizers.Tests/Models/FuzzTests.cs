using System.Globalization;
using System.Text;
using ModelZoo.Plugins.TextTokenizers.Formats;
using ModelZoo.Plugins.TextTokenizers.Models;
using ModelZoo.Plugins.TextTokenizers.Pipeline;
using ModelZoo.Plugins.TextTokenizers.Regex;

namespace ModelZoo.Plugins.TextTokenizers.Tests.Models;

/// <summary>The fast ways beside encoders that follow the definitions. <c>MODELZOO_FUZZ=1000000</c> makes the run as long as one likes.</summary>
public class FuzzTests
{
    internal static int Strings { get; } = int.TryParse(Environment.GetEnvironmentVariable("MODELZOO_FUZZ"), CultureInfo.InvariantCulture, out var count) ? count : 1500;

    [Theory]
    [InlineData(TiktokenEncodings.R50kPattern)]
    [InlineData(TiktokenEncodings.Cl100kPattern)]
    [InlineData(TiktokenEncodings.O200kPattern)]
    [InlineData(TiktokenEncodings.QwenPattern)]
    public void Tiktoken_RandomTexts_EqualsTheDefinition(string pattern)
    {
        var ranks = new NaiveRanks(1, 1500);
        var encoding = new TiktokenEncoding("fuzz", ranks.Table(), pattern, new Dictionary<string, int>());
        var regex = new TextRegex(pattern, RegexFlavor.Rust);
        var texts = new RandomText(21);
        for (var i = 0; i < Strings; i++)
        {
            var text = texts.Next(i % 50 == 0 ? 120 : 12);
            var utf8 = Encoding.UTF8.GetBytes(text);
            var expected = new List<int>();
            var search = regex.Matches(utf8);
            while (search.Next(out var start, out var end)) expected.AddRange(ranks.Encode(utf8[start..end]));
            Assert.Equal(expected, encoding.EncodeOrdinary(text));
        }
    }

    /// <summary>Lists of merges: as they were learned; with every way to split a token, as some files are written; with a third missing; with tokens split in another way; in another order.</summary>
    [Theory]
    [InlineData("learned")]
    [InlineData("all splits")]
    [InlineData("some missing")]
    [InlineData("other splits")]
    [InlineData("other order")]
    public void MergeList_RandomPieces_EqualsTheDefinition(string kind)
    {
        var ranks = new NaiveRanks(7, 1200);
        var table = ranks.Table();
        var random = new Random(8);
        List<(int Left, int Right, int NewId)> merges = kind switch
        {
            "learned" => ranks.Merges,
            "all splits" => [.. ranks.Merges.SelectMany(merge => Splits(table, merge.NewId))],
            "some missing" => [.. ranks.Merges.Where(_ => random.Next(3) > 0)],
            "other splits" => [.. ranks.Merges.Select(merge => random.Next(4) > 0 ? merge : Splits(table, merge.NewId)[^1])],
            _ => [.. ranks.Merges.OrderBy(merge => merge.NewId ^ 3)],
        };
        Assert.Equal(kind != "other order", ListedSplits.TryFind(table, new(merges)) is not null);
        var encoder = new BytePairEncoder(table, new(merges), takesWholePieces: false);
        var byPair = merges.Select((merge, rank) => (merge, rank)).ToDictionary(item => (item.merge.Left, item.merge.Right), item => (item.rank, item.merge.NewId));
        var texts = new RandomText(24);
        var output = new IdBuffer();
        for (var i = 0; i < Strings; i++)
        {
            var piece = Encoding.UTF8.GetBytes(texts.Next(i % 50 == 0 ? 120 : 12));
            output.Clear();
            encoder.Encode(piece, output);
            Assert.Equal(NaiveMerges(piece, byPair), output.ToArray());
        }
    }

    [Fact]
    public void Unigram_RandomTexts_EqualsTheDefinition()
    {
        var random = new Random(3);
        var texts = new RandomText(22);
        // Scores are whole quarters, so that sums are exact whatever their order; ties are avoided by a small share for the id.
        var tokens = new[] { "<unk>" }.Concat(Enumerable.Range(0, 900).Select(_ => Clip(texts.Next(3), random)).Where(token => token.Length > 0)).Distinct().Select((token, id) => (token, -random.Next(8, 60) / 4.0 - id / 1048576.0)).ToList();
        var model = new UnigramModel(tokens, 0, byteFallback: false);
        for (var i = 0; i < Strings; i++)
        {
            var text = texts.Next(10);
            var output = new List<PieceToken>();
            model.Tokenize(Encoding.UTF8.GetBytes(text), output);
            Assert.Equal(NaiveUnigram(text, tokens), output.Select(token => token.Id));
        }
    }

    [Fact]
    public void WordPiece_RandomWords_EqualsTheDefinition()
    {
        var random = new Random(4);
        var texts = new RandomText(23);
        string[] tokens = [.. new[] { "[UNK]" }.Concat(Enumerable.Range(0, 900).Select(_ => (random.Next(2) == 0 ? "##" : "") + Clip(texts.Next(2), random))).Where(token => token is not ("" or "##")).Distinct()];
        var table = new TokenTable(tokens.Length);
        for (var id = 0; id < tokens.Length; id++) table.Add(Encoding.UTF8.GetBytes(tokens[id]), id);
        var model = new WordPieceModel(table);
        var ids = tokens.Select((token, id) => (token, id)).ToDictionary(pair => pair.token, pair => pair.id);
        for (var i = 0; i < Strings; i++)
        {
            var word = texts.Next(4);
            if (word.Length == 0) continue;
            var output = new List<PieceToken>();
            model.Tokenize(Encoding.UTF8.GetBytes(word), output);
            Assert.Equal(NaiveWordPiece(word, ids), output.Select(token => token.Id));
        }
    }

    private static List<(int Left, int Right, int NewId)> Splits(TokenTable table, int id)
    {
        var token = table.BytesOf(id).ToArray();
        var splits = new List<(int, int, int)>();
        for (var at = 1; at < token.Length; at++)
        {
            if (table.TryGet(token.AsSpan(0, at), out var left) && table.TryGet(token.AsSpan(at), out var right)) splits.Add((left, right, id));
        }

        return splits;
    }

    // Of all neighbours in the list those of lowest rank merge, the leftmost first. The ids of the bytes are the bytes.
    private static List<int> NaiveMerges(byte[] piece, Dictionary<(int Left, int Right), (int Rank, int NewId)> merges)
    {
        var ids = piece.Select(b => (int)b).ToList();
        while (true)
        {
            var (best, rank, merged) = (-1, int.MaxValue, -1);
            for (var i = 0; i + 1 < ids.Count; i++)
            {
                if (merges.TryGetValue((ids[i], ids[i + 1]), out var found) && found.Rank < rank) (best, rank, merged) = (i, found.Rank, found.NewId);
            }

            if (best < 0) return ids;
            ids[best] = merged;
            ids.RemoveAt(best + 1);
        }
    }

    private static string Clip(string text, Random random)
    {
        var letters = text.EnumerateRunes().ToList();
        if (letters.Count == 0) return "";
        var start = random.Next(letters.Count);
        return string.Concat(letters.Skip(start).Take(random.Next(1, 5)));
    }

    // The best of all segmentations, characters that are no token costing the worst score and 10 more; neighbouring unknown ones are one token.
    private static IEnumerable<int> NaiveUnigram(string text, List<(string Token, double Score)> tokens)
    {
        var letters = text.EnumerateRunes().Select(letter => letter.ToString()).ToArray();
        var known = tokens.Select((token, id) => (token.Token, token.Score, id)).ToDictionary(item => item.Token);
        var worst = tokens.Min(token => token.Score) - 10;
        var best = new (double Score, int[] Ids)[letters.Length + 1];
        best[0] = (0, []);
        for (var end = 1; end <= letters.Length; end++)
        {
            best[end].Score = double.NegativeInfinity;
            for (var start = Math.Max(0, end - 8); start < end; start++)
            {
                var piece = string.Concat(letters[start..end]);
                var (score, id) = known.TryGetValue(piece, out var token) ? (token.Score, token.id) : end - start == 1 ? (worst, 0) : (double.NegativeInfinity, 0);
                if (best[start].Score + score > best[end].Score) best[end] = (best[start].Score + score, [.. best[start].Ids, id]);
            }
        }

        return best[^1].Ids.Where((id, i) => id != 0 || i == 0 || best[^1].Ids[i - 1] != 0);
    }

    private static List<int> NaiveWordPiece(string word, Dictionary<string, int> ids)
    {
        var letters = word.EnumerateRunes().Select(letter => letter.ToString()).ToArray();
        var result = new List<int>();
        if (letters.Length > 100) return [0];
        for (var start = 0; start < letters.Length;)
        {
            var end = letters.Length;
            while (end > start && !ids.ContainsKey((start == 0 ? "" : "##") + string.Concat(letters[start..end]))) end--;
            if (end == start) return [0];
            result.Add(ids[(start == 0 ? "" : "##") + string.Concat(letters[start..end])]);
            start = end;
        }

        return result;
    }
}
