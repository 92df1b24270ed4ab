namespace ModelZoo.Inference.Kernels;

/// <summary>
/// A recurrent layer from zero states, one direction or both: x (T, B, I) -> (T, directions, B, H). The input's part of many steps is one product; then threads go through the steps together, each with its units' weights
/// (<see cref="StepTeam"/>).
/// </summary>
/// <param name="gru">Whether it is a GRU, not an LSTM.</param>
/// <param name="directions">Weights of the forward direction, and of the reverse one where there is one.</param>
internal sealed unsafe class RecurrentKernel(bool gru, IReadOnlyList<RecurrentWeights> directions) : CpuKernel
{
    // Rows of the input's part at a time.
    private const int RowsAtOnce = 40 * Tile.Rows;

    private readonly ScratchPool _scratch = new();

    public override string Operator => KernelOperators.Recurrent;

    public override void Compute(KernelContext context)
    {
        var x = context.Input(0);
        var (steps, batch, weights) = (checked((int)x.Shape[0]), checked((int)x.Shape[1]), directions[0]);
        if (x.Shape[2] != weights.Inputs) throw new ArgumentException($"rows of {weights.Inputs} are expected, not of {x.Shape[2]}");
        var y = context.Output(steps, directions.Count, batch, weights.Hidden);
        if (y.Count == 0) return;
        foreach (var direction in directions) direction.Ready(context);

        var many = Math.Min(steps, Math.Max(1, RowsAtOnce / batch));
        var states = (long)directions.Count * batch * weights.PaddedHidden;
        using var scratch = _scratch.Rent(states + (long)directions.Count * many * batch * RecurrentWeights.Slots * weights.PaddedHidden);
        new Span<float>(scratch.Data, checked((int)states)).Clear();
        for (var first = 0; first < steps; first += many)
        {
            var run = new RecurrentRun(gru, directions, x.Data, y.Data, steps, batch, first, Math.Min(many, steps - first), scratch.Data, scratch.Data + states);
            context.For(run.InputTasks, run.Inputs);
            var team = new StepTeam(run.Count, run.Pieces, Environment.ProcessorCount, run.Step);
            context.For(Math.Min(Environment.ProcessorCount, run.Pieces), team.Help);
        }
    }

    public override void Dispose()
    {
        foreach (var direction in directions) direction.Dispose();
        _scratch.Dispose();
    }
}
