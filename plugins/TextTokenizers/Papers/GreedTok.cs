// A Partition Cover Approach to Tokenization. Lim, Tan, Choo, Lauw. arXiv:2501.06246. github.com/PreferredAI/pcatt
// Published layout: added_tokens.txt, the tokens in the order in which they were picked, in hexadecimal; config.json (steps, max_token_length, min_word_count) to pick them. Deviations: none.
using System.Text;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Papers.Gnu;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>Picks, step by step, the byte string that joins most still separate neighbours of the corpus' words, given what was picked before.</summary>
internal sealed class GreedTok
{
    public static ModelArchitecture Architecture { get; } = Paper.Row(
        Paper.Tokenizer("greedtok", "A Partition Cover Approach to Tokenization", "2501.06246", ["Jia Peng Lim", "Shawn Tan", "Davin Choo", "Hady W. Lauw"], "PreferredAI/pcatt", "MIT")
            with { Layouts = ["added_tokens.txt", "config.json"] },
        Open);

    private const int Shortlist = 100;   // tokens that the authors' code looks at again at once

    private readonly OrderedDictionary<string, List<Place>> _places = [];

    /// <param name="words">Words and how often each occurs.</param>
    /// <param name="maxTokenLength">Candidates are shorter than this, in bytes: the bound is exclusive in the authors' code.</param>
    /// <param name="minWordCount">Rarer words give no candidates.</param>
    public GreedTok(IEnumerable<(byte[] Bytes, long Count)> words, int maxTokenLength, long minWordCount)
    {
        var counts = words.ToDictionary(word => Convert.ToHexStringLower(word.Bytes), word => word.Count);
        foreach (var text in Order(counts.Keys, counts.Count))
        {
            var length = text.Length / 2;
            var word = new Word(counts[text], length);
            if (word.Count < minWordCount) continue;
            for (var start = 0; start < length; start++)
            {
                for (var end = start + 2; end < Math.Min(maxTokenLength + start, length + 1); end++)
                {
                    var token = text[(2 * start)..(2 * end)];
                    word.Candidates.Add(token);
                    if (!_places.TryGetValue(token, out var places)) _places.Add(token, places = []);
                    places.Add(new(word, start, end));
                }
            }
        }
    }

    /// <summary>The picked tokens in hexadecimal and the tokens that each saved.</summary>
    public List<(string Token, long Gain)> Select(int steps, CancellationToken cancel)
    {
        // Gains only fall as more is picked, so only tokens of touched words are looked at again, and only when they come to the top.
        var heap = new BinaryHeap<(string Token, long Gain)>(Order(_places.Keys).Select(token => (token, Gain(_places[token]))), (a, b) => a.Gain != b.Gain ? a.Gain < b.Gain : a.Token.Length > b.Token.Length);
        var touched = new HashSet<string>();
        var picked = new List<(string, long)>();
        while (picked.Count < steps && heap.Count > 0)
        {
            cancel.ThrowIfCancellationRequested();
            var again = new List<string>();
            while (again.Count < Shortlist && heap.Count > 0 && touched.Contains(heap.Top.Token)) again.Add(heap.Pop().Token);
            foreach (var token in again) heap.Push((token, Gain(_places[token])));
            touched.ExceptWith(again);
            if (again.Count > 0) continue;

            var best = heap.Pop();
            picked.Add(best);
            foreach (var word in Take(_places[best.Token], picked.Count)) touched.UnionWith(word.Candidates);
        }

        return picked;
    }

    // As the authors' hash table shows tokens in hexadecimal: what is equal in gain and length leaves the heap by that order.
    private static IEnumerable<string> Order(IEnumerable<string> tokens, int capacity = 0)
    {
        string[] known = [.. tokens];
        var order = new HashedOrder(capacity);
        foreach (var token in known) order.Add(Convert.FromHexString(token));
        return order.Walk().Select(key => known[key]);
    }

    private static long Gain(List<Place> places)
    {
        var gain = 0L;
        Word? word = null;
        var free = 0;
        foreach (var place in places)
        {
            if (place.Word != word) (word, free) = (place.Word, 0);
            if (place.Start < free || place.CutsToken()) continue;
            gain += place.Word.Count * (place.Parts() - 1);
            free = place.End;
        }

        return gain;
    }

    // Covers the token's places; gives the words that changed.
    private static HashSet<Word> Take(List<Place> places, int rank)
    {
        var changed = new HashSet<Word>();
        Word? word = null;
        var number = 0;
        foreach (var place in places)
        {
            if (place.CutsToken()) continue;
            number = place.Word == word ? number + 1 : 0;
            word = place.Word;
            changed.Add(word);
            place.Word.Cover.AsSpan(place.Start..place.End).Fill((rank, number));
        }

        return changed;
    }

    private static PaperModel Open(ModelSource source)
    {
        // Without a folder it picks tokens from files of text.
        var model = new PaperModel(source).With(new GreedTokTraining());
        if (source.Folder is not { } folder) return model;
        if (File.Exists(Path.Combine(folder, GreedTokTraining.FileName))) model.Tokenizes(new GreedTokCodec(source.HexVocabulary(GreedTokTraining.FileName)));
        if (!File.Exists(Path.Combine(folder, "config.json"))) return model;
        var config = source.Json("config.json");
        return model.On("select", (arguments, cancel) =>
        {
            var words = arguments.Lines("lines").Select(line => (Encoding.UTF8.GetBytes(line.Text("word")), line.Member("count").AsLong()));
            var greedy = new GreedTok(words, config.Member("max_token_length").AsInt(), config.Member("min_word_count").AsLong());
            return new CallResults().Add("ranks", [.. greedy.Select(config.Member("steps").AsInt(), cancel).Select(pick => Line.Of(("token", pick.Token), ("gain", pick.Gain)))]);
        });
    }

    /// <summary>A word: its count, the tokens it could hold, and for each byte the rank and number of the token that covers it; (0, 0) is none.</summary>
    private sealed class Word(long count, int length)
    {
        public long Count => count;
        public HashSet<string> Candidates { get; } = [];
        public (int Rank, int Number)[] Cover { get; } = new (int, int)[length];
    }

    private readonly record struct Place(Word Word, int Start, int End)
    {
        /// <summary>True when a token that was taken before reaches over an end of this place.</summary>
        public bool CutsToken() => Joined(Start - 1) || Joined(End - 1);

        /// <summary>Tokens and uncovered bytes that the place would join.</summary>
        public int Parts()
        {
            var uncovered = 0;
            var tokens = new HashSet<(int, int)>();
            foreach (var cover in Word.Cover.AsSpan(Start..End))
            {
                if (cover.Rank == 0) uncovered++;
                else tokens.Add(cover);
            }

            return uncovered + tokens.Count;
        }

        private bool Joined(int left) => left >= 0 && left + 1 < Word.Cover.Length && Word.Cover[left].Rank != 0 && Word.Cover[left] == Word.Cover[left + 1];
    }
}
