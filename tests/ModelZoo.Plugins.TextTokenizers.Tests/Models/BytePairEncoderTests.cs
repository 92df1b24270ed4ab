using System.Text;
using ModelZoo.Plugins.TextTokenizers.Models;

namespace ModelZoo.Plugins.TextTokenizers.Tests.Models;

public class BytePairEncoderTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Encode_RandomPieces_EqualsNaiveMerging(int seed)
    {
        var ranks = RandomRanks(seed, 700);
        var table = Table(ranks);
        var encoder = new BytePairEncoder(table, null, takesWholePieces: true);
        Assert.NotNull(PairBacktracker.TryMake(encoder));
        var texts = new RandomText(seed);
        for (var i = 0; i < 1200; i++)
        {
            var piece = Encoding.UTF8.GetBytes(texts.Next(i % 40 == 0 ? 200 : 8));
            if (piece.Length == 0) continue;
            var output = new IdBuffer();
            encoder.Encode(piece, output);
            Assert.Equal(ranks.TryGetValue(Convert.ToHexString(piece), out var whole) ? [whole] : Naive(piece, ranks), output.ToArray());
        }
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public void Backtracker_RandomPieces_EqualsNaiveMerging(int seed)
    {
        var ranks = RandomRanks(seed, 500);
        var encoder = new BytePairEncoder(Table(ranks), null, takesWholePieces: false);
        var backtracker = PairBacktracker.TryMake(encoder)!;
        var scratch = new EncodeScratch();
        var texts = new RandomText(seed);
        for (var i = 0; i < 1200; i++)
        {
            var piece = Encoding.UTF8.GetBytes(texts.Next(6) + "ab");
            var output = new IdBuffer();
            backtracker.Encode(piece, output, scratch);
            Assert.Equal(Naive(piece, ranks), output.ToArray());
        }
    }

    [Theory]
    [InlineData("a")]
    [InlineData(" ")]
    [InlineData("ab")]
    public void Encode_HundredThousandOfTheSame_EqualsHeapMerging(string unit)
    {
        var encoder = new BytePairEncoder(Table(RandomRanks(6, 400)), null, takesWholePieces: true);
        var piece = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(unit, 100_000 / unit.Length)));
        var (fast, heap) = (new IdBuffer(), new IdBuffer());
        encoder.Encode(piece, fast);
        encoder.Merge(piece, heap);
        Assert.Equal(heap.ToArray(), fast.ToArray());
    }

    // Ranks that a trainer could have made: each new token joins two neighbours of a text.
    private static Dictionary<string, int> RandomRanks(int seed, int count)
    {
        var ranks = Enumerable.Range(0, 256).ToDictionary(b => Convert.ToHexString([(byte)b]), b => b);
        var random = new Random(seed);
        var corpus = Enumerable.Range(0, 40).Select(_ => Naive(Encoding.UTF8.GetBytes(new RandomText(random.Next()).Next(30)), ranks)).Where(ids => ids.Length > 1).ToList();
        var bytes = ranks.ToDictionary(pair => pair.Value, pair => pair.Key);
        while (ranks.Count < 256 + count)
        {
            var ids = corpus[random.Next(corpus.Count)];
            if (ids.Length < 2) continue;
            var at = random.Next(ids.Length - 1);
            var token = bytes[ids[at]] + bytes[ids[at + 1]];
            if (token.Length > 60 || ranks.ContainsKey(token)) continue;
            var id = ranks.Count;
            var (left, right) = (ids[at], ids[at + 1]);
            ranks[token] = id;
            bytes[id] = token;
            for (var i = 0; i < corpus.Count; i++) corpus[i] = Join(corpus[i], left, right, id);
        }

        return ranks;
    }

    private static int[] Join(int[] ids, int left, int right, int merged)
    {
        var result = new List<int>();
        for (var i = 0; i < ids.Length; i++)
        {
            if (i + 1 < ids.Length && ids[i] == left && ids[i + 1] == right)
            {
                result.Add(merged);
                i++;
            }
            else
            {
                result.Add(ids[i]);
            }
        }

        return [.. result];
    }

    private static TokenTable Table(Dictionary<string, int> ranks)
    {
        var table = new TokenTable(ranks.Count);
        foreach (var (token, id) in ranks) table.Add(Convert.FromHexString(token), id);
        return table;
    }

    // The definition: of all neighbours that spell a token the one of lowest rank merges, the leftmost first.
    private static int[] Naive(byte[] piece, Dictionary<string, int> ranks)
    {
        var parts = piece.Select(b => Convert.ToHexString([b])).ToList();
        while (true)
        {
            var (best, rank) = (-1, int.MaxValue);
            for (var i = 0; i + 1 < parts.Count; i++)
            {
                if (ranks.TryGetValue(parts[i] + parts[i + 1], out var found) && found < rank) (best, rank) = (i, found);
            }

            if (best < 0) return [.. parts.Select(part => ranks[part])];
            parts[best] += parts[best + 1];
            parts.RemoveAt(best + 1);
        }
    }
}
