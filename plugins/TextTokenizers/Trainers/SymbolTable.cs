using System.Text;

namespace ModelZoo.Plugins.TextTokenizers.Trainers;

/// <summary>The vocabulary while it grows: special tokens, the alphabet, then merges; and words spelled in it.</summary>
internal sealed class SymbolTable
{
    private readonly Dictionary<string, int> _ids = [];
    private readonly List<string> _tokens = [];
    private readonly string? _prefix;
    private readonly string? _suffix;

    /// <param name="specialTokens">Tokens that come first.</param>
    /// <param name="words">The corpus, for its alphabet.</param>
    /// <param name="initialAlphabet">Characters that are kept in any case.</param>
    /// <param name="limitAlphabet">Most characters to keep, the commonest; null for all.</param>
    /// <param name="prefix">Mark of symbols that do not begin a word.</param>
    /// <param name="suffix">Mark of symbols that end one.</param>
    public SymbolTable(
        IEnumerable<string> specialTokens, IEnumerable<KeyValuePair<string, long>> words, IEnumerable<string> initialAlphabet, int? limitAlphabet, string? prefix, string? suffix)
    {
        (_prefix, _suffix) = (prefix, suffix);
        foreach (var token in specialTokens) Add(token);
        var counts = new Dictionary<Rune, long>();
        foreach (var (word, count) in words)
        {
            foreach (var letter in word.EnumerateRunes()) counts[letter] = counts.GetValueOrDefault(letter) + count;
        }

        foreach (var letter in initialAlphabet.SelectMany(text => text.EnumerateRunes())) counts[letter] = long.MaxValue;
        var remove = Math.Max(0, counts.Count - (limitAlphabet ?? int.MaxValue));
        foreach (var letter in counts.OrderBy(pair => pair.Value).ThenBy(pair => pair.Key.Value).Skip(remove).Select(pair => pair.Key).OrderBy(letter => letter.Value)) Add(letter.ToString());
        if (prefix is not null || suffix is not null) AddMarked(words.Select(word => word.Key));
    }

    /// <summary>Tokens by id.</summary>
    public IReadOnlyList<string> Tokens => _tokens;

    /// <summary>The id of a token, which is added when it is new.</summary>
    public int Add(string token)
    {
        if (_ids.TryGetValue(token, out var id)) return id;
        _ids.Add(token, _tokens.Count);
        _tokens.Add(token);
        return _tokens.Count - 1;
    }

    /// <summary>The id of two tokens joined; the second loses its mark.</summary>
    public int Join(int left, int right)
    {
        var second = _tokens[right];
        if (_prefix is { Length: > 0 } && second.StartsWith(_prefix, StringComparison.Ordinal)) second = second[_prefix.Length..];
        return Add(_tokens[left] + second);
    }

    // The library numbers marked symbols as a hash map shows the words: the more often words hold one, the sooner it is met. That order stands for it here.
    private void AddMarked(IEnumerable<string> words)
    {
        var counts = new Dictionary<string, int>();
        foreach (var symbol in words.SelectMany(Marked)) counts[symbol] = counts.GetValueOrDefault(symbol) + 1;
        foreach (var symbol in counts.OrderByDescending(pair => pair.Value).ThenBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => pair.Key)) Add(symbol);
    }

    /// <summary>A word's symbols; characters outside the alphabet are left out.</summary>
    public int[] Spell(string word) => [.. Marked(word).Select(Add)];

    private List<string> Marked(string word)
    {
        var symbols = new List<string>(word.Length);
        for (var i = 0; i < word.Length;)
        {
            var width = char.IsSurrogatePair(word, i) ? 2 : 1;
            var letter = word.Substring(i, width);
            if (_ids.ContainsKey(letter))
            {
                if (i > 0) letter = _prefix + letter;
                if (i + width == word.Length) letter += _suffix;
                symbols.Add(letter);
            }

            i += width;
        }

        return symbols;
    }
}
