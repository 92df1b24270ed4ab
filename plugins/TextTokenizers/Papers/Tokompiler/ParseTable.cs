// Scope is all you need: Transforming LLMs for HPC Code, arXiv:2308.09440: the automaton of a grammar.
using System.Runtime.InteropServices;

namespace ModelZoo.Plugins.TextTokenizers.Papers.Tokompiler;

/// <summary>What to do at a terminal: go to a state (<see cref="Production"/> is null) or put what was read together.</summary>
/// <param name="Production">The production that is complete; null to shift.</param>
/// <param name="State">Where a shift goes.</param>
/// <param name="IsRepetition">A shift that only says that a repetition may be read in more ways than one; it is not taken.</param>
internal readonly record struct ParseAction(Production? Production, int State, bool IsRepetition);

/// <summary>
/// LALR(1) states with their actions; precedence settles what it can, and where it does not, all actions stay. State 0 is that of an error, in which no terminal is expected; state 1 the first.
/// Lookaheads by DeRemer and Pennello (1982).
/// </summary>
internal sealed class ParseTable
{
    /// <summary>The state in which a parser is while it skips.</summary>
    public const int Error = 0;

    /// <summary>The state at the beginning.</summary>
    public const int First = 1;

    private readonly List<Dictionary<int, List<ParseAction>>> _actions;
    private readonly List<Dictionary<int, int>> _next;
    private readonly int _accepting;

    private ParseTable(List<Dictionary<int, List<ParseAction>>> actions, List<Dictionary<int, int>> next, int accepting) => (_actions, _next, _accepting) = (actions, next, accepting);

    /// <summary>The actions in a state at a terminal.</summary>
    public IReadOnlyList<ParseAction> Actions(int state, int terminal) => _actions[state].TryGetValue(terminal, out var actions) ? actions : [];

    /// <summary>The terminals at which a state has actions.</summary>
    public IReadOnlyCollection<int> Expected(int state) => _actions[state].Keys;

    /// <summary>True when the whole text was read.</summary>
    public bool Accepts(int state) => state == _accepting;

    /// <summary>Where a symbol leads; 0 for nowhere.</summary>
    public int Next(int state, int symbol)
    {
        if (_actions[state].TryGetValue(symbol, out var actions)) return actions[^1].Production is null ? actions[^1].State : 0;
        return _next[state].GetValueOrDefault(symbol);
    }

    /// <summary>Builds the automaton.</summary>
    public static ParseTable Of(Grammar grammar) => new Builder(grammar).Build();

    private sealed class Builder(Grammar grammar)
    {
        private readonly ILookup<int, int> _productions = Enumerable.Range(0, grammar.Productions.Count).ToLookup(i => grammar.Productions[i].Head);
        private readonly List<(int Production, int Dot)[]> _kernels = [[], []];
        private readonly List<Dictionary<int, int>> _next = [[], []];
        private readonly Dictionary<string, int> _stateOf = [];

        public ParseTable Build()
        {
            States();
            var lookaheads = Lookaheads();
            var firsts = Firsts();
            var actions = new List<Dictionary<int, List<ParseAction>>> { new() { [grammar.Extra] = [new(null, Error, false)] } };
            for (var state = First; state < _kernels.Count; state++) actions.Add(Actions(state, lookaheads[state], firsts));
            SkipUnits(actions);
            return new(actions, _next, _next[First][grammar.Start]);
        }

        private bool IsTerminal(int symbol) => symbol < grammar.TerminalCount;

        private int? SymbolAt((int Production, int Dot) item) => item.Dot < grammar.Productions[item.Production].Steps.Count ? grammar.Productions[item.Production].Steps[item.Dot].Symbol : null;

        // LR(0): a state is known by the items with which it begins.
        private void States()
        {
            for (var state = First; state < _kernels.Count; state++)
            {
                var moves = new SortedDictionary<int, List<(int, int)>>();
                foreach (var item in Closure(state))
                {
                    if (SymbolAt(item) is not { } symbol) continue;
                    if (!moves.TryGetValue(symbol, out var items)) moves.Add(symbol, items = []);
                    items.Add((item.Production, item.Dot + 1));
                }

                // The start symbol leads to the accepting state, which has no items.
                if (state == First) _next[First].Add(grammar.Start, StateOf([]));
                foreach (var (symbol, items) in moves) _next[state].Add(symbol, StateOf([.. items.Order()]));
            }
        }

        private int StateOf((int, int)[] kernel)
        {
            var key = string.Join(',', kernel);
            if (_stateOf.TryGetValue(key, out var state)) return state;
            _stateOf.Add(key, state = _kernels.Count);
            _kernels.Add(kernel);
            _next.Add([]);
            return state;
        }

        private List<(int Production, int Dot)> Closure(int state)
        {
            List<(int Production, int Dot)> items = [.. _kernels[state]];
            var done = new HashSet<int>();
            void Open(int head)
            {
                if (IsTerminal(head) || !done.Add(head)) return;
                foreach (var production in _productions[head]) items.Add((production, 0));
            }

            if (state == First) Open(grammar.Start);
            for (var i = 0; i < items.Count; i++)
            {
                if (SymbolAt(items[i]) is { } symbol) Open(symbol);
            }

            return items;
        }

        // For each state, the terminals after which each complete production may be put together. No symbol but the start is ever empty.
        private List<Dictionary<int, UInt128>> Lookaheads()
        {
            var follow = new Dictionary<(int State, int Head), UInt128>();
            var includes = new Dictionary<(int, int), List<(int, int)>>();
            var lookbacks = new List<(int State, int Production, (int, int) From)>();
            for (var state = First; state < _next.Count; state++)
            {
                foreach (var (head, target) in _next[state])
                {
                    if (IsTerminal(head)) continue;
                    ref var terminals = ref CollectionsMarshal.GetValueRefOrAddDefault(follow, (state, head), out _);
                    foreach (var terminal in _next[target].Keys.Where(IsTerminal)) terminals |= Bit(terminal);
                    if (state == First && head == grammar.Start) terminals |= Bit(Grammar.End);
                    foreach (var production in _productions[head])
                    {
                        var place = state;
                        var steps = grammar.Productions[production].Steps;
                        for (var i = 0; i < steps.Count; i++)
                        {
                            if (i == steps.Count - 1 && !IsTerminal(steps[i].Symbol))
                            {
                                if (!includes.TryGetValue((state, head), out var list)) includes.Add((state, head), list = []);
                                list.Add((place, steps[i].Symbol));
                            }

                            place = _next[place][steps[i].Symbol];
                        }

                        lookbacks.Add((place, production, (state, head)));
                    }
                }
            }

            // What follows a head follows its last symbol.
            var waiting = new Queue<(int, int)>(follow.Keys);
            while (waiting.TryDequeue(out var from))
            {
                foreach (var to in includes.GetValueOrDefault(from, []))
                {
                    var joined = follow[to] | follow[from];
                    if (joined == follow[to]) continue;
                    follow[to] = joined;
                    waiting.Enqueue(to);
                }
            }

            var lookaheads = _kernels.Select(_ => new Dictionary<int, UInt128>()).ToList();
            foreach (var (state, production, from) in lookbacks) CollectionsMarshal.GetValueRefOrAddDefault(lookaheads[state], production, out _) |= follow[from];
            return lookaheads;
        }

        // Terminals with which each symbol may begin.
        private UInt128[] Firsts()
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

        private Dictionary<int, List<ParseAction>> Actions(int state, Dictionary<int, UInt128> lookaheads, UInt128[] firsts)
        {
            var actions = new Dictionary<int, List<ParseAction>>();
            foreach (var (number, terminals) in lookaheads.OrderBy(pair => pair.Key))
            {
                var production = grammar.Productions[number];
                for (var terminal = 0; terminal < grammar.TerminalCount; terminal++)
                {
                    if ((terminals & Bit(terminal)) == 0) continue;
                    ref var list = ref CollectionsMarshal.GetValueRefOrAddDefault(actions, terminal, out _);
                    list ??= [];
                    if (list.Count > 0 && Precedence(production) < Precedence(list[0].Production!)) continue;
                    if (list.Count > 0 && Precedence(production) > Precedence(list[0].Production!)) list.Clear();
                    list.Add(new(production, 0, false));
                }
            }

            foreach (var (terminal, target) in _next[state])
            {
                if (!IsTerminal(terminal)) continue;
                if (actions.TryGetValue(terminal, out var reductions)) Settle(state, terminal, target, reductions, firsts);
                else actions.Add(terminal, [new(null, target, false)]);
            }

            actions.TryAdd(grammar.Extra, [new(null, state, false)]);
            return actions;
        }

        // Shift or reduce: the higher precedence, or at the same one the side on which operators join; both when that says nothing.
        private void Settle(int state, int terminal, int target, List<ParseAction> reductions, UInt128[] firsts)
        {
            Step[] shifts = [.. _kernels[state].Where(item => SymbolAt(item) is { } symbol && (firsts[symbol] & Bit(terminal)) != 0).Select(item => grammar.Productions[item.Production].Steps[item.Dot - 1])];
            var heads = _kernels[state].Where(item => SymbolAt(item) is { } symbol && (firsts[symbol] & Bit(terminal)) != 0).Select(item => grammar.Productions[item.Production].Head)
                .Concat(reductions.Select(action => action.Production!.Head)).Distinct().ToList();
            if (heads.Count == 1 && grammar.Repeats.Contains(heads[0]))
            {
                reductions.Add(new(null, target, true));
                return;
            }

            var precedence = Precedence(reductions[0].Production!);
            var (isMore, isLess) = (shifts.Any(step => step.Precedence > precedence), shifts.Any(step => step.Precedence < precedence));
            var sides = reductions.Select(action => action.Production!.Steps[^1].Associativity).Distinct().ToList();
            var shift = new ParseAction(null, target, false);
            if (isMore && !isLess) reductions.Clear();
            else if (isLess && !isMore) return;
            else if (!isMore && sides is [Associativity.Left]) return;
            else if (!isMore && sides is [Associativity.Right]) reductions.Clear();
            reductions.Add(shift);
        }

        // States that can only wrap one symbol in an invisible one are jumped over.
        private void SkipUnits(List<Dictionary<int, List<ParseAction>>> actions)
        {
            var aliased = grammar.Productions.SelectMany(production => production.Steps).Where(step => step.Alias is not null).Select(step => step.Symbol).ToHashSet();
            var units = new Dictionary<int, int>();
            for (var state = First; state < actions.Count; state++)
            {
                var heads = actions[state].Where(pair => pair.Key != grammar.Extra).SelectMany(pair => pair.Value).Select(action => action.Production is { Steps: [{ Alias: null }] } unit ? unit.Head : -1).Distinct().ToList();
                if (heads is [>= 0 and var head] && !grammar.IsVisible(head) && !grammar.Kept.Contains(head) && !aliased.Contains(head)) units.Add(state, head);
            }

            for (var state = First; state < actions.Count; state++)
            {
                int Target(int target)
                {
                    while (units.TryGetValue(target, out var head)) target = _next[state][head];
                    return target;
                }

                foreach (var list in actions[state].Values)
                {
                    for (var i = 0; i < list.Count; i++)
                    {
                        if (list[i].Production is null && list[i].State != state) list[i] = list[i] with { State = Target(list[i].State) };
                    }
                }

                foreach (var (symbol, target) in _next[state].ToList()) _next[state][symbol] = Target(target);
            }
        }

        private static int Precedence(Production production) => production.Steps.Count == 0 ? 0 : production.Steps[^1].Precedence;

        private static UInt128 Bit(int terminal) => UInt128.One << terminal;
    }
}
