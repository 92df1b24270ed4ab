// Retrofitting (Large) Language Models with Dynamic Tokenization. Feher, Vulić, Minixhofer. arXiv:2411.18553. github.com/DariusFeher/dynamic-tokenization
// Published layout: the model's tokenizer.json. Deviations: the hypernetwork that embeds new tokens is that of zett.
using System.Text;
using ModelZoo.Contracts;
using ModelZoo.Networks.Strings;
using ModelZoo.Plugins.TextTokenizers.Pipeline;

namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>Goes on merging the commonest pairs of neighbours within a batch, never over the edges that the boundary sets.</summary>
internal sealed class DynamicBpe(PipelineTokenizer tokenizer)
{
    private const string Begin = "<s>";
    private const string SpaceLike = "\u0109\u0120\u010A";     // tab, space and line feed in the byte alphabet
    private const string Punctuation = ".,!?;:()-\"'\\/`$%&*+<=>@[]^_{|}~";

    public static ModelArchitecture Architecture { get; } = Paper.Row(
        Paper.Tokenizer("dynamic-tokenization", "Retrofitting (Large) Language Models with Dynamic Tokenization", "2411.18553", ["Darius Feher", "Ivan Vulić", "Benjamin Minixhofer"], "DariusFeher/dynamic-tokenization", "none stated")
            with { Layouts = ["tokenizer.json"], Deviations = "Tokens only; zett embeds them." },
        source =>
        {
            var tokenizer = new TokenizerSet(source)["tokenizer.json"];
            var dynamic = new DynamicBpe(tokenizer);
            return new PaperModel(source).OnLines("tokenize_batch", line =>
                Line.Of(("tokens", dynamic.Tokenize(line.Texts("batch"), line.Option("max_merges", 1000), line.Option("boundary")?.AsText() ?? "pretokens"))))
                .With(new DynamicVerbs(source.Id.ToString(), dynamic, tokenizer));
        });

    private readonly HashSet<string> _special = [.. tokenizer.AddedTokens.Values.Where(token => token.Special).Select(token => token.Content)];
    private readonly HashSet<string> _punctuation = [.. tokenizer.Ids.Select(id => tokenizer.TokenOf(id)!).Where(token => token.Any(letter => Punctuation.Contains(letter)) && !token.Any(char.IsDigit))];

    /// <summary>The tokens of each text after at most so many merges; ties go to the pair that the batch shows first.</summary>
    public List<List<string>> Tokenize(IEnumerable<string> batch, int merges, string boundary)
    {
        var texts = batch.Select(text => new List<string>([Begin, .. tokenizer.EncodePlain(text).Tokens])).ToList();
        var allowed = new Dictionary<(string, string), bool>();
        for (; merges > 0; merges--)
        {
            var counts = new OrderedDictionary<(string Left, string Right), int>();
            foreach (var pair in texts.SelectMany(tokens => tokens.Zip(tokens.Skip(1))))
            {
                if (!allowed.TryGetValue(pair, out var may)) allowed.Add(pair, may = MayMerge(pair.First, pair.Second, boundary));
                if (may) counts[pair] = counts.GetValueOrDefault(pair) + 1;
            }

            if (counts.Count == 0) break;
            var best = counts.MaxBy(pair => pair.Value).Key;
            foreach (var tokens in texts) Merge(tokens, best.Left, best.Right);
        }

        return texts;
    }

    private bool MayMerge(string left, string right, string boundary)
    {
        // White space stands at the start of a token only, unless there is nothing else; two line feeds stay apart.
        var joined = left + right;
        if (joined[1..].AsSpan().IndexOfAny(SpaceLike) >= 0 && (joined == "\u010A\u010A" || !joined.All(letter => SpaceLike.Contains(letter)))) return false;
        var special = _special.Contains(left) || _special.Contains(right);
        if (boundary == "sentence") return !special;
        var bytes = new List<byte>();
        if (!ByteAlphabet.TryDecode(Encoding.UTF8.GetBytes(joined), bytes)) throw new MediaException(ErrorCodes.TokensInvalid, "A token is not in the byte alphabet.") { Found = joined };
        string text;
        try
        {
            text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString([.. bytes]);
        }
        catch (DecoderFallbackException)
        {
            return true;       // part of a character: nothing can be said
        }

        if (boundary == "pretokens") return (tokenizer.PreTokenizer ?? throw new CheckpointException(ErrorCodes.ConfigInvalid, "The tokenizer cuts no pre-tokens.") { Remedy = "Choose another boundary." }).PreTokenize(text).Count == 1;
        var oneWord = PythonText.Words(text).Count == 1 && !special;
        return boundary switch
        {
            "word" => oneWord,
            "word_hyphen" => oneWord && (_punctuation.Contains(left) || !_punctuation.Contains(right) || right == "-"),
            _ => throw new ModelZooException(ErrorCodes.VerbUnsupported, $"There is no boundary '{boundary}'."),
        };
    }

    private static void Merge(List<string> tokens, string left, string right)
    {
        for (var i = 0; i + 1 < tokens.Count; i++)
        {
            if (tokens[i] != left || tokens[i + 1] != right) continue;
            tokens[i] = left + right;
            tokens.RemoveAt(i + 1);
        }
    }
}
