// Boundless Byte Pair Encoding: Breaking the Pre-tokenization Barrier. Schmidt, Reddy, Tanner, Pinter. arXiv:2504.00178. github.com/kensho-technologies/boundlessbpe
// Published layout: boundless.model, the authors' text format. Deviations: none.
using System.Globalization;
using System.Text;
using System.Text.Json;
using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Pipeline;
using ModelZoo.Plugins.TextTokenizers.Regex;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>BPE that also merges whole pre-tokens with their neighbours; encoding replays merges, deletions and supermerges in the order of training. Tokens are bytes as Latin-1 text.</summary>
internal sealed class BoundlessBpe : ITextCodec
{
    private const int Tables = 6;      // vocabulary, special tokens, merges, deletions, supermerges, superword deletions

    public static ModelArchitecture Architecture { get; } = Paper.Row(
        Paper.Tokenizer("boundlessbpe", "Boundless Byte Pair Encoding: Breaking the Pre-tokenization Barrier", "2504.00178", ["Craig W. Schmidt", "Varshini Reddy", "Chris Tanner", "Yuval Pinter"], "kensho-technologies/boundlessbpe", "Apache-2.0")
            with { Layouts = ["boundless.model"] },
        source =>
        {
            var bpe = new BoundlessBpe(source.Lines("boundless.model"));
            return new PaperModel(source)
                .On("train", (arguments, cancel) =>
                {
                    var trainer = new BoundlessBpeTrainer(
                        arguments.Lines("lines").Select(line => line.Text("text")), BoundlessPatterns.Named(arguments.Literal("pattern", BoundlessPatterns.Ultimate)), arguments.Literal("tau", 0.9), arguments.Literal("blowup", true));
                    return new CallResults().Add("operations", [.. trainer.Train(arguments.Literal<int>("vocab_size"), cancel).Select((step, index) =>
                        Line.Of(("index", index), ("kind", step.Kind), ("tokens", step.Tokens.Select(Show))))]);
                })
                .OnLines("encode", line =>
                {
                    var (text, blowUp, allowed) = (line.Text("text"), line.Option("blowup", true), line.Option("allowed_special")?.ToString() ?? "none_raise");
                    if (allowed == "none_raise" && bpe._special.Keys.Any(text.Contains)) return Line.Of(("error", "The text holds a special token."));
                    var ids = allowed == "all" ? bpe.EncodeWithSpecial(text, blowUp) : [.. bpe.Tokens(text, blowUp).Select(token => bpe._ids[token])];
                    return allowed == "all" ? Line.Of(("ids", ids), ("decoded", bpe.Decode(ids)))
                        : Line.Of(("tokens", ids.Select(id => Show(bpe._vocabulary[id]))), ("ids", ids), ("decoded", bpe.Decode(ids)));
                })
                .Tokenizes(bpe);
        });

    private readonly TextRegex _pattern;
    private readonly Dictionary<string, int> _ids;
    private readonly List<string> _vocabulary;
    private readonly Dictionary<(string, string), int> _merges = [], _supermerges = [];
    private readonly Dictionary<string, int> _deletions = [];
    private readonly Dictionary<string, int> _special;

    /// <summary>Reads "word v1", the pattern as JSON, and six tables: a count, then an index and tokens a line.</summary>
    public BoundlessBpe(string[] lines)
    {
        try
        {
            if (lines[0] != "word v1") throw new CheckpointException(ErrorCodes.CheckpointMalformed, "The model is of another version.") { Expected = "word v1", Found = lines[0] };
            _pattern = new(JsonElement.Parse(lines[1]).AsText(), RegexFlavor.Rust);
            var at = 2;
            var tables = new List<(int Index, string[] Tokens)>[Tables];
            for (var table = 0; table < Tables; table++)
            {
                var count = int.Parse(lines[at++], CultureInfo.InvariantCulture);
                tables[table] = [.. lines[at..(at + count)].Select(line => line.Split(' ')).Select(parts => (int.Parse(parts[0], CultureInfo.InvariantCulture), parts[1..]))];
                at += count;
            }

            _vocabulary = [.. tables[0].OrderBy(row => row.Index).Select(row => Read(row.Tokens[0]))];
            _ids = tables[0].ToDictionary(row => Read(row.Tokens[0]), row => row.Index);
            _special = tables[1].ToDictionary(row => string.Join(' ', row.Tokens), row => row.Index);
            foreach (var (index, tokens) in tables[2]) _merges[(Read(tokens[0]), Read(tokens[1]))] = index;
            foreach (var (index, tokens) in tables[3]) _deletions[Read(tokens[0])] = index;
            foreach (var (index, tokens) in tables[4]) _supermerges[(Read(tokens[0]), Read(tokens[1]))] = index;
        }
        catch (Exception error) when (error is FormatException or IndexOutOfRangeException or ArgumentOutOfRangeException or JsonException)
        {
            throw new CheckpointException(ErrorCodes.CheckpointMalformed, "The model's tables cannot be read.", error) { Where = "boundless.model" };
        }
    }

    public int VocabularySize => _vocabulary.Count;

    public string VocabularyDigest => Published.Digest(_vocabulary);

    public int[] Encode(string text) => [.. Tokens(text, blowUp: true).Select(token => _ids[token])];

    public string Decode(ReadOnlySpan<int> ids)
    {
        var bytes = new List<byte>();
        foreach (var id in ids) bytes.AddRange(Spelling(id));
        return Encoding.UTF8.GetString([.. bytes]);
    }

    public byte[] Spelling(int id) => id < _vocabulary.Count ? Encoding.Latin1.GetBytes(_vocabulary[id]) : Encoding.UTF8.GetBytes(_special.First(token => token.Value == id).Key);

    /// <summary>The tokens: again and again the operation of the lowest index after the last one that applies anywhere. A deleted token becomes bytes, or, without <paramref name="blowUp"/>, the pair that made it.</summary>
    public List<string> Tokens(string text, bool blowUp)
    {
        var chunks = Cut(text, _pattern).Select(chunk => chunk.Select(unit => unit.ToString()).ToList()).ToList();
        for (var done = -1; ;)
        {
            var next = int.MaxValue;
            Action? apply = null;
            void Offer(int index, Action action)
            {
                if (index > done && index < next) (next, apply) = (index, action);
            }

            foreach (var chunk in chunks)
            {
                for (var i = 0; i < chunk.Count; i++)
                {
                    var token = chunk[i];
                    if (_deletions.TryGetValue(token, out var deletion)) Offer(deletion, () => Delete(chunks, token, blowUp));
                    if (i + 1 < chunk.Count && (token, chunk[i + 1]) is var pair && _merges.TryGetValue(pair, out var merge)) Offer(merge, () => chunks.ForEach(tokens => Join(tokens, pair)));
                }
            }

            for (var i = 0; i + 1 < chunks.Count; i++)
            {
                if (chunks[i] is [var left] && chunks[i + 1] is [var right] && _supermerges.TryGetValue((left, right), out var super)) Offer(super, () => JoinChunks(chunks, left, right));
            }

            if (apply is null) return [.. chunks.SelectMany(chunk => chunk)];
            apply();
            done = next;
        }
    }

    /// <summary>The ids of a text in which special tokens are cut out first.</summary>
    public int[] EncodeWithSpecial(string text, bool blowUp)
    {
        var ids = new List<int>();
        while (text.Length > 0)
        {
            var (start, token) = _special.Keys.Select(token => (Start: text.IndexOf(token, StringComparison.Ordinal), Token: token)).Where(found => found.Start >= 0).DefaultIfEmpty((text.Length, "")).Min();
            ids.AddRange(Tokens(text[..start], blowUp).Select(piece => _ids[piece]));
            if (token.Length > 0) ids.Add(_special[token]);
            text = text[(start + token.Length)..];
        }

        return [.. ids];
    }

    /// <summary>The pre-tokens of a text, as bytes in Latin-1.</summary>
    public static IEnumerable<string> Cut(string text, TextRegex pattern)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        var chunks = new List<string>();
        var search = pattern.Matches(bytes);
        while (search.Next(out var start, out var end)) chunks.Add(Encoding.Latin1.GetString(bytes.AsSpan(start..end)));
        return chunks;
    }

    /// <summary>Joins a pair wherever it stands, from the left; true when it stood anywhere.</summary>
    public static int Join(List<string> tokens, (string Left, string Right) pair)
    {
        var joined = 0;
        for (var i = 0; i + 1 < tokens.Count; i++)
        {
            if (tokens[i] != pair.Left || tokens[i + 1] != pair.Right) continue;
            tokens[i] = pair.Left + pair.Right;
            tokens.RemoveAt(i + 1);
            joined++;
        }

        return joined;
    }

    /// <summary>A token in the byte alphabet.</summary>
    public static string Show(string token) => ByteAlphabet.Encode(Encoding.Latin1.GetBytes(token));

    private void Delete(List<List<string>> chunks, string token, bool blowUp)
    {
        List<string> parts = [.. token.Select(unit => unit.ToString())];
        if (!blowUp)
        {
            var (left, right) = _merges.Where(merge => merge.Key.Item1 + merge.Key.Item2 == token).MinBy(merge => merge.Value).Key;
            parts = [left, right];
        }

        for (var i = 0; i < chunks.Count; i++)
        {
            if (chunks[i].Contains(token)) chunks[i] = [.. chunks[i].SelectMany(item => item == token ? parts : [item])];
        }
    }

    private static void JoinChunks(List<List<string>> chunks, string left, string right)
    {
        for (var i = 0; i + 1 < chunks.Count; i++)
        {
            if (chunks[i] is not [var a] || chunks[i + 1] is not [var b] || a != left || b != right) continue;
            chunks[i] = [left + right];
            chunks.RemoveAt(i + 1);
        }
    }

    private static string Read(string shown)
    {
        var bytes = new List<byte>();
        return ByteAlphabet.TryDecode(Encoding.UTF8.GetBytes(shown), bytes) ? Encoding.Latin1.GetString([.. bytes]) : throw new FormatException($"'{shown}' is not in the byte alphabet");
    }
}
