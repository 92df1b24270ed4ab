using System.Buffers;

namespace ModelZoo.Plugins.TextTokenizers.Models;

/// <summary>A four-way heap of rank and position, smallest first.</summary>
internal struct MergeHeap(int capacity) : IDisposable
{
    private ulong[] _items = ArrayPool<ulong>.Shared.Rent(capacity);
    private int _count;

    public void Push(ulong item)
    {
        if (_count == _items.Length)
        {
            var larger = ArrayPool<ulong>.Shared.Rent(_count * 2);
            _items.AsSpan(0, _count).CopyTo(larger);
            ArrayPool<ulong>.Shared.Return(_items);
            _items = larger;
        }

        var i = _count++;
        while (i > 0)
        {
            var parent = (i - 1) >> 2;
            if (_items[parent] <= item) break;
            _items[i] = _items[parent];
            i = parent;
        }

        _items[i] = item;
    }

    public bool TryPop(out ulong top)
    {
        if (_count == 0)
        {
            top = 0;
            return false;
        }

        top = _items[0];
        var last = _items[--_count];
        var i = 0;
        while (true)
        {
            var child = i * 4 + 1;
            if (child >= _count) break;
            var end = Math.Min(child + 4, _count);
            for (var other = child + 1; other < end; other++)
            {
                if (_items[other] < _items[child]) child = other;
            }

            if (_items[child] >= last) break;
            _items[i] = _items[child];
            i = child;
        }

        _items[i] = last;
        return true;
    }

    public readonly void Dispose() => ArrayPool<ulong>.Shared.Return(_items);
}
