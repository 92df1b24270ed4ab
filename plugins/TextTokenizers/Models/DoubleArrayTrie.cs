using System.Runtime.CompilerServices;

namespace ModelZoo.Plugins.TextTokenizers.Models;

/// <summary>Byte strings with values, walked byte by byte; all are there from the start. The children of a node stand in one array, each at the node's base plus its byte, so that a step is one look at memory.</summary>
internal sealed class DoubleArrayTrie
{
    private const int MostTries = 256; // of free places for the children of a node, before they go to the end

    private struct Unit
    {
        public int Base;
        public int Owner; // parent + 1; 0: free
    }

    private Unit[] _units = new Unit[1024];
    private int[] _values = new int[1024];
    private int _firstFree = 256;
    private int _end = 256; // behind the last used place

    /// <summary>The root.</summary>
    public const int Root = 0;

    /// <summary>A trie of different strings, none of them empty.</summary>
    public DoubleArrayTrie(IEnumerable<(byte[] Key, int Value)> items)
    {
        var sorted = items.ToArray();
        Array.Sort(sorted, (x, y) => x.Key.AsSpan().SequenceCompareTo(y.Key));
        _units[Root].Owner = int.MaxValue;
        var open = new Stack<(int Node, int First, int Last, int Depth)>();
        open.Push((Root, 0, sorted.Length, 0));
        var labels = new List<byte>();
        while (open.TryPop(out var range))
        {
            var (node, first, last, depth) = range;
            if (first < last && sorted[first].Key.Length == depth) _values[node] = sorted[first++].Value + 1;
            if (first == last) continue;
            labels.Clear();
            for (var i = first; i < last; i++)
            {
                if (i == first || sorted[i].Key[depth] != sorted[i - 1].Key[depth]) labels.Add(sorted[i].Key[depth]);
            }

            var place = Place(labels);
            _units[node].Base = place;
            foreach (var label in labels)
            {
                _units[place + label].Owner = node + 1;
                var next = first;
                while (next < last && sorted[next].Key[depth] == label) next++;
                open.Push((place + label, first, next, depth + 1));
                first = next;
            }
        }
    }

    /// <summary>The child of a node, or 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Child(int node, byte label)
    {
        var units = _units;
        var child = units[node].Base + label;
        return units[child].Owner == node + 1 ? child : 0;
    }

    /// <summary>The value of a node, or -1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Value(int node) => _values[node] - 1;

    // A base at which all children find a free place.
    private int Place(List<byte> labels)
    {
        while (_firstFree < _end && _units[_firstFree].Owner != 0) _firstFree++;
        var tries = 0;
        for (var at = _firstFree; ; at++)
        {
            if (tries > MostTries) at = Math.Max(at, _end);
            var place = at - labels[0];
            Grow(place + 512);
            if (_units[at].Owner != 0 || !IsFree(place, labels))
            {
                tries += _units[at].Owner == 0 ? 1 : 0;
                continue;
            }

            _end = Math.Max(_end, place + labels[^1] + 1);
            return place;
        }
    }

    private bool IsFree(int place, List<byte> labels)
    {
        foreach (var label in labels)
        {
            if (_units[place + label].Owner != 0) return false;
        }

        return true;
    }

    private void Grow(int length)
    {
        if (length <= _units.Length) return;
        Array.Resize(ref _units, Math.Max(_units.Length * 2, length));
        Array.Resize(ref _values, _units.Length);
    }
}
