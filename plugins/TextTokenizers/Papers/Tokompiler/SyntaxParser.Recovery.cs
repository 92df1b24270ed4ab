// Scope is all you need: Transforming LLMs for HPC Code, arXiv:2308.09440: what the search does at errors.

namespace ModelZoo.Plugins.TextTokenizers.Papers.Tokompiler;

internal sealed partial class SyntaxParser
{
    // A token that nothing explains: perhaps one is missing before it; in any case the reading goes over to skipping.
    private void BeginError(int index, SyntaxNode token)
    {
        var before = _stack.Count;
        CompleteAll(index, null);
        var count = _stack.Count;
        var position = _stack[index].Top.Position;
        var isInserted = false;
        for (var i = index; i < count; i = i == index ? before : i + 1)
        {
            if (!isInserted) isInserted = InsertMissing(i, token, position);
            _stack[i].Push(null, ParseTable.Error);
        }

        for (var i = before; i < count; i++) _stack.Merge(index, before);
        _stack.Summarize(index, MaxDepth);
        Recover(index, token);
    }

    // The first terminal after which the token would do.
    private bool InsertMissing(int index, SyntaxNode token, int position)
    {
        var state = _stack[index].Top.State;
        for (var terminal = 1; terminal < _grammar.TerminalCount; terminal++)
        {
            var next = terminal == _grammar.Extra ? 0 : _table.Next(state, terminal);
            if (next == 0 || next == state || _table.Actions(next, token.Symbol) is not [{ Production: not null }, ..]) continue;
            var copy = _stack.Copy(index);
            _stack[copy].Push(SyntaxNode.Missing(terminal, position, _grammar.IsVisible(terminal)), next);
            if (CompleteAll(copy, token.Symbol)) return true;
        }

        return false;
    }

    // Puts together all that can be, whatever comes next or before one terminal; true when that terminal can then be read.
    private bool CompleteAll(int start, int? terminal)
    {
        var before = _stack.Count;
        var canShift = false;
        var index = start;
        for (var round = 0; index < _stack.Count; round++)
        {
            var count = _stack.Count;
            var isMerged = false;
            for (var i = before; i < index && !isMerged; i++) isMerged = _stack.Merge(i, index);
            if (isMerged) continue;

            var state = _stack[index].Top.State;
            var shifts = false;
            var productions = new List<Production>();
            IEnumerable<int> symbols = terminal is { } only ? [only] : [.. _table.Expected(state).Where(symbol => symbol != Grammar.End).Order()];
            foreach (var symbol in symbols)
            {
                foreach (var action in _table.Actions(state, symbol))
                {
                    if (action.Production is null) shifts |= !action.IsRepetition && symbol != _grammar.Extra;
                    else if (action.Production.Steps.Count > 0 && !productions.Exists(known => known.Head == action.Production.Head && known.Steps.Count == action.Production.Steps.Count)) productions.Add(action.Production);
                }
            }

            int? reduced = null;
            foreach (var production in productions) reduced = Reduce(index, production);
            if (shifts)
            {
                canShift = true;
            }
            else if (reduced is { } version && round < MaxReadings)
            {
                _stack.Replace(index, version);
                continue;
            }
            else if (terminal is not null)
            {
                _stack.RemoveAt(index);
            }

            index = index == start ? count : index + 1;
        }

        return canShift;
    }

    // While skipping: either an earlier state takes the token, what came since being an error; or the token joins the error. Both are tried.
    private void Recover(int index, SyntaxNode token)
    {
        var before = _stack.Count;
        var reading = _stack[index];
        var (position, cost, count) = (reading.Top.Position, reading.Cost, reading.CountSinceError);
        var isBack = !token.IsError && GoBack(index, token, position, cost, count);
        for (var i = before; i < _stack.Count; i++)
        {
            if (_stack[i].Status != ReadingStatus.Active) _stack.RemoveAt(i--);
        }

        if (isBack && _stack.Count > MaxReadings)
        {
            reading.Status = ReadingStatus.Halted;
            return;
        }

        if (token.Symbol == Grammar.End)
        {
            reading.Push(SyntaxNode.OfError([], position, _text, isGrowing: false), ParseTable.First);
            Accept(index, token);
            return;
        }

        var newCost = cost + SyntaxNode.CostOfPiece + (SyntaxNode.CostOfByte * (token.End - position)) + (SyntaxNode.CostOfLine * _text.Lines(position, token.End));
        if (HasBetter(index, newCost))
        {
            reading.Status = ReadingStatus.Halted;
            return;
        }

        var error = SyntaxNode.OfError([token.Symbol == _grammar.Extra ? token with { IsExtra = true } : token], position, _text, isGrowing: true);
        if (count > 0)
        {
            var slices = _stack.Pop(index, 1);
            while (_stack.Count > slices[0].Reading + 1) _stack.RemoveAt(slices[0].Reading + 1);
            _stack.Replace(index, slices[0].Reading);
            error = SyntaxNode.OfError([.. slices[0].Nodes, error], position, _text, isGrowing: true);
        }

        _stack[index].Push(error, ParseTable.Error);
    }

    private bool GoBack(int index, SyntaxNode token, int position, int cost, int count)
    {
        var before = _stack.Count;
        foreach (var (depth, state, place) in _stack[index].Summary ?? [])
        {
            if (state == ParseTable.Error || place == position) continue;
            if (Enumerable.Range(0, before).Any(i => _stack[i].Top.State == state && _stack[i].Top.Position == position)) continue;
            var newCost = cost + (depth * SyntaxNode.CostOfPiece) + (SyntaxNode.CostOfByte * (position - place)) + (SyntaxNode.CostOfLine * _text.Lines(place, position));
            if (HasBetter(index, newCost)) return false;
            if (_table.Actions(state, token.Symbol).Count > 0 && GoBackTo(index, count > 0 ? depth + 1 : depth, state)) return true;
        }

        return false;
    }

    private bool GoBackTo(int index, int depth, int goal)
    {
        var last = -1;
        foreach (var (reading, nodes) in _stack.Pop(index, depth))
        {
            if (reading == last) continue;
            if (_stack[reading].Top.State != goal)
            {
                _stack[reading].Status = ReadingStatus.Halted;
                continue;
            }

            nodes.InsertRange(0, _stack.PopError(reading));
            var extras = TakeExtras(nodes);
            if (nodes.Count > 0) _stack[reading].Push(SyntaxNode.OfError(nodes, _stack[reading].Top.Position, _text, isGrowing: false, isExtra: true), goal);
            foreach (var extra in extras) _stack[reading].Push(extra, goal);
            last = reading;
        }

        return last >= 0;
    }

    // True when another reading has come as far at so much less cost that this one is not worth its while.
    private bool HasBetter(int index, int cost)
    {
        if (_finished is not null && _finished.Cost <= cost) return true;
        var reading = _stack[index];
        var merit = new Merit(false, cost, reading.CountSinceError, reading.Top.Rank);
        for (var i = 0; i < _stack.Count; i++)
        {
            if (i == index || _stack[i].Status != ReadingStatus.Active || _stack[i].Top.Position < reading.Top.Position) continue;
            var choice = Prefer(merit, Merit.Of(_stack[i]));
            if (choice == Choice.Second || (choice == Choice.RatherSecond && _stack.CanMerge(i, index))) return true;
        }

        return false;
    }
}
