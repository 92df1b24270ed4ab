// Multi-Word Tokenization for Sequence Compression. Gee, Rigutini, Ernandes, Zugarini. arXiv:2402.09949. github.com/LeonidasY/fast-vocabulary-transfer (mwt/mwt.py, fvt/fvt.py)
// Published layout: tokenizer.json (with the n-grams as added tokens) and ngram_vocab.json (or without it), general/tokenizer.json and general/embeddings.safetensors of the general model. Deviations: none.
using ModelZoo.Contracts;
using ModelZoo.Networks.Strings;
using ModelZoo.Plugins.TextTokenizers.Pipeline;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>Frequent word n-grams become single tokens, and their embeddings the mean of what they were made of (fast vocabulary transfer).</summary>
internal sealed class MultiWord(PipelineTokenizer tokenizer, PipelineTokenizer general, IReadOnlyDictionary<string, int> ngrams) : ITextCodec
{
    private const string Joint = "\u2017";     // between the words of an n-gram
    private const string Blank = "\u2581";     // stands for a blank while words are joined
    private const string Vocabulary = "ngram_vocab.json";      // n-grams and their lengths, where they are published by themselves

    public static ModelArchitecture Architecture { get; } = Paper.Row(
        Paper.Tokenizer("mwt", "Multi-Word Tokenization for Sequence Compression", "2402.09949", ["Leonidas Gee", "Leonardo Rigutini", "Marco Ernandes", "Andrea Zugarini"], "LeonidasY/fast-vocabulary-transfer", "Apache-2.0")
            with { Layouts = ["tokenizer.json + general/tokenizer.json + general/embeddings.safetensors"] },
        source =>
        {
            var tokenizers = new TokenizerSet(source);
            var published = tokenizers["tokenizer.json"];
            var ngrams = File.Exists(Path.Combine(tokenizers.Folder, Vocabulary))
                ? source.Json(Vocabulary).AsMembers().ToDictionary(ngram => ngram.Name, ngram => ngram.Value.AsInt())
                : published.AddedTokenList.Where(token => token.Content.Contains(Joint)).ToDictionary(token => token.Content, token => token.Content.Split(Joint).Length);
            var words = new MultiWord(published, tokenizers["general/tokenizer.json"], ngrams);
            return new PaperModel(source)
                .OnLines("learn_ngrams", line =>
                {
                    // What is learned holds for the calls that follow.
                    var learned = words.Learn(line.Texts("texts"), line.Member("options").Ints("n"), line.Option("top_k", int.MaxValue));
                    words = words.With(learned);
                    return Line.Of(("ngrams", learned));
                })
                .OnLines("encode", line =>
                {
                    var joined = words.Join(line.Text("text"));
                    var encoding = words.Tokenizer.EncodePlain(joined);
                    return Line.Of(("preprocessed", joined), ("tokens", encoding.Tokens), ("ids", encoding.Ids));
                })
                .OnLines("tokens_mapping", line => Line.Of(("old_ids", words.OldIds(line.Text("token")))))
                .On("embeddings_assignment", arguments => new CallResults().Add("in_matrix", words.Assign(arguments.TensorTable("embeddings").Values.Single().As<float>())))
                .Tokenizes(words);
        });

    // islower() of the reference: the mark of a blank in byte-level tokens is a capital letter.
    private readonly bool _lowerCase = tokenizer.EncodePlain("A").Tokens is [var first, ..] && first.Any(char.IsLower) && !first.Any(char.IsUpper);

    private PipelineTokenizer Tokenizer => tokenizer;

    public int VocabularySize => tokenizer.IdLimit;

    public string VocabularyDigest => tokenizer.VocabularyDigest;

    public int[] Encode(string text) => [.. tokenizer.EncodePlain(Join(text)).Ids];

    /// <remarks>No places where lower case has more or fewer letters than the text.</remarks>
    public IReadOnlyList<PlacedToken>? Place(string text)
    {
        var lower = _lowerCase ? PythonText.Lower(text) : text;
        if (lower.Length != text.Length) return null;
        var joined = Join(text);
        var from = Origins(lower, joined);
        var encoding = tokenizer.Encode(joined, options: new() { AddSpecialTokens = false, NoTruncation = true, NoPadding = true });
        return [.. encoding.Ids.Zip(encoding.Offsets, (id, place) => place.End > place.Start ? new PlacedToken(id, from[place.Start].Start, from[place.End - 1].End) : new PlacedToken(id, 0, 0))];
    }

    public string Decode(ReadOnlySpan<int> ids) => tokenizer.Decode(ids).Replace(Joint, " ", StringComparison.Ordinal);

    /// <summary>The same with n-grams as added tokens.</summary>
    public MultiWord With(IEnumerable<(string Text, int Length)> learned)
    {
        var known = learned.ToDictionary(ngram => ngram.Text, ngram => ngram.Length);
        var added = tokenizer.AddedTokenList.Concat(known.Keys.Select(text => new AddedToken(text) { Normalized = true })).ToList();
        var extended = new PipelineTokenizer(tokenizer.Model, added, tokenizer.Normalizer) { PreTokenizer = tokenizer.PreTokenizer, PostProcessor = tokenizer.PostProcessor, Decoder = tokenizer.Decoder };
        return new(extended, general, known);
    }

    /// <summary>The most frequent n-grams and their lengths; longer ones come first among equals, then those seen first.</summary>
    public List<(string Text, int Length)> Learn(IEnumerable<string> texts, int[] lengths, int top)
    {
        var words = texts.Select(text => Words(_lowerCase ? PythonText.Lower(text) : text)).ToList();
        var counts = new OrderedDictionary<string, (int Count, int Length)>();
        foreach (var length in lengths.OrderDescending())
        {
            foreach (var line in words)
            {
                for (var i = 0; i + length <= line.Count; i++)
                {
                    var text = string.Join(Joint, line.Skip(i).Take(length));
                    counts[text] = (counts.GetValueOrDefault(text).Count + 1, length);
                }
            }
        }

        return [.. counts.OrderByDescending(pair => pair.Value.Count).Take(Math.Max(1, top)).Select(pair => (pair.Key, pair.Value.Length))];
    }

    /// <summary>The text with each known n-gram joined, the longest first. White space other than blanks is lost, as in the reference.</summary>
    public string Join(string text)
    {
        var words = Words((_lowerCase ? PythonText.Lower(text) : text).Replace(" ", " " + Blank, StringComparison.Ordinal));
        foreach (var length in ngrams.Values.Distinct().OrderDescending()) words = Join(words, length);
        return string.Concat(words).Replace(Blank, " ", StringComparison.Ordinal);
    }

    // What each unit of a joined text comes from: a joint from the white space between two words, all else from itself; white space that was lost from nothing.
    private static (int Start, int End)[] Origins(string text, string joined)
    {
        var from = new (int Start, int End)[joined.Length];
        var at = 0;
        for (var i = 0; i < joined.Length; i++)
        {
            var isJoint = joined[i] == Joint[0] && (at == text.Length || text[at] != Joint[0]);
            while (!isJoint && at < text.Length && text[at] != joined[i] && PythonText.IsSpace(text[at])) at++;
            var start = at;
            if (!isJoint) at = Math.Min(at + 1, text.Length);
            else while (at < text.Length && PythonText.IsSpace(text[at])) at++;
            from[i] = (start, at);
        }

        return from;
    }

    /// <summary>The general tokenizer's ids for a token: its own, or those of its text without the mark.</summary>
    public int[] OldIds(string token)
    {
        if (general.IdOf(token) is { } same) return [same];
        if (token.StartsWith("##", StringComparison.Ordinal)) token = token[2..];
        else if (token.StartsWith('\u0120') || token.StartsWith('\u2581')) token = token[1..];
        return ngrams.ContainsKey(token) ? [.. token.Split(Joint).SelectMany(word => general.EncodePlain(word).Ids)] : [.. general.EncodePlain(token).Ids];
    }

    /// <summary>Embeddings (V_new, D) as means of the general model's (V, D); a token without parts is zero.</summary>
    public Tensor<float> Assign(Tensor<float> embeddings)
    {
        var width = (int)embeddings.Shape[1];
        var matrix = Tensor.Zeros<float>(tokenizer.IdLimit, width);
        foreach (var id in tokenizer.Ids)
        {
            var old = OldIds(tokenizer.TokenOf(id)!);
            for (var column = 0; column < width && old.Length > 0; column++) matrix[id, column] = (float)(old.Sum(row => (double)embeddings[row, column]) / old.Length);
        }

        return matrix;
    }

    private List<string> Join(List<string> words, int length)
    {
        var joined = new List<string>();
        var start = 0;
        for (var i = 0; i < words.Count; i++)
        {
            if (i < start) continue;
            var ngram = string.Join(Joint, words.Skip(i).Take(length));
            var plain = ngram.Replace(Blank, "", StringComparison.Ordinal);
            if (!ngrams.ContainsKey(plain)) continue;
            joined.AddRange(words[start..i]);
            joined.Add(ngram.StartsWith(Blank, StringComparison.Ordinal) ? Blank + plain : plain);
            start = Math.Min(words.Count, i + length);
        }

        joined.AddRange(words[start..]);
        return joined;
    }

    // Runs between white space; each CJK ideograph by itself.
    private static List<string> Words(string text)
    {
        var words = new List<string>();
        foreach (var run in PythonText.Words(text))
        {
            var start = 0;
            for (var i = 0; i < run.Length; i++)
            {
                if (run[i] is < '\u4E00' or > '\u9FFF') continue;
                if (i > start) words.Add(run[start..i]);
                words.Add(run[i..(i + 1)]);
                start = i + 1;
            }

            if (start < run.Length) words.Add(run[start..]);
        }

        return words;
    }
}
