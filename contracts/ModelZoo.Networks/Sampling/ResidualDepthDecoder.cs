// Autoregressive Image Generation using Residual Quantization (RQ-Transformer). Lee et al. arXiv:2203.01941; also how codec language models decode a frame.
namespace ModelZoo.Networks.Sampling;

/// <summary>Logits of the next code of a frame, given all frames before it and the codes of this frame so far.</summary>
public delegate ValueTask<float[]> DepthModel(IReadOnlyList<int[]> frames, IReadOnlyList<int> codes, CancellationToken cancel);

/// <summary>Frames of several codes each: over time, and within a frame from coarse to fine.</summary>
/// <param name="Depth">Codes of a frame.</param>
public sealed record ResidualDepthDecoder(int Depth)
{
    /// <summary>How codes are chosen at each depth; the last one holds for all deeper ones.</summary>
    public IReadOnlyList<TokenSampling> Sampling { get; init; } = [new()];

    /// <summary>Generates frames.</summary>
    /// <param name="prompt">Frames to continue.</param>
    public async ValueTask<int[][]> GenerateAsync(IReadOnlyList<int[]> prompt, int frames, DepthModel model, ulong seed, int sample = 0, CancellationToken cancel = default)
    {
        var (all, generator) = (prompt.ToList(), Philox.Of(seed, sample, draw: 0));
        for (var t = 0; t < frames; t++)
        {
            var codes = new List<int>(Depth);
            for (var depth = 0; depth < Depth; depth++)
            {
                cancel.ThrowIfCancellationRequested();
                var logits = await model(all, codes, cancel).ConfigureAwait(false);
                var history = all.Select(frame => frame[depth]).ToArray();
                codes.Add(Sampling[Math.Min(depth, Sampling.Count - 1)].Choose(logits, history, generator.Uniform((ulong)(t * Depth + depth))));
            }

            all.Add([.. codes]);
        }

        return [.. all.Skip(prompt.Count)];
    }
}
