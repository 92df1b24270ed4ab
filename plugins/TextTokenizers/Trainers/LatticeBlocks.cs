using System.Runtime.InteropServices;

namespace ModelZoo.Plugins.TextTokenizers.Trainers;

/// <summary>A sentence of the corpus.</summary>
/// <param name="Nodes">Nodes of its lattice.</param>
/// <param name="Length">Its characters.</param>
/// <param name="Count">How often it occurs.</param>
internal readonly record struct LatticeSentence(int Nodes, int Length, long Count);

/// <summary>The lattices of one thread's sentences, one behind another in few large arrays: hundreds of millions of nodes are nothing to a garbage collector then, and are read in the order in which they lie.</summary>
internal sealed class LatticeBlocks
{
    private const int BlockNodes = 1 << 20;

    private readonly List<(LatticeNode[] Nodes, List<LatticeSentence> Sentences)> _blocks = [];
    private int _used = BlockNodes; // of the last block

    /// <summary>What is done with a sentence and its lattice.</summary>
    public delegate void Visitor(in LatticeSentence sentence, ReadOnlySpan<LatticeNode> nodes);

    /// <summary>Adds a sentence.</summary>
    public void Add(ReadOnlySpan<LatticeNode> nodes, int length, long count)
    {
        if (_blocks.Count == 0 || _used + nodes.Length > _blocks[^1].Nodes.Length)
        {
            _blocks.Add((GC.AllocateUninitializedArray<LatticeNode>(Math.Max(BlockNodes, nodes.Length)), []));
            _used = 0;
        }

        nodes.CopyTo(_blocks[^1].Nodes.AsSpan(_used));
        _blocks[^1].Sentences.Add(new(nodes.Length, length, count));
        _used += nodes.Length;
    }

    /// <summary>Shows all sentences.</summary>
    /// <param name="ids">The pieces' new numbers by the old ones, 0 for those that are gone; null when all are as they were. Lattices are thinned as they are met.</param>
    /// <param name="visit">Takes a sentence.</param>
    public void Visit(int[]? ids, Visitor visit)
    {
        foreach (var (nodes, sentences) in _blocks)
        {
            var (from, to) = (0, 0);
            foreach (ref var sentence in CollectionsMarshal.AsSpan(sentences))
            {
                var old = sentence.Nodes;
                if (ids is not null) sentence = sentence with { Nodes = Thin(nodes, from, old, to, ids) };
                visit(sentence, nodes.AsSpan(to, sentence.Nodes));
                (from, to) = (from + old, to + sentence.Nodes);
            }
        }
    }

    // Moves what is left of a lattice forward; returns its nodes. It has never more than before: the unknown piece comes where a character was a piece.
    private static int Thin(LatticeNode[] nodes, int from, int count, int to, int[] ids)
    {
        var (next, first, isPiece) = (to, to, false);
        foreach (var node in nodes.AsSpan(from, count))
        {
            if (ids[node.Id] is not 0 and var id)
            {
                nodes[next++] = new(id, node.Length);
                isPiece |= node.Length == 1;
            }

            if (!node.IsLast) continue;
            if (!isPiece) nodes[next++] = new(0, 1);
            nodes[next - 1] = nodes[next - 1].AsLast();
            (first, isPiece) = (next, false);
        }

        return first - to;
    }
}
