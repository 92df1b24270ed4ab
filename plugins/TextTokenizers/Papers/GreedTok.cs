// A Partition Cover Approach to Tokenization. Lim, Tan, Choo, Lauw. arXiv:2501.06246. github.com/PreferredAI/pcatt
// Published layout: config.json (steps, max_token_length, min_word_count). Deviations: none.
using System.Runtime.InteropServices;
using System.Text;
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>Picks, step by step, the byte string that joins most still separate neighbours of the corpus' words, given what was picked before.</summary>
internal sealed class GreedTok
{
    public static ModelArchitecture Architecture { get; } = Paper.Row(
        Paper.Tokenizer("greedtok", "A Partition Cover Approach to Tokenization", "2501.06246", ["Jia Peng Lim", "Shawn Tan", "Davin Choo", "Hady W. Lauw"], "PreferredAI/pcatt")
            with { Layouts = ["config.json"] },
        Open);

    private readonly List<Word> _words = [];
    private readonly Dictionary<string, List<Place>> _places = [];

    /// <param name="words">Words and how often each occurs.</param>
    /// <param name="maxTokenLength">Candidates are shorter than this, in bytes: the bound is exclusive in the authors' code.</param>
    /// <param name="minWordCount">Rarer words give no candidates.</param>
    public GreedTok(IEnumerable<(byte[] Bytes, long Count)> words, int maxTokenLength, long minWordCount)
    {
        foreach (var (bytes, count) in words)
        {
            var word = new Word(count, new (int, int)[bytes.Length]);
            _words.Add(word);
            if (count < minWordCount) continue;
            var text = Convert.ToHexStringLower(bytes);
            for (var start = 0; start < bytes.Length; start++)
            {
                for (var end = start + 2; end < Math.Min(maxTokenLength + start, bytes.Length + 1); end++)
                    (CollectionsMarshal.GetValueRefOrAddDefault(_places, text[(2 * start)..(2 * end)], out _) ??= []).Add(new(word, start, end));
            }
        }
    }

    /// <summary>The picked tokens in hexadecimal and the tokens that each saved.</summary>
    public List<(string Token, long Gain)> Select(int steps, CancellationToken cancel)
    {
        // Gains only fall as more is picked, so the best of the queue is looked at again until its gain is true (lazy greedy).
        var queue = new PriorityQueue<string, (long, int, string)>(_places.Count);
        foreach (var (token, places) in _places) queue.Enqueue(token, Rank(token, Gain(places)));
        var picked = new List<(string, long)>();
        while (picked.Count < steps && queue.TryDequeue(out var token, out var rank))
        {
            cancel.ThrowIfCancellationRequested();
            var gain = Gain(_places[token]);
            if (gain != -rank.Item1)
            {
                queue.Enqueue(token, Rank(token, gain));
                continue;
            }

            picked.Add((token, gain));
            Take(_places[token], picked.Count);
        }

        return picked;
    }

    // More gain first, then the shorter token, then the smaller bytes.
    private static (long, int, string) Rank(string token, long gain) => (-gain, token.Length, token);

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

    private static void Take(List<Place> places, int rank)
    {
        Word? word = null;
        var number = 0;
        foreach (var place in places)
        {
            if (place.CutsToken()) continue;
            number = place.Word == word ? number + 1 : 0;
            word = place.Word;
            place.Word.Cover.AsSpan(place.Start..place.End).Fill((rank, number));
        }
    }

    private static PaperModel Open(ModelSource source)
    {
        var config = source.Json("config.json");
        return new PaperModel(source).On("select", (arguments, cancel) =>
        {
            var words = arguments.Lines("lines").Select(line => (Encoding.UTF8.GetBytes(line.Text("word")), line.Member("count").GetInt64()));
            var greedy = new GreedTok(words, config.Member("max_token_length").GetInt32(), config.Member("min_word_count").GetInt64());
            return new CallResults().Add("ranks", [.. greedy.Select(config.Member("steps").GetInt32(), cancel).Select(pick => Line.Of(("token", pick.Token), ("gain", pick.Gain)))]);
        });
    }

    /// <summary>A word: its count, and for each byte the rank and number of the token that covers it; (0, 0) is none.</summary>
    private sealed record Word(long Count, (int Rank, int Number)[] Cover);

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
