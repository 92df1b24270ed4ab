using System.Numerics;
using System.Runtime.CompilerServices;

namespace ModelZoo.Plugins.TextTokenizers.Models;

/// <summary>Byte strings with values, walked byte by byte. The edges of all nodes share one hash table; those of the first two levels are arrays.</summary>
internal sealed class ByteTrie
{
    private const int Large = 4096;
    private const int NodeBits = 28;
    private const int NodeMask = (1 << NodeBits) - 1;

    private readonly int[] _root = new int[256];
    private int[]? _second; // children of the root's children, once the trie is large
    private ulong[] _edges = new ulong[1024]; // (parent << 8 | byte) << 28 | child; 0: free
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
        var (node, depth) = (Root, 0);
        foreach (var b in key)
        {
            var child = Child(node, b);
            if (child == 0) child = AddEdge(node, b);
            if (++depth == 2 && _second is not null) _second[key[0] << 8 | b] = child;
            node = child;
        }

        _values[node] = value + 1;
    }

    /// <summary>The child of a node, or 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Child(int node, byte label)
    {
        if (node == Root) return _root[label];
        var key = (ulong)(uint)node << 8 | label;
        var edges = _edges;
        for (var i = (int)(key * 0x9E3779B97F4A7C15UL >> _shift); ; i = (i + 1) & (edges.Length - 1))
        {
            var edge = edges[i];
            if (edge >> NodeBits == key) return (int)edge & NodeMask;
            if (edge == 0) return 0;
        }
    }

    /// <summary>The value of a node, or -1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Value(int node) => _values[node] - 1;

    /// <summary>Length of the longest string that starts the text, or 0.</summary>
    public int Longest(ReadOnlySpan<byte> text, out int value)
    {
        value = -1;
        if (text.IsEmpty) return 0;
        var node = _root[text[0]];
        var length = 0;
        for (var i = 1; node != 0; i++)
        {
            if (_values[node] != 0)
            {
                value = _values[node] - 1;
                length = i;
            }

            if (i == text.Length) break;
            node = i == 1 && _second is not null ? _second[text[0] << 8 | text[1]] : Child(node, text[i]);
        }

        return length;
    }

    private int AddEdge(int node, byte label)
    {
        var child = ++Nodes;
        if (child == Large) FillSecond();
        if (child > NodeMask) throw new FormatException("the vocabulary is too large");
        if (child >= _values.Length) Array.Resize(ref _values, _values.Length * 2);
        if (node == Root)
        {
            _root[label] = child;
            return child;
        }

        if (++_count * 2 > _edges.Length) Grow();
        Insert(((ulong)(uint)node << 8 | label) << NodeBits | (uint)child);
        return child;
    }

    private void FillSecond()
    {
        _second = new int[0x10000];
        for (var pair = 0; pair < _second.Length; pair++)
        {
            if (_root[pair >> 8] is > 0 and var first) _second[pair] = Child(first, (byte)pair);
        }
    }

    private void Insert(ulong edge)
    {
        var i = (int)((edge >> NodeBits) * 0x9E3779B97F4A7C15UL >> _shift);
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
