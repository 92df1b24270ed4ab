using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Plugins.DiffusionTransformers.SD3;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

namespace ModelZoo.Plugins.DiffusionTransformers.CatPruning;

/// <summary>Options of pictures of which fewer tokens are computed.</summary>
public sealed record PruningOptions : TextOptions
{
    /// <summary>Tokens that are computed.</summary>
    [Description("Share of the tokens that later steps compute; 1 for Stable Diffusion 3 as it is."), Range(0.01, 1.0)]
    public double Share { get; init; } = 0.3;

    /// <summary>Steps before the noise is watched.</summary>
    [Description("Steps before the noise is watched; the two after them still compute all tokens."), Range(0, 1000)]
    public int FullSteps { get; init; } = 6;

    /// <summary>Clusters of tokens.</summary>
    [Description("Clusters of tokens, by place and noise."), Range(1, 1024)]
    public int Clusters { get; init; } = 20;
}

/// <summary>One run: pictures go one by one, each with its own tokens.</summary>
/// <param name="transformer">The network.</param>
/// <param name="config">The published configuration.</param>
/// <param name="run">What was asked for.</param>
internal sealed class PrunedRun(PrunedTransformer transformer, SD3Config config, TextRun<PruningOptions> run)
{
    private readonly Picture[] _pictures = [.. Enumerable.Range(0, run.Count).Select(_ => new Picture(transformer, config, run.Options))];

    /// <summary>The denoiser.</summary>
    public Denoiser Denoiser => new(PredictAsync);

    private async Task<Tensor<float>> PredictAsync(Tensor<float> x, float timestep, Conditions texts, CancellationToken cancel)
    {
        var output = Tensor.Zeros<float>(x.Shape);
        for (var i = 0; i < run.Count; i++)
        {
            int[] rows = run.Guided ? [i, run.Count + i] : [i];
            var predicted = await _pictures[i].PredictAsync(Rows(x, rows), timestep, Rows(SD3Pipeline.Tokens(texts), rows), Rows(SD3Pipeline.Whole(texts), rows), cancel).ConfigureAwait(false);
            for (var row = 0; row < rows.Length; row++) predicted.Slice(row).Span.CopyTo(output.Slice(rows[row]).Span);
        }

        return output;
    }

    private static Tensor<float> Rows(Tensor<float> x, int[] rows) => Batch.Concat([.. rows.Select(row => Batch.Range(x, row, row + 1))]);

    private sealed class Picture(PrunedTransformer transformer, SD3Config config, PruningOptions options)
    {
        private readonly PrunedTransformer.Cache _cache = new();
        private Tensor<float>? _first, _before;
        private TokenSelection? _selection;
        private long[] _selected = [];
        private int _step;

        public async Task<Tensor<float>> PredictAsync(Tensor<float> x, float timestep, Tensor<float> text, Tensor<float> pooled, CancellationToken cancel)
        {
            var (rows, columns) = ((int)x.Shape[2] / config.PatchSize, (int)x.Shape[3] / config.PatchSize);
            var all = PrunedTokens.All(rows * columns);
            var output = await transformer.PredictAsync(x, timestep, text, pooled, _selected.Length == 0 ? all : _selected, _cache, cancel).ConfigureAwait(false);
            var step = _step++;
            if (options.Share >= 1 || step < options.FullSteps) return output;
            // What is asked for is the first of guidance's two.
            var noise = PrunedTokens.Of(output.Slice(0), config.PatchSize);
            if (_first is null)
            {
                _first = noise;
            }
            else
            {
                var change = Batch.AddScaled(noise, -1, _first);
                if (_selection is null) _selection = new(new(noise, rows, columns, TokenSelection.Cluster(ClusterSelection.FeaturesOf(noise, rows, columns), options.Clusters, cancel)), options.Share);
                else PrunedTokens.Keep(output, _before!, [.. all.Except(_selected)], config.PatchSize);
                _selected = _selection.Next(change);
            }

            _before = Batch.Copy(output);
            return output;
        }
    }
}
