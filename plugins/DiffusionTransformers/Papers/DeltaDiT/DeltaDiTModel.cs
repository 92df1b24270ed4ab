// Δ-DiT: A Training-Free Acceleration Method Tailored for Diffusion Transformers. Chen, Shen, Ye, Cao, Tu, Bouganis, Zhao, Chen. arXiv:2406.01125. No public code.
// Published layout: DiT's (config.json with the constructor's arguments, a .pt state dict). Deviations: none from the specification.
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling;
using ModelZoo.Plugins.DiffusionTransformers.DiT;
using ModelZoo.Plugins.DiffusionTransformers.Shared;
using ModelZoo.Plugins.DiffusionTransformers.Shared.Generation;

namespace ModelZoo.Plugins.DiffusionTransformers.DeltaDiT;

/// <summary>A DiT that runs with or without a span of its blocks: without it, what the span last added is added again.</summary>
internal sealed class SpannedDiT(NetworkContext context, DiTConfig config) : IDisposable
{
    private readonly NetworkCache<(int First, int End, bool Skip)> _networks = new(span => Network.Build(context, span.Skip ? "delta-dit skipping" : "delta-dit", scope => Declare(scope, config, span.First, span.End, span.Skip)));

    /// <summary>Runs blocks but those of a span, or with it where there is no difference (B, N, D) to add. Gives the prediction and the span's difference.</summary>
    public async Task<(Tensor<float> Output, Tensor<float> Delta)> RunAsync((int First, int End) span, Tensor<float> x, float t, Tensor<long> y, Tensor<float>? delta, CancellationToken cancel)
    {
        var times = Batch.Filled(x.Shape[0], t);
        var network = await Task.Run(() => _networks[(span.First, span.End, delta is not null)], cancel).ConfigureAwait(false);
        if (delta is not null) return ((await network.RunAsync(cancel, ("x", x), ("t", times), ("y", y), ("delta", delta)).ConfigureAwait(false))["output"], delta);
        var results = await network.RunAsync(cancel, ("x", x), ("t", times), ("y", y)).ConfigureAwait(false);
        return (results["output"], results["delta"]);
    }

    /// <summary>The denoiser of a run.</summary>
    public ClassDenoiser Begin(ClassOptions options, int steps)
    {
        var cached = options as CachedOptions ?? new();
        var run = new SpanCache(this, config.Depth, Math.Min(cached.CachedBlocks ?? config.Depth * 3 / 4, config.Depth), cached.CacheInterval, cached.Boundary ?? steps / 2);
        return run.NextAsync;
    }

    /// <inheritdoc/>
    public void Dispose() => _networks.Dispose();

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

/// <summary>Which blocks a run leaves out: early steps those at the rear, later ones those at the front, but for a full run every few steps.</summary>
internal sealed class SpanCache(SpannedDiT dit, int depth, int span, int interval, int boundary)
{
    private int _step;

    /// <summary>What the rear blocks last added; null before they ran.</summary>
    public Tensor<float>? Rear { get; private set; }

    /// <summary>What the front blocks last added; null before they ran.</summary>
    public Tensor<float>? Front { get; private set; }

    /// <summary>Blocks that the last step ran.</summary>
    public int Executed { get; private set; }

    /// <summary>The prediction of the next step.</summary>
    public async Task<Tensor<float>> NextAsync(Tensor<float> x, float time, Tensor<long> y, CancellationToken cancel)
    {
        var early = _step < boundary;
        var stored = _step++ % interval != 0 ? early ? Rear : Front : null;
        var (output, delta) = await dit.RunAsync(early ? (depth - span, depth) : (0, span), x, time, y, stored, cancel).ConfigureAwait(false);
        (Rear, Front) = early ? (delta, Front) : (Rear, delta);
        Executed = stored is null ? depth : depth - span;
        return output;
    }
}

/// <summary>Options of generation that skips blocks.</summary>
public sealed record CachedOptions : ClassOptions
{
    /// <summary>Steps between full runs.</summary>
    [Description("Every how many steps all blocks run; 1 for always."), Range(1, 100)]
    public int CacheInterval { get; init; } = 2;

    /// <summary>Blocks that are left out; null is three quarters of them.</summary>
    [Description("Blocks that the other steps leave out; three quarters of them when left out."), Range(1, 1024)]
    public int? CachedBlocks { get; init; }

    /// <summary>Step from which on front blocks are left out; null is half the steps.</summary>
    [Description("Step until which rear blocks are left out, and after it front blocks; half the steps when left out."), Range(0, 1000)]
    public int? Boundary { get; init; }
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
        return Weights.Guarded(source.OpenCheckpoint("ema", "model"), checkpoint =>
        {
            var context = NetworkContext.Of(source, checkpoint) with { Stages = false };
            var (decoder, spans) = (VaeDecoder.For(new(source), config.InChannels), new SpannedDiT(context, config));
            var generator = new ClassGenerator<CachedOptions>(config.Sample, spans.Begin, ClassProcess.Diffusion(config.LearnSigma, 3), ClassNames.Read(source.RequireFolder(), config.NumClasses), decoder);
            return new([checkpoint], [spans, decoder], (call, arguments, token) => call == "sample" ? SampleAsync(spans, config, arguments, token) : throw Calls.Unknown(call, "sample"), generator);
        });
    }

    // Early steps may leave out the rear blocks, later ones the front blocks; DDIM of DiT's code.
    private static async Task<CallResults> SampleAsync(SpannedDiT spans, DiTConfig config, CallArguments arguments, CancellationToken cancel)
    {
        var (x, classes) = (arguments.Tensor<float>("noise"), arguments.Tensor<long>("y"));
        var (steps, scale, interval, span, boundary) = (arguments.Literal("steps", 20), arguments.Literal("cfg_scale", 4.0), arguments.Literal("cache_interval", 2), arguments.Literal<int>("num_cached_blocks"), arguments.Literal<int>("boundary"));
        var y = Tensor.Create<long>([.. classes.Span, .. Enumerable.Repeat((long)config.NumClasses, classes.Length)], 2 * classes.Length);
        var diffusion = new SpacedDiffusion($"ddim{steps}");
        var (cache, executed, epsilons, states) = (new SpanCache(spans, config.Depth, span, interval, boundary), new long[steps], new List<Tensor<float>>(), new List<Tensor<float>>());
        // As specified, both halves keep their own states; the channel that is not guided sets them apart.
        x = Batch.Doubled(x);
        for (var i = 0; i < steps; i++)
        {
            var place = steps - 1 - i;
            var output = await cache.NextAsync(x, diffusion.Timesteps[place], y, cancel).ConfigureAwait(false);
            executed[i] = cache.Executed;
            var guided = Guidance.Apply(output, scale, 3);
            epsilons.Add(Batch.Channels(Batch.FirstHalf(guided), 0, config.InChannels));
            diffusion.ImplicitStep(place, Batch.Channels(guided, 0, config.InChannels).Span, x.Span, []);
            states.Add(Batch.Copy(Batch.FirstHalf(x)));
        }

        // Results are numbered by call in the cases: each name stands for whichever run this is.
        var results = new CallResults();
        if (cache.Rear is { } rear) results.Add("first_delta_rear", rear);
        foreach (var run in (string[])["_0", "_1", ""])
            results.Add($"executed_blocks{run}", Tensor.Create(executed, steps)).Add($"epsilon{run}", Batch.Stack(epsilons)).Add($"trajectory{run}", Batch.Stack(states)).Add($"latent{run}", states[^1]);
        return results;
    }
}
