namespace ModelZoo.Inference.Kernels;

/// <summary>Linear maps of the same rows, computed together: x (.., K), then the shape of each result that is given one -> a result of each map.</summary>
internal sealed class LinearGroupKernel(IReadOnlyList<LinearKernel> maps) : CpuKernel
{
    public override string Operator => KernelOperators.Linear;

    public override int OutputCount => maps.Count;

    public override void Compute(KernelContext context)
    {
        var x = context.Input(0);
        var works = new LinearWork[maps.Count];
        var (input, tasks) = (1, 0);
        for (var i = 0; i < works.Length; i++)
        {
            works[i] = maps[i].Begin(context, x, input, i);
            if (maps[i].Form.IsShaped) input++;
            tasks += works[i].Tasks;
        }

        if (tasks == 0) return;
        context.For(tasks, task =>
        {
            var map = 0;
            for (; task >= works[map].Tasks; map++) task -= works[map].Tasks;
            maps[map].Run(works[map], task);
        });
    }

    public override void Dispose()
    {
        foreach (var map in maps) map.Dispose();
    }
}
