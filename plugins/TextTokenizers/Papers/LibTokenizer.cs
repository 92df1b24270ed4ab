// Rethinking Tokenization: Crafting Better Tokenizers for Large Language Models. Yang. arXiv:2403.00417. github.com/ray306/LiB
// Published layout: lexicon.json, the learned units in order of priority. Deviations: the learner, whose draws are random, is not here.
// The published code defines its reading twice; the later definition, longest match, is the one that runs.
using ModelZoo.Contracts;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>Reads text with an ordered lexicon: the longest unit at each place, and, when asked to, each unit again as better ones.</summary>
internal sealed class LibTokenizer
{
    public static ModelArchitecture Architecture { get; } = Paper.Row(
        Paper.Tokenizer("lib-tokenizer", "Rethinking Tokenization: Crafting Better Tokenizers for Large Language Models", "2403.00417", ["Jinbiao Yang"], "ray306/LiB", "MIT")
            with { Layouts = ["lexicon.json"] },
        source => Open(source, [.. source.Json("lexicon.json").AsList().Select(unit => unit.AsText())]));

    private readonly string[] _lexicon;
    private readonly Dictionary<string, int> _priority;
    private readonly int _longest;

    /// <param name="lexicon">Units, best first.</param>
    public LibTokenizer(string[] lexicon)
    {
        _lexicon = lexicon;
        _priority = lexicon.Select((unit, place) => (unit, place)).ToDictionary(pair => pair.unit, pair => pair.place);
        _longest = lexicon.Length == 0 ? 0 : lexicon.Max(unit => Scalars.Count(unit));
    }

    /// <summary>The units of <paramref name="text"/>, each of at most <paramref name="maxLength"/> code points; <paramref name="decompose"/> splits units into better ones.</summary>
    public List<string> Segment(string text, int maxLength, bool decompose)
    {
        var sentence = Scalars.Split(text);
        var chunks = new List<string>();
        for (var i = 0; i < sentence.Length;)
        {
            var width = Math.Max(1, Longest(sentence.AsSpan(i, Math.Min(maxLength, sentence.Length - i))));
            chunks.Add(Scalars.Join(sentence.AsSpan(i, width)));
            i += width;
        }

        return decompose ? [.. chunks.SelectMany(chunk => Decompose(chunk, 2))] : chunks;
    }

    private int Priority(string chunk) => _priority.GetValueOrDefault(chunk, _lexicon.Length);

    // A unit becomes the best pair of units that both have a better place than itself, and so on `levels` deep.
    private List<string> Decompose(string chunk, int levels)
    {
        var letters = Scalars.Split(chunk);
        (int A, int B, string Left, string Right)? best = null;
        for (var width = letters.Length;;)
        {
            width = Longest(letters.AsSpan(0, Math.Max(0, width - 1)));
            if (width > 0)
            {
                var (left, right) = (Scalars.Join(letters.AsSpan(0, width)), Scalars.Join(letters.AsSpan(width)));
                if (_priority.TryGetValue(right, out var b) && (best is not { } known || (_priority[left], b).CompareTo((known.A, known.B)) < 0))
                    best = (_priority[left], b, left, right);
            }

            if (width <= 1) break;
        }

        if (best is not { } pair || Math.Max(pair.A, pair.B) >= Priority(chunk)) return [chunk];
        return levels == 1 ? [pair.Left, pair.Right] : [.. Decompose(pair.Left, levels - 1), .. Decompose(pair.Right, levels - 1)];
    }

    // Width of the longest unit that the window begins with; 0 when there is none.
    private int Longest(ReadOnlySpan<string> window)
    {
        for (var width = Math.Min(window.Length, _longest); width > 0; width--)
        {
            if (_priority.ContainsKey(Scalars.Join(window[..width]))) return width;
        }

        return 0;
    }

    private static PaperModel Open(ModelSource source, string[] lexicon)
    {
        var reader = new LibTokenizer(lexicon);
        return new PaperModel(source)
            .OnLines("segment", line => Line.Of(("chunks", new[] { reader.Segment(line.Text("text"), line.Option("max_len", 10), line.Option("decompose", false)) })))
            .Tokenizes(new PieceCodec(lexicon, text => reader.Segment(text, 10, decompose: false)));
    }
}
