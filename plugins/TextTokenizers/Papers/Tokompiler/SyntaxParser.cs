// Scope is all you need: Transforming LLMs for HPC Code, arXiv:2308.09440: the search for the best reading.

namespace ModelZoo.Plugins.TextTokenizers.Papers.Tokompiler;

/// <summary>
/// Reads a text by an ambiguous grammar and does not give up at errors: generalized LR (Tomita 1987) with the recovery of tree-sitter, whose trees it gives. Readings go side by side, join where they
/// come to the same, and of two the one goes on whose errors cost less, then that of the higher rank.
/// </summary>
internal sealed partial class SyntaxParser
{
    private const int MaxReadings = 6, MaxNewReadings = 4, MaxDepth = 16;
    private const int HopelessCost = 16 * SyntaxNode.CostOfPiece;

    private readonly Grammar _grammar;
    private readonly ParseTable _table;
    private readonly SourceText _text;
    private readonly CLexer _lexer;
    private readonly Dictionary<int, TokenSet> _expected = [];
    private readonly ReadingStack _stack = new();
    private (int Position, Token Token)? _shared;
    private SyntaxNode? _finished;
    private int _accepted;

    private SyntaxParser(Grammar grammar, ParseTable table, byte[] text) => (_grammar, _table, _text, _lexer) = (grammar, table, new(text), new(grammar, text));

    /// <summary>The tree of a text.</summary>
    /// <param name="grammar">The grammar.</param>
    /// <param name="table">Its automaton.</param>
    /// <param name="text">UTF-8.</param>
    /// <param name="cancel">Stops between two tokens.</param>
    public static SyntaxNode Parse(Grammar grammar, ParseTable table, byte[] text, CancellationToken cancel = default) => new SyntaxParser(grammar, table, text).Parse(cancel);

    private SyntaxNode Parse(CancellationToken cancel)
    {
        var last = 0;
        while (_stack.Count > 0)
        {
            cancel.ThrowIfCancellationRequested();
            for (var i = 0; i < _stack.Count; i++)
            {
                while (_stack[i].Status == ReadingStatus.Active)
                {
                    Advance(i);
                    var position = _stack[i].Top.Position;
                    if (position <= last && !(i > 0 && position == last)) continue;
                    last = position;
                    break;
                }
            }

            var least = Condense();
            if (_finished is not null && _finished.Cost < least) break;
        }

        return _finished ?? throw new InvalidOperationException("A reading always ends.");
    }

    // One token of a reading, with all that it completes.
    private void Advance(int index)
    {
        var state = _stack[index].Top.State;
        var token = Read(_stack[index].Top.Position, state);
        var symbol = token.Symbol;
        while (true)
        {
            if (symbol == Grammar.End && _table.Accepts(state))
            {
                Accept(index, token);
                return;
            }

            if (state == ParseTable.Error && symbol != _grammar.Extra)
            {
                Recover(index, token);
                return;
            }

            int? reduced = null;
            foreach (var action in _table.Actions(state, symbol))
            {
                if (action.Production is { } production)
                {
                    reduced = Reduce(index, production) ?? reduced;
                }
                else if (!action.IsRepetition)
                {
                    var isExtra = symbol == _grammar.Extra;
                    _stack[index].Push(token with { IsExtra = isExtra, Symbol = symbol, IsVisible = _grammar.IsVisible(symbol) }, isExtra ? state : action.State);
                    return;
                }
            }

            if (reduced is { } version)
            {
                _stack.Replace(index, version);
                state = _stack[index].Top.State;
            }
            else if (token.IsKeyword && symbol != _lexer.Identifier && _table.Actions(state, _lexer.Identifier).Count > 0)
            {
                symbol = _lexer.Identifier;
                token = token with { Symbol = symbol };
            }
            else
            {
                _stack[index].Status = ReadingStatus.Paused;
                _stack[index].Unexpected = token;
                _stack[index].CountAtError = _stack[index].Top.Count;
                return;
            }
        }
    }

    private SyntaxNode Read(int position, int state)
    {
        if (!_expected.TryGetValue(state, out var expected)) _expected.Add(state, expected = state == ParseTable.Error ? _lexer.Anything : _lexer.Expect(_table.Expected(state)));
        // Blanks and ends of lines belong to some tokens where an argument of a directive may stand: what one reading saw there, all see.
        if (_shared is { } shared && shared.Position == position && _table.Actions(state, shared.Token.Terminal).Count > 0) return SyntaxNode.Leaf(shared.Token, isVisible: true);
        var token = _lexer.Read(position, expected);
        if (_lexer.IsShared(token.Terminal)) _shared = (position, token);
        if (token.Terminal < 0) return SyntaxNode.OfUnreadable(token);
        var isEnd = token.Terminal == Grammar.End;
        return SyntaxNode.Leaf(token, _grammar.IsVisible(token.Terminal) && !isEnd) with { IsExtra = isEnd };
    }

    // Puts what was read together; gives the first new reading, if there is one that did not join another.
    private int? Reduce(int index, Production production)
    {
        var before = _stack.Count;
        var slices = _stack.Pop(index, production.Steps.Count);
        var removed = 0;
        for (var i = 0; i < slices.Count; i++)
        {
            var (original, nodes) = slices[i];
            var reading = original - removed;
            if (reading > MaxReadings + MaxNewReadings)
            {
                _stack.RemoveAt(reading);
                removed++;
                while (i + 1 < slices.Count && slices[i + 1].Reading == original) i++;
                continue;
            }

            var trailing = TakeExtras(nodes);
            var place = _stack[reading].Top.Position;
            var node = SyntaxNode.Of(production, nodes, place, _grammar.IsVisible(production.Head));
            while (i + 1 < slices.Count && slices[i + 1].Reading == original)
            {
                var others = slices[++i].Nodes;
                var extras = TakeExtras(others);
                var other = SyntaxNode.Of(production, others, place, node.IsVisible);
                if (IsBetter(other, node)) (node, trailing) = (other, extras);
            }

            var next = _table.Next(_stack[reading].Top.State, production.Head);
            _stack[reading].Push(node with { Rank = node.Rank + production.Rank }, next);
            foreach (var extra in trailing) _stack[reading].Push(extra, next);
            for (var j = 0; j < reading; j++)
            {
                if (j == index || !_stack.Merge(j, reading)) continue;
                removed++;
                break;
            }
        }

        return _stack.Count > before ? before : null;
    }

    private static List<SyntaxNode> TakeExtras(List<SyntaxNode> nodes)
    {
        var first = nodes.Count;
        while (first > 0 && nodes[first - 1].IsExtra) first--;
        var extras = nodes[first..];
        nodes.RemoveRange(first, nodes.Count - first);
        return extras;
    }

    // Less cost, then higher rank, then the symbols that come earlier in the grammar.
    private static bool IsBetter(SyntaxNode other, SyntaxNode node)
    {
        if (other.Cost != node.Cost) return other.Cost < node.Cost;
        if (other.Rank != node.Rank) return other.Rank > node.Rank;
        return node.Cost > 0 || Compare(node, other) > 0;
    }

    private static int Compare(SyntaxNode a, SyntaxNode b)
    {
        var pairs = new Stack<(SyntaxNode, SyntaxNode)>([(a, b)]);
        while (pairs.TryPop(out var pair))
        {
            var (left, right) = pair;
            if (ReferenceEquals(left, right)) continue;
            if (left.Symbol != right.Symbol) return left.Symbol.CompareTo(right.Symbol);
            if (left.Children.Count != right.Children.Count) return left.Children.Count.CompareTo(right.Children.Count);
            for (var i = left.Children.Count - 1; i >= 0; i--) pairs.Push((left.Children[i], right.Children[i]));
        }

        return 0;
    }

    private void Accept(int index, SyntaxNode end)
    {
        _stack[index].Push(end, ParseTable.First);
        var slices = _stack.PopAll(index);
        foreach (var (_, nodes) in slices)
        {
            var main = nodes.FindLastIndex(node => !node.IsExtra);
            var root = nodes[main];
            root = root.Around([.. nodes[..main], .. root.Children, .. nodes[(main + 1)..]], _text);
            _accepted++;
            if (_finished is null || IsBetter(root, _finished)) _finished = root;
        }

        _stack.RemoveAt(slices[0].Reading);
        _stack[index].Status = ReadingStatus.Halted;
    }

    // Gives up readings that are clearly worse than others, joins those that have come to the same, and puts the most promising first. Gives the least cost of one that is not in an error.
    private int Condense()
    {
        var least = int.MaxValue;
        for (var i = 0; i < _stack.Count; i++)
        {
            if (_stack[i].Status == ReadingStatus.Halted)
            {
                _stack.RemoveAt(i--);
                continue;
            }

            // As it was when its turn came, even when it changes places with another.
            var merit = Merit.Of(_stack[i]);
            if (!merit.IsInError) least = Math.Min(least, merit.Cost);
            for (var j = 0; j < i; j++)
            {
                switch (Prefer(Merit.Of(_stack[j]), merit))
                {
                    case Choice.First:
                        _stack.RemoveAt(i--);
                        j = i;
                        break;
                    case Choice.RatherFirst or Choice.Either:
                        if (!_stack.Merge(j, i)) break;
                        j = --i;
                        break;
                    case Choice.RatherSecond:
                        if (_stack.Merge(j, i)) j = --i;
                        else _stack.Swap(i, j);
                        break;
                    case Choice.Second:
                        _stack.RemoveAt(j--);
                        i--;
                        break;
                }
            }
        }

        while (_stack.Count > MaxReadings) _stack.RemoveAt(MaxReadings);

        // Only when no reading goes on does the best of those that met an error begin to recover.
        var goesOn = false;
        for (int i = 0, count = _stack.Count; i < count; i++)
        {
            if (_stack[i].Status != ReadingStatus.Paused)
            {
                goesOn = true;
            }
            else if (!goesOn && _accepted < MaxReadings)
            {
                least = _stack[i].Cost;
                var token = _stack[i].Unexpected!;
                (_stack[i].Status, _stack[i].Unexpected) = (ReadingStatus.Active, null);
                BeginError(i, token);
                goesOn = true;
            }
            else
            {
                _stack.RemoveAt(i--);
                count--;
            }
        }

        return least;
    }

    private static bool IsPausedOrSkipping(Reading reading) => reading.Status == ReadingStatus.Paused || reading.Top.State == ParseTable.Error;

    private static int CostOf(Reading reading) => reading.Cost + (reading.Status == ReadingStatus.Paused ? SyntaxNode.CostOfPiece : 0);

    private enum Choice
    {
        First,
        RatherFirst,
        Either,
        RatherSecond,
        Second,
    }

    private static Choice Prefer(Merit a, Merit b)
    {
        if (a.IsInError != b.IsInError)
        {
            if (b.IsInError) return a.Cost < b.Cost ? Choice.First : Choice.RatherFirst;
            return b.Cost < a.Cost ? Choice.Second : Choice.RatherSecond;
        }

        if (a.Cost < b.Cost) return (long)(b.Cost - a.Cost) * (1 + a.Count) > HopelessCost ? Choice.First : Choice.RatherFirst;
        if (b.Cost < a.Cost) return (long)(a.Cost - b.Cost) * (1 + b.Count) > HopelessCost ? Choice.Second : Choice.RatherSecond;
        return a.Rank > b.Rank ? Choice.RatherFirst : b.Rank > a.Rank ? Choice.RatherSecond : Choice.Either;
    }

    // How promising a reading is.
    private readonly record struct Merit(bool IsInError, int Cost, int Count, int Rank)
    {
        public static Merit Of(Reading reading) => new(IsPausedOrSkipping(reading), CostOf(reading), reading.CountSinceError, reading.Top.Rank);
    }
}
