// Data Mixture Inference, arXiv:2407.16607, section 3: the linear program.
namespace ModelZoo.Plugins.TextTokenizers.Papers;

/// <summary>
/// Minimises the sum of slacks v_step + v_pair subject to a . w + v_step + v_pair >= 0 for each constraint, w >= 0 summing to one; by the dual simplex on a dense tableau, which begins feasible because no cost is
/// negative.
/// </summary>
internal sealed class MixtureProgram(int weights)
{
    private const double Zero = 1e-11;
    private const int MostPivots = 100_000;
    private readonly List<(int Step, (string, string) Pair, double[] Coefficients)> _constraints = [];
    private readonly HashSet<(int, (string, string))> _known = [];

    /// <summary>Adds a constraint; false when it was there.</summary>
    public bool Add(int step, (string, string) pair, double[] coefficients)
    {
        if (!_known.Add((step, pair))) return false;
        _constraints.Add((step, pair, coefficients));
        return true;
    }

    /// <summary>The best weights, the slacks that are not zero, and their sum.</summary>
    public (double[] Weights, Dictionary<int, double> Steps, Dictionary<(string, string), double> Pairs, double Objective) Solve(CancellationToken cancel)
    {
        int[] steps = [.. _constraints.Select(constraint => constraint.Step).Distinct()];
        (string, string)[] pairs = [.. _constraints.Select(constraint => constraint.Pair).Distinct()];
        var stepColumn = steps.Select((step, i) => (step, i)).ToDictionary(item => item.step, item => weights + item.i);
        var pairColumn = pairs.Select((pair, i) => (pair, i)).ToDictionary(item => item.pair, item => weights + steps.Length + item.i);
        var columns = weights + steps.Length + pairs.Length;

        // Rows read "sum of coefficients x variables + basic = right side"; the last row holds reduced costs.
        var tableau = new double[_constraints.Count + 3, columns + 1];
        for (var row = 0; row < _constraints.Count; row++)
        {
            var (step, pair, coefficients) = _constraints[row];
            for (var i = 0; i < weights; i++) tableau[row, i] = -coefficients[i];
            tableau[row, stepColumn[step]] = tableau[row, pairColumn[pair]] = -1;
        }

        var (least, most, cost) = (_constraints.Count, _constraints.Count + 1, _constraints.Count + 2);
        for (var i = 0; i < weights; i++) (tableau[least, i], tableau[most, i]) = (-1, 1);
        (tableau[least, columns], tableau[most, columns]) = (-1, 1);
        for (var i = weights; i < columns; i++) tableau[cost, i] = 1;

        int[] basic = [.. Enumerable.Range(columns, cost)], free = [.. Enumerable.Range(0, columns)];
        for (var pivots = 0; pivots < MostPivots && Leaving(tableau, cost, columns) is >= 0 and var row; pivots++)
        {
            cancel.ThrowIfCancellationRequested();
            var column = Entering(tableau, row, cost, columns, free);
            if (column < 0) throw new InvalidOperationException("The mixture program has no solution.");
            Pivot(tableau, row, column);
            (basic[row], free[column]) = (free[column], basic[row]);
        }

        var values = new double[columns];
        for (var row = 0; row < cost; row++)
        {
            if (basic[row] < columns) values[basic[row]] = tableau[row, columns];
        }

        return (values[..weights], steps.ToDictionary(step => step, step => values[stepColumn[step]]), pairs.ToDictionary(pair => pair, pair => values[pairColumn[pair]]), values[weights..].Sum());
    }

    // The row that is broken most.
    private static int Leaving(double[,] tableau, int rows, int right)
    {
        var (best, value) = (-1, -Zero);
        for (var row = 0; row < rows; row++)
        {
            if (tableau[row, right] < value) (best, value) = (row, tableau[row, right]);
        }

        return best;
    }

    // The column whose cost rises first; of equals the variable with the lowest number (Bland), so that it ends.
    private static int Entering(double[,] tableau, int row, int cost, int columns, int[] variables)
    {
        var (best, ratio) = (-1, double.PositiveInfinity);
        for (var column = 0; column < columns; column++)
        {
            if (tableau[row, column] >= -Zero) continue;
            var own = tableau[cost, column] / -tableau[row, column];
            if (own < ratio - Zero || (own < ratio + Zero && best >= 0 && variables[column] < variables[best])) (best, ratio) = (column, own);
        }

        return best;
    }

    private static void Pivot(double[,] tableau, int row, int column)
    {
        var (rows, columns) = (tableau.GetLength(0), tableau.GetLength(1));
        var pivot = tableau[row, column];
        for (var j = 0; j < columns; j++)
        {
            if (j != column) tableau[row, j] /= pivot;
        }

        for (var i = 0; i < rows; i++)
        {
            var factor = tableau[i, column];
            if (i == row || factor == 0) continue;
            for (var j = 0; j < columns; j++)
            {
                if (j != column) tableau[i, j] -= factor * tableau[row, j];
            }

            tableau[i, column] = -factor / pivot;
        }

        tableau[row, column] = 1 / pivot;
    }
}
