// Scope is all you need: Transforming LLMs for HPC Code, arXiv:2308.09440: the tokens of C.
using System.Buffers;
using System.Globalization;
using System.Text;

namespace ModelZoo.Plugins.TextTokenizers.Papers.Tokompiler;

/// <summary>A token found.</summary>
/// <param name="Terminal">Which; -1 for characters that begin none.</param>
/// <param name="Start">First byte.</param>
/// <param name="End">One past the last byte.</param>
/// <param name="IsKeyword">A word that would be a name elsewhere.</param>
internal readonly record struct Token(int Terminal, int Start, int End, bool IsKeyword);

/// <summary>Terminals that are looked for at a place.</summary>
internal sealed class TokenSet(int terminalCount)
{
    private readonly bool[] _has = new bool[terminalCount];

    /// <summary>True when a name or a word like one is looked for.</summary>
    public bool HasNames { get; set; }

    public bool Contains(int terminal) => _has[terminal];

    public void Add(int terminal) => _has[terminal] = true;
}

/// <summary>Reads tokens from where a parser is, among those that it expects there.</summary>
internal sealed class CLexer
{
    private static readonly SearchValues<byte> Blanks = SearchValues.Create(" \t\r\n"u8);
    private static readonly SearchValues<byte> Newlines = SearchValues.Create("\n"u8);
    private static readonly SearchValues<byte> Letters = SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"u8);
    private static readonly SearchValues<byte> WordBytes = SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"u8);
    private static readonly SearchValues<byte> Digits = SearchValues.Create("0123456789"u8);
    private static readonly SearchValues<byte> HexDigits = SearchValues.Create("0123456789abcdefABCDEF"u8);

    private readonly Grammar _grammar;
    private readonly byte[] _text;
    private readonly ILookup<byte, (byte[] Text, int Terminal, bool IsImmediate)> _literals;
    private readonly TokenSet _anythingElse;
    private readonly int _number, _comment, _newline, _directive, _argument, _character, _content, _escape, _library;

    /// <param name="grammar">Whose terminals are read.</param>
    /// <param name="text">UTF-8.</param>
    public CLexer(Grammar grammar, byte[] text)
    {
        (_grammar, _text) = (grammar, text);
        _literals = grammar.Literals.ToLookup(literal => (byte)literal.Text[0], literal => (Encoding.UTF8.GetBytes(literal.Text), literal.Terminal, literal.IsImmediate));
        _newline = grammar.Literals.Single(literal => literal.Text == "\n").Terminal;
        Identifier = grammar.Tokens["identifier"];
        (_number, _comment) = (grammar.Tokens["number_literal"], grammar.Tokens["comment"]);
        (_directive, _argument, _library) = (grammar.Tokens["preproc_directive"], grammar.Tokens["preproc_arg"], grammar.Tokens["system_lib_string"]);
        (_character, _content, _escape) = (grammar.Tokens["_character"], grammar.Tokens["_string_content"], grammar.Tokens["escape_sequence"]);
        var unsure = new[] { _newline, _argument, _character, _content, _escape, _library, grammar.Literals.Single(literal => literal.Text == "]]").Terminal }.ToHashSet();
        var scope = grammar.Literals.Single(literal => literal.Text == "::").Terminal;
        Anything = Expect(Enumerable.Range(0, grammar.TerminalCount).Where(terminal => !unsure.Contains(terminal)));
        _anythingElse = Expect(Enumerable.Range(0, grammar.TerminalCount).Where(terminal => !unsure.Contains(terminal) && terminal != scope));
    }

    /// <summary>What is looked for where nothing is expected: all but what depends on the place.</summary>
    public TokenSet Anything { get; }

    /// <summary>True for a terminal that all readings at a place see alike, even where they expect others.</summary>
    public bool IsShared(int terminal) => terminal == _comment || terminal == _newline;

    /// <summary>The terminal of names.</summary>
    public int Identifier { get; }

    /// <summary>A set of terminals to look for; with any keyword, names too.</summary>
    public TokenSet Expect(IEnumerable<int> terminals)
    {
        var set = new TokenSet(_grammar.TerminalCount);
        foreach (var terminal in terminals) set.Add(terminal);
        set.HasNames = set.Contains(Identifier) || _grammar.Keywords.Values.Any(set.Contains);
        return set;
    }

    /// <summary>The token at or after <paramref name="place"/>.</summary>
    /// <param name="place">First byte, white space included.</param>
    /// <param name="expected">Terminals to look for; when none of them is there, any other is taken.</param>
    public Token Read(int place, TokenSet expected)
    {
        if (Find(place, expected) is { } found) return Classify(found, expected);
        if (expected != Anything && Find(place, _anythingElse) is { } other) return Classify(other, expected);

        // Characters that begin no token, up to the next one.
        var start = Skip(place, keepNewline: false, out _);
        var end = start;
        do
        {
            end += Unreadable(end);
        }
        while (Find(end, Anything) is null);
        return new(-1, start, end, false);
    }

    private Token Classify(Token token, TokenSet expected)
    {
        if (token.Terminal != Identifier) return token;
        return _grammar.Keywords.TryGetValue(Encoding.UTF8.GetString(_text.AsSpan(token.Start..token.End)), out var keyword) && expected.Contains(keyword) ? token with { Terminal = keyword, IsKeyword = true } : token;
    }

    private Token? Find(int place, TokenSet expected)
    {
        if (Tight(place, expected) is { } tight) return tight;
        var start = Skip(place, expected.Contains(_newline), out var isSkipped);
        if (start == _text.Length) return new(Grammar.End, start, start, false);
        var best = new Token(-1, start, start, false);
        void Offer(int terminal, int end)
        {
            if (end > best.End || (end == best.End && end > start && terminal < best.Terminal)) best = new(terminal, start, end, false);
        }

        foreach (var (text, terminal, isImmediate) in _literals[_text[start]])
        {
            if (expected.Contains(terminal) && !(isImmediate && isSkipped)) Offer(terminal, text[0] switch { (byte)'#' => Directive(start, text), (byte)'\n' => Run(start, Newlines), _ => Literal(start, text) });
        }

        if (expected.Contains(_directive)) Offer(_directive, Directive(start, []));
        if (expected.Contains(_number)) Offer(_number, Number(start));
        if (expected.Contains(_escape)) Offer(_escape, Escape(start));
        if (expected.Contains(_library)) Offer(_library, Library(start));
        if (expected.HasNames) Offer(Identifier, Name(start));
        Offer(_comment, Comment(start));
        return best.End > start ? best : null;
    }

    // What counts white space in, or is read before it is skipped.
    private Token? Tight(int place, TokenSet expected)
    {
        if (place == _text.Length) return null;
        var value = _text[place];
        if (expected.Contains(_content) && value is not ((byte)'\\' or (byte)'"' or (byte)'\n'))
        {
            var length = _text.AsSpan(place).IndexOfAny("\\\"\n"u8);
            return new(_content, place, length < 0 ? _text.Length : place + length, false);
        }

        if (expected.Contains(_character) && value is not ((byte)'\'' or (byte)'\n') && Escape(place) == place)
        {
            Rune.DecodeFromUtf8(_text.AsSpan(place), out _, out var width);
            return new(_character, place, place + width, false);
        }

        if (!expected.Contains(_argument) || (value == '(' && _literals[value].Any(literal => literal.IsImmediate && expected.Contains(literal.Terminal)))) return null;
        return Argument(place);
    }

    // Where the rest of a directive's line is read: blanks belong to what follows them, and ends of lines too when no text came before, so that blanks after those make it all an argument again.
    private enum Line
    {
        Newline,
        Blank,
        Text,
        BlockComment,
        BlockCommentBeyondLine,
        LineComment,
        Done,
    }

    // The longest of the three tokens that begin here: the rest of the line, ends of lines, a comment after blanks.
    private Token? Argument(int place)
    {
        Token? best = null;
        var state = Line.Blank;
        for (var at = place; at < _text.Length && state != Line.Done;)
        {
            var value = _text[at];
            var width = 1;
            switch (state)
            {
                case Line.Newline when value is not ((byte)'\n' or (byte)'\\' or (byte)' ' or (byte)'\t' or (byte)'\r'):
                case Line.Text or Line.LineComment when value == '\n':
                    return best;
                case Line.Newline or Line.Blank when value == '\n': state = Line.Newline; break;
                case Line.Newline or Line.Blank when value is (byte)' ' or (byte)'\t' or (byte)'\r': state = Line.Blank; break;
                case Line.Newline or Line.Blank when value == '\\':
                    width = Math.Max(1, Continuation(at));
                    state = width > 1 ? Line.Blank : Escaped(at, Line.Text, ref width);
                    break;
                case Line.Blank when value == '/' && At(at + 1) == '*': (state, width) = (Line.BlockComment, 2); break;
                case Line.Blank when value == '/' && At(at + 1) == '/': (state, width) = (Line.LineComment, 2); break;
                case Line.Blank: state = Line.Text; break;
                case Line.BlockComment or Line.BlockCommentBeyondLine when value == '*' && At(at + 1) == '/': (state, width) = (Line.Done, 2); break;
                case Line.BlockComment when value == '\n': state = Line.BlockCommentBeyondLine; break;
                case Line.Text or Line.LineComment or Line.BlockComment when value == '\\': state = Escaped(at, state, ref width); break;
            }

            at += width;
            var terminal = state switch { Line.Newline => _newline, Line.Blank or Line.Text or Line.BlockComment => _argument, Line.LineComment or Line.Done => _comment, _ => -1 };
            if (terminal >= 0) best = new(terminal, place, at, false);
        }

        return best;
    }

    // Backslashes and the character after them, the end of a line too; an asterisk may end a comment.
    private Line Escaped(int place, Line state, ref int width)
    {
        width = 1;
        while (At(place + width) == '\\') width++;
        if (At(place + width) == '\r' && At(place + width + 1) == '\n') width++;
        if (At(place + width) >= 0 && !(state == Line.BlockComment && At(place + width) == '*')) width++;
        return state;
    }

    private int Skip(int place, bool keepNewline, out bool isSkipped)
    {
        var start = place;
        while (place < _text.Length)
        {
            if (Continuation(place) is > 0 and var width) place += width;
            else if (Blanks.Contains(_text[place]) && !(keepNewline && _text[place] == '\n')) place++;
            else break;
        }

        isSkipped = place > start;
        return place;
    }

    // Width of a backslash with the end of a line.
    private int Continuation(int place) =>
        At(place) != '\\' ? 0 : At(place + 1) == '\n' ? 2 : At(place + 1) == '\r' && At(place + 2) == '\n' ? 3 : 0;

    private int At(int place) => place < _text.Length ? _text[place] : -1;

    private int Literal(int start, byte[] text) => _text.AsSpan(start).StartsWith(text) ? start + text.Length : start;

    // '#', blanks, then that word or, when none is given, any.
    private int Directive(int start, ReadOnlySpan<byte> literal)
    {
        if (At(start) != '#') return start;
        var word = start + 1;
        while (At(word) is ' ' or '\t') word++;
        if (literal.Length > 0) return _text.AsSpan(word).StartsWith(literal[1..]) ? word + literal.Length - 1 : start;
        return word < _text.Length && Letters.Contains(_text[word]) ? Run(word, WordBytes) : start;
    }

    private int Run(int start, SearchValues<byte> values)
    {
        var length = _text.AsSpan(start).IndexOfAnyExcept(values);
        return length < 0 ? _text.Length : start + length;
    }

    private int Name(int start)
    {
        var end = start;
        while (end < _text.Length && Rune.DecodeFromUtf8(_text.AsSpan(end), out var rune, out var width) == OperationStatus.Done && IsNamePart(rune, isFirst: end == start)) end += width;
        return end;
    }

    private static bool IsNamePart(Rune rune, bool isFirst) => rune.Value == '_' || Rune.GetUnicodeCategory(rune) switch
    {
        UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter or UnicodeCategory.LetterNumber => true,
        UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.DecimalDigitNumber or UnicodeCategory.ConnectorPunctuation => !isFirst,
        _ => rune.Value is 0xB7 or 0x387 && !isFirst,
    };

    // // to the end of the line, which a backslash continues; or /* to */.
    private int Comment(int start)
    {
        if (At(start) != '/') return start;
        if (At(start + 1) == '*')
        {
            var close = start + 2 <= _text.Length ? _text.AsSpan(start + 2).IndexOf("*/"u8) : -1;
            return close < 0 ? start : start + 4 + close;
        }

        if (At(start + 1) != '/') return start;
        var end = start + 2;
        while (end < _text.Length && _text[end] != '\n')
        {
            if (_text[end] != '\\')
            {
                end++;
                continue;
            }

            var slash = end;
            while (At(slash) == '\\') slash++;
            if (slash == _text.Length) return slash - end > 1 ? slash : end;
            end = At(slash) == '\r' && At(slash + 1) == '\n' ? slash + 2 : slash + 1;
        }

        return end;
    }

    private int Library(int start)
    {
        if (At(start) != '<') return start;
        var length = _text.AsSpan(start).IndexOfAny(">\n"u8);
        return length > 0 && _text[start + length] == '>' ? start + length + 1 : start;
    }

    private int Escape(int start)
    {
        if (At(start) != '\\' || At(start + 1) < 0) return start;
        var kind = At(start + 1);
        int Hex(int most) => Math.Min(Run(start + 2, HexDigits) - start - 2, most);
        if (kind == 'x') return Hex(int.MaxValue) >= 2 ? start + 2 + Hex(int.MaxValue) : start;
        if (kind == 'u') return Hex(4) == 4 ? start + 6 : start;
        if (kind == 'U') return Hex(8) == 8 ? start + 10 : start;
        if (Digits.Contains((byte)kind)) return start + 1 + Math.Min(3, Run(start + 1, Digits) - start - 1);
        Rune.DecodeFromUtf8(_text.AsSpan(start + 1), out _, out var width);
        return start + 1 + width;
    }

    // The longest of all ways to read a number; each step gives every place that it may end at.
    private int Number(int start)
    {
        if (At(start) is not ('+' or '-' or '.' or >= '0' and <= '9')) return start;
        var sign = One("+-"u8, [start], isOptional: true);
        int[] prefix = [.. sign, .. Text("0x"u8, sign), .. Text("0b"u8, sign)];
        var whole = Groups(Digits, prefix).Concat(Groups(Digits, Text("0b"u8, prefix))).Concat(Groups(HexDigits, Text("0x"u8, prefix))).Distinct().ToArray();
        var point = One("."u8, whole);
        int[] value = [.. whole, .. point, .. Groups(HexDigits, point), .. Groups(Digits, One("."u8, prefix))];
        var exponent = One("eEpP"u8, value);
        int[] end = [.. value, .. exponent, .. Groups(HexDigits, One("+-"u8, exponent, isOptional: true))];
        var suffixes = SearchValues.Create("ulULfF"u8);
        return end.Select(place => place < _text.Length ? Run(place, suffixes) : place).Append(start).Max();
    }

    private int[] One(ReadOnlySpan<byte> bytes, IEnumerable<int> places, bool isOptional = false)
    {
        var ends = new SortedSet<int>();
        foreach (var place in places)
        {
            if (isOptional) ends.Add(place);
            if (place < _text.Length && bytes.Contains(_text[place])) ends.Add(place + 1);
        }

        return [.. ends];
    }

    private int[] Text(ReadOnlySpan<byte> text, IEnumerable<int> places)
    {
        var ends = new List<int>();
        foreach (var place in places)
        {
            if (_text.AsSpan(place).StartsWith(text)) ends.Add(place + text.Length);
        }

        return [.. ends];
    }

    // Digits, which single quotes may group.
    private SortedSet<int> Groups(SearchValues<byte> digits, IEnumerable<int> places)
    {
        var ends = new SortedSet<int>();
        foreach (var place in places)
        {
            for (var end = place; end < _text.Length; end++)
            {
                if (digits.Contains(_text[end]))
                {
                    if (!ends.Add(end + 1)) break;
                }
                else if (end == place || _text[end] != '\'' || _text[end - 1] == '\'')
                {
                    break;
                }
            }
        }

        return ends;
    }

    // How much of what begins no token is passed over at once.
    private int Unreadable(int place)
    {
        if (_text[place] == '#')
        {
            var end = place + 1;
            while (At(end) is ' ' or '\t') end++;
            return end - place;
        }

        Rune.DecodeFromUtf8(_text.AsSpan(place), out _, out var width);
        return width;
    }
}
