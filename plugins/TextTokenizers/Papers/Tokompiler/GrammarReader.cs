// Scope is all you need: Transforming LLMs for HPC Code, arXiv:2308.09440: reads the notation that c.grammar explains.
using System.Text.RegularExpressions;

namespace ModelZoo.Plugins.TextTokenizers.Papers.Tokompiler;

/// <summary>Reads a grammar from text.</summary>
internal sealed partial class GrammarReader
{
    private readonly List<string> _terminals = ["end"];
    private readonly Dictionary<string, int> _terminalIds = [];
    private readonly Dictionary<string, int> _keywords = [];
    private readonly List<(string, int, bool)> _literals = [];
    private readonly Dictionary<string, int> _tokens = [];
    private readonly List<(string Name, Node Body)> _rules = [];
    private readonly Dictionary<string, Node> _parts = [];
    private readonly Dictionary<string, string> _repeats = [];
    private string[] _words = [];
    private int _next;

    private GrammarReader()
    {
    }

    /// <summary>The grammar that <paramref name="text"/> describes.</summary>
    public static Grammar Read(string text)
    {
        var reader = new GrammarReader();
        string[] kept = [];
        var extra = "";
        foreach (var line in text.ReplaceLineEndings("\n").Replace("\n ", " ", StringComparison.Ordinal).Split('\n'))
        {
            if (line.Length == 0 || line[0] == '#') continue;
            reader._words = [.. Words().Matches(line).Select(match => match.Value)];
            reader._next = 1;
            switch (reader._words[0])
            {
                case "token": reader.Token(); break;
                case "extra": reader.Declare(extra = reader._words[1]); break;
                case "keep": kept = reader._words[1..]; break;
                default: reader.Rule(); break;
            }
        }

        return reader.Build(extra, kept);
    }

    private void Token()
    {
        var id = Declare(_words[1]);
        foreach (var word in _words.Where(word => word[0] == '"')) _keywords.Add(Unquote(word), id);
        if (_words.Length > 2) _tokens.Remove(_words[1]);
    }

    private int Declare(string name)
    {
        if (_terminalIds.TryGetValue(name, out var id)) return id;
        _terminalIds.Add(name, id = _terminals.Count);
        _terminals.Add(name);
        return _tokens[name] = id;
    }

    private void Rule()
    {
        var isPart = _words[1] == ":=";
        _next = 2;
        var body = Choice();
        if (isPart) _parts.Add(_words[0], body);
        else _rules.Add((_words[0], body));
    }

    private Node Choice()
    {
        var options = new List<Node> { Sequence() };
        while (Take("|")) options.Add(Sequence());
        return options.Count == 1 ? options[0] : new Options(options);
    }

    private Node Sequence()
    {
        var items = new List<Node>();
        while (_next < _words.Length && _words[_next] is not ("|" or ")" or "]" or "}" or "}+")) items.Add(Item());
        return items.Count == 1 ? items[0] : new Items(items);
    }

    private Node Item()
    {
        var word = _words[_next++];
        switch (word)
        {
            case "(": return Closed(")");
            case "[": return new Options([Closed("]"), new Items([])]);
            case "{":
                var body = Choice();
                var repeat = new Repeat(body);
                return Take("}+") ? repeat : Take("}") ? new Options([repeat, new Items([])]) : throw Wrong();
            case "list":
                _next++;
                var item = Closed(")");
                return new Items([item, new Options([new Repeat(new Items([Literal("\",\""), item])), new Items([])])]);
            case "left" or "right" or "plain" or "rank":
                var number = int.Parse(_words[_next++], System.Globalization.CultureInfo.InvariantCulture);
                _next++;
                return new Marked(word, number, Closed(")"));
            default:
                if (word[0] is '"' or '!') return Literal(word);
                return Take(":") ? new Name(word, _words[_next++]) : new Name(word, null);
        }
    }

    private Node Closed(string bracket)
    {
        var body = Choice();
        return Take(bracket) ? body : throw Wrong();
    }

    private Name Literal(string word)
    {
        if (_terminalIds.ContainsKey(word)) return new(word, null);
        var text = Unquote(word);
        _terminalIds.Add(word, _terminals.Count);
        if (char.IsLetter(text[0]) && text.All(char.IsLetterOrDigit) || text[0] == '_') _keywords.Add(text, _terminals.Count);
        else _literals.Add((text, _terminals.Count, word[0] == '!'));
        _terminals.Add(text);
        return new(word, null);
    }

    private bool Take(string word)
    {
        if (_next >= _words.Length || _words[_next] != word) return false;
        _next++;
        return true;
    }

    private FormatException Wrong() => new($"The rule of {_words[0]} has '{_words.ElementAtOrDefault(_next)}' where a bracket should close.");

    private static string Unquote(string word) => word.TrimStart('!')[1..^1].Replace("\\n", "\n", StringComparison.Ordinal).Replace("\\\"", "\"", StringComparison.Ordinal);

    private Grammar Build(string extra, string[] kept)
    {
        // Repetition becomes a symbol of its own: once X, or twice itself.
        for (var i = 0; i < _rules.Count; i++) _rules[i] = (_rules[i].Name, Unroll(_rules[i].Body, _rules[i].Name));
        foreach (var name in _parts.Keys.ToList()) _parts[name] = Unroll(_parts[name], name);
        var names = _terminals.Concat(_rules.Select(rule => rule.Name)).ToList();
        var ids = new Dictionary<string, int>(_terminalIds);
        for (var i = _terminals.Count; i < names.Count; i++) ids.Add(names[i], i);
        var productions = new List<Production>();
        foreach (var (name, body) in _rules)
        {
            var seen = new HashSet<string>();
            foreach (var option in OptionsOf(body))
            {
                var flat = new Flattener(ids);
                flat.Add(option, isLast: true);
                var production = new Production(ids[name], flat.Steps, flat.Rank);
                if (seen.Add(string.Join(' ', production.Steps))) productions.Add(production);
            }
        }

        return new()
        {
            Names = names,
            TerminalCount = _terminals.Count,
            Productions = productions,
            Keywords = _keywords,
            Literals = _literals,
            Tokens = _tokens,
            Extra = ids[extra],
            Kept = kept.Select(name => ids[name]).ToHashSet(),
            Repeats = _repeats.Values.Select(name => ids[name]).ToHashSet(),
        };
    }

    private Node Unroll(Node node, string owner)
    {
        switch (node)
        {
            case Options options: return new Options([.. options.Nodes.Select(option => Unroll(option, owner))]);
            case Items items: return new Items([.. items.Nodes.Select(item => Unroll(item, owner))]);
            case Marked marked: return marked with { Body = Unroll(marked.Body, owner) };
            case Repeat repeat:
                var body = Unroll(repeat.Body, owner);
                var key = body.ToString()!;
                if (!_repeats.TryGetValue(key, out var name))
                {
                    _repeats.Add(key, name = $"{owner}*{_repeats.Count}");
                    _rules.Add((name, new Options([body, new Items([new Name(name, null), new Name(name, null)])])));
                }

                return new Name(name, null);
            default: return node;
        }
    }

    // All ways to choose: what is left has no options.
    private IEnumerable<Node> OptionsOf(Node node)
    {
        switch (node)
        {
            case Options options: return options.Nodes.SelectMany(OptionsOf);
            case Marked marked: return OptionsOf(marked.Body).Select(body => marked with { Body = body });
            case Name { Text: var name } when _parts.TryGetValue(name, out var part): return OptionsOf(part);
            case Items items:
                IEnumerable<IReadOnlyList<Node>> sequences = [[]];
                foreach (var item in items.Nodes) sequences = sequences.SelectMany(start => OptionsOf(item).Select(end => (IReadOnlyList<Node>)[.. start, end])).ToList();
                return sequences.Select(sequence => new Items(sequence));
            default: return [node];
        }
    }

    [GeneratedRegex("""!?"(?:\\.|[^"\\])*"|\}\+|:=|-?\d+|\w+|\S""")]
    private static partial System.Text.RegularExpressions.Regex Words();

    private abstract record Node;

    private sealed record Name(string Text, string? Alias) : Node
    {
        public override string ToString() => $"{Text}:{Alias}";
    }

    private sealed record Options(IReadOnlyList<Node> Nodes) : Node
    {
        public override string ToString() => $"({string.Join('|', Nodes)})";
    }

    private sealed record Items(IReadOnlyList<Node> Nodes) : Node
    {
        public override string ToString() => $"({string.Join(' ', Nodes)})";
    }

    private sealed record Repeat(Node Body) : Node;

    private sealed record Marked(string Mark, int Number, Node Body) : Node
    {
        public override string ToString() => $"{Mark} {Number} ({Body})";
    }

    // The steps of a sequence, with the marks around them. Within a mark that ends before the sequence does, the last step has the marks outside.
    private sealed class Flattener(Dictionary<string, int> ids)
    {
        private readonly Stack<(int Precedence, Associativity Associativity)> _marks = new([(0, Associativity.None)]);

        public List<Step> Steps { get; } = [];

        public int Rank { get; private set; }

        public void Add(Node node, bool isLast)
        {
            switch (node)
            {
                case Name name:
                    Steps.Add(new(ids[name.Text], name.Alias, _marks.Peek().Precedence, _marks.Peek().Associativity));
                    break;
                case Items items:
                    for (var i = 0; i < items.Nodes.Count; i++) Add(items.Nodes[i], isLast && i == items.Nodes.Count - 1);
                    break;
                case Marked { Mark: "rank" } marked:
                    if (Math.Abs(marked.Number) > Math.Abs(Rank)) Rank = marked.Number;
                    Add(marked.Body, isLast);
                    break;
                case Marked marked:
                    var before = Steps.Count;
                    _marks.Push((marked.Number, marked.Mark switch { "left" => Associativity.Left, "right" => Associativity.Right, _ => _marks.Peek().Associativity }));
                    Add(marked.Body, isLast);
                    _marks.Pop();
                    if (!isLast && Steps.Count > before) Steps[^1] = Steps[^1] with { Precedence = _marks.Peek().Precedence, Associativity = _marks.Peek().Associativity };
                    break;
            }
        }
    }
}
