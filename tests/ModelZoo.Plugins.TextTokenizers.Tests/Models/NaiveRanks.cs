using System.Text;
using ModelZoo.Plugins.TextTokenizers.Models;

namespace ModelZoo.Plugins.TextTokenizers.Tests.Models;

/// <summary>Ranks that a trainer could have made (each new token joins two neighbours of a text), and merging by its definition.</summary>
internal sealed class NaiveRanks
{
    private readonly Dictionary<string, int> _ranks = Enumerable.Range(0, 256).ToDictionary(b => Convert.ToHexString([(byte)b]), b => b);

    public NaiveRanks(int seed, int count)
    {
        var random = new Random(seed);
        var corpus = Enumerable.Range(0, 40).Select(_ => Merge(Encoding.UTF8.GetBytes(new RandomText(random.Next()).Next(30)))).Where(ids => ids.Length > 1).ToList();
        var bytes = _ranks.ToDictionary(pair => pair.Value, pair => pair.Key);
        while (_ranks.Count < 256 + count && corpus.Exists(ids => ids.Length > 1))
        {
            var ids = corpus[random.Next(corpus.Count)];
            if (ids.Length < 2) continue;
            var at = random.Next(ids.Length - 1);
            var token = bytes[ids[at]] + bytes[ids[at + 1]];
            if (token.Length > 60 || _ranks.ContainsKey(token))
            {
                corpus.Add(Merge(Encoding.UTF8.GetBytes(new RandomText(random.Next()).Next(30))));
                continue;
            }

            var id = _ranks.Count;
            var (left, right) = (ids[at], ids[at + 1]);
            Merges.Add((left, right, id));
            _ranks[token] = id;
            bytes[id] = token;
            for (var i = 0; i < corpus.Count; i++) corpus[i] = Join(corpus[i], left, right, id);
        }
    }

    /// <summary>The joined tokens and what came of them, in order.</summary>
    public List<(int Left, int Right, int NewId)> Merges { get; } = [];

    /// <summary>The ranks as a vocabulary, whose ids begin somewhere.</summary>
    public TokenTable Table(int firstId = 0)
    {
        var table = new TokenTable(_ranks.Count);
        foreach (var (token, id) in _ranks) table.Add(Convert.FromHexString(token), firstId + id);
        return table;
    }

    /// <summary>A piece that is a token is that token; others are merged.</summary>
    public int[] Encode(byte[] piece) => _ranks.TryGetValue(Convert.ToHexString(piece), out var whole) ? [whole] : Merge(piece);

    /// <summary>Of all neighbours that spell a token the one of lowest rank merges, the leftmost first.</summary>
    public int[] Merge(byte[] piece)
    {
        var parts = piece.Select(b => Convert.ToHexString([b])).ToList();
        while (true)
        {
            var (best, rank) = (-1, int.MaxValue);
            for (var i = 0; i + 1 < parts.Count; i++)
            {
                if (_ranks.TryGetValue(parts[i] + parts[i + 1], out var found) && found < rank) (best, rank) = (i, found);
            }

            if (best < 0) return [.. parts.Select(part => _ranks[part])];
            parts[best] += parts[best + 1];
            parts.RemoveAt(best + 1);
        }
    }

    private static int[] Join(int[] ids, int left, int right, int merged)
    {
        var result = new List<int>();
        for (var i = 0; i < ids.Length; i++)
        {
            var here = i + 1 < ids.Length && ids[i] == left && ids[i + 1] == right;
            result.Add(here ? merged : ids[i]);
            if (here) i++;
        }

        return [.. result];
    }
}
