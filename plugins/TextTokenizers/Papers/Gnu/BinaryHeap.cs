namespace ModelZoo.Plugins.TextTokenizers.Papers.Gnu;

/// <summary>
/// A binary heap that moves its items just as GNU's C++ library does (<c>make_heap</c>, <c>push_heap</c>, <c>pop_heap</c>), so that of equal items the same one comes out first.
/// </summary>
/// <param name="items">What it starts with, in this order.</param>
/// <param name="isLess">True when the first comes out after the second.</param>
internal sealed class BinaryHeap<T>(IEnumerable<T> items, Func<T, T, bool> isLess)
{
    private readonly List<T> _items = Heaped([.. items], isLess);

    /// <summary>How many there are.</summary>
    public int Count => _items.Count;

    /// <summary>The greatest.</summary>
    public T Top => _items[0];

    /// <summary>Adds an item.</summary>
    public void Push(T item)
    {
        _items.Add(item);
        Raise(_items, _items.Count - 1, 0, item, isLess);
    }

    /// <summary>Takes the greatest out.</summary>
    public T Pop()
    {
        var (top, last) = (_items[0], _items[^1]);
        _items.RemoveAt(_items.Count - 1);
        if (_items.Count > 0) Sink(_items, 0, last, isLess);
        return top;
    }

    private static List<T> Heaped(List<T> items, Func<T, T, bool> isLess)
    {
        for (var parent = (items.Count - 2) / 2; parent >= 0 && items.Count > 1; parent--) Sink(items, parent, items[parent], isLess);
        return items;
    }

    // The hole goes down to a leaf past the greater child (the right one when equal), and the item rises from there.
    private static void Sink(List<T> items, int hole, T item, Func<T, T, bool> isLess)
    {
        var top = hole;
        for (var child = 2 * hole + 1; child < items.Count; child = 2 * hole + 1)
        {
            if (child + 1 < items.Count && !isLess(items[child + 1], items[child])) child++;
            items[hole] = items[child];
            hole = child;
        }

        Raise(items, hole, top, item, isLess);
    }

    private static void Raise(List<T> items, int hole, int top, T item, Func<T, T, bool> isLess)
    {
        for (var parent = (hole - 1) / 2; hole > top && isLess(items[parent], item); parent = (hole - 1) / 2)
        {
            items[hole] = items[parent];
            hole = parent;
        }

        items[hole] = item;
    }
}
