using ModelZoo.Contracts;
using ModelZoo.Networks;
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
