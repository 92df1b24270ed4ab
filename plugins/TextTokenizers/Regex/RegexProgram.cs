namespace ModelZoo.Plugins.TextTokenizers.Regex;

/// <summary>What an instruction does.</summary>
internal enum RegexOp : byte
{
    /// <summary>Takes one member of the set.</summary>
    Set,

    /// <summary>Takes as many members as there are between <c>A</c> and <c>B</c> (-1: no limit), giving back one by one.</summary>
    SetGreedy,

    /// <summary>As few as possible.</summary>
    SetLazy,

    /// <summary>As many as there are, giving nothing back.</summary>
    SetPossessive,

    /// <summary>Tries <c>A</c> first, then <c>B</c>.</summary>
    Split,

    /// <summary>Goes to <c>A</c>.</summary>
    Jump,

    /// <summary>A place in the text, <see cref="AnchorKind"/> in <c>A</c>.</summary>
    Anchor,

    /// <summary>Runs the program and goes on from its end, or fails.</summary>
    Atomic,

    /// <summary>Runs the program ahead; succeeds when its outcome is not <c>A</c>.</summary>
    Ahead,

    /// <summary>Runs the program behind, from each earlier start; succeeds when its outcome is not <c>A</c>.</summary>
    Behind,

    /// <summary>Fails when nothing was taken since the loop counter <c>A</c> was set, so that empty loops end.</summary>
    Progress,

    /// <summary>Remembers the position in loop counter <c>A</c>.</summary>
    Mark,

    /// <summary>The end.</summary>
    Match,
}

/// <summary>An instruction.</summary>
internal readonly record struct RegexInstruction(RegexOp Op, int A = 0, int B = 0, CharacterSet? Set = null, RegexProgram? Program = null);

/// <summary>A pattern as instructions.</summary>
internal sealed class RegexProgram
{
    private const int MaxInstructions = 50_000;
    private readonly List<RegexInstruction> _code = [];
    private readonly Counter _counter;

    private sealed class Counter
    {
        public int Instructions;
        public int Marks;
    }

    private RegexProgram(Counter counter) => _counter = counter;

    public RegexInstruction[] Code { get; private set; } = [];

    /// <summary>Number of loop counters.</summary>
    public int Marks => _counter.Marks;

    /// <exception cref="FormatException">The pattern is too large.</exception>
    public static RegexProgram Compile(RegexNode node) => Compile(node, new());

    private static RegexProgram Compile(RegexNode node, Counter counter)
    {
        var program = new RegexProgram(counter);
        program.Emit(node);
        program.Add(new(RegexOp.Match));
        program.Code = [.. program._code];
        return program;
    }

    private int Add(RegexInstruction instruction)
    {
        if (++_counter.Instructions > MaxInstructions) throw new FormatException("the pattern's repetitions make it too large");
        _code.Add(instruction);
        return _code.Count - 1;
    }

    private void Emit(RegexNode node)
    {
        switch (node)
        {
            case RegexNode.Set set:
                Add(new(RegexOp.Set, Set: set.Members));
                break;
            case RegexNode.Sequence sequence:
                foreach (var item in sequence.Items) Emit(item);
                break;
            case RegexNode.Choice choice:
                var ends = new List<int>();
                for (var i = 0; i < choice.Items.Count - 1; i++)
                {
                    var split = Add(new(RegexOp.Split));
                    Emit(choice.Items[i]);
                    ends.Add(Add(new(RegexOp.Jump)));
                    _code[split] = new(RegexOp.Split, split + 1, _code.Count);
                }

                Emit(choice.Items[^1]);
                foreach (var end in ends) _code[end] = new(RegexOp.Jump, _code.Count);
                break;
            case RegexNode.Repeat { Item: RegexNode.Set set } repeat:
                Add(new(repeat.Mode switch { RepeatMode.Greedy => RegexOp.SetGreedy, RepeatMode.Lazy => RegexOp.SetLazy, _ => RegexOp.SetPossessive }, repeat.Min, repeat.Max, set.Members));
                break;
            case RegexNode.Repeat { Mode: RepeatMode.Possessive } repeat:
                Emit(new RegexNode.Atomic(repeat with { Mode = RepeatMode.Greedy }));
                break;
            case RegexNode.Repeat repeat:
                EmitRepeat(repeat);
                break;
            case RegexNode.Atomic atomic:
                Add(new(RegexOp.Atomic, Program: Compile(atomic.Item, _counter)));
                break;
            case RegexNode.Look look:
                Add(new(look.Behind ? RegexOp.Behind : RegexOp.Ahead, look.Negative ? 1 : 0, Program: Compile(look.Item, _counter)));
                break;
            case RegexNode.Anchor anchor:
                Add(new(RegexOp.Anchor, (int)anchor.Kind));
                break;
        }
    }

    private void EmitRepeat(RegexNode.Repeat repeat)
    {
        for (var i = 0; i < repeat.Min; i++) Emit(repeat.Item);
        var lazy = repeat.Mode == RepeatMode.Lazy;
        if (repeat.Max < 0)
        {
            var mark = _counter.Marks++;
            var split = Add(new(RegexOp.Split));
            Add(new(RegexOp.Mark, mark));
            Emit(repeat.Item);
            Add(new(RegexOp.Progress, mark));
            Add(new(RegexOp.Jump, split));
            _code[split] = Fork(split + 1, _code.Count);
            return;
        }

        var splits = new List<int>();
        for (var i = repeat.Min; i < repeat.Max; i++)
        {
            splits.Add(Add(new(RegexOp.Split)));
            Emit(repeat.Item);
        }

        foreach (var split in splits) _code[split] = Fork(split + 1, _code.Count);

        RegexInstruction Fork(int inside, int outside) => lazy ? new(RegexOp.Split, outside, inside) : new(RegexOp.Split, inside, outside);
    }
}
