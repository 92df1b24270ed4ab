namespace ModelZoo.Plugins.TextTokenizers.Formats.SentencePiece;

/// <summary>A priority queue, largest first, that orders equals as the C++ standard library's heap does, so that ties come out as in the reference.</summary>
/// <typeparam name="T">What waits.</typeparam>
internal sealed class Agenda<T>
{
    private readonly List<(T Item, float Priority)> _heap = [];

    public int Count => _heap.Count;

    public void Push(T item, float priority)
    {
        _heap.Add((item, priority));
        SiftUp(_heap.Count - 1, (item, priority));
    }

    public (T Item, float Priority) Pop()
    {
        var top = _heap[0];
        var last = _heap[^1];
        _heap.RemoveAt(_heap.Count - 1);
        if (_heap.Count == 0) return top;
        // The hole goes down to a leaf, the larger child moving up each time, and only then is the last item put in.
        var hole = 0;
        while (hole * 2 + 1 < _heap.Count)
        {
            var child = hole * 2 + 2;
            if (child >= _heap.Count || _heap[child].Priority < _heap[child - 1].Priority) child--;
            _heap[hole] = _heap[child];
            hole = child;
        }

        SiftUp(hole, last);
        return top;
    }

    private void SiftUp(int hole, (T Item, float Priority) value)
    {
        while (hole > 0 && _heap[(hole - 1) / 2].Priority < value.Priority)
        {
            _heap[hole] = _heap[(hole - 1) / 2];
            hole = (hole - 1) / 2;
        }

        _heap[hole] = value;
    }
}
