// Visual Autoregressive Modeling: Scalable Image Generation via Next-Scale Prediction. Tian, Jiang, Yuan, Peng, Wang. arXiv:2404.02905, algorithm 2: the loop that VAR and its descendants share.
using ModelZoo.Contracts;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling;

namespace ModelZoo.Plugins.ImageGenerators;

/// <summary>Entries of the codebooks for the guided logits (B, places, ids) of a scale: (B, places, C).</summary>
/// <param name="scale">Number of the scale.</param>
/// <param name="start">Places of the scales before.</param>
/// <param name="logits">Guided logits, which may be overwritten.</param>
internal delegate Tensor<float> ChooseEntries(int scale, int start, Tensor<float> logits);

/// <summary>Where a run over scales is.</summary>
/// <param name="Scale">Number of the scale that was added.</param>
/// <param name="Outputs">What the transformer gave for it, both halves: <c>logits</c> and stages.</param>
/// <param name="Sum">What all scales so far add up to, (B, C, h, w).</param>
internal sealed record ScaleStep(int Scale, IReadOnlyDictionary<string, Tensor> Outputs, Tensor<float> Sum);

/// <summary>The networks of generation scale by scale: the transformer with its cache, and a network for each scale that adds its entries and makes the next scale's input.</summary>
internal sealed class NextScale : IDisposable
{
    private readonly VarConfig _config;
    private readonly int _width;
    private readonly Network _start, _transformer;
    private readonly Network[] _scales;

    /// <summary>Builds them.</summary>
    /// <param name="context">Engine and weights.</param>
    /// <param name="config">The transformer.</param>
    /// <param name="vocabulary">Ids a place, of all branches.</param>
    /// <param name="width">Channels of the latent, of all branches.</param>
    /// <param name="contribution">Root scope, entries (B, C, s, s) and number of the scale to what they add, (B, C, h, w).</param>
    public NextScale(NetworkContext context, VarConfig config, int vocabulary, int width, Func<Scope, Value, int, Value> contribution)
    {
        (_config, _width) = (config, width);
        _start = Network.Build(context, "var/start", var => var.Graph.Output("x", VarNetwork.Start(var, VarNetwork.Condition(var, config), config)));
        _transformer = Network.Build(context, "var/transformer", var => VarNetwork.Step(var, config, vocabulary));
        _scales = [.. Enumerable.Range(0, config.PatchNums.Length).Select(scale => Network.Build(context, $"var/scale_{scale}", root => Add(root, scale, contribution)))];
    }

    /// <summary>Runs all scales. The guidance grows with the scale: t = cfg scale / (scales - 1), logits = (1 + t) conditional - t unconditional.</summary>
    public async IAsyncEnumerable<ScaleStep> RunAsync(long[] labels, double cfg, ChooseEntries choose, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancel)
    {
        var (batch, side) = (labels.Length, _config.PatchNums[^1]);
        var label = Tensor.Create<long>([.. labels, .. labels.Select(_ => (long)_config.NumClasses)], 2 * batch);
        var x = (await _start.RunAsync(cancel, ("label", label)).ConfigureAwait(false))["x"];
        var sum = Tensor.Zeros<float>(batch, _width, side, side);
        using var state = new GrowingState(_transformer, 2 * batch);
        for (var (scale, start) = (0, 0); scale < _scales.Length; start += _config.PatchNums[scale] * _config.PatchNums[scale], scale++)
        {
            var outputs = await state.StepAsync(cancel, ("x", x), ("label", label)).ConfigureAwait(false);
            var entries = choose(scale, start, Guided(outputs["logits"].As<float>(), cfg * ((double)scale / (_scales.Length - 1))));
            var added = await _scales[scale].RunAsync(cancel, ("sum", sum), ("entries", entries)).ConfigureAwait(false);
            sum = added["next_sum"];
            if (scale < _scales.Length - 1) x = added["x"];
            yield return new(scale, outputs, sum);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var network in (Network[])[_start, _transformer, .. _scales]) network.Dispose();
    }

    /// <summary>VAR's choice among logits: the k highest when <paramref name="topK"/> is positive, then the nucleus when <paramref name="topP"/> is. In place.</summary>
    public static void Truncate(Span<float> logits, int topK, double topP)
    {
        if (topK > 0) LogitProcessing.TopK(logits, topK);
        if (topP > 0) LogitProcessing.TopP(logits, (float)topP);
    }

    private void Add(Scope root, int scale, Func<Scope, Value, int, Value> contribution)
    {
        var (g, side, full) = (root.Graph, _config.PatchNums[scale], _config.PatchNums[^1]);
        var batch = Dim.Symbol("batch");
        var entries = g.Input("entries", [batch, side * side, _width]).Swap(1, 2).Reshape(batch, _width, side, side);
        var sum = g.Input("sum", [batch, _width, full, full]) + contribution(root, entries, scale);
        g.Output("next_sum", sum);
        if (scale == _config.PatchNums.Length - 1) return;
        var next = _config.PatchNums[scale + 1];
        var features = sum.Interpolate(Interpolation.Area, [next, next]).Flatten(2).Swap(1, 2);                     // (B, n, C)
        g.Output("x", root["word_embed"].Linear(features, _config.EmbedDim).Tile(0, 2));
    }

    private static Tensor<float> Guided(Tensor<float> both, double t)
    {
        var guided = Tensor.Zeros<float>([both.Shape[0] / 2, .. both.Shape[1..]]);
        var (conditional, unconditional) = ((float)(1 + t), (float)t);
        for (var i = 0; i < guided.Length; i++) guided.Span[i] = conditional * both.Span[i] - unconditional * both.Span[guided.Length + i];
        return guided;
    }
}
