using ModelZoo.Contracts;
using ModelZoo.Plugins.TextTokenizers.Unicode;

namespace ModelZoo.Plugins.TextTokenizers.Regex;

/// <summary>
/// A regular expression over well-formed UTF-8, with the semantics of the reference libraries' engines: nested character classes, possessive quantifiers, atomic groups,
/// look-around. It backtracks, within a number of steps that grows linearly with the text: a pattern that would need more is an error, never a hang.
/// </summary>
internal sealed class TextRegex
{
    private const long StepsPerByte = 2000;
    private const long StepsAtLeast = 10_000_000;

    private readonly RegexProgram _program;
    private readonly Func<int, bool> _isWord;

    /// <exception cref="FormatException">The pattern cannot be read.</exception>
    public TextRegex(string pattern, RegexFlavor flavor)
    {
        Pattern = pattern;
        _isWord = flavor == RegexFlavor.Oniguruma ? CodePoints.IsOnigurumaWord : CodePoints.IsWordOrJoiner;
        _program = RegexProgram.Compile(RegexParser.Parse(pattern, flavor));
    }

    /// <summary>The pattern.</summary>
    public string Pattern { get; }

    /// <summary>Starts the search for all matches of a text, from left to right without overlap.</summary>
    public Search Matches(ReadOnlyMemory<byte> text) => new(this, text);

    /// <summary>The search for all matches of one text.</summary>
    public sealed class Search(TextRegex regex, ReadOnlyMemory<byte> text)
    {
        private readonly List<(int Instruction, int Position, int Least)> _stack = [];
        private readonly int[] _marks = new int[regex._program.Marks];
        private long _steps = StepsAtLeast + StepsPerByte * text.Length;
        private int _from;
        private int _lastEnd = -1;

        /// <summary>Finds the next match. Like the reference engines, an empty match right after another match is passed over.</summary>
        /// <exception cref="ModelZooException">The pattern backtracks too much on this text.</exception>
        public bool Next(out int start, out int end)
        {
            var span = text.Span;
            for (var at = _from; at <= span.Length;)
            {
                end = Run(regex._program, span, at);
                if (end >= 0 && !(end == at && end == _lastEnd))
                {
                    start = at;
                    _from = _lastEnd = end;
                    return true;
                }

                at += at < span.Length ? CodePoints.Utf8Length(span[at]) : 1;
            }

            _from = span.Length + 1;
            start = end = 0;
            return false;
        }

        /// <summary>The end of the match that starts at <paramref name="position"/>, or -1; where <paramref name="target"/> is given, only an end there counts.</summary>
        private int Run(RegexProgram program, ReadOnlySpan<byte> span, int position, int target = -1)
        {
            var code = program.Code;
            var bottom = _stack.Count;
            var pc = 0;
            while (true)
            {
                if (--_steps < 0) throw Overrun();
                ref readonly var instruction = ref code[pc];
                var ok = true;
                switch (instruction.Op)
                {
                    case RegexOp.Match:
                        ok = target < 0 || position == target;
                        if (!ok) break;
                        _stack.RemoveRange(bottom, _stack.Count - bottom);
                        return position;
                    case RegexOp.Set:
                        ok = instruction.Set!.Step(span, ref position);
                        pc++;
                        break;
                    case RegexOp.SetGreedy or RegexOp.SetPossessive:
                        ok = Take(in instruction, span, ref position, out var least);
                        pc++;
                        if (ok && instruction.Op == RegexOp.SetGreedy && position > least) _stack.Add((pc, position, least));
                        break;
                    case RegexOp.SetLazy:
                        for (var i = 0; ok && i < instruction.A; i++) ok = instruction.Set!.Step(span, ref position);
                        if (ok && instruction.B != instruction.A) _stack.Add((pc, position, -2 - instruction.A));
                        pc++;
                        break;
                    case RegexOp.Split:
                        _stack.Add((instruction.B, position, -1));
                        pc = instruction.A;
                        break;
                    case RegexOp.Jump:
                        pc = instruction.A;
                        break;
                    case RegexOp.Anchor:
                        ok = IsAt((AnchorKind)instruction.A, span, position);
                        pc++;
                        break;
                    case RegexOp.Atomic:
                        var end = Run(instruction.Program!, span, position);
                        ok = end >= 0;
                        if (ok) position = end;
                        pc++;
                        break;
                    case RegexOp.Ahead:
                        ok = Run(instruction.Program!, span, position) >= 0 == (instruction.A == 0);
                        pc++;
                        break;
                    case RegexOp.Behind:
                        ok = IsBehind(instruction.Program!, span, position) == (instruction.A == 0);
                        pc++;
                        break;
                    case RegexOp.Mark:
                        _marks[instruction.A] = position;
                        pc++;
                        break;
                    case RegexOp.Progress:
                        ok = position > _marks[instruction.A];
                        pc++;
                        break;
                }

                if (!ok && !Backtrack(code, span, bottom, ref pc, ref position)) return -1;
            }
        }

        private bool Take(in RegexInstruction instruction, ReadOnlySpan<byte> span, ref int position, out int least)
        {
            var (set, max) = (instruction.Set!, instruction.B < 0 ? int.MaxValue : instruction.B);
            least = position;
            var count = 0;
            for (; count < max && set.Step(span, ref position); count++)
            {
                if (count + 1 == instruction.A) least = position;
            }

            _steps -= count;
            return count >= instruction.A;
        }

        private bool Backtrack(RegexInstruction[] code, ReadOnlySpan<byte> span, int bottom, ref int pc, ref int position)
        {
            while (_stack.Count > bottom)
            {
                var (instruction, at, least) = _stack[^1];
                _stack.RemoveAt(_stack.Count - 1);
                if (least >= 0)
                {
                    // A greedy run gives back one code point.
                    do at--;
                    while ((span[at] & 0xC0) == 0x80);
                    if (at > least) _stack.Add((instruction, at, least));
                    (pc, position) = (instruction, at);
                    return true;
                }

                if (least < -1)
                {
                    // A lazy run takes one more.
                    var count = -2 - least;
                    var lazy = code[instruction];
                    if ((lazy.B >= 0 && count >= lazy.B) || !lazy.Set!.Step(span, ref at)) continue;
                    _stack.Add((instruction, at, -2 - (count + 1)));
                    (pc, position) = (instruction + 1, at);
                    return true;
                }

                (pc, position) = (instruction, at);
                return true;
            }

            return false;
        }

        private bool IsBehind(RegexProgram program, ReadOnlySpan<byte> span, int position)
        {
            for (var start = position; start >= 0; start--)
            {
                if (start < span.Length && (span[start] & 0xC0) == 0x80) continue;
                if (Run(program, span, start, position) >= 0) return true;
            }

            return false;
        }

        private bool IsAt(AnchorKind kind, ReadOnlySpan<byte> span, int position) => kind switch
        {
            AnchorKind.TextStart => position == 0,
            AnchorKind.TextEnd => position == span.Length,
            AnchorKind.TextEndOrLastNewline => position == span.Length || (position == span.Length - 1 && span[position] == '\n'),
            AnchorKind.LineStart => position == 0 || (span[position - 1] == '\n' && position < span.Length),
            AnchorKind.LineEnd => position == span.Length || span[position] == '\n',
            AnchorKind.WordBoundary => IsWordAt(span, position) != IsWordBefore(span, position),
            _ => IsWordAt(span, position) == IsWordBefore(span, position),
        };

        private bool IsWordAt(ReadOnlySpan<byte> span, int position) => position < span.Length && regex._isWord(CodePoints.Decode(span, position, out _));

        private bool IsWordBefore(ReadOnlySpan<byte> span, int position) => position > 0 && regex._isWord(CodePoints.DecodeBefore(span, position, out _));

        private ModelZooException Overrun() => new("text.regex-overrun", "A regular expression of the tokenizer backtracks without end on this text.")
        {
            Where = regex.Pattern,
            Expected = $"at most {StepsAtLeast + StepsPerByte * text.Length} steps for {text.Length} bytes",
            Remedy = "The pattern is at fault; publish one without nested repetition.",
        };
    }
}
