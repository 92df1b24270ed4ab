// Scope is all you need: Transforming LLMs for HPC Code. Kadosh, Hasabnis, Vo, Schneider, Krien, Wasay, Ahmed, Willke, Tamir, Pinter, Mattson, Oren. arXiv:2308.09440. github.com/Scientific-Computing-Lab/Tokompiler
// Published layout: vocab.txt. Node kinds are those of tree-sitter-c 0.20.2, which the authors use. Deviations: C alone; numbers are not drawn but given, or follow the order of first sight.
using System.Text;
using System.Text.Json;
using ModelZoo.Contracts;
using ModelZoo.Networks.Strings;

namespace ModelZoo.Plugins.TextTokenizers.Papers.Tokompiler;

/// <summary>Names, numbers and literals of a program become kinds with numbers, and its tokens words of a small closed vocabulary.</summary>
internal sealed class TokompilerTokenizer : ITextCodec
{
    private const int MostNames = 1000;   // of one kind; the authors give up beyond it
    private const int Padding = 1, EndOfSequence = 3, Unknown = 4;

    private static readonly string[] SpecialTokens = ["[PAD]", "[SOS]", "[EOS]", "[UNK]", "[MSK]", "[SEP]", "[CLS]"];
    private static readonly string[] Prefixes = ["var_", "arr_", "func_", "struct_", "field_", "type_", "num_", "char_", "str_", "arg_"];

    private readonly Lexicalizer _lexicalizer = new();
    private readonly Dictionary<string, int> _ids = [];
    private readonly Dictionary<int, string> _words;
    private readonly string[] _entries;

    /// <param name="words">Lines of the published vocabulary; ids begin at 1, with the special tokens.</param>
    public TokompilerTokenizer(IEnumerable<string> words)
    {
        _entries = [.. SpecialTokens, .. words];
        for (var i = 0; i < _entries.Length; i++) _ids[_entries[i]] = i + 1;
        _words = _ids.ToDictionary(pair => pair.Value, pair => pair.Key);
    }

    public static ModelArchitecture Architecture { get; } = Paper.Row(
        Paper.Tokenizer("tokompiler", "Scope is all you need: Transforming LLMs for HPC Code", "2308.09440", ["Tal Kadosh", "Niranjan Hasabnis", "Vy A. Vo", "Nadav Schneider", "Neva Krien", "Abdul Wasay", "Nesreen Ahmed", "Ted Willke", "Guy Tamir", "Yuval Pinter", "Timothy Mattson", "Gal Oren"], "Scientific-Computing-Lab/Tokompiler", "none stated")
            with { Layouts = ["vocab.txt"], Deviations = "C alone, not C++ and Fortran. Numbers of names are given or follow the order of first sight; the authors' code draws them." },
        source =>
        {
            var tokenizer = new TokompilerTokenizer(source.Lines("vocab.txt"));
            return new PaperModel(source).OnLines("encode", tokenizer.Describe).OnLines("encode_lexicalized", tokenizer.EncodePadded).Tokenizes(tokenizer);
        });

    public int VocabularySize => _entries.Length + 1;

    public string VocabularyDigest => Published.Digest(_entries);

    public int[] Encode(string text) => PlacedToken.Ids(Place(text));

    /// <remarks>A token comes from what was exchanged for it, which is not what it names where <see cref="Anonymize"/> exchanges something else.</remarks>
    public IReadOnlyList<PlacedToken> Place(string text)
    {
        var program = _lexicalizer.Read(text);
        var (code, _, stretches) = Anonymize(program, null);
        var source = new ExchangedText(text, program, code, stretches);
        return [.. _lexicalizer.Read(code).PlacedLeaves().SelectMany(leaf =>
        {
            var (start, end) = source.Origin(leaf.Start, leaf.End);
            return Parts(leaf.Text).SelectMany(PythonText.Words).Select(word => new PlacedToken(Id(word), start, end));
        })];
    }

    public string Decode(ReadOnlySpan<int> ids)
    {
        var words = new List<string>(ids.Length);
        foreach (var id in ids)
        {
            if (id > SpecialTokens.Length && _words.TryGetValue(id, out var word)) words.Add(word);
        }

        return string.Join(' ', words);
    }

    /// <summary>The text with names, numbers and literals exchanged, and what each stood for.</summary>
    /// <param name="program">The program.</param>
    /// <param name="numbers">The number of each name; null for the order of first sight within its kind.</param>
    /// <remarks>Places are bytes from the first token on, yet the text is cut by code points, as the authors' code does: with white space before the first token, or letters outside ASCII, what is exchanged is not what stands there.</remarks>
    internal static (string Code, OrderedDictionary<string, string> Names, List<Stretch> Stretches) Anonymize(Lexicalizer.Program program, Func<string, int>? numbers)
    {
        var names = program.Names();
        var arguments = names.Where(name => name.Kind == NameKind.Arg).Select(name => name.Name).ToHashSet();
        List<NamePlace> merged = [.. names.Select(name => name.Kind is NameKind.Var or NameKind.Func && arguments.Contains(name.Name) ? name with { Kind = NameKind.Arg } : name)];
        var replacements = new Dictionary<string, string>();
        foreach (var kind in Enum.GetValues<NameKind>())
        {
            string[] ofKind = [.. merged.Where(name => name.Kind == kind).Select(name => name.Name).Distinct()];
            if (ofKind.Length > MostNames) return ("", [], []);
            for (var i = 0; i < ofKind.Length; i++) replacements[ofKind[i]] = $"{Name(kind)}_{numbers?.Invoke(ofKind[i]) ?? i}";
        }

        var letters = Scalars.Split(program.Code);
        var code = new StringBuilder();
        var originals = new OrderedDictionary<string, string>();
        var done = 0;
        var stretches = new List<Stretch>();
        foreach (var (_, name, start, end) in merged.OrderBy(name => name.Start))
        {
            Keep(done, start);
            stretches.Add(new(code.Length, code.Length + replacements[name].Length, Math.Min(start, letters.Length), Math.Min(end, letters.Length), IsName: true));
            code.Append(replacements[name]);
            originals[replacements[name]] = name;
            done = end;
        }

        Keep(done, letters.Length);
        return (code.ToString(), originals, stretches);

        void Keep(int start, int end)
        {
            (start, end) = (Math.Min(start, letters.Length), Math.Min(end, letters.Length));
            if (end <= start) return;
            var kept = Scalars.Join(letters.AsSpan(start..end));
            stretches.Add(new(code.Length, code.Length + kept.Length, start, end, IsName: false));
            code.Append(kept);
        }
    }

    /// <summary>A program's tokens with blanks between; those that are anonymous names fall into kind and number.</summary>
    private static string Lexicalize(Lexicalizer.Program program) =>
        string.Join(' ', program.Leaves().SelectMany(Parts));

    private static string[] Parts(string token) => Array.Exists(Prefixes, prefix => token.StartsWith(prefix, StringComparison.Ordinal)) ? token.Split('_') : [token];

    private static string Name(NameKind kind) => kind switch
    {
        NameKind.Arg => "arg",
        NameKind.Var => "var",
        NameKind.Arr => "arr",
        NameKind.Func => "func",
        NameKind.Field => "field",
        NameKind.Type => "type",
        NameKind.Num => "num",
        NameKind.Char => "char",
        _ => "str",
    };

    private int Id(string word) => _ids.GetValueOrDefault(word, Unknown);

    private JsonElement Describe(JsonElement line)
    {
        if (line.Find("lang")?.AsText() is { } language and not "c")
            throw new ModelZooException(ErrorCodes.VerbUnsupported, "Only programs in C are read.") { Where = "lang", Expected = "c", Found = language };
        var program = _lexicalizer.Read(line.Text("text"));
        var numbers = line.Find("numbers");
        var (code, names, _) = Anonymize(program, numbers is { } given ? name => given.Member(name).AsInt() : null);
        var found = program.Names().ToLookup(name => Name(name.Kind), name => name.Name);
        var identifiers = Enum.GetValues<NameKind>().Select(Name).Select(kind => new KeyValuePair<string, object?>(kind, found[kind].Distinct().Order(Scalars.ByCodePoint)));
        var lexicalized = Lexicalize(_lexicalizer.Read(code));
        var tokens = PythonText.Words(lexicalized);
        int[] ids = [.. tokens.Select(Id)];
        return Line.Of(
            ("identifiers", identifiers), ("lexicalized_source", string.Join(' ', program.Leaves())), ("replaced", code),
            ("name_map", names.Select(pair => new KeyValuePair<string, object?>(pair.Key, pair.Value))),
            ("lexicalized", lexicalized), ("tokens", tokens), ("ids", ids), ("decoded", Decode(ids)));
    }

    private JsonElement EncodePadded(JsonElement line)
    {
        var ignoreCase = line.Option("ignore_case", false);
        List<int> ids = [.. PythonText.Words(line.Text("text")).Select(word => Id(ignoreCase && !SpecialTokens.Contains(word) ? PythonText.Lower(word) : word))];
        switch (line.Option("post_processor")?.AsText())
        {
            case "sos": ids.Insert(0, Padding + 1); break;
            case "eos": ids.Add(EndOfSequence); break;
        }

        var size = Math.Min(ids.Count, line.Option("max_length", int.MaxValue));
        var length = line.Option("pad_length", size);
        var kept = Math.Min(size, length);
        return Line.Of(
            ("ids", ids.Take(kept).Concat(Enumerable.Repeat(Padding, length - kept))),
            ("attention_mask", Enumerable.Repeat(1, kept).Concat(Enumerable.Repeat(0, length - kept))));
    }
}
