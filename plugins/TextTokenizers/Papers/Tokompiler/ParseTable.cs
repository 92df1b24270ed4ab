// Scope is all you need: Transforming LLMs for HPC Code, arXiv:2308.09440: the automaton of a grammar.

namespace ModelZoo.Plugins.TextTokenizers.Papers.Tokompiler;

/// <summary>What to do at a terminal: go to a state (<see cref="Production"/> is null) or put what was read together.</summary>
/// <param name="Production">The production that is complete; null to shift.</param>
/// <param name="State">Where a shift goes.</param>
/// <param name="IsRepetition">A shift that only says that a repetition may be read in more ways than one; it is not taken.</param>
internal readonly record struct ParseAction(Production? Production, int State, bool IsRepetition);

/// <summary>
/// LR(1) states (Knuth 1965), each made when a text first comes to it; precedence settles what it can, and where it does not, all actions stay. State 0 is that of an error, in which no terminal is
/// expected; state 1 the first. Any number of threads may ask.
/// </summary>
internal sealed class ParseTable
{
    /// <summary>The state in which a parser is while it skips.</summary>
    public const int Error = 0;

    /// <summary>The state at the beginning.</summary>
    public const int First = 1;

    private readonly Lock _lock = new();
    private readonly Grammar _grammar;
    private readonly int[][] _productions;          // by head
    private readonly UInt128[] _firsts;             // terminals with which a symbol may begin
    private readonly HashSet<int> _aliased;
    private readonly List<State> _states = [];
    private readonly Dictionary<Item[], int> _known = new(new SameItems());
    private readonly int _accepting;

    /// <param name="grammar">At most 128 terminals; no symbol but the start may be empty.</param>
    public ParseTable(Grammar grammar)
    {
        _grammar = grammar;
        var byHead = Enumerable.Range(0, grammar.Productions.Count).ToLookup(i => grammar.Productions[i].Head);
        _productions = [.. Enumerable.Range(0, grammar.Names.Count).Select(symbol => byHead[symbol].ToArray())];
        _firsts = Firsts(grammar);
        _aliased = grammar.Productions.SelectMany(production => production.Steps).Where(step => step.Alias is not null).Select(step => step.Symbol).ToHashSet();
        _states.Add(new([]) { Actions = new() { [grammar.Extra] = [new(null, Error, false)] } });
        StateOf([.. _productions[grammar.Start].Select(production => new Item(production, 0, Bit(Grammar.End)))]);
        _accepting = StateOf([]);
        _states[First].Next.Add(grammar.Start, _accepting);
    }

    /// <summary>The actions in a state at a terminal.</summary>
    public IReadOnlyList<ParseAction> Actions(int state, int terminal)
    {
        lock (_lock) return Open(state).TryGetValue(terminal, out var actions) ? actions : [];
    }

    /// <summary>The terminals at which a state has actions.</summary>
    public IReadOnlyCollection<int> Expected(int state)
    {
        lock (_lock) return Open(state).Keys;
    }

    /// <summary>True when the whole text was read.</summary>
    public bool Accepts(int state) => state == _accepting;

    /// <summary>Where a symbol leads; 0 for nowhere.</summary>
    public int Next(int state, int symbol)
    {
        lock (_lock)
        {
            if (Open(state).TryGetValue(symbol, out var actions)) return actions[^1].Production is null ? actions[^1].State : 0;
            return IsTerminal(symbol) ? 0 : Target(state, symbol);
        }
    }

    private bool IsTerminal(int symbol) => symbol < _grammar.TerminalCount;

    private int StateOf(Item[] kernel)
    {
        if (_known.TryGetValue(kernel, out var state)) return state;
        _known.Add(kernel, state = _states.Count);
        _states.Add(new(kernel));
        return state;
    }

    // Where a symbol leads. A state that can only wrap it in an invisible other one is jumped over.
    private int Target(int state, int symbol)
    {
        Open(state);
        var from = _states[state];
        if (from.Next.TryGetValue(symbol, out var target)) return target;
        if (!from.Moves.TryGetValue(symbol, out var kernel)) return 0;
        target = StateOf(kernel);
        if (_states[target].Kernel is [var item] && _grammar.Productions[item.Production] is { Steps: [{ Alias: null }] } unit && !_grammar.IsVisible(unit.Head) && !_grammar.Kept.Contains(unit.Head) && !_aliased.Contains(unit.Head))
            target = Target(state, unit.Head);
        return from.Next[symbol] = target;
    }

    private Dictionary<int, List<ParseAction>> Open(int number)
    {
        var state = _states[number];
        if (state.Actions is { } known) return known;
        var items = Closure(state.Kernel);
        state.Moves = items.Where(item => !IsComplete(item)).GroupBy(SymbolAt).ToDictionary(group => group.Key, group => group.Select(item => item with { Dot = item.Dot + 1 }).OrderBy(item => (item.Production, item.Dot)).ToArray());
        var actions = state.Actions = [];
        foreach (var item in items.Where(IsComplete).OrderBy(item => item.Production)) AddReductions(actions, item);
        foreach (var terminal in state.Moves.Keys.Where(IsTerminal).Order())
        {
            var target = Target(number, terminal);
            if (actions.TryGetValue(terminal, out var reductions)) Settle(state.Kernel, terminal, target, reductions);
            else actions.Add(terminal, [new(null, target, false)]);
        }

        actions.TryAdd(_grammar.Extra, [new(null, number, false)]);
        return actions;
    }

    private bool IsComplete(Item item) => item.Dot == _grammar.Productions[item.Production].Steps.Count;

    private int SymbolAt(Item item) => _grammar.Productions[item.Production].Steps[item.Dot].Symbol;

    // What a head is followed by follows the productions that make it.
    private List<Item> Closure(Item[] kernel)
    {
        var followed = new SortedDictionary<int, UInt128>();
        var waiting = new Queue<int>();
        void Follow(Item item)
        {
            if (IsComplete(item) || IsTerminal(SymbolAt(item))) return;
            var steps = _grammar.Productions[item.Production].Steps;
            var head = steps[item.Dot].Symbol;
            var before = followed.GetValueOrDefault(head);
            var after = before | (item.Dot + 1 < steps.Count ? _firsts[steps[item.Dot + 1].Symbol] : item.Lookahead);
            if (after == before) return;
            followed[head] = after;
            waiting.Enqueue(head);
        }

        foreach (var item in kernel) Follow(item);
        while (waiting.TryDequeue(out var head))
        {
            foreach (var production in _productions[head]) Follow(new(production, 0, followed[head]));
        }

        return [.. kernel, .. followed.SelectMany(pair => _productions[pair.Key].Select(production => new Item(production, 0, pair.Value)))];
    }

    private void AddReductions(Dictionary<int, List<ParseAction>> actions, Item item)
    {
        var production = _grammar.Productions[item.Production];
        for (var terminal = 0; terminal < _grammar.TerminalCount; terminal++)
        {
            if ((item.Lookahead & Bit(terminal)) == 0) continue;
            if (!actions.TryGetValue(terminal, out var list)) actions.Add(terminal, list = []);
            if (list.Count > 0 && Precedence(production) < Precedence(list[0].Production!)) continue;
            if (list.Count > 0 && Precedence(production) > Precedence(list[0].Production!)) list.Clear();
            list.Add(new(production, 0, false));
        }
    }

    // Shift or reduce: the higher precedence, or at the same one the side on which operators join; both when that says nothing.
    private void Settle(Item[] kernel, int terminal, int target, List<ParseAction> reductions)
    {
        Item[] shifts = [.. kernel.Where(item => item.Dot > 0 && !IsComplete(item) && (_firsts[SymbolAt(item)] & Bit(terminal)) != 0)];
        var heads = shifts.Select(item => _grammar.Productions[item.Production].Head).Concat(reductions.Select(action => action.Production!.Head)).Distinct().ToList();
        if (heads is [var only] && _grammar.Repeats.Contains(only))
        {
            reductions.Add(new(null, target, true));
            return;
        }

        var precedence = Precedence(reductions[0].Production!);
        int[] others = [.. shifts.Select(item => _grammar.Productions[item.Production].Steps[item.Dot - 1].Precedence)];
        var (isMore, isLess) = (others.Any(other => other > precedence), others.Any(other => other < precedence));
        var sides = reductions.Select(action => action.Production!.Steps[^1].Associativity).Distinct().ToList();
        if (isLess && !isMore) return;
        if (!isMore && !isLess && sides is [Associativity.Left]) return;
        if ((isMore && !isLess) || (!isMore && sides is [Associativity.Right])) reductions.Clear();
        reductions.Add(new(null, target, false));
    }

    private static UInt128[] Firsts(Grammar grammar)
    {
        var firsts = new UInt128[grammar.Names.Count];
        for (var terminal = 0; terminal < grammar.TerminalCount; terminal++) firsts[terminal] = Bit(terminal);
        for (var changed = true; changed;)
        {
            changed = false;
            foreach (var production in grammar.Productions.Where(production => production.Steps.Count > 0))
            {
                var joined = firsts[production.Head] | firsts[production.Steps[0].Symbol];
                changed |= joined != firsts[production.Head];
                firsts[production.Head] = joined;
            }
        }

        return firsts;
    }

    private static int Precedence(Production production) => production.Steps.Count == 0 ? 0 : production.Steps[^1].Precedence;

    private static UInt128 Bit(int terminal) => UInt128.One << terminal;

    // A production read up to a place, and what may follow it.
    private readonly record struct Item(int Production, int Dot, UInt128 Lookahead);

    private sealed class State(Item[] kernel)
    {
        public Item[] Kernel => kernel;
        public Dictionary<int, Item[]> Moves { get; set; } = [];
        public Dictionary<int, int> Next { get; } = [];
        public Dictionary<int, List<ParseAction>>? Actions { get; set; }
    }

    private sealed class SameItems : IEqualityComparer<Item[]>
    {
        public bool Equals(Item[]? a, Item[]? b) => a.AsSpan().SequenceEqual(b);

        public int GetHashCode(Item[] items)
        {
            var hash = new HashCode();
            foreach (var item in items) hash.Add(item);
            return hash.ToHashCode();
        }
    }
}
