using ModelZoo.Contracts;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>
/// A decoder of three parts, of which the middle one is applied as often as one likes: e = prelude(ids); s = core(s, e), again and again; logits = coda(s). Each part comes alone, and over a cache. Inputs besides: <c>positions</c> (B, N).
/// </summary>
internal static class HuginnNetwork
{
    private static readonly Dim Batch = Dim.Symbol("batch"), Length = Dim.Symbol("length");

    /// <summary><c>ids</c> (B, N) -> <c>embedded_inputs</c> (B, N, D).</summary>
    public static void Prelude(Scope root, HuginnConfig config, bool isCached)
    {
        var transformer = root["transformer"];
        var e = transformer["wte"].Embedding(root.Graph.Input("ids", ElementType.Int64, [Batch, Length]), config.VocabSize, config.NEmbd) * config.EmbedScale;
        root.Graph.Output("embedded_inputs", Blocks(root, "prelude", e, config.NLayersInPrelude, config, isCached));
    }

    /// <summary><c>state</c> and <c>embedded_inputs</c> (B, N, D) -> <c>next_state</c> (B, N, D).</summary>
    public static void Core(Scope root, HuginnConfig config, bool isCached)
    {
        var transformer = root["transformer"];
        var x = ValueShape.Concat(-1, State(root.Graph, "state", config), State(root.Graph, "embedded_inputs", config));
        root.Graph.Output("next_state", Blocks(root, "core_block", transformer["adapter"].Linear(x, config.NEmbd, config.Bias), config.NLayersInRecurrentBlock, config, isCached));
    }

    /// <summary><c>state</c> (B, N, D) -> <c>latent_states</c>, <c>hidden_states</c> (B, N, D), <c>logits</c> (B, N, V); over a cache, those of the last position alone.</summary>
    public static void Coda(Scope root, HuginnConfig config, bool isCached)
    {
        var transformer = root["transformer"];
        Value Norm(Value x) => transformer["ln_f"].RmsNorm(x, config.NormEps);
        var latent = Norm(State(root.Graph, "state", config));
        var x = Norm(Blocks(root, "coda", latent, config.NLayersInCoda, config, isCached));
        var head = config.TieEmbeddings ? transformer["wte"] : root["lm_head"];
        if (isCached)
        {
            root.Graph.Output("logits", head.Linear(x.At(1, Length - 1), config.VocabSize, bias: false));
            return;
        }

        root.Graph.Output("latent_states", latent);
        root.Graph.Output("hidden_states", x);
        root.Graph.Output("logits", head.Linear(x, config.VocabSize, bias: false));
    }

    private static Value State(Graph g, string name, HuginnConfig config) => g.Input(name, [Batch, Length, config.NEmbd]);

    private static Value Blocks(Scope root, string part, Value x, int count, HuginnConfig config, bool isCached)
    {
        var g = root.Graph;
        var positions = g.Input("positions", ElementType.Int64, [Batch, Length]);
        var cache = isCached ? new KeyValueCache(g, Batch, Length, config.Heads, config.HeadWidth) : null;
        var (cos, sin) = Angles(root, positions, config);
        for (var i = 0; i < count; i++)
        {
            var block = root["transformer"][part][i];
            x = block["norm_2"].RmsNorm(x + Attention(block["attn"], block["norm_1"].RmsNorm(x, config.NormEps), cos, sin, i, config, cache), config.NormEps);
            x = block["norm_4"].RmsNorm(x + FeedForward(block["mlp"], block["norm_3"].RmsNorm(x, config.NormEps), config), config.NormEps);
        }

        return x;
    }

    // Cosines and sines are published beside the weights, rounded as these are.
    private static (Value Cos, Value Sin) Angles(Scope root, Value positions, HuginnConfig config)
    {
        if (!root.Has(HuginnConfig.Angles)) return PositionLayers.RotaryAngles(positions, config.HeadWidth, config.RopeBase);
        var table = root.Weight(HuginnConfig.Angles, 1, config.BlockSize, 1, config.HeadWidth / 2, 2).Reshape(config.BlockSize, config.HeadWidth);
        var angles = table.Gather(positions).Reshape(Batch, Length, config.HeadWidth / 2, 2);
        return (angles.At(-1, 0), angles.At(-1, 1));
    }

    private static Value Attention(Scope attention, Value x, Value cos, Value sin, int layer, HuginnConfig config, KeyValueCache? cache)
    {
        long width = config.NEmbd, heads = config.Heads;
        Value Rows(int part) => attention["Wqkv"].LinearRows(x, 3 * width, part * width, width, bias: false);
        var (q, k, v) = (Rows(0), Rows(1), Rows(2));
        if (config.QkBias)
        {
            var bias = attention.Weight("qk_bias", 2, 1, heads, config.HeadWidth).Reshape(2, width);
            (q, k) = (q + bias.At(0, 0), k + bias.At(0, 1));
        }

        (q, k) = (q.Rotary(heads, cos, sin, interleaved: true), k.Rotary(heads, cos, sin, interleaved: true));
        var options = new AttentionOptions { Heads = heads, KeyValueHeads = heads, Causal = true };
        return attention["proj"].Linear(cache?.Attention(layer, q, k, v, options) ?? AttentionLayers.Attention(q, k, v, options), width, bias: false);
    }

    private static Value FeedForward(Scope mlp, Value x, HuginnConfig config)
    {
        Value Half(int half) => mlp["fc"].LinearRows(x, 2 * config.IntermediateSize, half * config.IntermediateSize, config.IntermediateSize, bias: false);
        return mlp["proj"].Linear(Half(0).Silu() * Half(1), config.NEmbd, bias: false);
    }
}
