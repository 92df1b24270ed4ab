// Δ-DiT: A Training-Free Acceleration Method Tailored for Diffusion Transformers. Chen, Shen, Ye, Cao, Ji, Wang, Chen, Zhang. arXiv:2406.01125. No public code.
// Published layout: DiT's (config.json with the constructor's arguments, a .pt state dict). Deviations: none from the specification.
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Plugins.DiffusionTransformers.DiT;
using ModelZoo.Plugins.DiffusionTransformers.Shared;

namespace ModelZoo.Plugins.DiffusionTransformers.DeltaDiT;

/// <summary>A DiT that runs with or without a span of its blocks: without it, what the span last added is added again.</summary>
internal sealed class SpannedDiT : IDisposable
{
    private readonly Network _full, _skipping;

    /// <summary>Builds both networks for blocks <paramref name="first"/> up to <paramref name="end"/>.</summary>
    public SpannedDiT(NetworkContext context, DiTConfig config, int first, int end)
    {
        _full = Network.Build(context, "delta-dit", scope => Declare(scope, config, first, end, skip: false));
        _skipping = Network.Build(context, "delta-dit skipping", scope => Declare(scope, config, first, end, skip: true));
    }

    /// <summary>Runs; with a difference (B, N, D) the span is left out. Gives the prediction and the span's difference.</summary>
    public async Task<(Tensor<float> Output, Tensor<float> Delta)> RunAsync(Tensor<float> x, float t, Tensor<long> y, Tensor<float>? delta, CancellationToken cancel)
    {
        var times = Batch.Filled(x.Shape[0], t);
        if (delta is not null) return ((await _skipping.RunAsync(cancel, ("x", x), ("t", times), ("y", y), ("delta", delta)).ConfigureAwait(false))["output"], delta);
        var results = await _full.RunAsync(cancel, ("x", x), ("t", times), ("y", y)).ConfigureAwait(false);
        return (results["output"], results["delta"]);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _full.Dispose();
        _skipping.Dispose();
    }

    private static void Declare(Scope dit, DiTConfig config, int first, int end, bool skip)
    {
        var (g, batch) = (dit.Graph, Dim.Symbol("batch"));
        var (x, t, y) = (g.Input("x", [batch, config.InChannels, config.InputSize, config.InputSize]), g.Input("t", [batch]), g.Input("y", ElementType.Int64, [batch]));
        var (h, condition) = DiTNetwork.Embed(dit, x, t, y, config);
        h = Blocks(h, 0, first);
        if (skip)
        {
            h += g.Input("delta", [batch, config.Rows * config.Rows, config.HiddenSize]);
        }
        else
        {
            var entered = h;
            h = Blocks(h, first, end);
            g.Output("delta", h - entered);
        }

        g.Output("output", DiTNetwork.Unpatch(dit, Blocks(h, end, config.Depth), condition, config));

        Value Blocks(Value tokens, int from, int to)
        {
            for (var i = from; i < to; i++) tokens = dit["blocks"][i].DiTBlock(tokens, condition, config.NumHeads, config.MlpWidth);
            return tokens;
        }
    }
}

/// <summary>Δ-DiT on a class-conditional DiT.</summary>
public static class DeltaDiTModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "diffusion-transformers/delta-dit",
            Paper = "Δ-DiT: A Training-Free Acceleration Method Tailored for Diffusion Transformers",
            ArXiv = "2406.01125",
            Authors = ["Pengtao Chen", "Mingzhu Shen", "Peng Ye", "Jianjian Cao", "Chongjun Tu", "Christos-Savvas Bouganis", "Yiren Zhao", "Tao Chen"],
            Inputs = [Modality.Text],
            Outputs = [Modality.Image],
            Layouts = ["authors' DiT: *.pt + config.json (constructor arguments)"],
        },
        OpenAsync);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var config = PublishedConfig.Read<DiTConfig>(source.RequireFolder()).Value;
        return Weights.Guarded(Weights.Open(source, "ema", "model"), checkpoint =>
        {
            var context = NetworkContext.Of(source, checkpoint) with { Stages = false };
            return new([checkpoint], [], (call, arguments, token) => call == "sample" ? SampleAsync(context, config, arguments, token) : throw Calls.Unknown(call, "sample"));
        });
    }

    // Early steps may leave out the rear blocks, later ones the front blocks; DDIM of DiT's code.
    private static async Task<CallResults> SampleAsync(NetworkContext context, DiTConfig config, CallArguments arguments, CancellationToken cancel)
    {
        var (x, classes) = (arguments.Tensor<float>("noise"), arguments.Tensor<long>("y"));
        var (steps, scale, interval, span, boundary) = (arguments.Literal("steps", 20), arguments.Literal("cfg_scale", 4.0), arguments.Literal("cache_interval", 2), arguments.Literal<int>("num_cached_blocks"), arguments.Literal<int>("boundary"));
        var y = Tensor.Create<long>([.. classes.Span, .. Enumerable.Repeat((long)config.NumClasses, classes.Length)], 2 * classes.Length);
        using var early = new SpannedDiT(context, config, config.Depth - span, config.Depth);
        using var later = new SpannedDiT(context, config, 0, span);
        var diffusion = SpacedDiffusion.Create($"ddim{steps}", config.LearnSigma);
        var (executed, epsilons, states) = (new long[steps], new List<Tensor<float>>(), new List<Tensor<float>>());
        Tensor<float>? rear = null, front = null;
        // As specified, both halves keep their own states; the channel that is not guided sets them apart.
        x = Batch.Doubled(x);
        for (var i = 0; i < steps; i++)
        {
            var (place, model, stored) = (steps - 1 - i, i < boundary ? early : later, i < boundary ? rear : front);
            var skip = i % interval != 0 && stored is not null;
            var (output, delta) = await model.RunAsync(x, diffusion.Timesteps[place], y, skip ? stored : null, cancel).ConfigureAwait(false);
            (rear, front) = i < boundary ? (delta, front) : (rear, delta);
            executed[i] = skip ? config.Depth - span : config.Depth;
            var guided = Guidance.Apply(output, scale, 3);
            epsilons.Add(Batch.Channels(Batch.FirstHalf(guided), 0, config.InChannels));
            (x, _) = diffusion.DdimSample(place, guided, x, null, clip: false, eta: 0);
            states.Add(Batch.FirstHalf(x));
        }

        // Results are numbered by call in the cases: each name stands for whichever run this is.
        var results = new CallResults();
        if (rear is not null) results.Add("first_delta_rear", rear);
        foreach (var run in (string[])["_0", "_1", ""])
            results.Add($"executed_blocks{run}", Tensor.Create(executed, steps)).Add($"epsilon{run}", Batch.Stack(epsilons)).Add($"trajectory{run}", Batch.Stack(states)).Add($"latent{run}", states[^1]);
        return results;
    }
}
