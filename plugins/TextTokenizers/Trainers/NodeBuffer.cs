using System.Text;

namespace ModelZoo.Plugins.TextTokenizers.Trainers;

/// <summary>A text and its lattice while that is made.</summary>
internal sealed class NodeBuffer
{
    private byte[] _text = new byte[64];
    private LatticeNode[] _nodes = new LatticeNode[256];
    private int _count;

    /// <summary>The nodes.</summary>
    public ReadOnlySpan<LatticeNode> Span => _nodes.AsSpan(0, _count);

    /// <summary>Begins with a text; gives it in UTF-8.</summary>
    public ReadOnlySpan<byte> Encode(string text)
    {
        _count = 0;
        if (_text.Length < 3 * text.Length) _text = new byte[6 * text.Length];
        return _text.AsSpan(0, Encoding.UTF8.GetBytes(text, _text));
    }

    /// <summary>Adds a node.</summary>
    public void Add(LatticeNode node)
    {
        if (_count == _nodes.Length) Array.Resize(ref _nodes, 2 * _count);
        _nodes[_count++] = node;
    }

    /// <summary>The next node starts at the next character.</summary>
    public void EndPlace() => _nodes[_count - 1] = _nodes[_count - 1].AsLast();
}
