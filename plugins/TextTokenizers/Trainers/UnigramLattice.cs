namespace ModelZoo.Plugins.TextTokenizers.Trainers;

/// <summary>What EM wants of a sentence's lattice, with the buffers of one thread.</summary>
internal sealed class UnigramLattice
{
    private const double Least = 1e-100;

    private readonly List<(int Start, int End, double Factor)> _scalings = [];
    private double[] _forward = [];
    private double[] _backward = [];
    private double[] _best = [];
    private LatticeNode[] _via = [];

    /// <summary>
    /// Adds the expected count of each piece, times <paramref name="frequency"/>. Sums of probabilities over all ways from the start to a place, and from there to the end, are taken as they are, without logarithms;
    /// where those to a place become small, they and the ones after it are scaled.
    /// </summary>
    /// <param name="nodes">The lattice.</param>
    /// <param name="length">Characters of the sentence.</param>
    /// <param name="probabilities">Probabilities by id.</param>
    /// <param name="frequency">How often the sentence occurs.</param>
    /// <param name="expected">Expected counts by id.</param>
    public void AddExpected(ReadOnlySpan<LatticeNode> nodes, int length, double[] probabilities, double frequency, double[] expected)
    {
        Reserve(length);
        var alpha = _forward.AsSpan(0, length + 1);
        var beta = _backward.AsSpan(0, length + 1);
        alpha.Clear();
        beta.Clear();
        _scalings.Clear();
        alpha[0] = 1;
        for (int i = 0, start = 0, furthest = 0; start < length; start++)
        {
            if (alpha[start] < Least) Scale(alpha, start, furthest);
            var here = alpha[start];
            bool isLast;
            do
            {
                var node = nodes[i++];
                alpha[start + node.Length] += here * probabilities[node.Id];
                furthest = Math.Max(furthest, start + node.Length);
                isLast = node.IsLast;
            }
            while (!isLast);
        }

        beta[length] = frequency / alpha[length];
        var scaling = _scalings.Count - 1;
        for (int i = nodes.Length - 1, start = length - 1; start >= 0; start--)
        {
            var (here, sum) = (alpha[start], 0.0);
            do
            {
                var node = nodes[i];
                var after = probabilities[node.Id] * beta[start + node.Length];
                sum += after;
                expected[node.Id] += here * after;
            }
            while (--i >= 0 && !nodes[i].IsLast);
            beta[start] = sum;
            if (scaling >= 0 && _scalings[scaling].Start == start)
            {
                // What comes before meets the places after it as they were before they were scaled.
                foreach (ref var place in beta[start..(_scalings[scaling].End + 1)]) place *= _scalings[scaling].Factor;
                scaling--;
            }
        }
    }

    /// <summary>Puts the ids of the best segmentation into <paramref name="path"/>, the last one first; none when there is no way.</summary>
    /// <param name="nodes">The lattice.</param>
    /// <param name="length">Characters of the sentence.</param>
    /// <param name="scores">Logs of probabilities by id.</param>
    /// <param name="path">Where the ids go.</param>
    /// <param name="forbidden">A piece that must not be taken; -1 for none.</param>
    public void Best(ReadOnlySpan<LatticeNode> nodes, int length, double[] scores, List<int> path, int forbidden = -1)
    {
        Reserve(length);
        var (best, via, start) = (_best, _via, 0);
        best.AsSpan(1, length).Fill(double.NegativeInfinity);
        best[0] = 0;
        foreach (var node in nodes)
        {
            var (score, end) = (best[start] + scores[node.Id], start + node.Length);
            if (score > best[end] && node.Id != forbidden) (best[end], via[end]) = (score, node);
            if (node.IsLast) start++;
        }

        path.Clear();
        if (double.IsNegativeInfinity(best[length])) return;
        for (var end = length; end > 0; end -= via[end].Length) path.Add(via[end].Id);
    }

    // All ways lead over one of these places.
    private void Scale(Span<double> alpha, int start, int end)
    {
        var most = 0.0;
        foreach (var place in alpha[start..(end + 1)]) most = Math.Max(most, place);
        if (most >= Least) return;
        var factor = Math.ScaleB(1, -Math.ILogB(most));
        foreach (ref var place in alpha[start..(end + 1)]) place *= factor;
        _scalings.Add((start, end, factor));
    }

    private void Reserve(int length)
    {
        if (_via.Length > length) return;
        var size = 2 * length + 64;
        (_forward, _backward, _best, _via) = (new double[size], new double[size], new double[size], new LatticeNode[size]);
    }
}
