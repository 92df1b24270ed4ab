using System.Numerics;
using System.Runtime.CompilerServices;

namespace ModelZoo.Plugins.TextTokenizers.Models;

/// <summary>Byte strings with values, walked byte by byte. The edges of all nodes share one hash table; those of the root are an array.</summary>
internal sealed class ByteTrie
{
    private readonly int[] _root = new int[256];
    private ulong[] _edges = new ulong[1024]; // (parent << 8 | byte) << 32 | child; 0: free
    private int[] _values = new int[512];
    private int _shift = 64 - 10;
    private int _count;

    /// <summary>The root.</summary>
    public const int Root = 0;

    /// <summary>Number of nodes besides the root.</summary>
    public int Nodes { get; private set; }

    /// <summary>Adds a string, or gives it another value. The empty string has no value.</summary>
    public void Add(ReadOnlySpan<byte> key, int value)
    {
        if (key.IsEmpty) return;
        var node = Root;
        foreach (var b in key)
        {
            var child = Child(node, b);
            if (child == 0) child = AddEdge(node, b);
            node = child;
        }

        _values[node] = value + 1;
    }

    /// <summary>The child of a node, or 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Child(int node, byte label)
    {
        if (node == Root) return _root[label];
        var key = (uint)node << 8 | label;
        var edges = _edges;
        for (var i = (int)(key * 0x9E3779B97F4A7C15UL >> _shift); ; i = (i + 1) & (edges.Length - 1))
        {
            var edge = edges[i];
            if ((uint)(edge >> 32) == key) return (int)(uint)edge;
            if (edge == 0) return 0;
        }
    }

    /// <summary>The value of a node, or -1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Value(int node) => _values[node] - 1;

    /// <summary>Length of the longest string that starts the text, or 0.</summary>
    public int Longest(ReadOnlySpan<byte> text, out int value)
    {
        var (node, length) = (Root, 0);
        value = -1;
        for (var i = 0; i < text.Length; i++)
        {
            node = Child(node, text[i]);
            if (node == 0) break;
            if (_values[node] == 0) continue;
            value = _values[node] - 1;
            length = i + 1;
        }

        return length;
    }

    private int AddEdge(int node, byte label)
    {
        var child = ++Nodes;
        if (child >= 1 << 24) throw new FormatException("the vocabulary is too large");
        if (child >= _values.Length) Array.Resize(ref _values, _values.Length * 2);
        if (node == Root)
        {
            _root[label] = child;
            return child;
        }

        if (++_count * 2 > _edges.Length) Grow();
        Insert((ulong)((uint)node << 8 | label) << 32 | (uint)child);
        return child;
    }

    private void Insert(ulong edge)
    {
        var i = (int)((edge >> 32) * 0x9E3779B97F4A7C15UL >> _shift);
        while (_edges[i] != 0) i = (i + 1) & (_edges.Length - 1);
        _edges[i] = edge;
    }

    private void Grow()
    {
        var old = _edges;
        _edges = new ulong[old.Length * 2];
        _shift = 64 - BitOperations.Log2((uint)_edges.Length);
        foreach (var edge in old)
        {
            if (edge != 0) Insert(edge);
        }
    }
}
