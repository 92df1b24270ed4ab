namespace ModelZoo.Inference.Kernels;

/// <summary>Some steps of a call of a <see cref="RecurrentKernel"/>.</summary>
/// <param name="gru">Whether it is a GRU, not an LSTM.</param>
/// <param name="directions">Weights.</param>
/// <param name="x">(T, B, I).</param>
/// <param name="y">(T, directions, B, H).</param>
/// <param name="steps">T.</param>
/// <param name="batch">B.</param>
/// <param name="first">How many steps came before.</param>
/// <param name="count">How many there are here.</param>
/// <param name="states">The cells of an LSTM, or the states of a GRU, (directions, B, padded H).</param>
/// <param name="slots">Memory for the slots, (directions, count, B, 4, padded H). The reverse direction's steps are in the order of the input, as the forward one's.</param>
internal sealed unsafe class RecurrentRun(bool gru, IReadOnlyList<RecurrentWeights> directions, float* x, float* y, int steps, int batch, int first, int count, float* states, float* slots)
{
    private readonly int _hidden = directions[0].Hidden, _padded = directions[0].PaddedHidden, _panels = directions[0].Panels, _inputs = directions[0].Inputs;

    /// <summary>Number of steps.</summary>
    public int Count => count;

    /// <summary>Number of tasks of <see cref="Inputs"/>.</summary>
    public int InputTasks => directions.Count * RecurrentWeights.Slots * _panels;

    /// <summary>Pieces of a step: 32 units of a direction.</summary>
    public int Pieces => directions.Count * _panels;

    private nint Row => (nint)RecurrentWeights.Slots * _padded;

    /// <summary>The input's part of 32 columns of a slot, in all steps.</summary>
    public void Inputs(int task)
    {
        var (direction, slot, panel) = (task / (RecurrentWeights.Slots * _panels), task / _panels % RecurrentWeights.Slots, task % _panels);
        var rows = count * batch;
        var source = x + (nint)Time(direction, direction == 0 ? 0 : count - 1) * batch * _inputs;
        var target = Slots(direction, 0) + slot * _padded + panel * Tile.Columns;
        var weight = directions[direction].Input(slot, panel);
        for (var row = 0; row < rows; row += Tile.Rows)
        {
            var height = Math.Min(Tile.Rows, rows - row);
            if (weight is not null) Tile.Multiply<PackedPanel>(height, source + (nint)row * _inputs, _inputs, weight, null, _inputs, target + row * Row, Row, add: false);
            else for (var i = row; i < row + height; i++) new Span<float>(target + i * Row, Tile.Columns).Clear();
        }
    }

    /// <summary>A step of 32 units: the state's part, and the new state.</summary>
    public void Step(int step, int piece)
    {
        var (direction, panel) = (piece / _panels, piece % _panels);
        var weights = directions[direction];
        var place = direction == 0 ? step : count - 1 - step;
        var rows = Slots(direction, place) + panel * Tile.Columns;
        if (first + step > 0) State(weights, panel, Y(direction, Time(direction, step - 1)), rows);

        var width = Math.Min(Tile.Columns, _hidden - panel * Tile.Columns);
        var last = stackalloc float[Tile.Columns];
        for (nint i = 0; i < batch; i++)
        {
            var state = states + ((nint)direction * batch + i) * _padded + panel * Tile.Columns;
            var hidden = Y(direction, Time(direction, step)) + i * _hidden + panel * Tile.Columns;
            var target = width == Tile.Columns ? hidden : last;
            if (gru) RecurrentCell.Gru(rows + i * Row, weights.Bias(0) + panel * Tile.Columns, _padded, state, target);
            else RecurrentCell.Lstm(rows + i * Row, weights.Bias(0) + panel * Tile.Columns, _padded, state, target);
            if (target == last) new Span<float>(last, width).CopyTo(new(hidden, width));
        }
    }

    private void State(RecurrentWeights weights, int panel, float* h, float* rows)
    {
        if (batch == 1)
        {
            StateProduct.Add(h, _hidden, weights.State(0, panel), weights.State(1, panel), weights.State(2, panel), weights.State(3, panel), rows, _padded);
            return;
        }

        for (var slot = 0; slot < RecurrentWeights.Slots; slot++)
        {
            var weight = weights.State(slot, panel);
            if (weight is null) continue;
            for (var row = 0; row < batch; row += Tile.Rows)
                Tile.Multiply<PackedPanel>(Math.Min(Tile.Rows, batch - row), h + (nint)row * _hidden, _hidden, weight, null, _hidden, rows + row * Row + slot * _padded, Row, add: true);
        }
    }

    // The place in the sequence of a step of ours; the reverse direction begins at the end.
    private int Time(int direction, int step) => direction == 0 ? first + step : steps - 1 - first - step;

    private float* Y(int direction, int time) => y + ((nint)time * directions.Count + direction) * batch * _hidden;

    private float* Slots(int direction, int place) => slots + ((nint)direction * count + place) * batch * Row;
}
