// CAT Pruning: Cluster-Aware Token Pruning For Text-to-Image Diffusion Models. Xinle Cheng, Zhuoming Chen, Zhihao Jia. arXiv:2502.00433. github.com/ada-cheng/CAT-Pruning
// Published layout: diffusers SD3Transformer2DModel; the method has no weights. Deviations: clusters and selections after the first are given, as the authors' depend on a library's order of equals.
using ModelZoo.Contracts;
using ModelZoo.Inference;
using ModelZoo.Networks;
using ModelZoo.Networks.Sampling.Schedulers;
using ModelZoo.Plugins.DiffusionTransformers.SD3;
using ModelZoo.Plugins.DiffusionTransformers.Shared;

namespace ModelZoo.Plugins.DiffusionTransformers.CatPruning;

/// <summary>SD3's network where only some tokens of the picture are computed: the others keep keys, values and what attention and feed-forward blocks gave them before (section 3.1).</summary>
internal sealed class PrunedTransformer : IDisposable
{
    private const string Next = ".next";
    private readonly SD3Config _config;
    private readonly SizedNetworks _networks;

    /// <summary>Prepares networks over a checkpoint.</summary>
    public PrunedTransformer(NetworkContext context, SD3Config config)
    {
        _config = config;
        _networks = new(size => Network.Build(context with { Stages = false }, "pruned sd3", scope => Declare(scope, config, size.Height, size.Width)));
    }

    /// <summary>What tokens keep between steps.</summary>
    public sealed class Cache
    {
        /// <summary>Everything by name; empty before the first step.</summary>
        public IReadOnlyDictionary<string, Tensor<float>> Tensors { get; set; } = new Dictionary<string, Tensor<float>>();
    }

    /// <summary>Names of what tokens keep: for each attention keys, values and output, for each feed-forward block its output.</summary>
    public static IReadOnlyList<string> CacheNames(SD3Config config) => [.. Enumerable.Range(0, config.NumLayers).SelectMany(i => (string[])
    [
        .. (config.DualAttentionLayers.Contains(i) ? (string[])["attn", "attn2"] : ["attn"]).SelectMany(attn => (string[])["keys", "values", "output"], (attn, part) => $"transformer_blocks.{i}.{attn}.{part}"),
        $"transformer_blocks.{i}.ff.output",
    ])];

    /// <summary>Predicts the velocity, computing the selected tokens.</summary>
    public async Task<Tensor<float>> PredictAsync(Tensor<float> sample, float time, Tensor<float> text, Tensor<float> pooled, long[] selected, Cache cache, CancellationToken cancel)
    {
        var tokens = sample.Shape[2] / _config.PatchSize * (sample.Shape[3] / _config.PatchSize);
        List<(string, Tensor)> inputs = [("hidden_states", sample), ("timestep", Batch.Filled(sample.Shape[0], time)), ("encoder_hidden_states", text), ("pooled_projections", pooled), ("selected", Tensor.Create(selected, selected.Length))];
        foreach (var name in CacheNames(_config)) inputs.Add((name, cache.Tensors.TryGetValue(name, out var kept) ? kept : Tensor.Zeros<float>(sample.Shape[0], tokens, _config.Width)));
        var outputs = await _networks.RunAsync(sample.Shape[2], sample.Shape[3], cancel, [.. inputs]).ConfigureAwait(false);
        cache.Tensors = CacheNames(_config).ToDictionary(name => name, name => outputs[name + Next]);
        return outputs["velocity"];
    }

    /// <inheritdoc/>
    public void Dispose() => _networks.Dispose();

    private static void Declare(Scope scope, SD3Config config, long height, long width)
    {
        var (g, batch) = (scope.Graph, Dim.Symbol("batch"));
        var tokens = height / config.PatchSize * (width / config.PatchSize);
        var inputs = new TextNetwork.Inputs(
            g.Input("hidden_states", [batch, config.InChannels, height, width]), g.Input("timestep", [batch]), g.Input("encoder_hidden_states", [batch, Dim.Symbol("words"), config.JointAttentionDim]), null,
            new Dictionary<string, Value> { ["pooled_projections"] = g.Input("pooled_projections", [batch, config.PooledProjectionDim]) })
        { Pictures = new Dictionary<string, Value>() };
        var selected = g.Input("selected", ElementType.Int64, [Dim.Symbol("selected")]);
        g.Output("velocity", SD3Network.Build(scope, inputs, config, new() { Attention = Attention, FeedForward = FeedForward }));

        (Value, Value?) Attention(Scope attn, Value image, Value? text, JointLayers.Options options, bool further)
        {
            var (q, k, v) = attn.Projections(image.Gather(selected, 1), ["to_q", "to_k", "to_v"], ["norm_q", "norm_k"], options);
            var (keys, values, width) = (Kept($"{attn.Path}.keys", k), Kept($"{attn.Path}.values", v), image.Shape[-1].Size);
            Value Output(Value seen) => Kept($"{attn.Path}.output", attn["to_out.0"].Linear(seen, width));
            if (text is null) return (Output(AttentionLayers.Attention(q, keys, values, new() { Heads = options.Heads })), null);
            var (tq, tk, tv) = attn.Projections(text, ["add_q_proj", "add_k_proj", "add_v_proj"], ["norm_added_q", "norm_added_k"], options);
            var seen = AttentionLayers.Attention(ValueShape.Concat(1, q, tq), ValueShape.Concat(1, keys, tk), ValueShape.Concat(1, values, tv), new() { Heads = options.Heads });
            return (Output(seen.Take(1, selected.Shape[0])), further ? attn["to_add_out"].Linear(seen.From(1, selected.Shape[0]), width) : null);
        }

        Value FeedForward(Scope ff, Value x) => Kept($"{ff.Path}.output", ff.DiffusersFeedForward(x.Gather(selected, 1), "gelu-approximate"));

        // What was kept, with the rows of selected tokens replaced.
        Value Kept(string name, Value rows)
        {
            var kept = g.Input(name, [batch, tokens, config.Width]).ScatterElements(selected.Reshape(1, selected.Shape[0], 1).Expand([.. rows.Shape]), rows, 1);
            g.Output(name + Next, kept);
            return kept;
        }
    }
}

/// <summary>Stable Diffusion 3 that computes fewer tokens in later steps.</summary>
public static class CatPruningModel
{
    /// <summary>Card and opening.</summary>
    public static ModelArchitecture Architecture { get; } = new(
        new()
        {
            Id = "diffusion-transformers/cat-pruning",
            Paper = "CAT Pruning: Cluster-Aware Token Pruning For Text-to-Image Diffusion Models",
            ArXiv = "2502.00433",
            Authors = ["Xinle Cheng", "Zhuoming Chen", "Zhihao Jia"],
            Repository = "ada-cheng/CAT-Pruning",
            CodeLicense = "none stated",
            WeightsLicense = "Stability AI Community",
            Inputs = [Modality.Text],
            Outputs = [Modality.Image],
            Layouts = ["diffusers: SD3Transformer2DModel"],
        },
        OpenAsync);

    private static ValueTask<IModel> OpenAsync(ModelSource source, CancellationToken cancel)
    {
        var config = PublishedConfig.Read<SD3Config>(source.RequireFolder()).Value;
        return Weights.Guarded(Weights.Open(source), checkpoint =>
        {
            var transformer = new PrunedTransformer(NetworkContext.Of(source, checkpoint), config);
            var calls = new CatPruningCalls(transformer, config);
            return new([checkpoint], [transformer], calls.CallAsync);
        });
    }
}

/// <summary>The calls of the authors' code.</summary>
internal sealed class CatPruningCalls(PrunedTransformer transformer, SD3Config config)
{
    /// <summary>Runs a call.</summary>
    public Task<CallResults> CallAsync(string call, CallArguments arguments, CancellationToken cancel) => call switch
    {
        "sample" => SampleAsync(arguments, cancel),
        "sample_pruned" => SamplePrunedAsync(arguments, cancel),
        "select_first" => Task.FromResult(SelectFirst(arguments)),
        _ => throw Calls.Unknown(call, "sample, sample_pruned, select_first"),
    };

    private async Task<CallResults> SampleAsync(CallArguments arguments, CancellationToken cancel)
    {
        var (times, noise, states) = await RunAsync(arguments, _ => [], cancel).ConfigureAwait(false);
        return new CallResults().Add("timesteps", Tensor.Create(times, times.Length)).Add("base_noise_pred", Batch.Stack(noise)).Add("base_sample", states[^1]);
    }

    private async Task<CallResults> SamplePrunedAsync(CallArguments arguments, CancellationToken cancel)
    {
        var marks = arguments.Tensor<long>("selected_tokens");
        // Where pruning begins shows in the selections: steps before have none.
        _ = arguments.Literal("stop_idx", 0);
        var (_, noise, states) = await RunAsync(arguments, step => [.. Enumerable.Range(0, (int)marks.Shape[1]).Where(token => marks[step, token] != 0).Select(token => (long)token)], cancel).ConfigureAwait(false);
        return new CallResults().Add("noise_pred", Batch.Stack(noise)).Add("trajectory", Batch.Stack(states)).Add("sample", states[^1]);
    }

    private CallResults SelectFirst(CallArguments arguments)
    {
        var grid = arguments.Literal<int[]>("grid");
        var (first, noise) = (Tokens(arguments.Tensor<float>("first_noise")), Tokens(arguments.Tensor<float>("noise")));
        var selection = new ClusterSelection(noise, grid[0], grid[1], [.. arguments.Tensor<long>("cluster_labels").Span]);
        var chosen = selection.First(Batch.AddScaled(noise, -1, first), arguments.Literal<double>("select_factor"));
        return new CallResults().Add("cluster_features", selection.Features).Add("first_selected_tokens", Tensor.Create(chosen, chosen.Length));
    }

    // Euler along the flow, guided; a step without selection computes all tokens.
    private async Task<(float[] Times, List<Tensor<float>> Noise, List<Tensor<float>> States)> RunAsync(CallArguments arguments, Func<int, long[]> select, CancellationToken cancel)
    {
        var (text, pooled) = (arguments.Tensor<float>("prompt_embeds"), arguments.Tensor<float>("pooled_prompt_embeds"));
        var scheduler = new FlowMatchEulerConfig { Shift = arguments.Literal("shift", 3.0) };
        var (cache, noise, times, step) = (new PrunedTransformer.Cache(), new List<Tensor<float>>(), new List<float>(), 0);
        var states = await GuidedLoop.RunAsync(scheduler, arguments.Tensor<float>("latents"), arguments.Literal("num_inference_steps", 28), arguments.Literal("guidance_scale", 7.0), PredictAsync, cancel).ConfigureAwait(false);
        return ([.. times], noise, states);

        async Task<Tensor<float>> PredictAsync(Tensor<float> sample, float time)
        {
            var count = (int)(sample.Shape[2] / config.PatchSize * (sample.Shape[3] / config.PatchSize));
            var selected = select(step++);
            var all = Enumerable.Range(0, count).Select(token => (long)token).ToArray();
            var output = await transformer.PredictAsync(sample, time, text, pooled, selected.Length == 0 ? all : selected, cache, cancel).ConfigureAwait(false);
            if (selected.Length > 0 && noise.Count > 0) Keep(output, noise[^1], [.. all.Except(selected)]);
            times.Add(time);
            noise.Add(output);
            return output;
        }
    }

    // Tokens that were not computed keep the noise of the step before.
    private void Keep(Tensor<float> output, Tensor<float> before, long[] tokens)
    {
        var (patch, columns) = (config.PatchSize, (int)output.Shape[3] / config.PatchSize);
        for (var plane = 0; plane < output.Shape[0] * output.Shape[1]; plane++)
        {
            foreach (var token in tokens)
            {
                for (var y = 0; y < patch; y++)
                {
                    var start = (plane * (int)output.Shape[2] + (int)token / columns * patch + y) * (int)output.Shape[3] + (int)token % columns * patch;
                    before.Span.Slice(start, patch).CopyTo(output.Span[start..]);
                }
            }
        }
    }

    // The second sample's prediction (C, H, W) token by token: (N, patch patch C), the channel fastest.
    private Tensor<float> Tokens(Tensor<float> prediction)
    {
        var (patch, x) = (config.PatchSize, prediction.Slice(1));
        var (channels, columns) = ((int)x.Shape[0], (int)x.Shape[2] / patch);
        var tokens = Tensor.Zeros<float>(x.Shape[1] / patch * columns, (long)patch * patch * channels);
        for (var i = 0; i < tokens.Length; i++)
        {
            var (token, feature) = (i / (int)tokens.Shape[1], i % (int)tokens.Shape[1]);
            var (place, c) = (feature / channels, feature % channels);
            tokens.Span[i] = x[c, token / columns * patch + place / patch, token % columns * patch + place % patch];
        }

        return tokens;
    }
}
