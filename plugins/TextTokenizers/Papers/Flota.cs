// An Embarrassingly Simple Method to Mitigate Undesirable Properties of Pretrained Language Model Tokenizers. Hofmann, Schütze, Pierrehumbert. ACL 2022. github.com/valentinhofmann/flota
// Published layout: vocab.json (list of entries) and config.json (model, special, max_len). Deviations: the modes "first" and "longest" need the model's own tokenizer and are not here.
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Text;
using ModelZoo.Contracts;
using ModelZoo.Networks.Strings;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>Options of FLOTA.</summary>
public sealed record FlotaOptions : ModelOptions
{
    /// <summary>Most entries of a word.</summary>
    [Description("Most entries that are taken of a word, 0 for all; what they do not cover is left out."), Range(0, 1000)]
    public int K { get; init; } = 3;

    /// <summary>Whether continuations are kept away from the start.</summary>
    [Description("Keep entries for continuations away from the start of a word (BERT).")]
    public bool Strict { get; init; }
}

/// <summary>Few longest token approximation: takes the longest entries anywhere in a word until k are taken.</summary>
/// <param name="vocabulary">Entries of the pretrained tokenizer.</param>
/// <param name="special">Its mark: <c>##</c> for continuations, or a mark of word starts.</param>
/// <param name="marksContinuation">True when the mark stands on continuations (BERT), false when on word starts.</param>
/// <param name="maxLength">Longest entry that is tried, in code points.</param>
internal sealed class Flota(IReadOnlySet<string> vocabulary, string special, bool marksContinuation, int maxLength)
{
    // Overwrites what is taken; a word's own dash is therefore never matched.
    private const string Taken = "-";

    public static ModelArchitecture Architecture { get; } = Paper.Row(
        Paper.Tokenizer("flota", "An Embarrassingly Simple Method to Mitigate Undesirable Properties of Pretrained Language Model Tokenizers", null,
            ["Valentin Hofmann", "Hinrich Schütze", "Janet B. Pierrehumbert"], "valentinhofmann/flota", "MIT")
            with { Layouts = ["vocab.json + config.json"], Deviations = "The modes 'first' and 'longest' are not offered." },
        Open);

    /// <summary>At most <paramref name="k"/> entries of a word, all there are when that is 0, in order of place. <paramref name="strict"/> keeps continuations away from the first place (BERT).</summary>
    public List<string> Tokenize(string word, int k, bool strict) => [.. Find(word, k, strict).Select(found => found.Entry)];

    /// <summary>The entries of a word, each with the UTF-16 units of the word that it stands for.</summary>
    public List<(string Entry, int Start, int End)> Find(string word, int k, bool strict)
    {
        var (first, second) = marksContinuation ? (word, special + word) : (special + word, word);
        if (vocabulary.Contains(first)) return [(first, 0, word.Length)];
        if (vocabulary.Contains(second)) return [(second, 0, word.Length)];

        var letters = Scalars.Split(word);
        var units = new int[letters.Length + 1];
        for (var i = 0; i < letters.Length; i++) units[i + 1] = units[i] + letters[i].Length;
        var found = new SortedDictionary<int, (string, int, int)>();
        while (LongestEntry(letters, strict) is { } match)
        {
            found[match.Start] = (match.Entry, units[match.Start], units[match.Start + match.Width]);
            Array.Fill(letters, Taken, match.Start, match.Width);
            if (--k == 0) break;
        }

        return [.. found.Values];
    }

    // Words of entries: an entry without the mark of a continuation, or with the mark of a start, begins one.
    private string Join(IEnumerable<string> entries) => string.Concat(entries.Select(entry =>
    {
        var marked = entry.StartsWith(special, StringComparison.Ordinal);
        return (marked == marksContinuation ? "" : " ") + (marked ? entry[special.Length..] : entry);
    })).TrimStart();

    /// <summary>Runs of letters, digits and underscores, and every other character that is no white space by itself.</summary>
    public static List<string> Words(string text)
    {
        var words = new List<string>();
        var goesOn = false;
        foreach (var rune in text.EnumerateRunes())
        {
            var isWord = Rune.IsLetterOrDigit(rune) || rune.Value == '_' || Rune.GetUnicodeCategory(rune) is UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber;
            if (goesOn && isWord) words[^1] += rune;
            else if (isWord || !rune.IsBmp || !PythonText.IsSpace((char)rune.Value)) words.Add(rune.ToString());
            goesOn = isWord;
        }

        return words;
    }

    private (string Entry, int Start, int Width)? LongestEntry(string[] letters, bool strict)
    {
        for (var width = Math.Min(letters.Length, maxLength); width > 0; width--)
        {
            for (var start = 0; start + width <= letters.Length; start++)
            {
                if (letters[start] == Taken) continue;
                var plain = Scalars.Join(letters.AsSpan(start, width));
                var marked = special + plain;
                var atStart = start == 0;
                var (first, second) = atStart != marksContinuation ? (marked, plain) : (plain, marked);
                if (vocabulary.Contains(first)) return (first, start, width);
                if (vocabulary.Contains(second) && !(marksContinuation && atStart && strict)) return (second, start, width);
            }
        }

        return null;
    }

    private static PaperModel Open(ModelSource source)
    {
        var config = source.Json("config.json");
        string[] entries = [.. source.Json("vocab.json").AsList().Select(entry => entry.AsText())];
        var flota = new Flota(entries.ToHashSet(), config.Text("special"), config.Text("model").StartsWith("bert", StringComparison.Ordinal), config.Member("max_len").AsInt());
        return new PaperModel(source)
            .OnLines("encode", line => Line.Of(("tokens", flota.Tokenize(line.Text("word"), line.Option("k", 3), line.Option("strict", false)))))
            .Tokenizes<FlotaOptions>(options => new Codec(flota, entries, options));
    }

    // What no entry covers is left out, as the method has it.
    private sealed class Codec(Flota flota, string[] entries, FlotaOptions options) : ITextCodec
    {
        private readonly Dictionary<string, int> _ids = entries.Index().DistinctBy(entry => entry.Item).ToDictionary(entry => entry.Item, entry => entry.Index);

        public int VocabularySize => entries.Length;

        public string VocabularyDigest => Published.Digest(entries);

        public int[] Encode(string text) => PlacedToken.Ids(Place(text));

        public IReadOnlyList<PlacedToken> Place(string text) =>
            [.. TokenPlaces.Locate(text, Words(text)).SelectMany(word => flota.Find(word.Word, options.K, options.Strict).Select(found => new PlacedToken(_ids[found.Entry], word.Start + found.Start, word.Start + found.End)))];

        public string Decode(ReadOnlySpan<int> ids) => flota.Join(ids.ToArray().Select(id => entries[id]));
    }
}
