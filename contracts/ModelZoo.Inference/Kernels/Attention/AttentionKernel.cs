namespace ModelZoo.Inference.Kernels;

/// <summary>
/// Multi-head attention, softmax(q k^T scale + bias) v: q (B, N, heads W), k (B, M, heads W), v (B, M, heads V), bias (1 or B, 1 or heads, N, M) or none -> (B, N, heads V). Each head's rows are computed in blocks that stay in a
/// core's cache (<see cref="AttentionRun"/>); threads share heads and blocks of queries.
/// </summary>
/// <param name="heads">Number of heads.</param>
/// <param name="scale">Factor on the scores; null is 1 / sqrt(W).</param>
/// <param name="causal">Whether query i sees keys 0..i only.</param>
internal sealed unsafe class AttentionKernel(int heads, float? scale, bool causal) : CpuKernel
{
    private readonly ScratchPool _scratch = new();

    public override string Operator => KernelOperators.Attention;

    public override void Compute(KernelContext context)
    {
        var (q, k, v) = (context.Input(0), context.Input(1), context.Input(2));
        var bias = context.InputCount > 3 ? context.Input(3) : default;
        var (batch, queries, keys) = (checked((int)q.Shape[0]), checked((int)q.Shape[1]), checked((int)k.Shape[1]));
        if (k.Shape[0] != batch || v.Shape[0] != batch || v.Shape[1] != keys || k.Shape[2] != q.Shape[2])
            throw new ArgumentException($"queries {Text(q)} do not meet keys {Text(k)} and values {Text(v)}");
        if (bias.Data is not null && (bias.Shape[0] != 1 && bias.Shape[0] != batch || bias.Shape[1] != 1 && bias.Shape[1] != heads || bias.Shape[2] != queries || bias.Shape[3] != keys))
            throw new ArgumentException($"a bias {Text(bias)} does not fit {batch} x {heads} maps of {queries} queries and {keys} keys");

        var y = context.Output(batch, queries, v.Shape[2]);
        if (y.Count == 0) return;
        if (keys == 0)
        {
            for (nint i = 0; i < y.Count; i++) y.Data[i] = 0;
            return;
        }

        var sizes = new AttentionSizes(batch, heads, queries, keys, checked((int)(q.Shape[2] / heads)), checked((int)(v.Shape[2] / heads)));
        var run = new AttentionRun(sizes, q.Data, k.Data, v.Data, y.Data, _scratch)
        {
            Scale = scale ?? 1 / MathF.Sqrt(sizes.Width),
            Causal = causal,
            Bias = bias.Data,
            BiasBatchStride = bias.Data is null || bias.Shape[0] == 1 ? 0 : (nint)(bias.Count / batch),
            BiasHeadStride = bias.Data is null || bias.Shape[1] == 1 ? 0 : (nint)queries * keys,
        };
        context.For(run.Tasks, run.Compute);
    }

    public override void Dispose() => _scratch.Dispose();

    private static string Text(KernelTensor tensor) => $"[{string.Join(", ", tensor.Shape)}]";
}
