using ModelZoo.Contracts;
using ModelZoo.Networks;

namespace ModelZoo.Plugins.LanguageModels;

/// <summary>
/// The parts of H-Net as networks. How many chunks a text has is known when its bytes have been through the encoder, so that encoder, innermost network and decoder are networks of their own, each of any length and going on from
/// states: a prompt is one run of them, and a byte another.
/// </summary>
internal static class HNetNetwork
{
    private const double Epsilon = 1e-5;

    /// <summary>The parts of a stage: encoder and decoder, or the innermost network.</summary>
    public static IReadOnlyList<Action<Scope>> Parts(HNetConfig config, HNetStage stage) =>
        stage.Main is not null ? [scope => Main(scope, config, stage)] : [scope => Encoder(scope, config, stage), scope => Decoder(scope, config, stage)];

    /// <summary>Before what is within. input_ids (B, L) or outer_states (B, L, outer), before (B, D): the last place so far -> hidden_states (B, L, D), residual (B, L, D), boundary_prob (B, L), of which the first of a text is not used.</summary>
    public static void Encoder(Scope model, HNetConfig config, HNetStage stage)
    {
        var (g, level) = (model.Graph, model[stage.Path]);
        var states = new LayerStates(g);
        var x = level["encoder"].Isotropic(Input(model, config, stage, states), stage.Encoder!, stage, states);
        g.Output("hidden_states", x);
        // The residual in full precision, section 2.3.
        g.Output("residual", level["residual_proj"].Linear(x, stage.Width));
        g.Output("boundary_prob", level["routing_module"].BoundaryProbability(x, g.Input("before", [states.Batch, stage.Width])));
        states.Finish();
    }

    /// <summary>The innermost. outer_states (B, M, outer) -> hidden_states (B, M, outer); where there is nothing around it, input_ids (B, L) -> logits (B, L, V).</summary>
    public static void Main(Scope model, HNetConfig config, HNetStage stage)
    {
        var states = new LayerStates(model.Graph);
        var x = model[stage.Path]["main_network"].Isotropic(Input(model, config, stage, states), stage.Main!, stage, states);
        Output(model, config, stage, model.Stage($"main_network_{stage.Index}", x));
        states.Finish();
    }

    /// <summary>After what is within. smoothed (B, L, D), residual (B, L, D) -> hidden_states (B, L, outer); logits (B, L, V) in the outermost.</summary>
    public static void Decoder(Scope model, HNetConfig config, HNetStage stage)
    {
        var (g, states) = (model.Graph, new LayerStates(model.Graph));
        Shape shape = [states.Batch, states.Length, stage.Width];
        // The authors multiply by a one that only training sees through.
        var x = g.Input("smoothed", shape) + g.Input("residual", shape);
        x = model[stage.Path]["decoder"].Isotropic(x, stage.Decoder!, stage, states);
        Output(model, config, stage, model.Stage($"decoder_{stage.Index}", x));
        states.Finish();
    }

    // Equation 4: p = (1 - cos(q_t, k_(t-1))) / 2, with the query of the place before and the key of this one, as the authors' code has them.
    private static Value BoundaryProbability(this Scope router, Value x, Value before)
    {
        var width = x.Shape[2].Size;
        var q = router["q_proj_layer"].Linear(ValueShape.Concat(1, before.Unsqueeze(1), x), width, bias: false).Take(1, x.Shape[1]).L2Normalize();
        var k = router["k_proj_layer"].Linear(x, width, bias: false).L2Normalize();
        return ((1 - (q * k).Sum(-1)) / 2).Clip(0, 1);
    }

    // Bytes, or the outer stage's places made as wide as this one.
    private static Value Input(Scope model, HNetConfig config, HNetStage stage, LayerStates states)
    {
        var g = model.Graph;
        if (stage.Index == 0) return model["embeddings"].Embedding(g.Input("input_ids", ElementType.Int64, [states.Batch, states.Length]), config.VocabSize, stage.Width);
        var x = g.Input("outer_states", [states.Batch, states.Length, stage.Outer]);
        return stage.Width == stage.Outer ? x : ValueShape.Concat(2, x, model[stage.Path].Weight("pad_dimension", stage.Width - stage.Outer).Expand(states.Batch, states.Length, stage.Width - stage.Outer));
    }

    private static void Output(Scope model, HNetConfig config, HNetStage stage, Value x)
    {
        var table = config.TieEmbeddings && !model["lm_head"].Has("weight") ? "embeddings" : "lm_head";
        if (stage.Index == 0) model.Graph.Output("logits", model[table].Linear(x, config.VocabSize, bias: false));
        else model.Graph.Output("hidden_states", x.Take(2, stage.Outer));
    }

    // Blocks with norms before, and one after the last.
    private static Value Isotropic(this Scope scope, Value x, string layout, HNetStage stage, LayerStates states)
    {
        foreach (var (i, kind) in HNetStage.Kinds(layout).Index())
        {
            var block = scope["layers"][i];
            var normed = block["norm1"].RmsNorm(x, Epsilon);
            x += kind is 'm' or 'M' ? block["mixer"].StateSpace(normed, stage, states) : block["mixer"].Attention(normed, stage, states);
            if (kind is 'M' or 'T') x += block["mlp"].SwiGlu(block["norm2"].RmsNorm(x, Epsilon), stage.Intermediate);
        }

        return scope["rmsnorm"].RmsNorm(x, Epsilon);
    }

    private static Value StateSpace(this Scope mixer, Value x, HNetStage stage, LayerStates states)
    {
        var channels = stage.ScanHeads * stage.ScanWidth + 2 * stage.States;
        var (convolution, scan) = (states.Input("convolution", [states.Batch, channels, stage.Kernel - 1]), states.Input("scan", [states.Batch, stage.ScanHeads, stage.States, stage.ScanWidth]));
        var (output, next) = mixer.Mamba2(x, stage.ScanHeads, stage.ScanWidth, stage.States, kernel: stage.Kernel, epsilon: Epsilon, before: new(convolution.Value, scan.Value));
        states.Output(convolution, next.Convolution);
        states.Output(scan, next.Scan);
        return output;
    }

    private static Value Attention(this Scope mixer, Value x, HNetStage stage, LayerStates states)
    {
        var (q, k, v) = mixer["Wqkv"].Qkv(x, stage.Width, bias: false);
        if (stage.Rotary > 0)
        {
            var (cos, sin) = PositionLayers.RotaryAngles(states.Places(), stage.Rotary);
            (q, k) = (q.Rotary(stage.Heads, cos, sin), k.Rotary(stage.Heads, cos, sin));
        }

        var (keys, values) = (states.Extend("keys", k, stage.Window), states.Extend("values", v, stage.Window));
        var seen = states.Mask(keys.Shape[1], stage.Window);
        return mixer["out_proj"].Linear(AttentionLayers.Attention(q, keys, values, new() { Heads = stage.Heads, Bias = seen }), stage.Width, bias: false);
    }

    // fc1 has the values first and the gates after them.
    private static Value SwiGlu(this Scope mlp, Value x, long hidden)
    {
        var gate = mlp["fc1"].LinearRows(x, 2 * hidden, hidden, hidden, bias: false);
        return mlp["fc2"].Linear(gate.Silu() * mlp["fc1"].LinearRows(x, 2 * hidden, 0, hidden, bias: false), x.Shape[2].Size, bias: false);
    }
}
