using System.Globalization;
using ModelZoo.Plugins.TextTokenizers.Unicode;

namespace ModelZoo.Plugins.TextTokenizers.Regex;

/// <summary>Reads a pattern of either flavor. What cannot be had in linear memory (back references, conditions, recursion) is refused.</summary>
internal sealed class RegexParser
{
    private const int MaxDepth = 64;
    private const int MaxRepeat = 1000;

    private readonly string _pattern;
    private readonly RegexFlavor _flavor;
    private int _position;
    private int _depth;
    private Flags _flags;

    [Flags]
    private enum Flags
    {
        None = 0,
        IgnoreCase = 1,
        DotAll = 2,
        Extended = 4,
        MultiLine = 8,
    }

    private RegexParser(string pattern, RegexFlavor flavor)
    {
        _pattern = pattern;
        _flavor = flavor;
    }

    /// <exception cref="FormatException">The pattern cannot be read.</exception>
    public static RegexNode Parse(string pattern, RegexFlavor flavor)
    {
        var parser = new RegexParser(pattern, flavor);
        var node = parser.ParseChoice();
        return parser.AtEnd ? node : throw parser.Error("unmatched ')'");
    }

    private bool AtEnd => _position >= _pattern.Length;

    private char Peek => AtEnd ? '\0' : _pattern[_position];

    private FormatException Error(string what) => new($"{what} at character {_position} of '{_pattern}'");

    private bool Accept(string text)
    {
        if (string.CompareOrdinal(_pattern, _position, text, 0, text.Length) != 0) return false;
        _position += text.Length;
        return true;
    }

    private RegexNode ParseChoice()
    {
        if (++_depth > MaxDepth) throw Error("groups nested too deep");
        var saved = _flags;
        var items = new List<RegexNode> { ParseSequence() };
        while (Accept("|")) items.Add(ParseSequence());
        _flags = saved;
        _depth--;
        return items.Count == 1 ? items[0] : new RegexNode.Choice(items);
    }

    private RegexNode ParseSequence()
    {
        var items = new List<RegexNode>();
        while (!AtEnd && Peek is not ('|' or ')'))
        {
            if (_flags.HasFlag(Flags.Extended) && (char.IsWhiteSpace(Peek) || Peek == '#'))
            {
                if (Peek == '#') while (!AtEnd && Peek != '\n') _position++;
                else _position++;
                continue;
            }

            if (ParseAtom() is { } atom) items.Add(ParseRepeats(atom));
        }

        return items.Count == 1 ? items[0] : new RegexNode.Sequence(items);
    }

    private RegexNode ParseRepeats(RegexNode atom)
    {
        while (!AtEnd)
        {
            int min, max;
            var interval = false;
            switch (Peek)
            {
                case '*': (min, max) = (0, -1); _position++; break;
                case '+': (min, max) = (1, -1); _position++; break;
                case '?': (min, max) = (0, 1); _position++; break;
                case '{' when TryInterval(out min, out max): interval = true; break;
                default: return atom;
            }

            var mode = RepeatMode.Greedy;
            if (Peek == '?')
            {
                _position++;
                mode = RepeatMode.Lazy;
            }
            else if (Peek == '+' && !(interval && _flavor == RegexFlavor.Oniguruma))
            {
                _position++;
                mode = RepeatMode.Possessive;
            }

            atom = new RegexNode.Repeat(atom, min, max, mode);
        }

        return atom;
    }

    private bool TryInterval(out int min, out int max)
    {
        (min, max) = (0, -1);
        var end = _pattern.IndexOf('}', _position);
        if (end < 0) return false;
        var body = _pattern.AsSpan(_position + 1, end - _position - 1);
        var comma = body.IndexOf(',');
        var low = comma < 0 ? body : body[..comma];
        var high = comma < 0 ? body : body[(comma + 1)..];
        if (body.IsEmpty || (low.IsEmpty && high.IsEmpty)) return false;
        if (low.IsEmpty && _flavor == RegexFlavor.Rust) return false;
        if (!low.IsEmpty && !int.TryParse(low, NumberStyles.None, CultureInfo.InvariantCulture, out min)) return false;
        if (!high.IsEmpty && !int.TryParse(high, NumberStyles.None, CultureInfo.InvariantCulture, out max)) return false;
        if (min > MaxRepeat || max > MaxRepeat) throw Error($"a repetition above {MaxRepeat}");
        if (max >= 0 && max < min) throw Error("a repetition whose maximum is below its minimum");
        _position = end + 1;
        return true;
    }

    private RegexNode? ParseAtom()
    {
        var c = _pattern[_position];
        switch (c)
        {
            case '(': return ParseGroup();
            case '[': return Single(ParseClass());
            case '.':
                _position++;
                return Single(_flags.HasFlag(Flags.DotAll) ? _ => true : x => x != '\n');
            case '^':
                _position++;
                return new RegexNode.Anchor(_flavor == RegexFlavor.Oniguruma || _flags.HasFlag(Flags.MultiLine) ? AnchorKind.LineStart : AnchorKind.TextStart);
            case '$':
                _position++;
                return new RegexNode.Anchor(_flavor == RegexFlavor.Oniguruma || _flags.HasFlag(Flags.MultiLine) ? AnchorKind.LineEnd : AnchorKind.TextEnd);
            case '*' or '+' or '?': throw Error("nothing to repeat");
            case '\\': return ParseEscape();
            default: return Single(Literal(ReadCodePoint()));
        }
    }

    private RegexNode? ParseGroup()
    {
        _position++;
        if (Accept("?:")) return Close(ParseChoice());
        if (Accept("?>")) return new RegexNode.Atomic(Close(ParseChoice()));
        if (Accept("?=")) return new RegexNode.Look(Close(ParseChoice()), false, false);
        if (Accept("?!")) return new RegexNode.Look(Close(ParseChoice()), false, true);
        if (Accept("?<=")) return new RegexNode.Look(Close(ParseChoice()), true, false);
        if (Accept("?<!")) return new RegexNode.Look(Close(ParseChoice()), true, true);
        if (Accept("?#"))
        {
            _position = _pattern.IndexOf(')', _position) is >= 0 and var end ? end + 1 : throw Error("an open comment");
            return null;
        }

        if (Accept("?<") || Accept("?P<"))
        {
            _position = _pattern.IndexOf('>', _position) is >= 0 and var end ? end + 1 : throw Error("an open group name");
            return Close(ParseChoice());
        }

        if (!Accept("?")) return Close(ParseChoice());
        var on = true;
        var flags = _flags;
        for (; ; _position++)
        {
            switch (Peek)
            {
                case '-': on = false; continue;
                case 'i': Set(Flags.IgnoreCase); continue;
                case 'x': Set(Flags.Extended); continue;
                case 'm': Set(_flavor == RegexFlavor.Oniguruma ? Flags.DotAll : Flags.MultiLine); continue;
                case 's' when _flavor == RegexFlavor.Rust: Set(Flags.DotAll); continue;
                case 'u' when _flavor == RegexFlavor.Rust: continue;
                case ':':
                    _position++;
                    var saved = _flags;
                    _flags = flags;
                    var inner = ParseChoice();
                    _flags = saved;
                    return Close(inner);
                case ')':
                    _position++;
                    return ParseFlagged(flags);
                default: throw Error("a group of an unknown kind");
            }
        }

        void Set(Flags flag) => flags = on ? flags | flag : flags & ~flag;
    }

    // (?i) holds to the end of its group; in Oniguruma the rest of the group, alternatives and all, is one group with it: a(?i)b|c is a(?i:b|c).
    private RegexNode? ParseFlagged(Flags flags)
    {
        var before = _flags;
        _flags = flags;
        if (_flavor != RegexFlavor.Oniguruma) return null;
        var rest = ParseChoice();
        _flags = before;
        return rest;
    }

    private RegexNode Close(RegexNode inner) => Accept(")") ? inner : throw Error("an open group");

    private RegexNode ParseEscape()
    {
        if (_position + 1 >= _pattern.Length) throw Error("a trailing backslash");
        var kind = _pattern[_position + 1] switch
        {
            'A' => AnchorKind.TextStart,
            'z' => AnchorKind.TextEnd,
            'Z' => AnchorKind.TextEndOrLastNewline,
            'b' => AnchorKind.WordBoundary,
            'B' => AnchorKind.NotWordBoundary,
            _ => (AnchorKind?)null,
        };
        if (kind is { } anchor)
        {
            _position += 2;
            return new RegexNode.Anchor(anchor);
        }

        if (_pattern[_position + 1] is 'R' && _flavor == RegexFlavor.Oniguruma)
        {
            _position += 2;
            var line = Single(c => c is >= 0x0A and <= 0x0D or 0x85 or 0x2028 or 0x2029);
            return new RegexNode.Atomic(new RegexNode.Choice([new RegexNode.Sequence([Single(c => c == '\r'), Single(c => c == '\n')]), line]));
        }

        if (_pattern[_position + 1] is (>= '1' and <= '9') or 'k' or 'g' or 'G' or 'K' or 'X') throw Error($"the construct \\{_pattern[_position + 1]}, which is not supported,");
        if (_flavor == RegexFlavor.Oniguruma)
        {
            if (Accept(@"\w") || Accept(@"\p{Word}")) return Single(CodePoints.IsOnigurumaWord);
            if (Accept(@"\W") || Accept(@"\P{Word}")) return Single(c => !CodePoints.IsOnigurumaWord(c));
            if (Accept(@"\N")) return Single(c => c != '\n');
            if (Accept(@"\O")) return Single(_ => true);
        }

        return Single(ParseEscapedSet());
    }

    private Func<int, bool> ParseEscapedSet()
    {
        _position++;
        var c = _pattern[_position++];
        switch (c)
        {
            case 'd': return x => CharUnicodeInfo.GetUnicodeCategory(x) == UnicodeCategory.DecimalDigitNumber;
            case 'D': return x => CharUnicodeInfo.GetUnicodeCategory(x) != UnicodeCategory.DecimalDigitNumber;
            case 's': return CodePoints.IsWhiteSpace;
            case 'S': return x => !CodePoints.IsWhiteSpace(x);
            case 'w': return Word;
            case 'W': var word = Word; return x => !word(x);
            case 'h' when _flavor == RegexFlavor.Oniguruma: return x => x < 0x80 && char.IsAsciiHexDigit((char)x);
            case 'H' when _flavor == RegexFlavor.Oniguruma: return x => x >= 0x80 || !char.IsAsciiHexDigit((char)x);
            case 'p' or 'P': return ParseProperty(c == 'P');
            default:
                _position -= 2;
                return Literal(ReadEscapedCodePoint());
        }
    }

    private Func<int, bool> Word => _flavor == RegexFlavor.Oniguruma ? CodePoints.IsWord : CodePoints.IsWordOrJoiner;

    private Func<int, bool> ParseProperty(bool negative)
    {
        string name;
        if (Accept("{"))
        {
            var end = _pattern.IndexOf('}', _position);
            if (end < 0) throw Error("an open property name");
            name = _pattern[_position..end];
            _position = end + 1;
        }
        else
        {
            name = AtEnd ? throw Error("a property without a name") : _pattern[_position++].ToString();
        }

        if (name.StartsWith('^'))
        {
            negative = !negative;
            name = name[1..];
        }

        var set = RegexProperties.Find(name) ?? throw Error($"the unknown property {name}");
        return negative ? c => !set(c) : set;
    }

    private Func<int, bool> ParseClass()
    {
        if (++_depth > MaxDepth) throw Error("classes nested too deep");
        _position++;
        var negative = Accept("^");
        var parts = new List<Func<int, bool>>();
        Func<int, bool>? intersected = null;
        var first = true;
        while (true)
        {
            if (AtEnd) throw Error("an open character class");
            if (Peek == ']' && !first) break;
            first = false;
            if (Peek == '[')
            {
                parts.Add(RegexProperties.TryPosix(_pattern, _flavor, ref _position) ?? ParseClass());
            }
            else if (Accept("&&"))
            {
                intersected = And(intersected, Or(parts));
                parts = [];
            }
            else if (Peek == '\\' && _position + 1 < _pattern.Length && _pattern[_position + 1] is 'd' or 'D' or 's' or 'S' or 'w' or 'W' or 'h' or 'H' or 'p' or 'P')
            {
                parts.Add(ParseEscapedSet());
            }
            else
            {
                var low = ReadClassCodePoint();
                if (Peek == '-' && _position + 1 < _pattern.Length && _pattern[_position + 1] is not (']' or '['))
                {
                    _position++;
                    var high = ReadClassCodePoint();
                    if (high < low) throw Error("a range whose end is before its start");
                    parts.Add(Range(low, high));
                }
                else
                {
                    parts.Add(Literal(low));
                }
            }
        }

        _position++;
        _depth--;
        var set = And(intersected, Or(parts));
        return negative ? c => !set(c) : set;

        static Func<int, bool> Or(List<Func<int, bool>> items)
        {
            var all = items.ToArray();
            return all.Length == 1 ? all[0] : c => Array.Exists(all, item => item(c));
        }

        static Func<int, bool> And(Func<int, bool>? left, Func<int, bool> right) => left is null ? right : c => left(c) && right(c);
    }

    private int ReadClassCodePoint() => Peek == '\\' ? ReadEscapedCodePoint() : ReadCodePoint();

    private int ReadCodePoint()
    {
        var c = char.ConvertToUtf32(_pattern, _position);
        _position += c > 0xFFFF ? 2 : 1;
        return c;
    }

    private int ReadEscapedCodePoint()
    {
        _position++;
        if (AtEnd) throw Error("a trailing backslash");
        var c = ReadCodePoint();
        switch (c)
        {
            case 'n': return '\n';
            case 'r': return '\r';
            case 't': return '\t';
            case 'f': return '\f';
            case 'v': return '\v';
            case 'a': return '\a';
            case 'e': return 0x1B;
            case 'b': return '\b';
            case '0': return 0;
            case 'x' or 'u' or 'U':
                int end;
                if (Accept("{"))
                {
                    end = _pattern.IndexOf('}', _position);
                    if (end < 0) throw Error("an open code point");
                }
                else
                {
                    end = Math.Min(_pattern.Length, _position + (c == 'x' ? 2 : c == 'u' ? 4 : 8));
                }

                if (!int.TryParse(_pattern.AsSpan(_position, end - _position), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value)) throw Error("a code point that is not hexadecimal");
                _position = end + (end < _pattern.Length && _pattern[end] == '}' ? 1 : 0);
                return value;
            default:
                if (c < 0x80 && char.IsAsciiLetterOrDigit((char)c)) throw Error($"the unknown escape \\{(char)c}");
                return c;
        }
    }

    private Func<int, bool> Range(int low, int high)
    {
        if (!_flags.HasFlag(Flags.IgnoreCase)) return c => c >= low && c <= high;
        return c => (c >= low && c <= high) || RegexProperties.CaseVariants(c).Any(variant => variant >= low && variant <= high);
    }

    private Func<int, bool> Literal(int literal) => Range(literal, literal);

    private static RegexNode.Set Single(Func<int, bool> predicate) => new(new CharacterSet(predicate));
}
