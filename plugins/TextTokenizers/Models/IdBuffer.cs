using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace ModelZoo.Plugins.TextTokenizers.Models;

/// <summary>Ids that are being collected.</summary>
internal sealed class IdBuffer
{
    private int[] _items = new int[256];

    public int Count { get; private set; }

    public ReadOnlySpan<int> Span => _items.AsSpan(0, Count);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(int id)
    {
        if (Count == _items.Length) Grow(1);
        _items[Count++] = id;
    }

    public void Add(ReadOnlySpan<int> ids)
    {
        ids.CopyTo(Room(ids.Length));
        Advance(ids.Length);
    }

    /// <summary>Adds the first <paramref name="count"/> of four ids.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(Vector128<int> ids, int count)
    {
        ids.CopyTo(Room(Vector128<int>.Count));
        Advance(count);
    }

    /// <summary>The ids from a place on, at most four of them, zeros behind.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector128<int> Four(int from)
    {
        if (from + Vector128<int>.Count > _items.Length) Grow(Vector128<int>.Count);
        return Vector128.LoadUnsafe(ref _items[from]) & Vector128.LessThan(Vector128<int>.Indices, Vector128.Create(Count - from));
    }

    public void Clear() => Count = 0;

    /// <summary>Forgets the ids from <paramref name="count"/> on.</summary>
    public void Truncate(int count) => Count = count;

    public int[] ToArray() => Span.ToArray();

    /// <summary>Room for <paramref name="more"/> further ids; those that are written count after <see cref="Advance"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Span<int> Room(int more)
    {
        if (Count + more > _items.Length) Grow(more);
        return _items.AsSpan(Count);
    }

    /// <summary>Makes room for that many ids at once.</summary>
    public void Reserve(int more)
    {
        if (Count + more > _items.Length) Array.Resize(ref _items, Count + more);
    }

    public void Advance(int count) => Count += count;

    private void Grow(int more) => Array.Resize(ref _items, Math.Max(_items.Length * 2, Count + more));
}
