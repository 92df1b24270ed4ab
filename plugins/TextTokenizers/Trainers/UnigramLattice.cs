namespace ModelZoo.Plugins.TextTokenizers.Trainers;

/// <summary>A piece that stands in a sentence.</summary>
/// <param name="Start">Its first byte.</param>
/// <param name="End">The byte behind it.</param>
/// <param name="Id">Its number; 0 is the unknown piece.</param>
internal readonly record struct LatticeNode(int Start, int End, int Id);

/// <summary>What EM wants of a sentence's lattice, with the buffers of one thread. Nodes stand by start, then length; scores are logs of probabilities by id.</summary>
internal sealed class UnigramLattice
{
    private double[] _forward = [];
    private double[] _backward = [];
    private int[] _via = [];

    /// <summary>Adds the expected count of each piece, times <paramref name="frequency"/>.</summary>
    public void AddExpected(ReadOnlySpan<LatticeNode> nodes, int length, double[] scores, double frequency, double[] expected)
    {
        Reserve(length);
        var (alpha, beta) = (_forward, _backward);       // logs of the sums of all ways to a place, and from there to the end
        alpha.AsSpan(1, length).Fill(double.NegativeInfinity);
        beta.AsSpan(0, length).Fill(double.NegativeInfinity);
        alpha[0] = beta[length] = 0;
        foreach (var node in nodes) alpha[node.End] = LogAdd(alpha[node.End], alpha[node.Start] + scores[node.Id]);
        for (var i = nodes.Length - 1; i >= 0; i--) beta[nodes[i].Start] = LogAdd(beta[nodes[i].Start], beta[nodes[i].End] + scores[nodes[i].Id]);
        foreach (var node in nodes) expected[node.Id] += frequency * Math.Exp(alpha[node.Start] + scores[node.Id] + beta[node.End] - alpha[length]);
    }

    /// <summary>Puts the ids of the best segmentation into <paramref name="path"/>, the last one first; none when there is no way.</summary>
    /// <param name="nodes">The lattice.</param>
    /// <param name="length">Bytes of the sentence.</param>
    /// <param name="scores">Scores by id.</param>
    /// <param name="path">Where the ids go.</param>
    /// <param name="forbidden">A piece that must not be taken; -1 for none.</param>
    public void Best(ReadOnlySpan<LatticeNode> nodes, int length, double[] scores, List<int> path, int forbidden = -1)
    {
        Reserve(length);
        var (best, via) = (_forward, _via);
        best.AsSpan(1, length).Fill(double.NegativeInfinity);
        best[0] = 0;
        for (var i = 0; i < nodes.Length; i++)
        {
            var score = best[nodes[i].Start] + scores[nodes[i].Id];
            if (score > best[nodes[i].End] && nodes[i].Id != forbidden) (best[nodes[i].End], via[nodes[i].End]) = (score, i);
        }

        path.Clear();
        if (double.IsNegativeInfinity(best[length])) return;
        for (var end = length; end > 0; end = nodes[via[end]].Start) path.Add(nodes[via[end]].Id);
    }

    private void Reserve(int length)
    {
        if (_via.Length <= length) (_forward, _backward, _via) = (new double[2 * length + 64], new double[2 * length + 64], new int[2 * length + 64]);
    }

    private static double LogAdd(double x, double y)
    {
        var (low, high) = x > y ? (y, x) : (x, y);
        return high > low + 50 ? high : high + Math.Log(Math.Exp(low - high) + 1);
    }
}
